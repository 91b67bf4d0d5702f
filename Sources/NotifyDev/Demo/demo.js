// The demo page of notify-bridge. Everything from a message or a row reaches the page as text, never as markup.
"use strict";

const MAX_ROWS = 200;
const MAX_MESSAGES = 300;
const MAX_DEVICES = 6;
const LONGEST_PAUSE = 10_000;

const $ = (selector, root = document) => root.querySelector(selector);
const now = () => performance.timeOrigin + performance.now();

let config = { users: [], path: "/ws/notifications/", psql: "", version: "" };
const devices = new Set();
/** When the rows inserted by this page were sent off: id → milliseconds. */
const inserted = new Map();
/** Ids on the page that were not seen as sent yet. */
const unsent = new Set();

// ---------------------------------------------------------------- bridge

async function ask(path, body) {
  const options = body === undefined ? {} : {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
  };
  const response = await fetch(path, options);
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(answer.error || `HTTP status ${response.status}`);
  return answer;
}

/** Milliseconds since 1970, with the microseconds that Date.parse drops. */
function milliseconds(timestamp) {
  const whole = Date.parse(timestamp);
  const fraction = /\.\d{3}(\d{1,3})/.exec(timestamp);
  return whole + (fraction ? Number(fraction[1].padEnd(3, "0")) / 1000 : 0);
}

function span(ms) {
  if (ms < 0.1) return "under 0.1 ms";
  if (ms < 10) return `${ms.toFixed(1)} ms`;
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  if (ms < 3_600_000) return `${Math.round(ms / 60_000)} min`;
  return ms < 172_800_000 ? `${Math.round(ms / 3_600_000)} h` : `${Math.round(ms / 86_400_000)} days`;
}

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

function remember(map, key, value, limit = 1000) {
  map.set(key, value);
  if (map.size > limit) map.delete(map.keys().next().value);
}

// ---------------------------------------------------------------- devices

class Device {
  constructor(user) {
    this.user = user;
    this.element = $("#device-template").content.firstElementChild.cloneNode(true);
    this.rows = $(".rows", this.element);
    this.select = $("select", this.element);
    fillUsers(this.select, user);
    this.select.addEventListener("change", () => this.become(this.select.value));
    $(".remove", this.element).addEventListener("click", () => removeDevice(this));
    $("#device-list").append(this.element);
    this.become(user);
  }

  /** Starts afresh as another user. */
  become(user) {
    this.stop();
    this.user = user;
    this.cursor = null;
    this.epoch = null;
    this.failures = 0;
    this.seen = new Set();
    this.delays = [];
    this.received = 0;
    this.sent = 0;
    this.rows.replaceChildren();
    $(".raw ol", this.element).replaceChildren();
    this.messages = 0;
    $("[data-name]", this.element).textContent = userName(user);
    this.element.setAttribute("aria-label", `Device of ${userName(user)}`);
    this.showFigures();
    saveDevices();
    this.connect();
  }

  stop() {
    clearTimeout(this.timer);
    this.attempt = (this.attempt || 0) + 1;
    const socket = this.socket;
    this.socket = null;
    if (socket) socket.close(1000);
  }

  async connect() {
    const attempt = ++this.attempt;
    this.show("connecting", "connecting");
    let token;
    try {
      token = (await ask("/demo/token", { user: this.user })).token;
    } catch (error) {
      if (attempt === this.attempt) this.retry("bridge away");
      return;
    }
    if (attempt !== this.attempt) return;
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const since = this.cursor ? `?since=${this.cursor}` : "";
    // As a subprotocol the token stays out of addresses, and so out of logs.
    const socket = new WebSocket(`${scheme}://${location.host}${config.path}${since}`, ["notify-bridge.v1", `bearer.${token}`]);
    this.socket = socket;
    socket.onmessage = (event) => { if (this.socket === socket) this.message(event.data, now()); };
    socket.onclose = (event) => { if (this.socket === socket) this.closed(event); };
  }

  closed(event) {
    this.socket = null;
    const why = event.code === 1006 ? "connection lost" : `closed ${event.code}${event.reason ? ` ${event.reason}` : ""}`;
    this.log(why, true);
    const asked = /retry_ms=(\d+)/.exec(event.reason);
    this.retry(event.code === 4009 ? "too many connections" : "bridge away", asked ? Number(asked[1]) : null);
  }

