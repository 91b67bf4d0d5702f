// The page's side: shows what the client of notify_bridge dispatches. Text from rows reaches the page as text.
"use strict";

const rows = document.getElementById("rows");
const template = document.getElementById("row").content.firstElementChild;
const states = {
  connecting: "connecting", connected: "connected", waiting: "not connected, trying again",
  replaced: "closed: too many windows", "signed-out": "signed out",
};

function time(instant) {
  return new Date(instant).toLocaleTimeString([], { hour12: false });
}

for (const element of document.querySelectorAll("time[datetime]")) element.textContent = time(element.dateTime);

document.addEventListener("notify-bridge:notification", ({ detail: { id, data, created_at: created } }) => {
  if (rows.querySelector(`[data-id="${id}"]`)) return; // the page had it already
  const row = template.cloneNode(true);
  row.dataset.id = id;
  row.classList.add("new");
  row.querySelector("p").textContent = data.text;
  row.querySelector("span").textContent = data.from;
  row.querySelector("time").dateTime = created;
  row.querySelector("time").textContent = time(created);
  rows.prepend(row);
});

document.addEventListener("notify-bridge:gap", () => location.reload());

document.addEventListener("notify-bridge:state", ({ detail }) => {
  document.getElementById("state").textContent = states[detail.state];
  if (detail.state === "signed-out") location.reload();
});

rows.addEventListener("click", ({ target }) => {
  if (!target.matches("button")) return;
  const row = target.closest("li");
  row.classList.add("read");
  document.dispatchEvent(new CustomEvent("notify-bridge:read", {
    detail: { ids: [Number(row.dataset.id)], source: "public.inbox_notification" },
  }));
});

document.getElementById("send").addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = event.target;
  const result = document.getElementById("result");
  try {
    const response = await fetch(form.action, { method: "POST", body: new FormData(form) });
    const answer = await response.json();
    result.textContent = response.ok ? `Row ${answer.id} is committed.` : answer.error;
  } catch {
    result.textContent = "The server did not answer.";
  }
});
