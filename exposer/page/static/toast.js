// A short message at the bottom, also for screen readers.
let timer;

export function toast(text, bad = false) {
  const box = document.getElementById("toast");
  box.textContent = text;
  box.className = bad ? "shown bad" : "shown";
  clearTimeout(timer);
  timer = setTimeout(() => (box.className = ""), bad ? 10000 : 3000);
}
