// Ages on the page go on, and so do the bars beside them.

// span writes seconds as the server does.
export function span(seconds) {
  const s = Math.max(0, Math.floor(seconds));
  const two = (a, unitA, b, unitB) => (b ? `${a} ${unitA} ${b} ${unitB}` : `${a} ${unitA}`);
  if (s < 60) return `${s} s`;
  if (s < 600) return two(Math.floor(s / 60), "min", s % 60, "s");
  if (s < 3600) return `${Math.floor(s / 60)} min`;
  if (s < 86400) return two(Math.floor(s / 3600), "h", Math.floor((s % 3600) / 60), "min");
  if (s < 30 * 86400) return two(Math.floor(s / 86400), "d", Math.floor((s % 86400) / 3600), "h");
  return `${Math.floor(s / 86400)} d`;
}

// The gateway's clock counts, not that of this machine.
let ahead = 0;

// setClock takes the Date of an answer.
export function setClock(date) {
  const server = Date.parse(date || "");
  if (server && Math.abs(server - Date.now()) > 2000) ahead = server - Date.now();
}

function tick() {
  const now = Date.now() + ahead;
  for (const t of document.querySelectorAll("time[data-age], time[data-until]")) {
    const at = Date.parse(t.dateTime);
    const text = span(("age" in t.dataset ? now - at : at - now) / 1000);
    if (t.textContent !== text) t.textContent = text;
  }
}

export function startAges() {
  setInterval(() => document.hidden || tick(), 1000);
}
