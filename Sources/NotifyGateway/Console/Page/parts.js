"use strict";

// Elements, formats and tables of the console. All texts are set as text, never as markup.

const $ = (selector, place = document) => place.querySelector(selector);

/** An element with attributes and children; a text stays a text. */
function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === true) element.setAttribute(key, "");
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(key, value);
  }
  element.append(...children);
  return element;
}

/** Sets a text where it differs, so that nothing is announced twice. */
function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

// ---------------------------------------------------------------- formats

const numbers = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

function count(value) {
  if (value === null || value === undefined) return "–";
  return value > 0 && value < 10 ? String(Math.round(value * 10) / 10) : numbers.format(value);
}

/** A short time, from seconds. */
function span(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  if (seconds < 0.001) return `${Math.round(seconds * 1e4) / 10} ms`;
  if (seconds < 1) return `${Number((seconds * 1000).toPrecision(3))} ms`;
  if (seconds < 60) return `${Number(seconds.toPrecision(3))} s`;
  const units = [[86_400, "d"], [3_600, "h"], [60, "min"]];
  const [size, unit] = units.find(([least]) => seconds >= least);
  return `${Math.floor(seconds / size)} ${unit}`;
}

function bytes(value) {
  if (value < 1_024) return `${value} B`;
  return value < 1_048_576 ? `${Math.round(value / 1_024)} KiB` : `${(value / 1_048_576).toFixed(1)} MiB`;
}

/** A time of PostgreSQL's JSON in the browser's time zone; "–" where there is none, "infinity" as it is. */
function moment(text) {
  if (!text) return "–";
  const date = new Date(text);
  return Number.isNaN(date.getTime()) ? text : date.toLocaleString("en-GB", { dateStyle: "short", timeStyle: "medium" });
}

const clock = (seconds) => new Date(seconds * 1000).toLocaleTimeString("en-GB");

function ago(text) {
  const time = Date.parse(text ?? "");
  return Number.isNaN(time) ? (text || "–") : `${span(Math.max(0, Math.round((Date.now() - time) / 1000)))} ago`;
}

// ---------------------------------------------------------------- tables

/**
 * Shows a table, or a sentence where it has no rows.
 *
 * columns: { title, value(row) → text or element, number, state(row) }. It keeps its elements where nothing changed, so
 * that the focus stays where it is.
 */
function showTable(place, title, columns, rows, { empty = "none", note = "", problem = "" } = {}) {
  const shown = JSON.stringify([title, note, problem, rows, columns.length]);
  if (place.dataset.shown === shown) return;
  const focused = place.contains(document.activeElement) ? document.activeElement.dataset.focus : null;
  place.dataset.shown = shown;
  const head = note ? `${title} ` : title;
  const parts = [];
  if (problem) parts.push(make("p", { class: "problem" }, problem));
  if (!rows.length) {
    parts.unshift(make("h3", {}, title), make("p", { class: "note" }, note ? `${empty} (${note})` : empty));
  } else {
    const table = make("table", {}, make("caption", {}, head, make("span", {}, note)));
    table.append(make("thead", {}, make("tr", {}, ...columns.map((column) =>
      make("th", { scope: "col", class: column.number ? "number" : null }, column.title)))));
    table.append(make("tbody", {}, ...rows.map((row) => make("tr", {}, ...columns.map((column) => {
      const value = column.value(row);
      const isButtons = Array.isArray(value);
      return make("td", {
        class: column.number ? "number" : isButtons ? "buttons" : null, "data-state": column.state ? column.state(row) : null,
      }, ...(isButtons ? value : [value]));
    })))));
    parts.push(make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": title, "data-focus": "table" }, table));
  }
  place.replaceChildren(make("div", { class: "table" }, ...parts));
  if (focused) [...place.querySelectorAll("[data-focus]")].find((element) => element.dataset.focus === focused)?.focus();
}

/** A button of a row. `focus` names it, so that it keeps the focus when its table is shown anew. */
function rowButton(text, label, focus, action) {
  const button = make("button", { type: "button", class: "small", "aria-label": label, "data-focus": focus }, text);
  button.addEventListener("click", () => action(button));
  return button;
}
