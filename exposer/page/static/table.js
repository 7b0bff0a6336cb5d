// The groups: search as you type, sort, pages and filters without loading the
// page anew. The URL says at any time what is shown.
import { load } from "./swap.js";
import { watch } from "./watch.js";
import { confirmDelete, remove } from "./remove.js";
import { toast } from "./toast.js";

const pause = 150; // ms between the last key and the question

export function start() {
  const form = document.getElementById("search");
  const input = document.getElementById("q");
  let timer;

  const go = async (url, how) => {
    if (how) history[how](null, "", url);
    const answer = await load(url);
    if (answer) announce();
  };
  const searched = () => {
    const query = new URLSearchParams(location.search);
    query.delete("offset");
    query.delete("page");
    if (input.value.trim()) query.set("search", input.value.trim());
    else query.delete("search");
    const text = query.toString().replaceAll("%2F", "/").replaceAll("%3D", "=").replaceAll("%3A", ":");
    return text ? `./?${text}` : "./";
  };
  input.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(() => go(searched(), "replaceState"), pause);
  });
  form.addEventListener("submit", (e) => {
    e.preventDefault();
    clearTimeout(timer);
    go(searched(), "replaceState");
  });
  document.addEventListener("click", (e) => {
    const link = e.target.closest("a[data-nav]");
    if (!link || e.ctrlKey || e.metaKey || e.shiftKey || e.button) return;
    e.preventDefault();
    clearTimeout(timer);
    go(link.href, "pushState").then(sync);
    if (link.closest(".pages")) window.scrollTo(0, 0);
  });
  const sync = () => {
    input.value = new URLSearchParams(location.search).get("search") || "";
  };
  window.addEventListener("popstate", () => {
    sync();
    go(location.href);
  });
  document.addEventListener("keydown", rows);
  document.addEventListener("click", (e) => {
    if (e.target.closest("#delete-shown")) deleteShown();
    else if (e.target.closest("#wipe")) wipe();
  });
  window.addEventListener("pagehide", () => {
    try {
      sessionStorage.setItem("sluice-groups", location.search);
    } catch {
      // Then the way back from a group is to all of them.
    }
  });
  watch(() => location.href, () => document.querySelector("dialog[open]"));
}

function announce() {
  const view = document.getElementById("view");
  document.getElementById("announce").textContent = `${view.dataset.shown} groups`;
}

// Up and down go from group to group.
function rows(e) {
  if (e.key !== "ArrowDown" && e.key !== "ArrowUp") return;
  const links = [...document.querySelectorAll("tbody a.chips")];
  const at = links.indexOf(document.activeElement);
  const inSearch = document.activeElement?.id === "q";
  if (at < 0 && !inSearch) return;
  const next = e.key === "ArrowDown" ? at + 1 : at - 1;
  const to = next < 0 ? document.getElementById("q") : links[next];
  if (!to || (inSearch && e.key === "ArrowUp")) return;
  e.preventDefault();
  to.focus();
}

async function deleteShown() {
  const view = document.getElementById("view");
  const search = view.dataset.search;
  const shown = Number(view.dataset.shown);
  const url = `./api/v1/groups?search=${encodeURIComponent(search)}`;
  try {
    const trial = (await remove(`${url}&dry-run=true`)).data;
    const names = trial.deleted.slice(0, 10).map((g) => g.group);
    if (trial.count > names.length) names.push(`… and ${trial.count - names.length} more`);
    const ok = await confirmDelete({
      title: `Delete ${trial.count} groups?`,
      text: `All that fit ${search}, living and dead.` + (trial.count !== shown ? ` The list showed ${shown}: it has changed meanwhile.` : ""),
      names,
      go: `Delete ${trial.count}`,
      run: async () => (await remove(url)).data,
    });
    if (!ok) return;
    toast(`${ok.count} groups deleted`);
    load(location.href);
  } catch (e) {
    toast(e.message, true);
  }
}

async function wipe() {
  const shown = document.getElementById("view").dataset.shown;
  const ok = await confirmDelete({
    title: "Delete all groups?",
    text: `All ${shown} groups are deleted in one step. It cannot be taken back.`,
    word: "wipe",
    go: "Delete all groups",
    run: () => remove("./api/v1/admin/wipe", "PUT").then(() => true),
  });
  if (!ok) return;
  toast("All groups deleted");
  load(location.href);
}
