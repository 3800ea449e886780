// Cards of findings and suggestions, and excerpts of source.

const CARDS = 100; // findings that are shown at first
const BEFORE_GRAPH = 6; // ... where the graph of the model follows

function excerpt(report, site, severity, around = 2) {
  const text = site && report.sources[site.path];
  if (!text) return null;
  const last = Math.max(site.end_line || site.line, site.line);
  const numbers = [];
  for (let number = site.line - around; number <= last + around; number += 1) if (text[number] !== undefined) numbers.push(number);
  const indentation = Math.min(...numbers.filter((number) => text[number]).map((number) => indent(text[number])));
  const lines = numbers.map((number) => {
    const inside = number >= site.line && number <= last;
    const parts = inside ? marked(text[number], number, site, last) : ["", "", text[number]];
    parts[0] = parts[0].slice(indentation);
    if (!inside) parts[2] = parts[2].slice(indentation);
    return el("span", { class: inside ? "at" : null },
      el("span", { class: "number" }, String(number).padStart(String(last + around).length)),
      python(parts[0]), parts[1] && el("mark", { class: severity }, python(parts[1])), python(parts[2]), "\n");
  });
  return lines.length ? el("pre", { class: "source", tabindex: "0", "aria-label": `Source at ${place(site)}` }, lines) : null;
}