  retry(why, asked) {
    const full = Math.min(LONGEST_PAUSE, 500 * 2 ** this.failures++);
    const pause = asked ?? full * (0.5 + Math.random() / 2);
    const at = now() + pause;
    const attempt = this.attempt;
    const tick = () => {
      if (attempt !== this.attempt) return;
      const left = at - now();
      if (left <= 0) return this.connect();
      this.show("closed", `${why}, again in ${Math.ceil(left / 1000)} s`);
      this.timer = setTimeout(tick, Math.min(left, 1000));
    };
    tick();
  }

  message(text, arrival) {
    this.log(text, false);
    let message;
    try { message = JSON.parse(text); } catch { return; }
    if (message.cursor) this.cursor = message.cursor;
    if (message.type === "connection_established") {
      // Another database: ids and rows of the old one mean nothing any more.
      if (this.epoch && this.epoch !== message.epoch) this.seen.clear();
      this.epoch = message.epoch;
      this.since = milliseconds(message.timestamp);
      this.failures = 0;
      this.show("connected", "connected");
    } else if (message.type === "notification") {
      this.notification(message, arrival);
    } else if (message.type === "replay_truncated") {
      this.log("older rows were left out of the replay", true);
    }
  }

  notification(message, arrival) {
    const key = `${message.source} ${message.id}`; // an id means a row only together with its table
    if (this.seen.has(key)) return;
    this.seen.add(key);
    const row = $("#row-template").content.firstElementChild.cloneNode(true);
    row.dataset.id = message.id;
    const data = message.data;
    const isText = data !== null && typeof data === "object" && typeof data.text === "string" && Object.keys(data).length === 1;
    const payload = $(".payload", row);
    payload.textContent = isText ? data.text : JSON.stringify(data, null, 2);
    payload.classList.toggle("json", !isText);
    $(".id", row).textContent = `#${message.id}`;
    const created = message.created_at ? milliseconds(message.created_at) : arrival;
    const time = $("time", row);
    time.dateTime = message.created_at || "";
    time.textContent = new Date(created).toLocaleTimeString();
    row.latencies = { row: Math.max(0, arrival - created), arrival, isReplay: created < this.since };
    this.received += 1;
    if (!row.latencies.isReplay) this.delays.push(row.latencies.row);
    if (this.delays.length > 500) this.delays.shift();
    showLatency(row);
    row.classList.add("new");
    this.rows.prepend(row);
    if (this.rows.children.length > MAX_ROWS) this.rows.lastElementChild.remove();
    this.showFigures();
    unsent.add(String(message.id));
    lookSoon(30);
  }

  marked(id) {
    for (const row of this.rows.children) {
      if (row.dataset.id !== id || row.dataset.state === "sent") continue;
      row.dataset.state = "sent";
      $(".mark", row).textContent = "sent";
      this.sent += 1;
    }
    this.showFigures();
  }

  show(state, text) {
    const element = $(".state", this.element);
    element.dataset.state = state;
    if (element.textContent !== text) element.textContent = text;
  }

  showFigures() {
    const figure = (name, text) => { $(`[data-figure="${name}"]`, this.element).textContent = text; };
    figure("received", this.received);
    figure("sent", this.sent);
    figure("median", this.delays.length ? span(median(this.delays)) : "–");
  }

  log(text, isEvent) {
    const list = $(".raw ol", this.element);
    const item = document.createElement("li");
    item.textContent = text;
    item.classList.toggle("event", isEvent);
    list.prepend(item);
    if (list.children.length > MAX_MESSAGES) list.lastElementChild.remove();
    this.messages += 1;
    $(".raw .count", this.element).textContent = this.messages;
  }
}

/** From the row's creation, and where this page inserted it, from the click. */
function showLatency(row) {
  const { row: fromRow, arrival, isReplay } = row.latencies;
  const start = inserted.get(row.dataset.id);
  const click = start === undefined ? "" : `, ${span(Math.max(0, arrival - start))} after the click`;
  $('[data-testid="latency"]', row).textContent =
    isReplay ? `caught up, ${span(fromRow)} after the row` : `${span(fromRow)} after the row${click}`;
}

function removeDevice(device) {
  device.stop();
  device.element.remove();
  devices.delete(device);
  saveDevices();
  $("#add-device").focus();
}

function addDevice(user) {
  if (devices.size >= MAX_DEVICES) return;
  devices.add(new Device(user));
  saveDevices();
}

