// Pushes a second, as a plot of two minutes.
const seconds = 120;
const width = 600;
const height = 60;

export class Rate {
  constructor(svg, now, high, more) {
    Object.assign(this, { svg, now, high, more, values: [] });
  }

  // add takes what has come within the last second.
  add({ pushes = 0, deletes = 0, refusals = 0, expiries = 0 }) {
    this.values.push(pushes);
    if (this.values.length > seconds) this.values.shift();
    this.now.textContent = pushes.toLocaleString("en");
    const others = [[deletes, "deleted"], [refusals, "refused"], [expiries, "expired"]].filter(([n]) => n);
    this.more.textContent = others.map(([n, what]) => `${n.toLocaleString("en")} ${what}`).join(", ");
    this.draw();
  }

  draw() {
    const most = Math.max(1, ...this.values);
    this.high.textContent = `most: ${most.toLocaleString("en")}/s`;
    const step = width / (seconds - 1);
    const start = seconds - this.values.length;
    const points = this.values.map((v, i) => `${((start + i) * step).toFixed(1)} ${(height - 1 - (v / most) * (height - 4)).toFixed(1)}`);
    const line = `M${points.join("L")}`;
    this.svg.querySelector(".line").setAttribute("d", line);
    this.svg.querySelector(".area").setAttribute("d", `${line}V${height}H${(start * step).toFixed(1)}Z`);
  }
}
