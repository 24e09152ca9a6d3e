// Contents, tables, and what can be saved or copied.
(() => {
  // Contents: open where there is room beside the text; the section in view is marked.
  const contents = document.querySelector(".contents details");
  const room = window.matchMedia("(min-width: 75rem)");
  const fold = () => { contents.open = room.matches; };
  room.addEventListener("change", fold);
  fold();
  const links = new Map([...contents.querySelectorAll("a")].map((link) => [link.hash.slice(1), link]));
  contents.addEventListener("click", (event) => {
    if (event.target.closest("a") && !room.matches) contents.open = false;
  });
  const sections = [...document.querySelectorAll("main > section")].filter(({ id }) => links.has(id));
  const follow = () => {
    const line = window.innerHeight / 3;
    const past = sections.filter((section) => section.getBoundingClientRect().top <= line);
    const current = past.at(-1) || sections[0];
    for (const [id, link] of links) {
      if (current && id === current.id) link.setAttribute("aria-current", "location");
      else link.removeAttribute("aria-current");
    }
    const link = current && links.get(current.id);
    const nav = contents.parentElement;
    if (link && room.matches && nav.scrollHeight > nav.clientHeight) {
      nav.scrollTop = link.offsetTop - nav.clientHeight / 2;
    }
  };
  let waiting = false;
  window.addEventListener("scroll", () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => { waiting = false; follow(); });
  }, { passive: true });
  follow();

  // What is wider than its place shows on which sides it goes on.
  const edges = (box) => {
    box.classList.toggle("more-left", box.scrollLeft > 2);
    box.classList.toggle("more-right", box.scrollLeft + box.clientWidth < box.scrollWidth - 2);
  };
  const sizes = new ResizeObserver((entries) => entries.forEach(({ target }) => edges(target)));
  for (const box of document.querySelectorAll(".scroll")) {
    box.addEventListener("scroll", () => edges(box), { passive: true });
    sizes.observe(box);
  }

  // On paper nothing unfolds: what a study was run on is printed with it.
  const folded = [...document.querySelectorAll("details.ran")];
  window.addEventListener("beforeprint", () => {
    for (const each of folded) {
      each.dataset.before = each.open ? "open" : "";
      each.open = true;
    }
  });
  window.addEventListener("afterprint", () => {
    for (const each of folded) each.open = each.dataset.before === "open";
  });

  document.querySelectorAll("button.copy").forEach((button) => {
    button.addEventListener("click", () => {
      const code = button.parentElement.querySelector("code");
      const said = (word) => {
        button.textContent = word;
        setTimeout(() => { button.textContent = "Copy"; }, 2000);
      };
      const select = () => {
        getSelection().selectAllChildren(code);
        said("Selected");
      };
      if (navigator.clipboard) navigator.clipboard.writeText(code.textContent).then(() => said("Copied"), select);
      else select();
    });
  });

  // The table of every run is long: it is filled when it is opened.
  const said = (value, kind) => {
    if (value === null) return "–";
    if (kind === "percent" && typeof value === "number") return `${(100 * value).toFixed(1)} %`;
    if (typeof value !== "number" || kind === "text" || Number.isInteger(value)) return String(value);
    return String(Number(value.toPrecision(3)));
  };
  const fill = (table) => {
    const kinds = table.dataset.kinds.split(" ");
    const [, ...rows] = JSON.parse(document.getElementById(table.dataset.rows).textContent);
    delete table.dataset.rows;
    for (const row of rows) {
      const line = table.tBodies[0].insertRow();
      row.forEach((value, column) => {
        const cell = line.insertCell();
        cell.textContent = said(value, kinds[column]);
        cell.dataset.value = value === null ? "" : value;
        if (kinds[column] !== "text") cell.className = "number";
      });
    }
  };
  document.querySelectorAll("table[data-kinds]").forEach((table) => {
    table.closest("details").addEventListener("toggle", () => { if (table.dataset.rows) fill(table); });
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
