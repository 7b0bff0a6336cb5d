// What happens, as it happens.
import { groupCell } from "./chips.js";
import { Rate } from "./plot.js";
import { watch } from "./watch.js";

const most = 500; // rows kept
const words = { push: "push", delete: "delete", refusal: "refused", expire: "expired", forget: "forgotten", wipe: "wipe", import: "import" };
// Kinds that have no box of their own go with another one.
const boxes = { forget: "expire", wipe: "delete", import: "push" };

export function start() {
  const at = (id) => document.getElementById(id);
  const body = at("events");
  const input = at("q");
  const rate = new Rate(at("rate-plot"), at("rate-now"), at("rate-high"), at("rate-more"));
  let source, timer, paused = false, waiting = [], lost = 0, frame = 0;

  const state = (text, kind) => {
    at("live-state").textContent = text;
    at("live-state").className = `state ${kind}`;
  };
  const wanted = (kind) => {
    const box = document.querySelector(`#live-kinds input[value="${boxes[kind] || kind}"]`);
    return !box || box.checked;
  };
  const pauseText = () => (at("pause").textContent = paused ? `Go on${waiting.length ? ` (${waiting.length})` : ""}` : "Pause");

  // Rows are made once a frame, however many events come.
  const flush = () => {
    frame = 0;
    if (paused) return pauseText();
    const rows = waiting.splice(0).slice(-most).filter((e) => wanted(e.kind)).map(row);
    body.prepend(...rows.reverse());
    while (body.children.length > most) body.lastElementChild.remove();
    at("live-empty").hidden = body.children.length > 0;
  };
  const take = (kind, e) => {
    waiting.push({ kind, ...JSON.parse(e.data) });
    if (waiting.length > most) waiting.shift();
    frame ||= setTimeout(flush, 100);
  };
  const open = () => {
    source?.close();
    const query = new URLSearchParams(location.search);
    const search = query.get("search");
    state("connecting", "never");
    source = new EventSource(`./api/v1/events${search ? `?search=${encodeURIComponent(search)}` : ""}`);
    source.addEventListener("open", () => state("live", "up"));
    source.addEventListener("error", () => {
      state(source.readyState === EventSource.CLOSED ? "refused: tried again soon" : "not connected: trying again", "failing");
      if (source.readyState === EventSource.CLOSED) {
        clearTimeout(timer);
        timer = setTimeout(open, 5000);
      }
    });
    for (const kind of Object.keys(words)) source.addEventListener(kind, (e) => take(kind, e));
    source.addEventListener("rate", (e) => rate.add(JSON.parse(e.data)));
    source.addEventListener("lost", (e) => {
      lost += JSON.parse(e.data).events;
      at("lost").textContent = `Lost ${lost} events: they came faster than this page takes them. Groups and metrics are complete all the same.`;
      at("lost").hidden = false;
    });
  };

  input.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      const text = input.value.trim();
      history.replaceState(null, "", text ? `./live?search=${encodeURIComponent(text)}` : "./live");
      open();
    }, 300);
  });
  at("live-filter").addEventListener("submit", (e) => e.preventDefault());
  at("pause").addEventListener("click", () => {
    paused = !paused;
    at("pause").setAttribute("aria-pressed", String(paused));
    pauseText();
    flush();
  });
  at("clear").addEventListener("click", () => {
    body.replaceChildren();
    at("live-empty").hidden = false;
  });
  at("live-kinds").addEventListener("change", () => {
    for (const r of body.children) r.hidden = !wanted(r.dataset.kind);
  });
  window.addEventListener("pagehide", () => source?.close());
  window.addEventListener("pageshow", (e) => e.persisted && open());
  open();
  watch(() => "./live"); // whether the gateway is ready
}

function row(e) {
  const tr = document.createElement("tr");
  tr.dataset.kind = e.kind;
  tr.dataset.testid = "event";
  const cell = (name, content) => {
    const td = document.createElement("td");
    td.className = name;
    td.append(content);
    tr.append(td);
    return td;
  };
  const time = document.createElement("time");
  time.dateTime = e.time;
  time.textContent = new Date(e.time).toLocaleTimeString([], { hour12: false });
  time.title = e.time;
  cell("c-time", time);
  const op = document.createElement("span");
  op.className = `op ${e.kind}`;
  op.textContent = e.kind === "push" && e.replaced ? "push (put)" : words[e.kind];
  cell("c-op", op);
  const group = cell("c-group", groupCell(e.group, e.labels || {}));
  if (e.message) {
    const message = document.createElement("p");
    message.className = "refusal";
    message.title = e.message;
    message.textContent = e.message.split("\n")[0];
    group.append(message);
  }
  cell("c-series num", e.kind === "push" ? String(e.series ?? "") : "");
  cell("c-from", e.origin || "");
  return tr;
}
