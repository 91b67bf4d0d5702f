"use strict";

// A chart of the last hour as SVG: time to the right, lines with gaps where there is no value.

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 400;
const HEIGHT = 190;
const FRAME = { left: 46, right: 10, top: 10, bottom: 22 };

function draw(name, attributes, text) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  return element;
}

/** The round numbers of an axis from 0. */
function linearTicks(largest) {
  const rough = Math.max(largest, 1) / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = Math.max([1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough), 1);
  return Array.from({ length: Math.ceil(Math.max(largest, 1) / step) + 1 }, (_, index) => index * step);
}

/** The powers of ten around some values. */
function decadeTicks(smallest, largest) {
  const first = Math.floor(Math.log10(Math.max(smallest, 1e-4)));
  const last = Math.max(first + 1, Math.ceil(Math.log10(Math.max(largest, 1e-4))));
  return Array.from({ length: last - first + 1 }, (_, index) => 10 ** (first + index));
}

class Chart {
  /** series: { name, value(sample) → number or null }; isLogarithmic: for values over several powers of ten. */
  constructor(place, { id, title, series, format, isLogarithmic = false }) {
    Object.assign(this, { title, series, format, isLogarithmic, samples: [], hour: 3_600, position: null });
    this.output = make("output", {});
    this.svg = draw("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true" });
    this.plot = make("div", {
      class: "plot", role: "slider", tabindex: "0", "aria-label": `${title}: the time of a sample`, "aria-valuemin": "0",
      "aria-valuemax": "0", "aria-valuenow": "0", "aria-valuetext": "no sample yet", "data-testid": `chart-${id}`,
    });
    this.plot.append(this.svg);
    const caption = make("figcaption", {}, make("h3", {}, title));
    if (series.length > 1) caption.append(this.legend());
    caption.append(this.output);
    place.append(make("figure", { class: "chart" }, caption, this.plot));
    this.plot.addEventListener("pointermove", (event) => this.point(event));
    this.plot.addEventListener("pointerleave", () => this.move(null));
    this.plot.addEventListener("keydown", (event) => this.press(event));
    this.plot.addEventListener("blur", () => this.move(null));
    new ResizeObserver(() => this.render()).observe(this.plot);
  }

  legend() {
    return make("span", { class: "legend" }, ...this.series.map(({ name }, index) => {
      const line = draw("svg", { viewBox: "0 0 24 8", "aria-hidden": "true" });
      line.append(draw("path", { d: "M0 4H24", class: `series-${index}`, fill: "none" }));
      return make("span", {}, line, name);
    }));
  }

  show(samples, hour) {
    // The position stays at its sample while others come and go.
    const kept = this.position === null ? null : this.samples[this.position]?.serial;
    this.samples = samples;
    // A quarter or half of it, as long as that holds all samples.
    const age = samples.length ? samples.at(-1).time - samples[0].time : 0;
    this.hour = [hour / 4, hour / 2].find((length) => age <= length) ?? hour;
    this.position = kept === null ? null : samples.findIndex((sample) => sample.serial === kept);
    if (this.position === -1) this.position = null;
    this.render();
  }

  // The svg is stretched by the page, so it is drawn in the pixels that it has.
  render() {
    const box = this.svg.getBoundingClientRect();
    const width = box.width || WIDTH;
    const height = box.height || HEIGHT;
    this.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    const values = this.samples.flatMap((sample) => this.series.map(({ value }) => value(sample)).filter((value) => value !== null));
    const ticks = this.isLogarithmic
      ? decadeTicks(Math.min(...values, 1e-2), Math.max(...values, 1e-2)) : linearTicks(Math.max(...values, 0));
    const scale = (value) => (this.isLogarithmic ? Math.log10(Math.max(value, 1e-5)) : value);
    const [low, high] = [scale(ticks[0]), scale(ticks.at(-1))];
    const end = this.samples.at(-1)?.time ?? 0;
    const inner = { width: width - FRAME.left - FRAME.right, height: height - FRAME.top - FRAME.bottom };
    this.x = (time) => FRAME.left + (1 - (end - time) / this.hour) * inner.width;
    const y = (value) => FRAME.top + (1 - Math.max(0, (scale(value) - low) / (high - low))) * inner.height;
    const parts = ticks.flatMap((tick) => [
      draw("line", { class: "grid", x1: FRAME.left, x2: width - FRAME.right, y1: y(tick), y2: y(tick) }),
      draw("text", { x: FRAME.left - 6, y: y(tick) + 4, "text-anchor": "end" }, this.format(tick)),
    ]);
    for (const part of width > 440 ? [1, 0.75, 0.5, 0.25, 0] : [1, 0.5, 0]) {
      const minutes = Math.round(part * this.hour / 6) / 10;
      const anchor = part === 1 ? "start" : part === 0 ? "end" : "middle";
      parts.push(draw("text", { x: this.x(end - minutes * 60), y: height - 6, "text-anchor": anchor }, minutes ? `−${minutes} min` : "now"));
    }
    this.series.forEach(({ value }, index) => parts.push(draw("path", { class: `series-${index}`, d: this.path(value, y), fill: "none" })));
    const sample = this.position === null ? null : this.samples[this.position];
    if (sample) {
      parts.push(draw("line", { class: "cursor", x1: this.x(sample.time), x2: this.x(sample.time), y1: FRAME.top, y2: height - FRAME.bottom }));
      this.series.forEach(({ value }, index) => {
        if (value(sample) !== null) parts.push(draw("circle", { class: `series-${index}`, cx: this.x(sample.time), cy: y(value(sample)), r: 3.5 }));
      });
    }
    this.svg.replaceChildren(...parts);
    this.describe(sample ?? this.samples.at(-1));
  }

  path(value, y) {
    let line = "";
    let last = null;
    for (const sample of this.samples) {
      const number = value(sample);
      if (number !== null) {
        const isNext = last !== null && sample.serial === last + 1;
        // A value alone between two gaps is a dot.
        line += `${isNext ? "L" : "M"}${this.x(sample.time).toFixed(1)} ${y(number).toFixed(1)}${isNext ? "" : "h0.01"}`;
        last = sample.serial;
      }
    }
    return line;
  }

  describe(sample) {
    const shown = sample
      ? `${clock(sample.time)} · ${this.series.map(({ name, value }) => `${this.series.length > 1 ? `${name} ` : ""}${this.format(value(sample))}`).join(" · ")}`
      : "no sample yet";
    if (this.output.value !== shown) this.output.value = shown;
    this.plot.setAttribute("aria-valuemax", String(Math.max(0, this.samples.length - 1)));
    this.plot.setAttribute("aria-valuenow", String(this.position ?? Math.max(0, this.samples.length - 1)));
    this.plot.setAttribute("aria-valuetext", shown);
  }

  // ---------------------------------------------------------------- position

  move(position) {
    this.position = position === null || !this.samples.length ? null : Math.min(Math.max(position, 0), this.samples.length - 1);
    this.render();
  }

  point(event) {
    const at = event.clientX - this.svg.getBoundingClientRect().left;
    let nearest = null;
    this.samples.forEach((sample, index) => {
      if (nearest === null || Math.abs(this.x(sample.time) - at) < Math.abs(this.x(this.samples[nearest].time) - at)) nearest = index;
    });
    this.move(nearest);
  }

  press(event) {
    const last = this.samples.length - 1;
    const now = this.position ?? last;
    const steps = { ArrowLeft: now - 1, ArrowDown: now - 1, ArrowRight: now + 1, ArrowUp: now + 1, PageDown: now - 60, PageUp: now + 60, Home: 0, End: last };
    if (!(event.key in steps)) return;
    event.preventDefault();
    this.move(steps[event.key]);
  }
}
