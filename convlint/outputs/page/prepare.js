// Lookup tables of a model: nested boxes with the links between them, findings and suggestions by module.

const IN = -1;
const OUT = -2;

function prepare(report, model) {
  const boxes = model.boxes.map((box, id) => ({ ...box, id, inside: [], links: new Map() }));
  for (const box of boxes) {
    box.outer = box.around === null ? null : boxes[box.around];
    box.depth = box.outer ? box.outer.depth + 1 : 0;
    if (box.outer) box.outer.inside.push(box);
  }
  const names = new Map(model.layers.map((layer) => [layer.name, layer]));
  const modules = model.modules.map((module, id) => ({ ...module, id, inside: [] }));
  for (const module of modules) {
    module.outer = module.around === null ? null : modules[module.around];
    if (module.outer) module.outer.inside.push(module);
  }
  const tables = {
    report, model, boxes, modules,
    layers: names,
    module: new Map(modules.map((module) => [module.name, module])),
    findings: grouped(findingsOf(report, model), (finding) => instances(finding)),
    suggestions: grouped(report.suggestions, (suggestion) => suggestion.instances),
    boxesOf: grouped(boxes, (box) => [box.module]),
    producer: new Map(boxes.flatMap((box) => (box.makes || []).map((id) => [id, box]))),
    readers: new Map(),
  };
  for (const box of boxes) connect(tables, box);
  for (const box of boxes) box.label = labelOf(box);
  for (const box of [...boxes].reverse()) addSums(tables, box);
  return tables;
}

function grouped(items, keys) {
  const groups = new Map();
  for (const item of items) {
    for (const key of new Set(keys(item))) {
      if (!groups.has(key)) groups.set(key, []);
      groups.get(key).push(item);
    }
  }
  return groups;
}

function instances(finding) {
  const names = finding.instances.length ? finding.instances : [finding.module];
  return names.filter((name) => name !== null);
}

// The findings of running a model, with the modules of that model.
function findingsOf(report, model) {
  const found = [];
  for (const finding of report.findings) {
    const here = finding.occurrences.filter(({ target }) => target === model.target);
    if (here.length) found.push({ ...finding, instances: here.map(({ module }) => module).filter((name) => name !== null) });
    else if (finding.target !== null && finding.target === model.target) found.push(finding);
  }
  return bySeverity(found);
}

// Link a tensor from its producer, out of the boxes that contain it, into those that contain its reader.
function connect(tables, reader) {
  for (const tensor of reader.reads || []) {
    const producer = tables.producer.get(tensor);
    if (!producer) continue;
    if (!tables.readers.has(tensor)) tables.readers.set(tensor, []);
    tables.readers.get(tensor).push(reader);
    let [from, to] = [producer, reader];
    while (from.outer !== to.outer) {
      const [out, into] = [from.depth >= to.depth, to.depth >= from.depth];
      if (out) {
        link(from.outer, from.id, OUT, tensor);
        from = from.outer;
      }
      if (into) {
        link(to.outer, IN, to.id, tensor);
        to = to.outer;
      }
    }
    link(from.outer, from.id, to.id, tensor);
  }
}

function link(group, from, to, tensor) {
  const key = `${from} ${to}`;
  if (!group.links.has(key)) group.links.set(key, { from, to, tensors: new Set() });
  group.links.get(key).tensors.add(tensor);
}

// The name of a box relative to the box that contains it.
function labelOf(box) {
  const outer = box.outer ? box.outer.module : "";
  const name = box.module;
  if (outer && name.startsWith(`${outer}.`)) return name.slice(outer.length + 1);
  return name === outer ? "" : name;
}

// Set the sums of a closed box: calls, multiply-accumulates, findings and the worst severity.
function addSums(tables, box) {
  const own = box.op && !tables.layers.has(box.module) ? [] : tables.findings.get(box.module) || [];
  const findings = new Set(own);
  for (const part of box.inside) for (const finding of part.findings) findings.add(finding);
  box.findings = [...findings];
  box.failed = Boolean(box.error || (tables.layers.get(box.module)?.failed && !box.inside.length)
    || box.inside.some((part) => part.failed));
  box.calls = box.inside.length ? box.inside.reduce((sum, part) => sum + part.calls, 0) : 1;
  box.totalMacs = box.inside.reduce((sum, part) => sum + part.totalMacs, box.macs || 0);
  box.last = box.inside.length ? box.inside.at(-1).last : box.first;
  box.severity = box.failed ? "error" : worst(box.findings);
  box.cheaper = tables.suggestions.has(box.module) || box.inside.some((part) => part.cheaper);
}

// The layer of the table for a box, if there is one.
function layerOf(tables, box) {
  const owned = tables.layers.get(box.module);
  if (!box.op || owned) return box.inside.length ? undefined : owned;
  const name = box.module ? `${box.module}.${box.op}` : box.op;
  return tables.model.layers.find((layer) => layer.name.split("#")[0] === name && place(layer.site) === place(box.called));
}

// The first box of a module or of a call in the table.
function boxOf(tables, name) {
  const boxes = tables.boxesOf.get(name);
  if (boxes) return boxes[0];
  return tables.boxes.find((box) => box.op && layerOf(tables, box)?.name === name);
}
