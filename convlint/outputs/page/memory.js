// Memory over the calls of one inference: held throughout, tensors, workspace, and the peak.

const PLOT = { height: 240, left: 64, right: 12, top: 22, bottom: 26 };

function memoryView(tables, select) {
  const memory = tables.model.memory;
  if (!memory) return { element: null, start: () => {} };
  const { held, live, workspace, peak, measured } = memory;
  const last = live.length - 1;
  const most = live[peak] + workspace[peak];
  let base = held > most * 1.5 ? held : 0; // the lower end of the axis
  let at = peak;
  const chart = svg("svg", { class: "chart", role: "img", height: PLOT.height, "aria-label": `Memory over ${plural(live.length, "call")}; ${peakText()}` });
  const slider = el("input", { type: "range", min: 0, max: last, value: at, "aria-label": "Call", oninput: () => move(Number(slider.value)) });
  const reading = el("output", { class: "reading", "aria-live": "polite" });
  const byNode = new Map(tables.boxes.filter((box) => box.op).map((box) => [box.first, box]));
  let cursor = null;
  let scale = null;

  function peakText() {
    const real = measured === null ? "the peak was not measured" : `measured peak ${megabytes(measured)}`;
    return `${real}; estimated peak ${megabytes(held + most)}`;
  }

  function redraw() {
    const width = chart.clientWidth;
    if (!width) return;
    const high = (Math.max(held + most, measured ?? 0) - base) * 1.06 || 1;
    const [inner, tall] = [width - PLOT.left - PLOT.right, PLOT.height - PLOT.top - PLOT.bottom];
    const x = (node) => PLOT.left + (inner * node) / live.length;
    const y = (bytes) => PLOT.top + tall * (1 - Math.max(bytes - base, 0) / high);
    scale = { x, inner };
    const area = (low, top) => {
      const up = top.map((bytes, n) => `L${x(n)} ${y(bytes)}H${x(n + 1)}`).join("");
      const down = low.map((_, n) => last - n).map((n) => `L${x(n + 1)} ${y(low[n])}H${x(n)}`).join("");
      return `M${x(0)} ${y(low[0])}${up}${down}z`;
    };
    const constant = live.map(() => held);
    const tensors = live.map((bytes) => held + bytes);
    const all = tensors.map((bytes, n) => bytes + workspace[n]);
    cursor = svg("line", { class: "cursor", y1: PLOT.top, y2: PLOT.height - PLOT.bottom });
    chart.setAttribute("viewBox", `0 0 ${width} ${PLOT.height}`);
    refill(chart,
      ...ticks(base, base + high).map((bytes) => svg("g", { class: "tick" },
        svg("line", { x1: PLOT.left, x2: width - PLOT.right, y1: y(bytes), y2: y(bytes) }),
        svg("text", { x: PLOT.left - 6, y: y(bytes) + 4, "text-anchor": "end" }, megabytes(bytes)))),
      !base && svg("path", { class: "held", d: area(constant.map(() => 0), constant) }),
      svg("path", { class: "live", d: area(constant, tensors) }),
      svg("path", { class: "workspace", d: area(tensors, all) }),
      measured !== null && line(width, y(measured)),
      svg("circle", { class: "peak", cx: (x(peak) + x(peak + 1)) / 2, cy: y(held + most), r: 4 }),
      label(width, (x(peak) + x(peak + 1)) / 2, y(held + most)),
      svg("text", { x: PLOT.left, y: PLOT.height - 8 }, "first call"),
      svg("text", { x: width - PLOT.right, y: PLOT.height - 8, "text-anchor": "end" }, "last call"),
      cursor);
    move(at);
  }

  const line = (width, y) => svg("g", { class: "measured" }, svg("line", { x1: PLOT.left, x2: width - PLOT.right, y1: y, y2: y }));

  function label(width, x, y) {
    const side = x > width / 2 ? ["end", -9] : ["start", 9];
    const box = byNode.get(peak);
    return svg("text", { class: "peak", x: x + side[1], y: Math.max(y - 6, 12), "text-anchor": side[0] }, `peak: ${box ? box.module || box.op : ""}`);
  }

  function move(to) {
    at = clamp(to, 0, last);
    slider.value = at;
    const box = byNode.get(at);
    const name = box ? `${box.kind} ${box.module}`.trim() : "a parameter or constant";
    const parts = [[held, "held throughout"], [live[at], "tensors"], [workspace[at], "workspace"]];
    const sum = parts.filter(([bytes]) => bytes).map(([bytes, name]) => `${megabytes(bytes)} ${name}`).join(" + ");
    refill(reading, `Call ${count(at + 1)} of ${count(last + 1)}, `, el("b", {}, name), `: ${megabytes(held + live[at] + workspace[at])} = ${sum}`);
    slider.setAttribute("aria-valuetext", reading.textContent);
    if (!cursor) return;
    const x = (scale.x(at) + scale.x(at + 1)) / 2;
    cursor.setAttribute("x1", x);
    cursor.setAttribute("x2", x);
  }

  const nodeAt = (event) => Math.floor(((event.clientX - chart.getBoundingClientRect().left - PLOT.left) / scale.inner) * live.length);
  const show = (event) => {
    const box = byNode.get(at);
    if (box) select(box.module, box, event.detail === 0);
  };
  chart.addEventListener("pointermove", (event) => event.pointerType === "mouse" && move(nodeAt(event)));
  chart.addEventListener("click", (event) => {
    move(nodeAt(event));
    show(event);
  });
  new ResizeObserver(redraw).observe(chart);
  const choices = [[0, "from 0"], [held, "above the held memory"]];
  return {
    element: section("memory", "Memory during inference",
      el("div", { class: "toolbar" },
        segmented("Axis", choices, base, (value) => {
          base = value;
          redraw();
        }),
        el("span", { class: "note legend" },
          el("span", { class: "swatch held" }), "parameters and buffers ",
          el("span", { class: "swatch live" }), "tensors ",
          el("span", { class: "swatch workspace" }), "convolution workspace ",
          measured !== null && [el("span", { class: "swatch measured" }), "measured peak"])),
      chart,
      el("div", { class: "toolbar" }, slider, button({ onclick: show }, "Show this call"), button({ onclick: () => move(peak) }, "Go to the peak")),
      el("p", {}, reading),
      el("p", { class: "note" },
        measured === null
          ? "The peak was not measured. "
          : [el("b", {}, "Measured: "), `the dashed line, ${megabytes(measured)} in use at once. `],
        el("b", {}, "Estimated: "), `the areas, from the shapes and readers of the tensors, for one CPU thread with AVX2; their peak is ${megabytes(held + most)}`,
        measured ? ` (${((100 * (held + most)) / measured - 100).toFixed(1).replace("-0.0", "0.0")} % off). ` : ". ",
        "Local variables of the model can hold tensors longer than drawn here.")),
    start: redraw,
  };
}

// About four round numbers of bytes in a range.
function ticks(low, high) {
  const raw = (high - low) / MB / 4;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((n) => n * power).find((size) => size >= raw) * MB;
  const values = [];
  for (let bytes = Math.ceil(low / step) * step; bytes < high; bytes += step) values.push(bytes);
  return values;
}
