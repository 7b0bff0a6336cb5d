// One group: kept up to date, and deleted.
import { watch } from "./watch.js";
import { confirmDelete, remove } from "./remove.js";

export function start() {
  back();
  document.addEventListener("click", async (e) => {
    if (!e.target.closest("#delete-group")) return;
    const group = document.getElementById("head").dataset.group;
    const done = await confirmDelete({
      title: "Delete this group?",
      text: "Its metrics leave the next scrape. Other groups of the job stay.",
      names: [group],
      run: () => remove(`./metrics${group}`).then(() => true),
    });
    if (done) location.assign(document.getElementById("back").href);
  });
  // Many metrics are not asked for again and again.
  const many = document.querySelectorAll(".sample").length > 300;
  const still = () => document.querySelector("dialog[open]") || !getSelection().isCollapsed;
  watch(() => location.href, () => many || still());
}

// The way back is to the view of the groups that was left.
function back() {
  try {
    const query = sessionStorage.getItem("sluice-groups");
    if (query) document.getElementById("back").href = `./${query}`;
  } catch {
    // Storage may be forbidden.
  }
}
