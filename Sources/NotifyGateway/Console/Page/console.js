"use strict";

const PERIOD = 5_000;
const KEY = "notify-bridge-console-key";

let actions = false;
let user = null;
let lastHour = { run: null, samples: [] };
let timer = null;
let round = 0;

// ---------------------------------------------------------------- requests

class Problem extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/** Asks the bridge. A POST has a body. */
async function ask(path, body) {
  const key = sessionStorage.getItem(KEY);
  const headers = key ? { Authorization: `Bearer ${key}` } : {};
  if (body) headers["Content-Type"] = "application/json";
  const response = await fetch(`/console/api/${path}`, {
    method: body ? "POST" : "GET", headers, body: body ? JSON.stringify(body) : undefined, cache: "no-store",
  });
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Problem(response.status, answer.error ?? `the bridge answered ${response.status}`);
  return answer;
}

function showHealth(state, text) {
  $("#health").dataset.state = state;
  setText($("#health"), text);
}

// ---------------------------------------------------------------- key

function askForKey(problem) {
  clearTimeout(timer);
  sessionStorage.removeItem(KEY);
  $("#console").hidden = true;
  $("#forget").hidden = true;
  $("#login").hidden = false;
  setText($("#login-problem"), problem);
  showHealth("unknown", "the key is needed");
  $("#key").value = "";
  $("#key").focus();
}

$("#login-form").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem(KEY, $("#key").value);
  setText($("#login-problem"), "");
  look();
});

$("#forget").addEventListener("click", () => askForKey(""));

// ---------------------------------------------------------------- figures

const last = (place) => lastHour.samples.at(-1)?.[place] ?? null;

const charts = [
  new Chart($("#charts"), { id: "rows", title: "Rows/s", format: count, series: [{ name: "rows/s", value: (sample) => sample.rate }] }),
  new Chart($("#charts"), {
    id: "latency", title: "Row to socket", format: span, isLogarithmic: true,
    series: ["p50", "p99", "p99.9"].map((name) => ({ name, value: (sample) => sample[name] })),
  }),
  new Chart($("#charts"), { id: "connections", title: "Sockets", format: count, series: [{ name: "sockets", value: (sample) => sample.connections }] }),
];

async function lookAtHistory() {
  const after = lastHour.samples.at(-1)?.serial ?? 0;
  let answer = await ask(`history?after=${after}`);
  // Another run of the program counts anew.
  if (lastHour.run !== null && lastHour.run !== answer.run) {
    lastHour.samples = [];
    answer = await ask("history?after=0");
  }
  lastHour.run = answer.run;
  for (const [serial, time, rate, connections, p50, p99, p999] of answer.samples) {
    lastHour.samples.push({ serial, time, rate, connections, p50, p99, "p99.9": p999 });
  }
  lastHour.samples = lastHour.samples.slice(-answer.capacity);
  for (const chart of charts) chart.show(lastHour.samples, answer.interval * answer.capacity);
}

function figure(name, text) {
  setText($(`[data-figure="${name}"]`), text);
}

function showFailing(failing) {
  showHealth(failing.length ? "bad" : "good", failing.length ? "not ready" : "ready");
  const lines = failing.map((part) => `${part.part}${part.table ? ` ${part.table}` : ""}: ${part.reason}`);
  if ($("#failing").dataset.shown === lines.join("\n")) return;
  $("#failing").dataset.shown = lines.join("\n");
  $("#failing").replaceChildren(...lines.map((line) => make("li", {}, line)));
}

