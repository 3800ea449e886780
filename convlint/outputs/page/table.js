// The table of layers: a click on a title sorts it; filters by text, kind and findings.

const ROWS = 300; // rows that are shown at first

function tableView(tables, select) {
  const { model } = tables;
  const findings = (layer) => tables.findings.get(layer.name) || [];
  const columns = [
    { title: "layer", of: (layer) => layer.name, show: (layer) => layer.name || "(model)", name: true },
    { title: "kind", of: (layer) => layer.kind, left: true },
    { title: "input", of: (layer) => product(layer.input_shape), show: (layer) => sizes(layer.input_shape) },
    { title: "output", of: (layer) => product(layer.output_shape), show: (layer) => sizes(layer.output_shape) },
    { title: "kernel", of: (layer) => product(layer.kernel_size), show: (layer) => sizes(layer.kernel_size) },
    { title: "groups", of: (layer) => layer.groups, show: (layer) => layer.groups ?? "" },
    { title: "params", of: (layer) => layer.params, show: (layer) => count(layer.params), share: model.totals.params },
    { title: "MACs", of: (layer) => layer.macs, show: (layer) => (layer.macs === null ? "?" : count(layer.macs)), share: model.totals.macs },
    { title: "output MB", of: (layer) => layer.output_bytes, show: (layer) => (layer.output_bytes / MB).toFixed(2) },
    { title: "saved MB", of: (layer) => layer.saved_bytes, show: (layer) => (layer.saved_bytes === null ? "" : (layer.saved_bytes / MB).toFixed(2)) },
    { title: "findings", of: (layer) => findings(layer).length, show: (layer) => findings(layer).map((finding) => finding.code).join(" ") },
  ];
  for (const column of columns) {
    if (column.share) column.most = model.layers.reduce((most, layer) => Math.max(most, column.of(layer) || 0), 0);
  }
  const kinds = [...new Set(model.layers.map((layer) => layer.kind))].sort();
  const filter = el("input", { type: "search", placeholder: "Filter layers", "aria-label": "Filter layers", oninput: () => refilled() });
  const kind = el("select", { "aria-label": "Kind", onchange: () => refilled() },
    el("option", { value: "" }, "all kinds"), kinds.map((name) => el("option", {}, name)));
  const only = el("input", { type: "checkbox", onchange: () => refilled() });
  const status = el("span", { class: "note", role: "status" });
  const body = el("tbody");
  const heads = columns.map((column, n) => el("th", { class: column.left || column.name ? "left" : null, scope: "col" },
    button({ onclick: () => sortBy(n) }, column.title)));
  const more = button({ hidden: true, onclick: () => refilled(Infinity) });
  let [sorted, down] = [null, false];

  function sortBy(n) {
    const numbers = model.layers.some((layer) => typeof columns[n].of(layer) === "number");
    if (sorted !== n) [sorted, down] = [n, numbers];
    else if (down === numbers) down = !down;
    else sorted = null; // a third click restores the order of execution
    heads.forEach((head, i) => {
      if (i === sorted) head.setAttribute("aria-sort", down ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    });
    refilled();
  }

  function filteredRows() {
    const terms = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    const rows = model.layers.filter((layer) => {
      const text = `${layer.name} ${layer.kind}`.toLowerCase();
      return terms.every((term) => text.includes(term)) && (!kind.value || layer.kind === kind.value)
        && (!only.checked || layer.failed || findings(layer).length);
    });
    if (sorted === null) return rows;
    const { of } = columns[sorted];
    return rows.sort((a, b) => (down ? -1 : 1) * compare(of(a), of(b)));
  }

  function refilled(most = ROWS) {
    const rows = filteredRows();
    refill(body, ...rows.slice(0, most).map(rowOf));
    refill(status, `${count(rows.length)} of ${plural(model.layers.length, "layer")}`);
    more.hidden = rows.length <= most;
    refill(more, `Show the other ${count(rows.length - most)}`);
  }

  function rowOf(layer) {
    const severity = layer.failed ? "error" : worst(findings(layer));
    const open = (event) => {
      event.stopPropagation();
      select(layer.name, null, event.detail === 0);
    };
    return el("tr", { class: severity, onclick: open }, columns.map((column) => {
      const text = (column.show || column.of)(layer);
      if (column.name) return el("th", { scope: "row", class: "left" }, button({ class: "plain", onclick: open, title: text }, text));
      const value = column.share ? column.of(layer) || 0 : 0;
      return el("td", {
        class: column.left ? "left" : null,
        style: value ? { "--share": `${(100 * value) / column.most}%` } : {},
        title: column.share ? `${percent(value, column.share)} of the model` : null,
      }, text);
    }));
  }

  return {
    element: section("layers", "Layers",
      el("div", { class: "toolbar" }, filter, kind, el("label", {}, only, " with findings only"), status),
      el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Table of layers" },
        el("table", {}, el("thead", {}, el("tr", {}, heads)), body)),
      more),
    start: () => refilled(),
  };
}

const product = (shape) => (Array.isArray(shape) ? shape.reduce((a, b) => a * b, 1) : shape);

function compare(a, b) {
  const [noA, noB] = [a === null || a === undefined, b === null || b === undefined];
  if (noA || noB) return noA - noB;
  return typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b));
}
