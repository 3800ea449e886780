// Positions of boxes and lines. A group is laid out in ranks from top to bottom: a box is below all its producers, and
// lines that pass a rank get a narrow lane in it. An open box is a group itself, which lines reach at its two ports.

const BOX = { width: 210, height: 50 };
const GAP = { x: 22, y: 38, port: 26 };
const PAD = 14;
const HEAD = 30;
const LANE = 10;
const ALIGNED = 12; // times that rows are moved towards their neighbors
const MOST_LANES = 5000; // with more, lines are drawn straight to their ends

// Directions of a drawing. The layout is computed as if it went down: y along the lines, x across them. ``head`` is the
// space along the lines, and ``side`` that across them, for the title of an open box.
const FLOWS = {
  down: { sideways: false, box: BOX, gap: GAP.y, head: HEAD, side: 0, least: BOX.width + 2 * PAD },
  right: { sideways: true, box: { width: BOX.height, height: BOX.width }, gap: 110, head: 0, side: HEAD, least: 0 },
};

function arrange(group, isOpen, flow) {
  const parts = new Map(group.inside.map((box) => [box.id, itemOf(box, isOpen, flow)]));
  const { rows, links } = ranked(group, parts);
  threaded(rows);
  const framed = group.outer !== null;
  positioned(rows, framed, flow);
  const bounds = rows.flat().filter((item) => item.width);
  const left = Math.min(...bounds.map((item) => item.x));
  for (const row of rows) for (const item of row) item.x += PAD - left + (framed ? flow.side : 0);
  const width = Math.max(...bounds.map((item) => item.x + item.width)) + PAD;
  const [first, last] = [rows[0][0], rows.at(-1)[0]];
  return {
    items: [...parts.values()], links,
    width: Math.max(width, framed ? flow.least : 0),
    height: rows.at(-1).bottom + (framed ? 0 : PAD),
    into: clamp(first.port ? first.x : width / 2, PAD, width - PAD),
    out: clamp(last.port ? last.x : width / 2, PAD, width - PAD),
  };
}

const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

function itemOf(box, isOpen, flow) {
  if (!box.inside.length || !isOpen(box)) {
    return { box, ...flow.box, into: flow.box.width / 2, out: flow.box.width / 2, up: [], down: [] };
  }
  const inner = arrange(box, isOpen, flow);
  const { width, height, into, out } = inner;
  return { box, inner, width, height, into, out, up: [], down: [] };
}

// The rows of a group, and the lines between items of neighboring rows.
function ranked(group, parts) {
  const before = new Map(group.inside.map((box) => [box.id, []]));
  for (const { from, to } of group.links.values()) if (to !== OUT) before.get(to).push(from);
  const rank = new Map([[IN, 0]]);
  for (const box of group.inside) {
    rank.set(box.id, 1 + Math.max(0, ...before.get(box.id).map((id) => rank.get(id) ?? 0)));
  }
  rank.set(OUT, 1 + Math.max(...rank.values()));
  const rows = Array.from({ length: rank.get(OUT) + 1 }, () => []);
  const port = () => ({ port: true, width: 0, height: 0, into: 0, out: 0, up: [], down: [] });
  const items = new Map([...parts, [IN, port()], [OUT, port()]]);
  for (const [id, item] of items) rows[rank.get(id)].push(item);
  return { rows, links: routed(group, items, rank, rows) };
}

function routed(group, items, rank, rows) {
  const links = [];
  const lanes = new Map(); // for each box its lanes by rank: lines of one box share them
  let room = MOST_LANES;
  for (const { from, to, tensors } of group.links.values()) {
    const [source, target] = [items.get(from), items.get(to)];
    const far = rank.get(to) - rank.get(from) - 1 > room;
    let last = source;
    for (let n = rank.get(from) + 1; n < rank.get(to) && !far; n += 1) {
      const key = `${from} ${n}`;
      if (!lanes.has(key)) {
        const lane = { lane: true, width: LANE, height: 0, into: LANE / 2, out: LANE / 2, up: [], down: [] };
        lanes.set(key, lane);
        rows[n].push(lane);
        links.push(joined(last, lane, tensors));
        room -= 1;
      }
      last = lanes.get(key);
    }
    links.push(joined(last, target, tensors));
  }
  return links;
}

function joined(from, to, tensors) {
  from.down.push(to);
  to.up.push(from);
  return { from, to, tensors };
}

// Items that feed only each other form a thread, which becomes a straight line. The shift of an item is the distance
// from its left side to that line.
function threaded(rows) {
  for (const item of rows.flat()) {
    const [last] = item.up;
    if (item.up.length === 1 && last.down.length === 1) {
      item.thread = last.thread;
      item.shift = last.shift - last.out + item.into;
    } else {
      item.thread = [];
      item.shift = item.into;
    }
    item.thread.push(item);
  }
}

