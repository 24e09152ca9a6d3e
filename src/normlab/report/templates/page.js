"use strict";
(() => {
  const themes = JSON.parse(document.getElementById("themes").textContent);
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const views = new Map(); // chart id -> Vega view
  let printing = false;

  // Charts hold tokens such as "@1" and "@ink"; the theme says which colours they are.
  function themed(text) {
    const theme = dark.matches && !printing ? themes.dark : themes.light;
    return JSON.parse(text.replace(/"@[a-z0-9]+"/g, (token) => JSON.stringify(theme[JSON.parse(token)] || token)));
  }

  async function draw(place) {
    const spec = themed(document.getElementById(place.dataset.spec).textContent);
    const old = views.get(place.id);
    const result = await vegaEmbed(place, spec, {
      actions: false,
      renderer: "svg",
      tooltip: { theme: "custom", disableDefaultStyle: true },
      ast: false,
    });
    if (old) old.finalize();
    // the figure's own label states the result; its parts would be read out one by one
    place.querySelector("svg").setAttribute("aria-hidden", "true");
    views.set(place.id, result.view);
    const shown = place.closest(".figure").dataset.shown || "";
    if (shown) result.view.signal("shown", shown).runAsync();
  }

  function drawAll() {
    return Promise.all([...document.querySelectorAll(".chart")].filter((place) => views.has(place.id)).map(draw));
  }

  // A chart is drawn when it comes near the screen: the page opens at once, however many there are.
  const near = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (entry.isIntersecting) {
        near.unobserve(entry.target);
        draw(entry.target);
      }
    }
  }, { rootMargin: "800px" });
  document.querySelectorAll(".chart").forEach((place) => near.observe(place));
  dark.addEventListener("change", drawAll);

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
        const view = views.get(place.id);
        if (view) view.signal("shown", shown).runAsync();
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
