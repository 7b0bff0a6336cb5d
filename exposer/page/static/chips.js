// Labels as the server shows them, job first.
export function groupCell(path, labels) {
  if (!path) return document.createTextNode("all groups");
  const link = document.createElement("a");
  link.className = "chips";
  link.href = `./?group=${encodeURIComponent(path)}`;
  const names = Object.keys(labels).sort((a, b) => (b === "job") - (a === "job") || (a < b ? -1 : 1));
  for (const name of names) {
    const chip = document.createElement("span");
    chip.className = "chip";
    const dim = document.createElement("span");
    dim.className = "name";
    dim.textContent = `${name}=`;
    chip.append(dim, labels[name] || '""');
    link.append(chip, " ");
  }
  return link;
}