function positioned(rows, framed, flow) {
  let top = framed ? 0 : PAD;
  rows.forEach((row, n) => {
    const height = Math.max(...row.map((item) => item.height));
    const edge = n === 0 || n === rows.length - 1;
    if (n === 1) top = framed ? flow.head + GAP.port / 2 : PAD;
    for (const item of row) {
      item.y = item.port && n === 0 && framed ? flow.head : top;
      if (item.lane) item.height = height;
    }
    row.bottom = top + height;
    for (const item of row) item.bottom = Math.max(row.bottom, item.y);
    top = row.bottom + (edge ? 0 : n === rows.length - 2 ? (framed ? GAP.port : 0) : flow.gap);
    spread(row, row.map(() => 0), row.map(() => 1));
  });
  for (let n = 0; n < 3; n += 1) {
    for (const row of rows) ordered(row, "up");
    for (const row of [...rows].reverse()) ordered(row, "down");
  }
  for (let n = 0; n < ALIGNED; n += 1) {
    for (const row of rows) aligned(row, n < 2 ? ["up"] : ["up", "down"]);
    for (const row of [...rows].reverse()) aligned(row, n < 2 ? ["down"] : ["up", "down"]);
  }
}

// The best x of an item: in the middle of the neighbors at both ends of its thread.
function idealX(item, sides) {
  const [first, last] = [item.thread[0], item.thread.at(-1)];
  const ends = [];
  if (sides.includes("up")) for (const other of first.up) ends.push(other.x + other.out);
  if (sides.includes("down")) for (const other of last.down) ends.push(other.x + other.into - last.out + last.shift);
  if (!ends.length) for (const other of item.thread) ends.push(other.x + other.shift);
  return ends.reduce((sum, x) => sum + x, 0) / ends.length - item.shift;
}

// Sort a row by the neighbors above or below, so that few lines cross.
function ordered(row, side) {
  if (row.length < 2) return;
  const axis = (item) => item.x + item.shift;
  const near = (item) => item[side].reduce((sum, other) => sum + axis(other), 0) / item[side].length || axis(item);
  const ideals = new Map(row.map((item) => [item, near(item) - item.shift]));
  row.sort((a, b) => near(a) - near(b));
  spread(row, row.map((item) => ideals.get(item)), row.map(() => 1));
}

function aligned(row, sides) {
  spread(row, row.map((item) => idealX(item, sides)), row.map((item) => item.thread.length));
}

// Put a row's items as near to their ideal places as their order and widths allow (weighted isotonic regression).
function spread(row, ideals, weights) {
  let offset = 0;
  const offsets = row.map((item) => {
    const at = offset;
    offset += item.width + GAP.x;
    return at;
  });
  const blocks = [];
  row.forEach((_, n) => {
    let block = { sum: weights[n] * (ideals[n] - offsets[n]), weight: weights[n], count: 1 };
    while (blocks.length && blocks.at(-1).sum / blocks.at(-1).weight > block.sum / block.weight) {
      const last = blocks.pop();
      block = { sum: last.sum + block.sum, weight: last.weight + block.weight, count: last.count + block.count };
    }
    blocks.push(block);
  });
  let n = 0;
  for (const block of blocks) {
    for (let left = block.count; left; left -= 1, n += 1) row[n].x = block.sum / block.weight + offsets[n];
  }
}

// The nested result as flat lists in coordinates of the whole drawing; ``start`` and ``end`` of a line are along it.
function flattened(layout, { sideways }) {
  const at = (x, y) => (sideways ? [y, x] : [x, y]);
  const [width, height] = at(layout.width, layout.height);
  const drawn = { boxes: [], lines: [], labels: [], width, height, sideways };
  const visit = (inner, left, top, height) => {
    for (const item of inner.items) {
      const [x, y] = [left + item.x, top + item.y];
      const [boxX, boxY] = at(x, y);
      const [boxWidth, boxHeight] = at(item.width, item.height);
      drawn.boxes.push({ box: item.box, x: boxX, y: boxY, width: boxWidth, height: boxHeight, open: Boolean(item.inner) });
      if (item.inner) visit(item.inner, x, y, item.height);
    }
    const labelled = new Set();
    for (const { from, to, tensors } of inner.links) {
      const x1 = left + from.x + from.out;
      const x2 = left + to.x + to.into;
      const y1 = top + from.y + (from.lane ? 0 : from.height);
      const bend = top + (from.bottom ?? from.y);
      const y2 = to.port ? top + height : top + to.y;
      const middle = (bend + y2) / 2;
      const curve = x1 === x2 ? `L${at(x2, y2)}` : `C${at(x1, middle)} ${at(x2, middle)} ${at(x2, y2)}`;
      drawn.lines.push({ path: `M${at(x1, y1)}L${at(x1, bend)}${curve}`, start: y1, end: y2, arrow: to.box ? at(x2, y2) : null });
      if (from.box && !to.port && !labelled.has(from)) {
        labelled.add(from);
        const [x, y] = sideways ? [y1 + 4, x1 - 5] : [x1 + 6, y1 + 13];
        drawn.labels.push({ x, y, along: y1, tensors });
      }
    }
  };
  visit(layout, 0, 0, layout.height);
  return drawn;
}

// The head of an arrow that ends at a point.
function arrowHead([x, y], sideways) {
  return sideways ? `M${x - 7} ${y - 4}L${x - 1} ${y}L${x - 7} ${y + 4}z` : `M${x - 4} ${y - 7}L${x} ${y - 1}L${x + 4} ${y - 7}z`;
}
