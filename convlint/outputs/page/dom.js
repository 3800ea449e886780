// Elements and texts. Text of the user's files becomes text nodes only, with control characters escaped.

const HIDDEN = /[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/gu;

function visible(text) {
  return String(text).replace(HIDDEN, (char) => {
    if (char === "\n" || char === "\t") return char;
    return "\\u" + char.codePointAt(0).toString(16).padStart(4, "0");
  });
}

function fill(node, properties, children) {
  for (const [name, value] of Object.entries(properties || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "style") for (const [key, to] of Object.entries(value)) node.style.setProperty(key, to);
    else node.setAttribute(name, value === true ? "" : visible(value));
  }
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    node.append(child instanceof Node ? child : visible(child));
  }
  return node;
}

const el = (tag, properties, ...children) => fill(document.createElement(tag), properties, children);
const refill = (node, ...children) => {
  node.replaceChildren();
  return fill(node, null, children);
};
const svg = (tag, properties, ...children) =>
  fill(document.createElementNS("http://www.w3.org/2000/svg", tag), properties, children);
const button = (properties, ...children) => el("button", { type: "button", ...properties }, ...children);

// Change the width of the page, and keep the section that is looked at where it is in the window.
function inPlace(change) {
  const top = (part) => part.getBoundingClientRect().top;
  const seen = [...document.querySelectorAll("main section")].findLast((part) => top(part) < innerHeight / 2);
  const before = seen && top(seen);
  change();
  if (seen) scrollBy({ top: top(seen) - before, behavior: "instant" });
}

// A text with the Markdown that messages use: code in backticks, and **bold**. All of it becomes text nodes.
const prose = (text) => String(text).split(/`([^`]*)`/).map((part, n) => (n % 2 ? el("code", {}, part) : emphasized(part)));
const emphasized = (text) => text.split(/\*\*(\w[^*`\n]*)\*\*/).map((part, n) => (n % 2 ? el("strong", {}, part) : part));

// --- numbers

const MB = 2 ** 20;
const counts = new Intl.NumberFormat("en-US");
const count = (value) => (value === null || value === undefined ? "?" : counts.format(value));

function short(value) {
  if (value === null || value === undefined) return "?";
  for (const [unit, size] of [["T", 1e12], ["G", 1e9], ["M", 1e6], ["k", 1e3]]) {
    if (value >= size) return `${(value / size).toPrecision(3)} ${unit}`;
  }
  return String(value);
}

function megabytes(value) {
  if (value === null || value === undefined) return "not measured";
  if (value > 0 && value < MB / 100) return `${(value / 1024).toFixed(2)} KB`;
  return `${(value / MB).toLocaleString("en-US", { maximumFractionDigits: value < 100 * MB ? 2 : 1 })} MB`;
}

const percent = (part, whole) => (whole ? `${((100 * part) / whole).toFixed(1)} %` : "");
const plural = (number, thing) => `${count(number)} ${thing}${number === 1 || thing === "info" ? "" : "s"}`;
const sizes = (value) => (Array.isArray(value) ? value.join("x") || "()" : value ?? "");
const place = (site) => (site && site.path ? `${site.path}:${site.line}:${site.column}` : "");

const METRICS = {
  params: { title: "Parameters", show: short, exact: count },
  macs: { title: "MACs", show: short, exact: count },
  output_bytes: { title: "Output memory", show: megabytes, exact: megabytes },
  saved_bytes: { title: "Saved for backward", show: megabytes, exact: megabytes },
};

// --- shared by several views

function segmented(label, entries, chosen, choose) {
  const parts = entries.map(([value, text]) =>
    button({
      "aria-pressed": String(value === chosen),
      onclick: (event) => {
        for (const part of parts) part.setAttribute("aria-pressed", String(part === event.currentTarget));
        choose(value);
      },
    }, text));
  return el("div", { class: "segmented", role: "group", "aria-label": label }, parts);
}

// One element of the container is in the tab order; arrow keys move to the others.
function roving(container, selector) {
  container.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    const all = [...container.querySelectorAll(selector)];
    const next = all[all.indexOf(document.activeElement) + (step || 0)];
    if (!step || !next) return;
    event.preventDefault();
    for (const element of all) element.tabIndex = element === next ? 0 : -1;
    next.focus();
  });
}

function section(id, title, ...children) {
  return el("section", { id, "aria-labelledby": `${id}-title` }, el("h2", { id: `${id}-title` }, title), children);
}

const SEVERITIES = ["error", "warning", "info"];
const bySeverity = (findings) =>
  [...findings].sort((a, b) => SEVERITIES.indexOf(a.severity) - SEVERITIES.indexOf(b.severity));
const worst = (findings) => SEVERITIES.find((severity) => findings.some((finding) => finding.severity === severity));
