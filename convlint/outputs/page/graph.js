// The drawn graph: boxes that open and close, lines labeled with shapes. Only visible elements are in the page.

const AT_FIRST = 40; // boxes that are open at first, at most
const BEYOND = 300; // pixels drawn around the visible part
const ZOOM = { least: 0.05, most: 2, step: 1.25, readable: 0.6 };

function graphView(tables, select) {
  const root = tables.boxes[0];
  const open = new Set([root.id]);
  const elements = new Map(); // elements by the id of their box
  const lines = svg("svg", { "aria-hidden": "true", class: "lines" });
  const canvas = el("div", { class: "canvas" }, lines);
  const space = el("div", { class: "space" }, canvas);
  const window_ = el("div", {
    class: "window", role: "tree", "aria-label": "The model as a graph. Arrow keys move, right opens, left closes, Enter shows details.",
  }, space);
  let drawn = null;
  let zoom = 1;
  let flow = FLOWS.down;
  let current = root.inside[0]; // the box that takes part in the tab order
  let selected = null;

  function openTo(depth, most = Infinity) {
    open.clear();
    open.add(root.id);
    let visible = root.inside;
    let boxCount = visible.length;
    for (let level = 1; level < depth; level += 1) {
      const groups = visible.filter((box) => box.inside.length);
      visible = groups.flatMap((box) => box.inside);
      boxCount += visible.length;
      if (!groups.length || boxCount > most) break;
      for (const box of groups) open.add(box.id);
    }
  }

  function redraw() {
    drawn = flattened(arrange(root, (box) => open.has(box.id), flow), flow);
    drawn.at = new Map(drawn.boxes.map((placed) => [placed.box.id, placed]));
    drawn.order = drawn.boxes.map((placed) => placed.box);
    if (!drawn.at.has(current?.id)) current = drawn.order.findLast((box) => contains(box, current)) ?? drawn.order[0];
    for (const [id, element] of elements) if (!drawn.at.has(id)) drop(id, element);
    map.draw(drawn);
    resized();
  }

  function resized() {
    canvas.style.transform = `scale(${zoom})`;
    for (const [name, size] of [["width", drawn.width], ["height", drawn.height]]) {
      space.style.setProperty(name, `${size * zoom}px`);
      canvas.style.setProperty(name, `${size}px`);
      lines.setAttribute(name, size);
    }
    paint();
  }

  function drop(id, element) {
    element.remove();
    elements.delete(id);
  }

  // --- visible elements

  function paint() {
    if (!drawn) return;
    const top = window_.scrollTop / zoom - BEYOND;
    const bottom = (window_.scrollTop + window_.clientHeight) / zoom + BEYOND;
    const left = window_.scrollLeft / zoom - BEYOND;
    const right = (window_.scrollLeft + window_.clientWidth) / zoom + BEYOND;
    const isVisible = ({ x, y, width, height }) => y < bottom && y + height > top && x < right && x + width > left;
    const wanted = drawn.boxes.filter((placed) => isVisible(placed) || elements.get(placed.box.id) === document.activeElement);
    const ids = new Set(wanted.map((placed) => placed.box.id));
    for (const [id, element] of elements) if (!ids.has(id)) drop(id, element);
    for (const placed of wanted) put(placed);
    const [first, last] = drawn.sideways ? [left, right] : [top, bottom];
    const seen = drawn.lines.filter((line) => line.start < last && line.end > first);
    const heads = seen.filter((line) => line.arrow).map(({ arrow }) => arrowHead(arrow, drawn.sideways));
    refill(lines,
      svg("path", { class: "line", d: seen.map((line) => line.path).join("") }),
      svg("path", { class: "head", d: heads.join("") }),
      ...drawn.labels.filter((label) => label.along > first && label.along < last).map(shapeLabel),
    );
    map.mark(window_, zoom);
  }

  const shapeLabel = ({ x, y, tensors }) => svg("text", { x, y }, labelText(tables, tensors));

  function put(placed) {
    const { box, x, y, width, height } = placed;
    let element = elements.get(box.id);
    if (element && element.classList.contains("frame") !== placed.open) {
      const focused = element === document.activeElement;
      const fresh = boxElement(box, placed.open);
      element.replaceWith(fresh);
      elements.set(box.id, fresh);
      element = fresh;
      if (focused) focusOn(element);
    } else if (!element) {
      element = boxElement(box, placed.open);
      elements.set(box.id, element);
      canvas.append(element);
    }
    for (const [name, value] of Object.entries({ left: x, top: y, width, height })) element.style.setProperty(name, `${value}px`);
    element.style.setProperty("z-index", placed.open ? 0 : 2);
    element.tabIndex = box === current ? 0 : -1;
    element.setAttribute("aria-selected", String(box === selected));
  }

  function boxElement(box, isOpen) {
    const group = box.inside.length > 0;
    const text = textIn(tables, box, isOpen);
    const share = tables.model.totals.macs ? box.totalMacs / tables.model.totals.macs : 0;
    const classes = [isOpen ? "frame" : "box", group ? "group" : `family-${box.family || "other"}`, box.severity, box.cheaper && "cheaper"];
    return el("div", {
      class: classes.filter(Boolean).join(" "),
      role: "treeitem",
      "data-box": box.id,
      "aria-level": box.depth,
      "aria-expanded": group ? String(isOpen) : null,
      "aria-label": [box.kind || "list", box.module, text, spokenState(box)].filter(Boolean).join(", "),
      title: `${box.kind} ${box.module}`.trim(),
      onclick: (event) => clicked(event, box, group, isOpen),
    },
      el("div", { class: "title" },
        group && el("span", { class: "chevron", "data-chevron": true }, isOpen ? "\u25be" : "\u25b8"),
        el("b", {}, box.kind || "list"), el("span", { class: "name" }, box.label), badge(box)),
      !isOpen && el("div", { class: "tag" }, text),
      !isOpen && share >= 0.005 && el("div", { class: "share", title: `${percent(share, 1)} of the MACs`, style: { width: `${100 * Math.min(share, 1)}%` } }));
  }

  const spokenState = (box) => (box.failed ? "fails" : box.findings.length ? plural(box.findings.length, "finding") : "");

  function badge(box) {
    if (box.failed && !box.findings.length) return el("span", { class: "badge error" }, "!");
    return box.findings.length > 0 && el("span", { class: `badge ${box.severity}` }, box.findings.length);
  }

  // --- input

  function clicked(event, box, group, isOpen) {
    event.stopPropagation();
    const chevron = event.target.closest("[data-chevron]");
    current = box;
    if (group && (chevron || !isOpen)) toggle(box);
    if (!chevron) select(box.module, box, event.detail === 0);
  }

  function toggle(box) {
    const before = drawn.at.get(box.id);
    if (!open.delete(box.id)) open.add(box.id);
    redraw();
    const after = drawn.at.get(box.id);
    if (before && after) { // keep its place on the screen
      window_.scrollLeft += (after.x + after.width / 2 - before.x - before.width / 2) * zoom;
      window_.scrollTop += (after.y - before.y) * zoom;
    }
    paint();
  }

  function focusOn(element) {
    element.tabIndex = 0;
    element.focus({ preventScroll: true });
  }

  function goTo(box) {
    current = box;
    const { x, y, width, height } = drawn.at.get(box.id);
    const seen = Math.min(height, BOX.height) * zoom;
    const [top, left] = [y * zoom, x * zoom];
    if (top < window_.scrollTop || top + seen > window_.scrollTop + window_.clientHeight) {
      window_.scrollTop = top - window_.clientHeight / 3;
    }
    if (left < window_.scrollLeft || left + width * zoom > window_.scrollLeft + window_.clientWidth) {
      window_.scrollLeft = left + (width * zoom - window_.clientWidth) / 2;
    }
    paint();
  }

  // Open what contains a box, and scroll the window to it; large enough to be read, unless it is the one clicked.
  function reveal(box) {
    selected = box;
    for (let outer = box.outer; outer; outer = outer.outer) open.add(outer.id);
    if (zoom < ZOOM.readable && box !== current) zoom = 1;
    redraw();
    goTo(box);
  }

  window_.addEventListener("keydown", (event) => {
    const at = drawn.order.indexOf(current);
    const isOpen = open.has(current.id) && current.inside.length > 0;
    const keys = {
      ArrowDown: () => drawn.order[at + 1],
      ArrowUp: () => drawn.order[at - 1],
      Home: () => drawn.order[0],
      End: () => drawn.order.at(-1),
      ArrowRight: () => {
        if (!current.inside.length) return null;
        if (isOpen) return current.inside[0];
        toggle(current);
        return current;
      },
      ArrowLeft: () => {
        if (!isOpen) return current.outer === root ? null : current.outer;
        toggle(current);
        return current;
      },
      Enter: () => {
        select(current.module, current, true);
        return null;
      },
    };
    keys[" "] = keys.Enter;
    const act = keys[event.key];
    if (!act || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    const next = act();
    if (next) {
      goTo(next);
      focusOn(elements.get(next.id));
    }
  });
  let waiting = false;
  window_.addEventListener("scroll", () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      paint();
    });
  }, { passive: true });
  new ResizeObserver(() => paint()).observe(window_);

  // Zoom, and keep a point of the window where it is.
  function zoomed(to, x = window_.clientWidth / 2, y = window_.clientHeight / 2) {
    const [left, top] = [(window_.scrollLeft + x) / zoom, (window_.scrollTop + y) / zoom];
    zoom = clamp(to, ZOOM.least, ZOOM.most);
    resized();
    window_.scrollLeft = left * zoom - x;
    window_.scrollTop = top * zoom - y;
    paint();
  }

  function turned(to) {
    flow = FLOWS[to];
    redraw();
    if (current) goTo(current);
  }

  const fit = () => zoomed(Math.min(window_.clientWidth / drawn.width, window_.clientHeight / drawn.height, 1));
  const map = minimap((x, y) => {
    window_.scrollLeft = x * zoom - window_.clientWidth / 2;
    window_.scrollTop = y * zoom - window_.clientHeight / 2;
  });
  movable(window_, (factor, x, y) => zoomed(zoom * factor, x, y));
  const depths = [[1, "1"], [2, "2"], [3, "3"], [Infinity, "all"]];
  const toolbar = el("div", { class: "toolbar" },
    el("span", { class: "note" }, "Depth"),
    segmented("Open to depth", depths, null, (depth) => {
      openTo(depth);
      redraw();
      goTo(current);
    }),
    search(tables, reveal),
    el("span", { class: "gap" }),
    segmented("Direction", [["down", "\u2193"], ["right", "\u2192"]], "down", turned),
    button({ "aria-label": "Zoom out", onclick: () => zoomed(zoom / ZOOM.step) }, "\u2212"),
    button({ "aria-label": "Zoom in", onclick: () => zoomed(zoom * ZOOM.step) }, "+"),
    button({ onclick: fit, title: "Show the whole graph" }, "Fit"),
    fullScreen(() => element, () => paint()),
    button({ title: "Save what is open as SVG", onclick: () => saveSvg(tables, drawn) }, "SVG"),
    button({ title: "Save what is open as PNG", onclick: () => savePng(tables, drawn) }, "PNG"));
  openTo(3, AT_FIRST);
  const element = section("graph", "Graph", toolbar, el("div", { class: "holder" }, window_, map.element), legend());

  return {
    element,
    reveal,
    start: () => {
      redraw();
      window_.scrollLeft = (drawn.width - window_.clientWidth) / 2;
      paint();
    },
  };
}

// The text of a box: what is in it if it is closed.
function textIn(tables, box, isOpen) {
  if (!box.inside.length || isOpen) return box.tag;
  const module = tables.module.get(box.module);
  const listed = box.kind && module ? `${short(module.params)} params` : "";
  return [plural(box.calls, "call"), listed].filter(Boolean).join(", ");
}

function labelText(tables, tensors) {
  const shapes = [...new Set([...tensors].map((id) => tables.model.tensors[id]))];
  return shapes[0] + (shapes.length > 1 ? ` +${shapes.length - 1}` : "");
}

const contains = (outer, box) => {
  for (let current = box; current; current = current.outer) if (current === outer) return true;
  return false;
};

function legend() {
  const families = ["conv", "norm", "activation", "pool", "linear", "merge", "shape"];
  return el("p", { class: "note legend" },
    families.map((name) => [el("span", { class: `swatch family-${name}` }), name]),
    ". Labels on lines are tensor shapes; the bar at the bottom of a box is its share of the MACs.");
}
