// The drawn graph as a picture: SVG, and PNG painted on a canvas, for the policy of the page loads no images.

const LARGEST = 12000; // pixels of a side of a PNG
const LETTER = 6.6; // pixels of a letter in a box, approximately

// The shapes of a picture in drawing order; colors are those that the page has now.
function pictured(tables, drawn) {
  const probe = document.body.appendChild(el("i", { hidden: true }));
  const color = (name) => {
    probe.style.setProperty("color", `var(--${name})`);
    return getComputedStyle(probe).color;
  };
  const colors = Object.fromEntries(["page", "card", "line", "text", "soft", "error", "warning", "info", "conv", "norm", "activation", "pool", "linear", "merge", "shape"].map((name) => [name, color(name)]));
  probe.remove();
  const shapes = [{ x: 0, y: 0, width: drawn.width, height: drawn.height, fill: colors.card }];
  const cut = (text, width) => (text.length * LETTER > width ? `${text.slice(0, Math.max(Math.floor(width / LETTER) - 1, 0))}\u2026` : text);
  const write = (text, x, y, fill, size, width) => text && shapes.push({ text: cut(visible(text), width), x, y, fill, size });
  for (const { box, x, y, width, height, open } of drawn.boxes) {
    const edge = colors[box.severity] || (open ? colors.soft : colors.line);
    shapes.push({ x, y, width, height, fill: open ? "none" : colors.page, edge, dashed: open, round: 8 });
    if (!open) shapes.push({ x, y: y + 4, width: 4, height: height - 8, fill: colors[box.inside.length ? "soft" : box.family] || colors.shape });
    write(`${box.kind || "list"} ${box.label}`, x + 12, y + (open ? 19 : 20), colors.text, 13, width - 20);
    if (!open) write(textIn(tables, box, open), x + 12, y + 38, colors.soft, 12, width - 20);
  }
  shapes.push({ path: drawn.lines.map((line) => line.path).join(""), edge: colors.soft });
  shapes.push({ path: drawn.lines.filter((line) => line.arrow).map((line) => arrowHead(line.arrow, drawn.sideways)).join(""), fill: colors.soft });
  for (const { x, y, tensors } of drawn.labels) write(labelText(tables, tensors), x, y, colors.soft, 11, Infinity);
  return shapes;
}

const FONT = "system-ui, sans-serif";

function saveSvg(tables, drawn) {
  const children = pictured(tables, drawn).map((shape) => {
    if (shape.text) return svg("text", { x: shape.x, y: shape.y, fill: shape.fill, "font-size": shape.size, "font-family": FONT }, shape.text);
    const look = { fill: shape.fill || "none", stroke: shape.edge, "stroke-dasharray": shape.dashed && "4 3" };
    if (shape.path !== undefined) return svg("path", { d: shape.path, ...look });
    return svg("rect", { x: shape.x, y: shape.y, width: shape.width, height: shape.height, rx: shape.round, ...look });
  });
  const root = svg("svg", { xmlns: "http://www.w3.org/2000/svg", width: drawn.width, height: drawn.height, viewBox: `0 0 ${drawn.width} ${drawn.height}` }, children);
  save(new Blob([new XMLSerializer().serializeToString(root)], { type: "image/svg+xml" }), `${fileName(tables)}.svg`);
}

function savePng(tables, drawn) {
  const scale = Math.min(2, LARGEST / drawn.width, LARGEST / drawn.height);
  const canvas = el("canvas", { width: Math.ceil(drawn.width * scale), height: Math.ceil(drawn.height * scale) });
  const pen = canvas.getContext("2d");
  pen.scale(scale, scale);
  for (const shape of pictured(tables, drawn)) {
    pen.setLineDash(shape.dashed ? [4, 3] : []);
    if (shape.text) {
      pen.font = `${shape.size}px ${FONT}`;
      pen.fillStyle = shape.fill;
      pen.fillText(shape.text, shape.x, shape.y);
      continue;
    }
    const path = new Path2D(shape.path);
    if (shape.path === undefined) path.roundRect(shape.x, shape.y, shape.width, shape.height, shape.round || 0);
    if (shape.fill && shape.fill !== "none") {
      pen.fillStyle = shape.fill;
      pen.fill(path);
    }
    if (shape.edge) {
      pen.strokeStyle = shape.edge;
      pen.stroke(path);
    }
  }
  canvas.toBlob((blob) => save(blob, `${fileName(tables)}.png`), "image/png");
}

const fileName = (tables) => (tables.model.target || "model").replace(/[^\w.-]+/g, "_");

function save(blob, name) {
  const url = URL.createObjectURL(blob);
  el("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
}
