// Lines that are ready to be copied, with the address that this page has.
import { toast } from "./toast.js";

function address() {
  // A shell has to read it back without quotes.
  const base = new URL(".", location.href).href.replace(/\/$/, "");
  return /^[\w\-.~:/@%+,=]+$/.test(base) ? base : "";
}

// setAddresses puts in where the page was really reached: the server may be
// behind a proxy that it knows nothing of.
export function setAddresses(root = document) {
  const base = address();
  if (!base) return;
  for (const at of root.querySelectorAll("[data-base]")) {
    if (at.dataset.base !== base) at.textContent = at.textContent.replace(at.dataset.base, base);
    at.removeAttribute("data-base");
  }
}

export function startCopying() {
  setAddresses();
  document.addEventListener("click", async (e) => {
    const button = e.target.closest("[data-copy]");
    if (!button) return;
    const source = document.getElementById(button.dataset.copy);
    try {
      await navigator.clipboard.writeText(source.textContent);
      toast("Copied");
    } catch {
      // Only allowed over HTTPS and on this machine: then at least choose it.
      const range = document.createRange();
      range.selectNodeContents(source);
      getSelection().removeAllRanges();
      getSelection().addRange(range);
      toast("Selected: copy it with your keyboard");
    }
  });
}
