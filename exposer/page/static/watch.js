// A page that is kept up to date: asked for again and again while it is looked
// at, faster while the gateway replays, and slower if answers take long.
import { load } from "./swap.js";

const normal = 5000;
const busy = 1000;

// watch keeps the page up to date. url says what to ask for now, and still
// whether to leave it as it is for now.
export function watch(url, still = () => false) {
  let timer;
  const next = (wait) => {
    clearTimeout(timer);
    timer = setTimeout(run, wait);
  };
  const run = async () => {
    const begun = performance.now();
    const answer = document.hidden || still() ? null : await load(url());
    if (answer?.status === 404) return; // what was looked at is gone
    const took = performance.now() - begun;
    next(Math.max(document.querySelector("[data-busy]") ? busy : normal, 20 * took));
  };
  document.addEventListener("visibilitychange", () => document.hidden || next(0));
  next(document.querySelector("[data-busy]") ? busy : normal);
}

let rounds = 0;

// start keeps pages up to date that have nothing else to do.
export function start() {
  const stream = document.body.dataset.page === "stream";
  // The other gateways are asked every fourth time.
  watch(() => (stream && ++rounds % 4 ? "./stream?part=now" : location.href));
}
