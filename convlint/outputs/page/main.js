// The page: verdict, problems and findings of the whole report, and the views of one model at a time.

const report = JSON.parse(document.getElementById("data").textContent);
const page = document.getElementById("report");
const panel = document.getElementById("details");
let trigger = null; // the element that had the focus before the details opened

function verdict() {
  const chips = SEVERITIES.map((severity) => [severity, report.findings.filter((finding) => finding.severity === severity).length])
    .filter(([, number]) => number)
    .map(([severity, number]) => el("span", { class: `badge ${severity}` }, plural(number, severity)));
  if (report.problems.length) chips.push(el("span", { class: "badge problem" }, plural(report.problems.length, "problem")));
  return chips.length ? chips : [el("span", { class: "badge" }, "no findings")];
}

function problems() {
  if (!report.problems.length) return null;
  return section("problems", "Could not be checked", report.problems.map((problem) => el("article", { class: "card problem" },
    el("h3", {}, el("span", { class: "badge problem" }, problem.kind)), el("p", {}, prose(problem.message)),
    (problem.path || problem.target) && el("p", { class: "place" }, el("code", {}, problem.path ? `${problem.path}${problem.line ? `:${problem.line}` : ""}` : problem.target)))));
}

function coverage() {
  const { sentence, incomplete } = report.followed;
  if (!incomplete.length) return sentence && el("p", { class: "note", id: "coverage" }, sentence);
  return section("coverage", "Not followed", [sentence && el("p", {}, sentence), el("ul", {}, incomplete.map((line) => el("li", {}, visible(line))))]);
}

const memoryTile = (title, bytes, remark) => (bytes === null ? [title, "-", "not measured"] : [title, megabytes(bytes), remark]);

function overview(model) {
  const { totals } = model;
  const tiles = [
    ["Parameters", short(totals.params), count(totals.params)], ["MACs", short(totals.macs), count(totals.macs)],
    memoryTile("Peak inference memory", totals.peak_inference_bytes, "measured"),
    memoryTile("Saved for backward", totals.saved_bytes, "measured"),
    memoryTile("Training step", totals.training_bytes, "including gradients and Adam"),
    ["Layers", count(model.layers.length), plural(new Set(model.layers.map((layer) => layer.kind)).size, "kind")],
  ];
  return el("section", { class: "overview", "aria-label": "Totals" },
    el("dl", { class: "about" }, model.about.map(([name, value]) => [el("dt", {}, name), el("dd", {}, value)])),
    model.stopped && el("p", { class: "card error" }, prose(model.stopped)),
    el("div", { class: "tiles" }, tiles.map(([title, value, exact]) =>
      el("div", { class: "tile" }, el("span", { class: "note" }, title), el("b", {}, value), el("small", {}, exact)))),
    el("details", {}, el("summary", {}, "Exact numbers and notes"),
      el("dl", { class: "about" }, model.counts.map(([name, value]) => [el("dt", {}, name), el("dd", {}, value)])),
      model.notes.map((note) => el("p", { class: "note" }, prose(note)))));
}

function showModel(model) {
  const tables = prepare(report, model);
  const select = (name, box, byKey, scrollPage) => {
    const target = box || boxOf(tables, name);
    trigger = document.activeElement;
    if (target?.outer) graph.reveal(target);
    details(tables, panel, name, box || (target?.op && !tables.layers.has(name) ? target : null), select);
    if (scrollPage && target?.outer) graph.element.scrollIntoView({ behavior: "instant" }); // the panel has moved it
    if (byKey) panel.querySelector("h2").focus({ preventScroll: true });
  };
  const emptyView = { element: null, start: () => {}, reveal: () => {} };
  const graph = model.boxes.length > 1 ? graphView(tables, select) : emptyView;
  const views = [graph, costsView(tables, select), memoryView(tables, select), tableView(tables, select)];
  const findings = findingsOf(report, model);
  const isBuilt = model.status !== "failed";
  const sections = [
    overview(model),
    findings.length > 0 && section("findings", "Findings", findingCards(report, findings, select, BEFORE_GRAPH)),
    graph.element, isBuilt && views[1].element, views[2].element, suggestions(select), isBuilt && views[3].element,
  ].filter(Boolean);
  document.getElementById("model")?.remove();
  page.append(el("div", { id: "model" }, contents(sections), sections));
  for (const view of views) view.start();
}

function suggestions(select) {
  if (!report.suggestions.length) return null;
  return section("suggestions", "Suggestions", el("div", { class: "cards" }, report.suggestions.map((suggestion) => suggestionCard(report, suggestion, select))));
}

function contents(sections) {
  const named = sections.filter((part) => part.id);
  return el("nav", { class: "contents", "aria-label": "Sections" }, named.map((part) =>
    el("a", { href: `#${part.id}` }, part.querySelector("h2").textContent)));
}

// --- light and dark

function themes() {
  const names = ["auto", "light", "dark"];
  const stored = () => {
    try {
      return localStorage.getItem("convlint-theme");
    } catch {
      return null; // a page from a file may have no storage
    }
  };
  let theme = names.includes(stored()) ? stored() : "auto";
  const control = document.getElementById("theme");
  const apply = () => {
    if (theme === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    refill(control, `Theme: ${theme}`);
  };
  control.addEventListener("click", () => {
    theme = names[(names.indexOf(theme) + 1) % names.length];
    try {
      localStorage.setItem("convlint-theme", theme);
    } catch {
      // then it is not remembered
    }
    apply();
  });
  apply();
}

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || panel.hidden) return;
  const inside = panel.contains(document.activeElement);
  panel.querySelector(".close").click();
  if (inside && trigger?.isConnected) trigger.focus();
});

themes();
document.getElementById("verdict").append(...verdict());
document.getElementById("foot").append(`convlint ${report.convlint}. 1 MB = 2^20 bytes; one multiply-accumulate (MAC) is two FLOPs.`);
const targets = new Set(report.models.map((model) => model.target));
const ofFiles = report.findings.filter((finding) => !targets.has(finding.target));
page.append(...[
  report.since.length > 0 && el("section", { "aria-label": "Compared" }, report.since.map((line) => el("p", {}, line))),
  problems(),
  coverage(),
  ofFiles.length > 0 && section("files", report.models.length ? "Findings in files" : "Findings", findingCards(report, ofFiles, null)),
  !report.models.length && !report.findings.length && !report.problems.length && el("p", {}, "No findings."),
].filter(Boolean));
if (report.models.length) {
  document.title = `${visible(report.models.map((model) => model.target).join(", ").slice(0, 80))} - convlint`;
  const models = document.getElementById("models");
  models.append(...report.models.map((model, n) => el("option", { value: n }, `${model.target} on ${model.inputs.join("; ")}`)));
  models.addEventListener("change", () => {
    panel.querySelector(".close")?.click();
    showModel(report.models[models.value]);
  });
  document.getElementById("chooser").hidden = report.models.length < 2;
  showModel(report.models[0]);
}
performance.mark("convlint-drawn");
