"use strict";
(() => {
  const svg = document.querySelector("svg.graph");
  const table = document.querySelector("table.ways");
  const count = document.querySelector("#count");
  const columns = new Map([...svg.querySelectorAll(".column")].map((e) => [e.dataset.node, e]));
  const ways = [...svg.querySelectorAll(".way")].map((e) => ({
    element: e, row: table.querySelector(`tr[data-way="${e.dataset.way}"]`),
    from: e.dataset.from, to: e.dataset.to,
  }));
  const all = count.textContent;
  const index = (end) => {
    const found = new Map();
    for (const way of ways) found.set(way[end], [...(found.get(way[end]) ?? []), way]);
    return found;
  };
  const leaving = index("from"), coming = index("to");
  let pinned = null;

  const walk = (start, ahead, end, lit, reached) => {
    const seen = new Set([start]), open = [start];
    while (open.length) {
      for (const way of ahead.get(open.pop()) ?? []) {
        lit.add(way);
        if (!seen.has(way[end])) { seen.add(way[end]); open.push(way[end]); }
      }
    }
    for (const node of seen) reached.add(node);
  };
  const show = (node) => {
    const lit = new Set(), reached = new Set();
    if (node !== null) {
      walk(node, leaving, "to", lit, reached);
      walk(node, coming, "from", lit, reached);
    }
    svg.classList.toggle("chosen", node !== null);
    table.classList.toggle("chosen", pinned !== null);
    for (const way of ways) {
      way.element.classList.toggle("lit", lit.has(way));
      way.row.classList.toggle("lit", lit.has(way));
    }
    for (const [name, element] of columns) {
      element.classList.toggle("lit", reached.has(name));
      element.classList.toggle("pinned", name === pinned);
    }
    count.textContent = pinned === null ? all : `${lit.size} of ${ways.length}`;
  };
  const pin = (node) => { pinned = node === pinned ? null : node; show(pinned); };

  for (const [name, element] of columns) {
    element.addEventListener("mouseenter", () => { if (pinned === null) show(name); });
    element.addEventListener("mouseleave", () => { if (pinned === null) show(null); });
    element.addEventListener("click", (event) => { event.stopPropagation(); pin(name); });
    element.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === " ") { event.preventDefault(); pin(name); }
    });
  }
  svg.addEventListener("click", () => { if (pinned !== null) pin(pinned); });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && pinned !== null) pin(pinned);
  });
  const asked = document.querySelector(".column.wanted, .asked");
  asked?.scrollIntoView({ block: "nearest", inline: "center" });
})();
