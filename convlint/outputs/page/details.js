// The details of a layer, module or call: attributes, costs, findings, suggestions, source and neighbors.

function details(tables, panel, name, box, show) {
  const { report, model } = tables;
  const module = tables.module.get(name);
  const operator = box && box.op;
  const layer = box ? layerOf(tables, box) : tables.layers.get(name);
  const owner = operator && !tables.layers.has(name) ? undefined : module;
  const site = layer?.site || owner?.site;
  const called = box?.called;
  const findings = owner || !operator ? tables.findings.get(name) || [] : [];
  const failed = box?.error || layer?.failed;
  const close = () => inPlace(() => {
    panel.hidden = true;
    document.body.classList.remove("detailed");
  });
  const source = (title, at) => at && [
    el("p", { class: "place" }, `${title} `, el("code", {}, place(at))),
    !findings.some((finding) => place(finding) === place(at)) && excerpt(report, at, "info"),
  ];
  refill(panel,
    el("header", {},
      el("h2", { tabindex: "-1" }, box?.kind || owner?.kind || layer?.kind || "module", el("small", {}, name || "(model)")),
      button({ class: "close", "aria-label": "Close details", onclick: close }, "\u00d7")),
    failed && el("p", { class: "card error" }, prose(failed)),
    el("dl", {}, attributes(tables, box, layer, owner).map(([title, value]) => [el("dt", {}, title), el("dd", {}, value)])),
    findings.map((finding) => findingCard(report, finding, null)),
    (tables.suggestions.get(name) || []).map((suggestion) => suggestionCard(report, suggestion, null)),
    source("built at", site),
    source("called at", called),
    operator && neighbors(tables, box, show));
  panel.hidden = false;
  panel.scrollTop = 0;
  inPlace(() => document.body.classList.add("detailed"));
}

function attributes(tables, box, layer, module) {
  const { model, boxes } = tables;
  const { totals, memory, tensors } = model;
  const rows = [];
  const add = (title, value) => value !== null && value !== undefined && value !== "" && rows.push([title, value]);
  if (box?.op) {
    add("reads", box.reads.map((id) => tensors[id]).join(", "));
    add("makes", box.makes.map((id) => tensors[id]).join(", "));
  } else {
    add("input", sizes(layer?.input_shape));
    add("output", sizes(layer?.output_shape));
  }
  for (const name of ["kernel_size", "stride", "padding", "dilation"]) add(name.replace("_size", ""), sizes(layer?.[name]));
  add("groups", layer?.groups);
  add("bias", { true: "yes", false: "no" }[layer?.bias]);
  const sums = module || layer;
  if (sums) {
    add("parameters", `${count(sums.params)} ${share(sums.params, totals.params)}`);
    add("MACs", sums.macs === null ? "not traced into" : `${count(sums.macs)} ${share(sums.macs, totals.macs)}`);
    add("output memory", megabytes(sums.output_bytes));
    add("saved for backward", sums.saved_bytes === null ? "not measured" : megabytes(sums.saved_bytes));
  } else if (box?.macs) {
    add("MACs", `${count(box.macs)} ${share(box.macs, totals.macs)}`);
  }
  if (layer && layer.calls !== 1) add("calls", count(layer.calls));
  const ran = box || boxes.find((candidate) => module && candidate.module === module.name);
  if (ran && memory && !(ran.reads && !ran.op)) {
    const use = [];
    for (let n = ran.first; n <= ran.last; n += 1) use.push(memory.live[n] + memory.workspace[n]);
    if (use.length) add("memory while it runs", `${megabytes(memory.held + use.reduce((a, b) => Math.max(a, b)))} (estimated)`);
  }
  return rows;
}

const share = (part, owner) => (part && owner ? `(${percent(part, owner)})` : "");

function neighbors(tables, box, show) {
  const list = (title, boxes) => boxes.length > 0 && el("p", { class: "modules" }, `${title} `, [...new Set(boxes)].slice(0, 12).map((neighbor) =>
    button({ onclick: (event) => show(neighbor.module, neighbor, event.detail === 0) }, `${neighbor.kind} ${neighbor.module}`.trim())));
  return [
    list("reads from", box.reads.map((id) => tables.producer.get(id)).filter(Boolean)),
    list("read by", box.makes.flatMap((id) => tables.readers.get(id) || [])),
  ];
}