// Python with its comments, strings, numbers and keywords in colors. A part of a line is enough: strings end with it.
const TOKENS = /(#.*)|([rbfRBF]{0,2}(?:"(?:\\.|[^"\\])*"?|'(?:\\.|[^'\\])*'?))|\b(\d[\w.]*)|\b(and|as|assert|async|await|break|class|continue|def|del|elif|else|except|finally|for|from|if|import|in|is|lambda|not|or|pass|raise|return|try|while|with|yield|None|True|False|self)\b/g;
const TOKEN_KINDS = ["comment", "string", "figure", "keyword"];

function python(text) {
  const parts = [];
  let last = 0;
  for (const match of text.matchAll(TOKENS)) {
    const kind = TOKEN_KINDS[match.slice(1).findIndex((group) => group !== undefined)];
    parts.push(text.slice(last, match.index), el("i", { class: kind }, match[0]));
    last = match.index + match[0].length;
  }
  return [...parts, text.slice(last)];
}

const indent = (line) => line.length - line.trimStart().length;

// The parts of a line before, in and after a span. Columns count characters, not UTF-16 code units.
function marked(line, number, site, last) {
  const chars = Array.from(line);
  const start = number === site.line ? site.column - 1 : indent(line);
  const end = number === last ? site.end_column - 1 : chars.length;
  return [chars.slice(0, start), chars.slice(start, end), chars.slice(end)].map((part) => part.join(""));
}

function findingCard(report, finding, show) {
  const { witness, fix } = finding;
  return el("article", { class: `card ${finding.severity}` },
    el("h3", {}, el("span", { class: `badge ${finding.severity}` }, finding.severity), ` ${finding.code} `, el("small", {}, finding.name)),
    el("p", {}, prose(finding.message)),
    finding.path && el("p", { class: "place" }, el("code", {}, place(finding))),
    excerpt(report, finding, finding.severity),
    finding.related.length > 0 && el("details", { class: "related" },
      el("summary", {}, finding.related.length === 1 ? prose(finding.related[0].message) : `${count(finding.related.length)} related places`),
      finding.related.map((end) => [el("p", {}, finding.related.length > 1 && [prose(end.message), " "], el("code", {}, place(end))), excerpt(report, end, "info", 0)])),
    finding.confidence !== "high" && el("p", { class: "note" }, `confidence: ${finding.confidence}`),
    witness && el("p", {}, "witness: ", el("code", {}, witness.call), " fails: ", prose(witness.error),
      witness.control && [el("br"), "control: ", el("code", {}, witness.control), " works"]),
    finding.repairs.length ? repairs(report, finding) : fix && el("p", { class: "fix" }, `${fix.applicability === "display" ? "help" : `${fix.applicability} fix`}: `, prose(fix.title)),
    show ? moduleButtons(instances(finding), show) : modules(finding));
}

// The repairs that were tried, with their changes; equally good ones are alternatives.
function repairs(report, finding) {
  const last = Math.max(finding.end_line, finding.line);
  return finding.repairs.map((repair, n) => {
    const word = n ? "or" : `${repair.verified ? "verified fix" : "unsafe fix"}:${finding.repairs.length > 1 ? " either" : ""}`;
    const [edit] = repair.edits;
    const here = edit.path === finding.path && edit.line >= finding.line && edit.line <= last;
    return [el("p", { class: "fix" }, `${word} `, prose(repair.title), !here && [" at ", el("code", {}, place(edit))], n === finding.repairs.length - 1 && repair.effect && `; ${repair.effect}`),
      changes(report, repair.edits)];
  });
}

// The lines that edits change, before and after; null if an edit has several lines, or its line is not in the report.
function changes(report, edits) {
  const lines = new Map();
  for (const edit of [...edits].sort((a, b) => a.line - b.line || b.column - a.column)) {
    const key = `${edit.path}:${edit.line}`;
    const text = report.sources[edit.path]?.[edit.line];
    if (text === undefined || edit.line !== edit.end_line || edit.text.includes("\n")) return null;
    const { before, after } = lines.get(key) || { before: text, after: Array.from(text) };
    if (edit.end_column - 1 > after.length) return null;
    lines.set(key, { before, after: [...after.slice(0, edit.column - 1), ...edit.text, ...after.slice(edit.end_column - 1)] });
  }
  return el("pre", { class: "diff", tabindex: "0", "aria-label": "Change" }, [...lines.values()].map(({ before, after }) => [
    el("span", { class: "removed" }, `- ${before.trim()}`, "\n"), el("span", { class: "added" }, `+ ${after.join("").trim()}`, "\n")]));
}

// The modules of a finding, with the lines that build them if they differ; null for a single one.
function modules({ occurrences }) {
  const built = occurrences.filter(({ module }) => module !== null);
  if (built.length < 2) return null;
  const lines = built.map(({ path, line }) => `${path}:${line}`);
  const differ = new Set(lines).size > 1;
  const more = built.length > 6 ? ` and ${count(built.length - 6)} more` : "";
  return el("p", { class: "note" }, "modules: ", built.slice(0, 6).map(({ module }, n) =>
    [n ? ", " : "", el("code", {}, module || "(model)"), differ && ` (${lines[n]})`]), more);
}

function moduleButtons(names, show) {
  if (!names.length) return null;
  const more = names.length > 6 ? ` and ${count(names.length - 6)} more` : "";
  return el("p", { class: "modules" }, names.slice(0, 6).map((name) =>
    button({ onclick: (event) => show(name, null, event.detail === 0, true) }, name || "(model)")), more);
}

function findingCards(report, findings, show, first = CARDS) {
  const all = bySeverity(findings).map((finding) => [finding, `${finding.code} ${finding.name} ${finding.message} ${finding.path} ${finding.module}`.toLowerCase()]);
  const list = el("div", { class: "cards" });
  const filter = el("input", { type: "search", placeholder: "Filter findings", "aria-label": "Filter findings", oninput: () => refilled() });
  const more = button({ onclick: () => refilled(Infinity) });
  function refilled(most = first) {
    const terms = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    const wanted = all.filter(([, text]) => terms.every((term) => text.includes(term)));
    refill(list, ...wanted.slice(0, most).map(([finding]) => findingCard(report, finding, show)));
    more.hidden = wanted.length <= most;
    refill(more, `Show the other ${count(wanted.length - most)}`);
  }
  refilled();
  return [findings.length > 5 && el("div", { class: "toolbar" }, filter), list, more];
}

function suggestionCard(report, suggestion, show) {
  const amounts = Object.entries(METRICS).map(([name, { title, exact }]) => {
    const [before, after] = [suggestion.before[name], suggestion.after[name]];
    const change = before ? ` (${after > before ? "+" : ""}${((100 * (after - before)) / before).toFixed(1)} %)` : "";
    return el("tr", {}, el("th", { scope: "row" }, title), el("td", {}, exact(before)), el("td", {}, exact(after) + change));
  });
  return el("article", { class: "card cheaper" },
    el("h3", {}, el("span", { class: "badge cheaper" }, "suggestion"), ` ${suggestion.code} `, el("small", {}, suggestion.name)),
    el("p", {}, prose(suggestion.title)),
    suggestion.path && el("p", { class: "place" }, el("code", {}, place(suggestion))),
    el("table", { class: "amounts" }, el("thead", {}, el("tr", {}, el("td"), el("th", { scope: "col" }, "before"), el("th", { scope: "col" }, "after"))), el("tbody", {}, amounts)),
    suggestion.diff && el("pre", { class: "diff", tabindex: "0", "aria-label": "Diff" }, suggestion.diff.split("\n").map((line) =>
      el("span", { class: { "+": "added", "-": "removed" }[line[0]] }, line, "\n"))),
    show && moduleButtons(suggestion.instances, show));
}
