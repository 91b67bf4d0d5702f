// The client of NotifyBridge for a page of Django. The template tag puts it there; it is configured by data attributes.
//
// It dispatches events on `document`:
//   notify-bridge:notification   detail is the message: {id, data, created_at, source}, each row once
//   notify-bridge:gap            more was missed than can be sent again: load the list from the backend
//   notify-bridge:state          detail.state: connecting, connected, waiting, replaced or signed-out
// and listens to one:
//   notify-bridge:read           detail: {ids: [7], source} marks rows as read
// The state also stands in the attribute data-notify-bridge of the html element.
(() => {
  "use strict";

  const { user, url, ticketUrl, csrfToken } = document.currentScript.dataset;
  const STORE = `notify-bridge ${url}`;
  const REMEMBERED_ROWS = 5000; // more than one cursor may bring again
  const LONGEST_PAUSE = 30_000;
  const SILENCE = 75_000; // two heartbeats and a half
  const REPLACED_PAUSE = 60_000;

  let socket = null;
  let attempt = 0; // what an older attempt brings is of no interest
  let failures = 0;
  let timer = null;
  let silence = null;
  let saving = null;
  let state = "";
  const memory = load();

  /** What this tab has seen, also on the pages before this one. */
  function load() {
    try {
      const kept = JSON.parse(sessionStorage.getItem(STORE));
      if (kept !== null && kept.user === user) return { ...kept, seen: new Set(kept.seen) };
    } catch { /* nothing usable is kept */ }
    return { user, epoch: null, cursor: "", seen: new Set() };
  }

  function save() {
    clearTimeout(saving);
    saving = null;
    try {
      sessionStorage.setItem(STORE, JSON.stringify({ ...memory, seen: [...memory.seen] }));
    } catch { /* without storage, rows may come again on the next page */ }
  }

  function dispatch(name, detail) {
    document.dispatchEvent(new CustomEvent(`notify-bridge:${name}`, { detail }));
  }

  function become(next, detail = {}) {
    if (state === next) return;
    state = next;
    document.documentElement.dataset.notifyBridge = next;
    dispatch("state", { state: next, ...detail });
  }

  /** A ticket for one connect; nothing where the session's cookie is the credential; null for who isn't logged in. */
  async function credential() {
    if (!ticketUrl) return "";
    const headers = { "X-CSRFToken": csrfToken };
    const signal = AbortSignal.timeout(10_000);
    const response = await fetch(ticketUrl, { method: "POST", headers, signal, cache: "no-store" });
    if (response.status === 401 || response.status === 403) return null;
    if (!response.ok) throw new Error(`no ticket: status ${response.status}`);
    return (await response.json()).ticket;
  }

  async function connect() {
    clearTimeout(timer);
    timer = null;
    const mine = ++attempt;
    become("connecting");
    let ticket;
    try {
      ticket = await credential();
    } catch {
      if (mine === attempt) retry();
      return;
    }
    if (mine !== attempt) return;
    if (ticket === null) return become("signed-out");
    const address = new URL(url, location.href);
    address.protocol = address.protocol.replace("http", "ws");
    if (memory.cursor) address.searchParams.set("since", memory.cursor);
    // A ticket in a subprotocol stands in no log.
    socket = ticket ? new WebSocket(address, ["notify-bridge.v1", `bearer.${ticket}`]) : new WebSocket(address);
    socket.onmessage = ({ data }) => mine === attempt && receive(JSON.parse(data));
    socket.onclose = ({ code, reason }) => mine === attempt && closed(code, reason);
    listen();
  }

  /** A socket can die unnoticed: one that says nothing, not even a heartbeat, is given up. */
  function listen() {
    clearTimeout(silence);
    silence = setTimeout(() => { leave(); retry(); }, SILENCE);
  }

  /** Ends the connection, whatever it is doing. */
  function leave() {
    attempt += 1;
    clearTimeout(timer);
    clearTimeout(silence);
    timer = null;
    if (socket !== null) socket.close();
    socket = null;
  }

  function receive(message) {
    listen();
    if (message.type === "connection_established") {
      failures = 0;
      // Another database: its ids mean other rows.
      if (memory.epoch !== null && memory.epoch !== message.epoch) memory.seen.clear();
      memory.epoch = message.epoch;
      become("connected");
    } else if (message.type === "notification") {
      const key = `${message.source ?? ""} ${message.id}`;
      if (!memory.seen.has(key)) {
        memory.seen.add(key);
        if (memory.seen.size > REMEMBERED_ROWS) memory.seen.delete(memory.seen.values().next().value);
        dispatch("notification", message);
      }
    } else if (message.type === "replay_truncated") {
      dispatch("gap", {});
    }
    if (message.cursor) memory.cursor = message.cursor;
    saving ??= setTimeout(save, 250);
  }

  function closed(code, reason) {
    clearTimeout(silence);
    socket = null;
    if (code === 4001 && !ticketUrl) return become("signed-out", { reason });
    if (code === 4009) {
      become("replaced");
      timer = setTimeout(connect, REPLACED_PAUSE);
      return;
    }
    retry(/retry_ms=(\d+)/.exec(reason)?.[1]);
  }

  function retry(asked) {
    become("waiting");
    const pause = Math.min(LONGEST_PAUSE, 500 * 2 ** failures++) * (0.5 + Math.random() / 2);
    timer = setTimeout(connect, asked === undefined ? pause : Number(asked));
  }

  document.addEventListener("notify-bridge:read", ({ detail }) => {
    const { ids, source } = detail;
    if (state === "connected") socket.send(JSON.stringify({ type: "read", ids, source }));
  });
  addEventListener("online", () => { if (state === "waiting") { failures = 0; connect(); } });
  addEventListener("pagehide", () => { leave(); save(); });
  // From the browser's cache of whole pages: it is shown as it was left.
  addEventListener("pageshow", ({ persisted }) => { if (persisted) connect(); });

  connect();
})();
