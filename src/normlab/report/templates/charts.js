"use strict";
// Charts: drawn when they come near the screen, all of them before printing; read by pointer, finger or arrow keys.
(() => {
  const places = [...document.querySelectorAll(".chart")];
  const drawn = new Map(); // place -> promise of {view, spec, stops}
  const ready = new Map(); // the same, once it is there
  const tip = document.getElementById("tip");
  const root = document.documentElement;
  const text = () => parseFloat(getComputedStyle(root).fontSize) / 16; // what the reader's text size is to the usual
  const PRINTED = { lines: 330, cells: 165 };

  // Text in a chart grows with the page's.
  function enlarged(part, factor) {
    if (factor === 1 || part === null || typeof part !== "object") return part;
    const sizes = new Set(["labelFontSize", "titleFontSize", "fontSize", "labelLimit", "titleY"]);
    for (const [key, value] of Object.entries(part)) {
      if (key === "datasets") continue;
      if (sizes.has(key) && typeof value === "number") part[key] = value * factor;
      else enlarged(value, factor);
    }
    return part;
  }

  // It waits for nothing from outside: what `beforeprint` draws is there before the page is printed.
  function draw(place) {
    if (!drawn.has(place)) drawn.set(place, drawing(place));
    return drawn.get(place);
  }

  async function drawing(place) {
    const spec = enlarged(JSON.parse(document.getElementById(place.dataset.spec).textContent), text());
    const tooltip = (_, event, __, value) => {
      if (spec.usermeta.kind === "cells") showCell(event, value);
    };
    // Vega writes a role and a label of its own on what it draws into: that is inside the figure, which keeps ours
    const stage = place.querySelector(".stage");
    const { view } = await vegaEmbed(stage, spec, { actions: false, defaultStyle: false, renderer: "svg", tooltip });
    const chart = { view, spec, stops: stopsOf(spec) };
    ready.set(place, chart);
    if (spec.usermeta.kind === "lines") readable(place, chart);
    if (ready.size === places.length) root.dataset.drawn = "all";
    return chart;
  }

  // The places at which a chart of lines has values: [x, rows at it], from left to right.
  function stopsOf(spec) {
    const stops = new Map();
    for (const row of spec.datasets.rows) {
      if (!stops.has(row.x)) stops.set(row.x, []);
      stops.get(row.x).push(row);
    }
    return [...stops.entries()].sort(([a], [b]) => a - b);
  }

  // Crosshair: a line at the nearest place that has values, and what every line is there.
  function readable(place, { view, spec, stops }) {
    const hair = document.createElement("div");
    hair.className = "hair";
    hair.hidden = true;
    place.append(hair);
    let at = -1;

    const left = (x) => view.origin()[0] + view.scale("x")(x);
    const within = (x) => {
      const across = view.scale("x")(x);
      return across >= -1 && across <= view.width() + 1;
    };
    const hide = () => {
      at = -1;
      hair.hidden = true;
      tip.classList.remove("visible");
    };
    const show = (index) => {
      at = index;
      const [x, rows] = stops[index];
      hair.hidden = false;
      hair.style.left = `${left(x)}px`;
      hair.style.top = `${view.origin()[1]}px`;
      hair.style.height = `${view.height()}px`;
      tip.replaceChildren(table(place, spec.usermeta, rows, view.signal("shown")));
      const box = place.getBoundingClientRect();
      putTip(box.left + left(x), box.top + view.origin()[1] + 8);
    };
    place.addEventListener("pointermove", (event) => {
      const box = place.getBoundingClientRect();
      const pointer = event.clientX - box.left;
      let nearest = -1;
      stops.forEach(([x], index) => {
        if (!within(x)) return;
        if (nearest < 0 || Math.abs(left(x) - pointer) < Math.abs(left(stops[nearest][0]) - pointer)) nearest = index;
      });
      if (nearest >= 0 && nearest !== at) show(nearest);
    });
    place.addEventListener("pointerleave", hide);
    place.addEventListener("blur", hide);
    place.addEventListener("keydown", (event) => {
      const last = stops.length - 1;
      const to = {
        ArrowRight: Math.min(at + 1, last), ArrowLeft: at < 0 ? last : Math.max(at - 1, 0), Home: 0, End: last,
      }[event.key];
      if (to !== undefined) {
        event.preventDefault();
        show(to);
      } else if (event.key === "Escape") hide();
    });
    window.addEventListener("scroll", hide, { passive: true });
  }

  function cell(tag, content) {
    const made = document.createElement(tag);
    made.append(content);
    return made;
  }

  function table(place, { x, value }, rows, shown) {
    const made = document.createElement("table");
    const caption = made.createCaption();
    caption.append(`${x}: ${rows[0].x_text}`, document.createElement("br"), value);
    for (const row of rows.filter(({ series }) => shown === "" || shown === series)) {
      const line = made.insertRow();
      const key = cell("th", "");
      const button = [...place.closest(".figure").querySelectorAll(".legend button")]
        .find((each) => each.dataset.line === row.series);
      if (button) key.append(button.querySelector("svg").cloneNode(true));
      key.append(row.series);
      const runs = `${row.runs} run${row.runs === "1" ? "" : "s"}`;
      line.append(key, cell("td", row.text), cell("td", runs));
    }
    return made;
  }

  function showCell(event, value) {
    if (!value) {
      tip.classList.remove("visible");
      return;
    }
    const made = document.createElement("table");
    for (const [title, said] of Object.entries(value)) made.insertRow().append(cell("th", title), cell("td", said));
    tip.replaceChildren(made);
    putTip(event.clientX, event.clientY);
  }

  // Beside the place, on the side that has room.
  function putTip(x, y) {
    tip.classList.add("visible");
    const { width, height } = tip.getBoundingClientRect();
    const right = x + 14 + width <= window.innerWidth - 8;
    tip.style.left = `${Math.max(8, right ? x + 14 : x - 14 - width)}px`;
    tip.style.top = `${Math.max(8, Math.min(y, window.innerHeight - height - 8))}px`;
  }

  const near = new IntersectionObserver((entries) => {
    for (const { target } of entries.filter((entry) => entry.isIntersecting)) {
      near.unobserve(target);
      draw(target);
    }
  }, { rootMargin: "400px" });
  places.forEach((place) => near.observe(place));

  // Paper: every chart, as wide as its place there, so that its text keeps its size.
  const resize = ({ view }, width) => view.signal("width", width).runAsync();
  window.addEventListener("beforeprint", () => {
    for (const place of places) draw(place).then((chart) => resize(chart, PRINTED[chart.spec.usermeta.kind]));
  });
  window.addEventListener("afterprint", () => {
    for (const [place, chart] of ready) resize(chart, place.clientWidth);
  });

  // Legends: a press shows one line alone, in all panels of its figure; a second press shows all again.
  document.querySelectorAll(".legend button").forEach((button) => {
    button.addEventListener("click", () => {
      const figure = button.closest(".figure");
      const shown = figure.dataset.shown === button.dataset.line ? "" : button.dataset.line;
      figure.dataset.shown = shown;
      for (const other of figure.querySelectorAll(".legend button")) {
        other.setAttribute("aria-pressed", String(other.dataset.line === shown));
      }
      figure.classList.toggle("isolated", shown !== "");
      for (const place of figure.querySelectorAll(".chart")) {
        draw(place).then(({ view }) => view.signal("shown", shown).runAsync());
      }
    });
  });
})();
