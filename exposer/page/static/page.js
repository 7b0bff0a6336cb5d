// What all pages have: colours, keys, ages, copying; then what the page needs.
import { startAges } from "./time.js";
import { startCopying } from "./copy.js";

const themes = ["auto", "light", "dark"];

function startTheme() {
  const root = document.documentElement;
  const button = document.getElementById("theme");
  const show = () => {
    const theme = root.dataset.theme || "auto";
    document.getElementById("theme-name").textContent = theme[0].toUpperCase() + theme.slice(1);
  };
  button.addEventListener("click", () => {
    const next = themes[(themes.indexOf(root.dataset.theme || "auto") + 1) % themes.length];
    if (next === "auto") delete root.dataset.theme;
    else root.dataset.theme = next;
    try {
      if (next === "auto") localStorage.removeItem("sluice-theme");
      else localStorage.setItem("sluice-theme", next);
    } catch {
      // It then lasts as long as the page.
    }
    show();
  });
  show();
}

function startKeys() {
  document.addEventListener("keydown", (e) => {
    const search = document.getElementById("q");
    if (e.ctrlKey || e.metaKey || e.altKey || document.querySelector("dialog[open]")) return;
    const typing = e.target.closest("input, textarea, select, [contenteditable]");
    if (e.key === "/" && search && !typing) {
      e.preventDefault();
      search.focus();
      search.select();
    } else if (e.key === "Escape" && typing === search && search) {
      if (search.value) {
        search.value = "";
        search.dispatchEvent(new Event("input", { bubbles: true }));
        e.preventDefault();
      } else {
        search.blur();
      }
    }
  });
}

startTheme();
startKeys();
startAges();
startCopying();

const modules = {
  groups: () => import(document.getElementById("head") ? "./group.js" : "./table.js"),
  live: () => import("./live.js"),
};
const page = document.body.dataset.page;
if (page) {
  const module = await (modules[page] || (() => import("./watch.js")))();
  module.start();
}
