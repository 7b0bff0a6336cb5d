// Parts of the page are replaced by those of a newer one, which the server has
// rendered. Only what differs is touched, so that focus, selection and what is
// open stay.
import { setClock } from "./time.js";
import { setAddresses } from "./copy.js";

let latest;

// load shows the regions of a page. It gives up for a newer call, and then, as
// when it fails, returns null. An answer that is no page is an error.
export async function load(url) {
  latest?.abort();
  const mine = (latest = new AbortController());
  try {
    const answer = await fetch(url, { signal: mine.signal, headers: { Accept: "text/html" } });
    const text = await answer.text();
    if (mine.signal.aborted) return null;
    setClock(answer.headers.get("Date"));
    const page = new DOMParser().parseFromString(text, "text/html");
    setAddresses(page);
    show(page);
    offline(page.getElementById("main") ? "" : `the gateway answered ${answer.status}`);
    return { page, status: answer.status };
  } catch (e) {
    if (mine.signal.aborted) return null;
    offline("the gateway does not answer");
    return null;
  }
}

function offline(why) {
  const ready = document.getElementById("ready");
  if (!why || !ready) return;
  const state = document.createElement("span");
  state.className = "state failing";
  state.textContent = why;
  ready.replaceChildren(state);
}

// regions are what a page is made of; the gateways are not asked each time.
const regions = (page) => [...page.querySelectorAll("main [data-swap]:not(#cluster)")].map((e) => e.id).join();

function show(page) {
  const main = document.getElementById("main");
  const fresh = page.getElementById("main");
  if (main && fresh && regions(document) !== regions(page)) {
    main.replaceChildren(...[...fresh.childNodes].map((node) => document.adoptNode(node)));
  }
  for (const old of document.querySelectorAll("[data-swap]")) {
    const fresh = page.getElementById(old.id);
    if (fresh) morph(old, fresh);
  }
}

// morph makes an element what another one is.
function morph(old, fresh) {
  if (old.isEqualNode(fresh)) return;
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name) && !(name === "open" && old.localName === "details")) old.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) {
    if (old.getAttribute(name) !== value && !(name === "open" && old.localName === "details")) old.setAttribute(name, value);
  }
  const keyed = new Map();
  for (const child of old.children) if (child.dataset?.key !== undefined) keyed.set(child.dataset.key, child);
  let at = old.firstChild;
  for (const next of [...fresh.childNodes]) {
    const key = next.dataset?.key;
    let same = at;
    if (key !== undefined) {
      same = keyed.get(key);
      keyed.delete(key);
      if (same && same !== at) old.insertBefore(same, at);
    }
    if (same && alike(same, next)) {
      if (same === at) at = at.nextSibling;
      if (next.nodeType === Node.ELEMENT_NODE) morph(same, next);
      else if (same.data !== next.data) same.data = next.data;
    } else {
      old.insertBefore(document.adoptNode(next), at);
    }
  }
  while (at) {
    const rest = at.nextSibling;
    at.remove();
    at = rest;
  }
}

function alike(a, b) {
  return a.nodeType === b.nodeType && a.nodeName === b.nodeName && a.id === b.id && a.dataset?.key === b.dataset?.key;
}