/** The figures of the database, each with its own age and problem. */
function showDatabase({ problem, value }) {
  const part = (name) => value?.[name] ?? { age: null, problem, value: null };
  const note = ({ age }) => (age > 10 ? `as of ${span(age)} ago` : "");
  const backlog = part("backlog");
  const ages = (backlog.value ?? []).filter((bucket) => bucket.rows > 0);
  const oldest = ages.map((bucket) => bucket.oldest).filter(Boolean).sort((one, other) => Date.parse(one) - Date.parse(other))[0];
  figure("backlog", backlog.value ? count(backlog.value.reduce((sum, bucket) => sum + bucket.rows, 0)) : "–");
  figure("oldest", backlog.value ? (oldest ? ago(oldest).replace(" ago", "") : "none") : "–");
  showTable($("#backlog"), "Backlog", [
    { title: "age", value: (bucket) => bucket.age_bucket ?? "unknown" },
    { title: "rows", number: true, value: (bucket) => count(bucket.rows) },
    { title: "users", number: true, value: (bucket) => count(bucket.users) },
    { title: "oldest", value: (bucket) => moment(bucket.oldest) },
  ], ages, { empty: backlog.value ? "No row waits." : "–", note: note(backlog), problem: backlog.problem });
  const replicas = part("replicas");
  showTable($("#replicas"), "Bridges", [
    { title: "host", value: (replica) => replica.host },
    { title: "process", number: true, value: (replica) => String(replica.pid) },
    { title: "version", value: (replica) => replica.version },
    { title: "doorbell", value: (replica) => (replica.armed ? "armed" : "polls") },
    { title: "started", value: (replica) => moment(replica.started_at) },
  ], (replicas.value ?? []).map(({ touched_at, ...replica }) => replica),
  { empty: replicas.value ? "No bridge is registered." : "–", note: note(replicas), problem: replicas.problem });
  showQuarantine(part("quarantine"), note(part("quarantine")));
}

function showQuarantine({ value, problem }, note) {
  figure("quarantine", value ? count(value.count) : "–");
  const rows = value?.rows ?? [];
  const more = value && value.count > rows.length ? `the newest ${rows.length} of ${count(value.count)}` : "";
  const columns = [
    { title: "table", value: (row) => row.source },
    { title: "row", value: (row) => row.row_id ?? "the table" },
    { title: "stage", value: (row) => row.stage },
    { title: "SQLSTATE", value: (row) => row.sqlstate },
    { title: "attempts", number: true, value: (row) => String(row.attempts) },
    { title: "since", value: (row) => moment(row.since) },
    { title: "next attempt", value: (row) => moment(row.next_attempt) },
  ];
  if (actions) {
    columns.push({
      title: "action", value: ({ source, row_id: id }) => [rowButton(
        "Retry", `Retry ${id === null ? source : `row ${id} of ${source}`}`, `retry ${source} ${id}`,
        (button) => act(button, "retry", { source, id }, ({ rows: found }) => `${found} ${found === 1 ? "entry" : "entries"} tried again`))],
    });
  }
  showTable($("#quarantine"), "Quarantine", columns, rows,
    { empty: value ? "Nothing is set aside." : "–", note: [more, note].filter(Boolean).join(", "), problem });
}

const deviceColumns = [
  { title: "address", value: (device) => device.remote },
  { title: "state", value: (device) => device.phase, state: (device) => device.phase },
  { title: "open for", number: true, value: (device) => span(device.seconds) },
  { title: "messages", number: true, value: (device) => count(device.messages) },
  { title: "waiting", number: true, value: (device) => bytes(device.queued_bytes) },
];

function showState(state) {
  actions = state.actions;
  setText($("#version"), state.version);
  showFailing(state.failing);
  figure("connections", count(state.connections));
  figure("users", count(state.users));
  figure("rate", count(last("rate")));
  figure("p99", span(lastHour.samples.findLast((sample) => sample.p99 !== null)?.p99));
  figure("marks", count(state.marks_pending));
  figure("doorbell", state.doorbell.state ?? "–");
  showDatabase(state.database);
  showTable($("#slow"), "Slow clients", [{ title: "user", value: (device) => device.user }, ...deviceColumns], state.slow,
    { empty: "No client is behind.", note: state.slow.length ? `${bytes(state.queue_bytes)} wait in all` : "" });
}

// ---------------------------------------------------------------- a user

