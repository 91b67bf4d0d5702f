// The front end of the project, written for its Channels consumer.
const PING_INTERVAL = 30000;
let heartbeats = 0;

function show(status) {
  document.getElementById("status").textContent = status;
}

function connect() {
  const scheme = location.protocol === "https:" ? "wss:" : "ws:";
  const token = localStorage.getItem("access");
  const socket = new WebSocket(`${scheme}//${location.host}/ws/notifications/?token=${encodeURIComponent(token)}`);
  let pings;

  socket.onmessage = (event) => {
    const message = JSON.parse(event.data);
    switch (message.type) {
      case "connection_established":
        show(`connected as user ${message.user_id} in ${message.group}`);
        pings = setInterval(() => socket.send(JSON.stringify({ type: "ping" })), PING_INTERVAL);
        break;
      case "notification": {
        const item = document.createElement("li");
        item.dataset.id = message.id;
        item.textContent = `${message.data.title}: ${message.data.text}`;
        document.getElementById("notifications").prepend(item);
        break;
      }
      case "heartbeat":
        document.getElementById("heartbeats").textContent = ++heartbeats;
        break;
      default:
        console.error("unknown message", message);
    }
  };

  socket.onclose = (event) => {
    clearInterval(pings);
    if (event.code === 4001) {
      localStorage.removeItem("access");
      show("please log in");
    } else {
      show("connection lost");
      setTimeout(connect, 3000);
    }
  };
}

async function post(path, fields) {
  const headers = { "Content-Type": "application/json" };
  if (localStorage.getItem("access")) headers.Authorization = `Bearer ${localStorage.getItem("access")}`;
  const response = await fetch(path, { method: "POST", headers, body: JSON.stringify(fields) });
  if (!response.ok) throw new Error(`status ${response.status}`);
  return response.json();
}

document.getElementById("login").addEventListener("submit", async (event) => {
  event.preventDefault();
  const { access } = await post("/api/token/", Object.fromEntries(new FormData(event.target)));
  localStorage.setItem("access", access);
  connect();
});
document.getElementById("order").addEventListener("click", () => post("/api/orders/", { what: "a pump" }));
if (localStorage.getItem("access")) connect();