/** The devices stand in the address, so that a reload or a bookmark brings them back. */
function saveDevices() {
  history.replaceState(null, "", `#${[...devices].map((device) => encodeURIComponent(device.user)).join(",")}`);
  $("#add-device").disabled = devices.size >= MAX_DEVICES;
  for (const device of devices) $(".remove", device.element).hidden = devices.size < 2;
}

// ---------------------------------------------------------------- what is sent

let looking = null;

function lookSoon(pause) {
  if (looking === null && unsent.size > 0) looking = setTimeout(look, pause);
}

async function look() {
  try {
    const ids = [...unsent].slice(0, 200);
    const { sent } = await ask(`/demo/sent?ids=${ids.join(",")}`);
    for (const id of sent.map(String)) {
      unsent.delete(id);
      for (const device of devices) device.marked(id);
    }
  } catch {
    // The bridge is away; the next look will tell.
  }
  looking = null;
  lookSoon(500);
}

// ---------------------------------------------------------------- form

const form = $("#send-form");
const field = $("#send-text");

function fillUsers(select, chosen) {
  select.replaceChildren(...config.users.map((user) => new Option(`${user.name} · ${user.id}`, user.id, false, user.id === chosen)));
}

function userName(id) {
  return config.users.find((user) => user.id === id)?.name ?? `user ${id}`;
}

const isJSON = () => form.elements.kind.value === "json";

/** The payload as a value; throws where it is no JSON. */
function payload() {
  return isJSON() ? JSON.parse(field.value) : { text: field.value };
}

function showSQL() {
  let data = isJSON() ? field.value.trim() || "{}" : JSON.stringify({ text: field.value });
  try { data = JSON.stringify(JSON.parse(data)); } catch { /* shown as typed */ }
  $("#sql").textContent = "INSERT INTO notification (user_id, data)\n"
    + `VALUES (${$("#send-user").value}, '${data.replaceAll("'", "''")}');`;
}

function problem(text) {
  $("#send-problem").textContent = text;
  field.setAttribute("aria-invalid", text ? "true" : "false");
}

async function send(event) {
  event.preventDefault();
  problem("");
  $("#send-result").textContent = "";
  let data;
  try { data = payload(); } catch (error) {
    problem(`That is not JSON: ${error.message}`);
    field.focus();
    return;
  }
  const button = $("button", form);
  button.disabled = true;
  const start = now();
  try {
    const { id } = await ask("/demo/notifications", { user: $("#send-user").value, data });
    remember(inserted, String(id), start);
    for (const device of devices) {
      for (const row of device.rows.children) if (row.dataset.id === String(id)) showLatency(row);
    }
    $("#send-result").textContent = `row ${id} inserted`;
  } catch (error) {
    problem(error instanceof TypeError ? "The bridge does not answer. The text is kept: try again." : error.message);
  } finally {
    button.disabled = false;
  }
}

async function copy(button) {
  const source = $(`#${button.dataset.copy}`);
  try {
    await navigator.clipboard.writeText(source.textContent);
  } catch {
    getSelection().selectAllChildren(source);
    if (!document.execCommand("copy")) return;
  }
  button.textContent = "Copied";
  setTimeout(() => { button.textContent = "Copy"; }, 1500);
}

async function start() {
  try {
    config = await ask("/demo/config");
  } catch {
    setTimeout(start, 1000);
    return;
  }
  $("#version").textContent = config.version;
  $("#psql").textContent = config.psql;
  fillUsers($("#send-user"), config.users[0].id);
  field.value = "Your order is ready";
  form.addEventListener("submit", send);
  form.addEventListener("input", () => { problem(""); showSQL(); });
  form.addEventListener("change", (event) => {
    if (event.target.name === "kind") {
      field.value = isJSON() ? JSON.stringify({ text: field.value, order: 7 }, null, 2) : "Your order is ready";
      field.classList.toggle("json", isJSON());
      $("#send-text-label").textContent = isJSON() ? "JSON" : "Text";
    }
    showSQL();
  });
  field.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
  });
  for (const button of document.querySelectorAll("[data-copy]")) button.addEventListener("click", () => copy(button));
  $("#add-device").addEventListener("click", () => {
    const used = new Set([...devices].map((device) => device.user));
    addDevice((config.users.find((user) => !used.has(user.id)) ?? config.users[0]).id);
  });
  showSQL();
  const known = new Set(config.users.map((user) => user.id));
  const wanted = location.hash.slice(1).split(",").map(decodeURIComponent).filter((id) => known.has(id));
  for (const id of (wanted.length ? wanted : [config.users[0].id]).slice(0, MAX_DEVICES)) addDevice(id);
}

start();
