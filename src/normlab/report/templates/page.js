"use strict";
(() => {
  const views = new Map(); // chart id -> promise of its Vega view

  // A chart is drawn once: its colours are the page's CSS variables, which follow light, dark and print by themselves.
  function draw(place) {
    if (!views.has(place.id)) {
      const spec = JSON.parse(document.getElementById(place.dataset.spec).textContent);
      const options = { actions: false, renderer: "svg", tooltip: { disableDefaultStyle: true } };
      views.set(place.id, vegaEmbed(place, spec, options).then(({ view }) => {
        // the figure's own label states the result; its parts would be read out one by one
        place.querySelector("svg").setAttribute("aria-hidden", "true");
        return view;
      }));
    }
    return views.get(place.id);
  }

  // Those near the screen first, the others when there is time: the page opens at once, however many there are.
  const places = [...document.querySelectorAll(".chart")];
  const near = new IntersectionObserver((entries) => {
    entries.filter((entry) => entry.isIntersecting).forEach((entry) => draw(entry.target));
  }, { rootMargin: "600px" });
  places.forEach((place) => near.observe(place));
  const whenIdle = window.requestIdleCallback || ((task) => setTimeout(task, 50));
  const drawNext = () => {
    const place = places.find((each) => !views.has(each.id));
    if (place) draw(place).then(() => whenIdle(drawNext));
    else document.documentElement.dataset.drawn = "all";
  };
  whenIdle(drawNext);

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
        draw(place).then((view) => view.signal("shown", shown).runAsync());
      }
    });
  });

  // Tables: a column's title sorts by it, again the other way; empty cells stay last.
  document.querySelectorAll("table.sortable th button").forEach((button) => {
    button.addEventListener("click", () => {
      const head = button.closest("th");
      const body = head.closest("table").tBodies[0];
      const column = [...head.parentNode.children].indexOf(head);
      const up = head.getAttribute("aria-sort") !== "ascending";
      for (const other of head.parentNode.children) other.setAttribute("aria-sort", "none");
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const numeric = head.classList.contains("number");
      const value = (row) => row.cells[column].dataset.value;
      const compare = (a, b) => {
        const [left, right] = [value(a), value(b)];
        if (left === "" || right === "") return (left === "") - (right === "");
        const order = numeric ? Number(left) - Number(right) : left.localeCompare(right);
        return up ? order : -order;
      };
      body.append(...[...body.rows].sort(compare));
    });
  });

  // CSV: the numbers with all their digits, not as the table rounds them.
  const quoted = (cell) => (cell === null ? "" : /[",\n]/.test(cell) ? `"${String(cell).replaceAll('"', '""')}"` : String(cell));
  document.querySelectorAll("button.save").forEach((button) => {
    button.addEventListener("click", () => {
      const rows = JSON.parse(document.getElementById(button.dataset.rows).textContent);
      const text = rows.map((row) => row.map(quoted).join(",")).join("\r\n") + "\r\n";
      const link = document.createElement("a");
      link.href = URL.createObjectURL(new Blob(["\ufeff", text], { type: "text/csv" }));
      link.download = button.dataset.file;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 1000);
    });
  });
})();
