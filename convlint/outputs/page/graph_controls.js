// What moves the graph: dragging, the wheel, a minimap, the search, and the full screen.

const MAPPED = 100; // boxes above which there is a minimap
const MAP = { width: 120, height: 170 };

// Drag with the mouse, and zoom with the wheel while Ctrl is held, as pinching a touchpad does.
function movable(window_, zoomBy) {
  let from = null;
  window_.addEventListener("pointerdown", (event) => {
    if (event.pointerType !== "mouse" || event.button !== 0 || event.target.closest(".box, .title")) return;
    from = { x: event.clientX + window_.scrollLeft, y: event.clientY + window_.scrollTop, moved: false };
  });
  window_.addEventListener("pointermove", (event) => {
    if (!from) return;
    const [left, top] = [from.x - event.clientX, from.y - event.clientY];
    if (!from.moved && Math.hypot(left - window_.scrollLeft, top - window_.scrollTop) < 4) return;
    if (!from.moved) window_.setPointerCapture(event.pointerId);
    from.moved = true;
    window_.classList.add("dragged");
    [window_.scrollLeft, window_.scrollTop] = [left, top];
  });
  const end = () => {
    if (from?.moved) window_.addEventListener("click", (event) => event.stopPropagation(), { capture: true, once: true });
    from = null;
    window_.classList.remove("dragged");
  };
  window_.addEventListener("pointerup", end);
  window_.addEventListener("pointercancel", end);
  window_.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    const { left, top } = window_.getBoundingClientRect();
    zoomBy(Math.exp(-clamp(event.deltaY, -60, 60) / 200), event.clientX - left, event.clientY - top);
  }, { passive: false });
}

// The whole graph, small, with the part that is in the window. It is not in the proportions of the graph: a network of
// a thousand layers would be a line.
function minimap(center) {
  const boxes = svg("path", { class: "mapped" });
  const marked = ["info", "warning", "error"].map((severity) => [severity, svg("path", { class: `mapped ${severity}` })]);
  const part = svg("rect", { class: "part" });
  const element = svg("svg", { class: "minimap", width: MAP.width, height: MAP.height, "aria-hidden": "true" }, boxes, marked.map(([, boxes]) => boxes), part);
  let scale = null;
  const go = (event) => {
    const { left, top } = element.getBoundingClientRect();
    center((event.clientX - left) / scale.x, (event.clientY - top) / scale.y);
  };
  element.addEventListener("pointerdown", (event) => {
    element.setPointerCapture(event.pointerId);
    go(event);
  });
  element.addEventListener("pointermove", (event) => event.buttons && go(event));
  return {
    element,
    draw: (drawn) => {
      element.toggleAttribute("hidden", drawn.boxes.length <= MAPPED);
      if (drawn.boxes.length <= MAPPED) {
        scale = null;
        return;
      }
      scale = { x: MAP.width / drawn.width, y: MAP.height / drawn.height };
      const path = (wanted) => drawn.boxes.filter((placed) => !placed.open && wanted(placed.box)).map(({ x, y, width, height }) =>
        `M${(x * scale.x).toFixed(1)} ${(y * scale.y).toFixed(1)}h${Math.max(width * scale.x, 1).toFixed(1)}v${Math.max(height * scale.y, 0.5).toFixed(1)}h-${Math.max(width * scale.x, 1).toFixed(1)}z`).join("");
      boxes.setAttribute("d", path((box) => !box.severity));
      for (const [severity, found] of marked) found.setAttribute("d", path((box) => box.severity === severity));
    },
    mark: (window_, zoom) => {
      if (!scale) return;
      const size = (value, by, most) => Math.min(Math.max((value / zoom) * by, 3), most);
      part.setAttribute("x", (window_.scrollLeft / zoom) * scale.x);
      part.setAttribute("y", (window_.scrollTop / zoom) * scale.y);
      part.setAttribute("width", size(window_.clientWidth, scale.x, MAP.width));
      part.setAttribute("height", size(window_.clientHeight, scale.y, MAP.height));
    },
  };
}

// A field that goes through the boxes whose class, path or operator contains a text.
function search(tables, reveal) {
  const boxes = tables.boxes.filter((box) => box.outer);
  const names = boxes.map((box) => `${box.kind} ${box.module} ${box.op || ""}`.toLowerCase());
  const state = el("output", { class: "note" });
  let found = [];
  let at = 0;
  const show = () => {
    refill(state, found.length ? `${at + 1} of ${count(found.length)}` : field.value && "none");
    if (found.length) reveal(found[at]);
  };
  const field = el("input", {
    type: "search", placeholder: "Search", "aria-label": "Search the graph",
    oninput: () => {
      const terms = field.value.toLowerCase().split(/\s+/).filter(Boolean);
      found = terms.length ? boxes.filter((_, n) => terms.every((term) => names[n].includes(term))) : [];
      at = 0;
      show();
    },
    onkeydown: (event) => {
      if (event.key !== "Enter" || !found.length) return;
      at = (at + (event.shiftKey ? found.length - 1 : 1)) % found.length;
      show();
    },
  });
  return [field, state];
}

// A button that lets the graph take the whole screen; Escape ends it.
function fullScreen(element, changed) {
  const set = (full) => {
    document.body.classList.toggle("full", full);
    control.setAttribute("aria-pressed", String(full));
    element().classList.toggle("full", full);
    changed();
  };
  const control = button({
    "aria-pressed": "false",
    onclick: () => {
      const full = !document.body.classList.contains("full");
      set(full);
      if (full) document.documentElement.requestFullscreen?.().catch(() => {}); // the page is filled in any case
      else if (document.fullscreenElement) document.exitFullscreen();
    },
  }, "Full screen");
  document.addEventListener("fullscreenchange", () => document.fullscreenElement || set(false));
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && document.body.classList.contains("full") && document.getElementById("details").hidden) set(false);
  });
  return control;
}
