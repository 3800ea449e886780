// Parameters, multiply-accumulates and memory of the parts of a module: bars and a treemap.

const SMALLEST = 12; // pixels; a smaller cell of the treemap is not divided
const MOST_BARS = 60;

function costsView(tables, select) {
  let metric = tables.model.totals.macs ? "macs" : "params";
  let focus = tables.modules[0];
  const trail = el("nav", { class: "trail", "aria-label": "Module" });
  const bars = el("ol", { class: "bars" });
  const map = el("div", { class: "treemap", role: "group", "aria-label": "Treemap: area is proportional to the value" });
  const of = (module) => module[metric] || 0;

  function redraw() {
    refill(trail, ...crumbs());
    drawBars();
    drawMap();
  }

  function crumbs() {
    const path = [];
    for (let module = focus; module; module = module.outer) path.unshift(module);
    return path.map((module) =>
      button({ "aria-current": module === focus ? "true" : null, onclick: () => zoomTo(module) }, module.outer ? module.label : "model"));
  }

  function zoomTo(module) {
    focus = module;
    redraw();
  }

  function go(event, module) {
    if (module.inside.length && module !== focus) zoomTo(module);
    select(module.name, null, event.detail === 0);
  }

  function drawBars() {
    const parts = focus.inside.length ? focus.inside : [focus];
    const largest = parts.length > MOST_BARS ? [...parts].sort((a, b) => of(b) - of(a)).slice(0, MOST_BARS) : parts;
    const most = Math.max(1, ...largest.map(of));
    const total = of(tables.modules[0]);
    const { show, exact } = METRICS[metric];
    refill(bars, ...largest.map((module) => el("li", {},
      button({ class: "bar", title: `${module.name}: ${exact(module[metric])}`, onclick: (event) => go(event, module) },
        el("span", { class: "name" }, module.label, " ", el("small", {}, module.kind)),
        el("span", { class: "track" }, el("span", { class: `fill ${severityOf(module) || ""}`, style: { width: `${(100 * of(module)) / most}%` } })),
        el("span", { class: "value" }, show(module[metric]), " ", el("small", {}, percent(of(module), total)))))));
    if (largest.length < parts.length) bars.append(el("li", { class: "note" }, `and ${plural(parts.length - largest.length, "smaller part")}`));
  }

  const severityOf = (module) => tables.layers.get(module.name)?.failed ? "error" : worst(tables.findings.get(module.name) || []);

  // --- the treemap

  function drawMap() {
    const [width, height] = [map.clientWidth, map.clientHeight];
    refill(map);
    if (!width || !of(focus)) {
      map.append(el("p", { class: "note" }, of(focus) ? "" : "Nothing to show: the value is 0 or was not measured."));
      return;
    }
    const parts = focus.inside.length ? focus.inside : [focus];
    divide(parts, { x: 0, y: 0, width, height }, 0, 0);
    const first = map.querySelector("button");
    if (first) first.tabIndex = 0;
  }

  function divide(modules, area, level, hue) {
    const visible = modules.filter((module) => of(module) > 0).sort((a, b) => of(b) - of(a));
    squarified(visible, area, of, (module, cell) => {
      if (cell.width < 3 || cell.height < 3) return;
      const color = level ? hue : modules.indexOf(module);
      map.append(cellOf(module, cell, level, color));
      const rest = { x: cell.x + 2, y: cell.y + 18, width: cell.width - 4, height: cell.height - 20 };
      if (module.inside.length && rest.width > SMALLEST && rest.height > SMALLEST) divide(module.inside, rest, level + 1, color);
    });
  }

  function cellOf(module, { x, y, width, height }, level, color) {
    const text = `${module.name || "model"}: ${METRICS[metric].exact(module[metric])}, ${percent(of(module), of(tables.modules[0]))}`;
    const px = { left: x, top: y, width: Math.max(width - 1, 1), height: Math.max(height - 1, 1) };
    const style = Object.fromEntries(Object.entries(px).map(([name, value]) => [name, `${value}px`]));
    return button({
      class: `cell ${severityOf(module) || ""}`, title: text, "aria-label": text, tabindex: "-1",
      style: { ...style, "--hue": (205 + 47 * color) % 360, "--level": Math.min(level, 4) },
      onclick: (event) => go(event, module),
    }, width > 34 && height > 15 && el("span", {}, module.label || "model"));
  }

  roving(map, "button");
  new ResizeObserver(() => drawMap()).observe(map);
  const choices = Object.entries(METRICS).map(([name, { title }]) => [name, title]);
  return {
    element: section("costs", "Costs by module",
      el("div", { class: "toolbar" }, segmented("Metric", choices, metric, (name) => {
        metric = name;
        redraw();
      }), trail),
      el("div", { class: "halves" }, bars, map)),
    start: redraw,
  };
}

// Areas proportional to values, which are sorted in descending order, as square as possible (Bruls et al. 2000).
function squarified(things, area, of, put) {
  let { x, y, width, height } = area;
  let left = things.reduce((sum, thing) => sum + of(thing), 0);
  let start = 0;
  while (start < things.length && left > 0) {
    const side = Math.min(width, height);
    const scale = (width * height) / left;
    let [end, sum, best] = [start, 0, Infinity];
    while (end < things.length) {
      const more = sum + of(things[end]) * scale;
      const [large, small] = [of(things[start]) * scale, of(things[end]) * scale];
      const ratio = Math.max((side * side * large) / (more * more), (more * more) / (side * side * small));
      if (ratio > best) break;
      [best, sum, end] = [ratio, more, end + 1];
    }
    const thick = side ? sum / side : 0;
    let along = 0;
    for (const thing of things.slice(start, end)) {
      const length = sum ? (of(thing) * scale) / thick : 0;
      put(thing, width >= height
        ? { x, y: y + along, width: thick, height: length }
        : { x: x + along, y, width: length, height: thick });
      along += length;
      left -= of(thing);
    }
    if (width >= height) [x, width] = [x + thick, width - thick];
    else [y, height] = [y + thick, height - thick];
    start = end;
  }
}