/** Shows what is known of a user. `isNew`: somebody asked for it just now. */
async function findUser(id, isNew) {
  let answer;
  try {
    answer = await ask(`user?id=${encodeURIComponent(id)}`);
  } catch (problem) {
    if (problem.status === 401) return askForKey("The key is not valid any more.");
    if (isNew) setText($("#find-problem"), problem instanceof Problem ? problem.message : "The bridge does not answer.");
    return;
  }
  if (!isNew && user !== id) return;
  user = id;
  setText($("#find-problem"), "");
  $("#found").hidden = false;
  setText($("#found-title"), `User ${answer.user}`);
  if (isNew) showUserActions(answer.user);
  showTable($("#devices"), "Devices at this bridge", deviceColumns, answer.devices, { empty: "No device is connected." });
  showTable($("#rows"), "Newest rows", [
    { title: "table", value: (row) => row.table_name },
    { title: "row", value: (row) => row.id },
    { title: "state", value: (row) => row.state, state: (row) => row.state },
    { title: "created", value: (row) => moment(row.created) },
    { title: "sent", value: (row) => moment(row.sent_at) },
    { title: "read", value: (row) => moment(row.read_at) },
    { title: "more", value: rowButtons },
  ], answer.rows.value ?? [], { empty: answer.rows.value ? "No row is for this user." : "–", problem: answer.rows.problem });
  if (isNew) {
    $("#timeline").replaceChildren();
    delete $("#timeline").dataset.shown;
    $("#found-title").focus();
  }
}

function rowButtons({ table_name: source, id }) {
  const buttons = [rowButton("Timeline", `Timeline of row ${id} of ${source}`, `timeline ${source} ${id}`, () => showTimeline(source, id))];
  if (actions) {
    buttons.push(rowButton("Resend", `Resend row ${id} of ${source}`, `resend ${source} ${id}`, (button) =>
      act(button, "resend", { source, id }, ({ rows }) => (rows ? `Row ${id} is delivered again` : `Row ${id} is gone`))));
  }
  return buttons;
}

async function showTimeline(source, id) {
  try {
    const events = await ask(`timeline?source=${encodeURIComponent(source)}&id=${encodeURIComponent(id)}`);
    showTable($("#timeline"), `Timeline of row ${id} of ${source}`, [
      { title: "time", value: (event) => moment(event.at) },
      { title: "event", value: (event) => event.event },
      { title: "detail", value: (event) => event.detail ?? "" },
    ], events, { empty: "The row is gone." });
  } catch (problem) {
    showResult("bad", problem.message);
  }
}

function showUserActions(id) {
  const buttons = actions ? [make("button", { type: "button" }, "Send a test"), make("button", { type: "button" }, "Disconnect")] : [];
  $("#user-actions").replaceChildren(...buttons);
  buttons[0]?.addEventListener("click", () => act(buttons[0], "test", { user: id }, (row) => `Row ${row.id} was inserted into ${row.table_name}`));
  buttons[1]?.addEventListener("click", async () => {
    if (!await confirmed(`Close all sockets of user ${id}, at all bridges? Clients connect again if their credential is still good.`, "Disconnect")) return;
    act(buttons[1], "disconnect", { user: id }, () => `The sockets of user ${id} are closed`);
  });
}

$("#find-form").addEventListener("submit", (event) => {
  event.preventDefault();
  findUser($("#user").value.trim(), true);
});

// ---------------------------------------------------------------- actions

function showResult(state, text) {
  $("#result").dataset.state = state;
  setText($("#result"), text);
}

/** Resolves to whether the person said yes. */
function confirmed(question, yes) {
  const dialog = $("#confirm");
  setText($("#confirm-text"), question);
  setText($("#confirm-yes"), yes);
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}

async function act(button, action, body, describe) {
  button.disabled = true;
  try {
    showResult("good", describe(await ask(action, body)));
    look();
  } catch (problem) {
    showResult("bad", problem instanceof Problem ? problem.message : "The bridge does not answer.");
  } finally {
    button.disabled = false;
    if (document.activeElement === document.body) button.focus();
  }
}

// ---------------------------------------------------------------- time

/** Asks for everything, and again after a while as long as the page is seen. */
async function look() {
  clearTimeout(timer);
  const mine = ++round;
  try {
    const [state] = await Promise.all([ask("state"), lookAtHistory()]);
    if (mine !== round) return;
    $("#login").hidden = true;
    $("#console").hidden = false;
    $("#forget").hidden = !sessionStorage.getItem(KEY);
    showState(state);
    if (user !== null) await findUser(user, false);
  } catch (problem) {
    if (mine !== round) return;
    if (problem.status === 401) return askForKey(sessionStorage.getItem(KEY) ? "That is not the key." : "");
    showHealth("bad", problem instanceof Problem ? problem.message : "the bridge does not answer");
  }
  if (mine === round && !document.hidden) timer = setTimeout(look, PERIOD);
}

document.addEventListener("visibilitychange", () => { if (!document.hidden) look(); });
look();
