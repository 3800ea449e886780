"""The HTML of a report: whole, escaped, and on its own."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

import pytest

from bench import notebook as notebook_page
from bench.browser import chromium, executable
from bench.notebook import STYLES
from convlint.ir import (
    Costs,
    Edit,
    Finding,
    Fix,
    Graph,
    Model,
    Problem,
    Refusal,
    Related,
    Repair,
    Report,
    RewrittenSet,
    Row,
    Site,
    Totals,
)
from convlint.outputs.parts import notebook
from convlint.outputs.parts.columns import TableOptions
from tests.outputs.page_report import DIFF, suggestion

ROWS = (
    Row("stem", "Conv2d", 1, (1, 3, 8, 8), (1, 4, 8, 8), params=100, macs=6000),
    Row("head", "<b>Head</b>", 1, (1, 4, 8, 8), (1, 2, 8, 8), params=300, macs=2000, failed="no"),
)
MODEL = Model(
    "net.py:Net",
    "complete",
    ("x: 1x3x8x8 float32",),
    ("1x2x8x8 float32",),
    "recorder",
    ROWS,
    Totals(400, 400, 1600, 8000, 768, 2048, 3 * 2**20, None, None),
    Graph(),
)


class Page(HTMLParser):
    """Reads the text of a page by tag; every tag has to be closed in its turn."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.texts: list[tuple[str, str]] = []
        self.links: list[str] = []
        self.feed(html)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links += [value or "" for name, value in attrs if name in {"src", "href"}]
        if tag != "hr":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.texts.append((self.open[-1], data.strip()))

    def all(self, tag: str) -> list[str]:
        return [text for around, text in self.texts if around == tag]


def page(report: Report, table: TableOptions | None = None) -> Page:
    return Page(notebook.render(report, table=table or TableOptions()))


def test_table_of_a_model() -> None:
    shown = page(Report(models=(MODEL,)), TableOptions(("name", "params", "macs", "share")))
    assert shown.all("th") == ["layer", "params", "MACs", "params %", "MACs %"]
    assert shown.all("td") == [
        *("(model)", "400", "8,000", "100.0", "100.0"),
        *("stem", "100", "6,000", "25.0", "75.0"),
        *("! head", "300", "2,000", "75.0", "25.0"),
    ]
    values = dict(zip(shown.all("div"), shown.all("b"), strict=False))
    assert values["model:"] == "net.py:Net"
    assert values["Total (MB):"] == f"{(768 + 2048 + 1600) / 2**20:.2f}"
    assert values["Peak inference memory (MB):"] == "3.00"
    assert values["Training step (MB):"] == "not measured"


def test_finding_with_its_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.py").write_text("if a < b: norm(16)\n", encoding="utf-8")
    site = Site("net.py", 1, 11, 1, 19)
    found = Finding("CVL103", "norm-channels", "error", "16 & not 32", site)
    shown = page(Report((found.with_(related=(Related("the <other> end", site),)),)))
    assert shown.all("b") == ["CVL103 [norm-channels]"]
    assert "16 & not 32" in shown.all("div")
    assert "the <other> end" in shown.all("div")
    assert shown.all("pre")[0].splitlines() == ["1 | if a < b: norm(16)", "  |           ^^^^^^^^"]


def test_a_repair_that_was_tried_is_shown_with_its_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.py").write_text("conv(3, 32)\nnorm(16)\n", encoding="utf-8")
    site, edit = Site("net.py", 2, 1, 2, 9), Edit(Site("net.py", 2, 6, 2, 8), "32")
    repair = Repair("replace `16` with `32`", (edit,), "run", "the model then runs")
    failure = Related("first fails here", Site("net.py", 1, 1, 1, 12), is_failure=True)
    found = Finding("CVL103", "norm-channels", "error", "`norm` < 32", site, related=(failure,), repairs=(repair,))
    shown = page(Report((found.with_(fix=Fix(repair.title, "unsafe", repair.edits)),)))
    assert shown.all("b") == ["CVL103 [norm-channels]", "verified fix:"]
    assert shown.all("code") == ["norm", "net.py:2:1", "net.py:1", "conv(3, 32)", "16", "32"]
    assert shown.all("span") == ["2 - norm(16)", "2 + norm(32)"]


def test_without_suggestions_the_reasons_are_above_the_folded_table() -> None:
    refusals = (Refusal("CVL503", None, ("a", "b"), "not supported for Conv1d"),)
    shown = Page(notebook.render(Report(models=(MODEL,), refusals=refusals), suggested=True))
    assert shown.all("b")[0] == "No layer can be rewritten:"
    assert "2 layers: not supported for Conv1d" in shown.all("div")
    assert shown.all("summary")[0] == "Layers before"
    nothing = Page(notebook.render(Report(models=(MODEL,)), suggested=True))
    assert nothing.all("b")[0] == "Nothing to rewrite."
    assert "rewrite" not in " ".join(page(Report(models=(MODEL,))).all("b"))


def test_what_comes_from_the_user_is_escaped() -> None:
    evil = "<script>alert(1)</script>"
    report = Report(
        (Finding("CVL103", "norm-channels", "error", evil, Site(evil, 1)),), (MODEL,), (Problem("timeout", evil),)
    )
    shown = page(report)
    assert "script" not in shown.tags
    assert shown.all("td").count("<b>Head</b>") == 1


def test_it_needs_nothing_from_elsewhere() -> None:
    html = notebook.render(Report(models=(MODEL,)))
    assert not Page(html).links
    assert "http" not in html
    assert "@import" not in html


def test_infos_are_folded_below_the_others() -> None:
    found = [Finding("CVL301", "a", "info", "x", None), Finding("CVL103", "b", "error", "y", None)]
    shown = page(Report(tuple(found)))
    assert shown.all("b") == ["CVL103 [b]", "CVL301 [a]"]
    assert shown.all("summary") == ["1 info"]


def test_suggestions_with_their_savings_and_the_diff() -> None:
    changed = RewrittenSet(Costs(448, 442_368, 65_536, 0), Costs(78, 76_800, 77_824, 0), DIFF)
    shown = page(Report(models=(MODEL,), suggestions=(suggestion(),), rewritten=changed))
    assert shown.all("th")[:4] == ["rewrite", "location", "layers", "params"]
    assert "448 -> 78 (-82.6 %)" in shown.all("td")
    assert any(text.startswith("verified: built, run") for text in shown.all("div"))
    assert shown.all("summary")[:2] == ["Diff", "Layers before"]
    assert "+        self.stem = separable(3, 16)" in shown.all("span")


@pytest.mark.slow
@pytest.mark.skipif(executable() is None, reason="no Chromium here")
@pytest.mark.parametrize("name", STYLES)
def test_the_styles_of_notebooks_leave_it_readable(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.py").write_text("conv(3, 32)\nnorm(16)\n", encoding="utf-8")
    found = Finding("CVL103", "norm-channels", "error", "`norm` < 32", Site("net.py", 2, 1, 2, 9))
    file = tmp_path / "notebook.html"
    html = notebook.render(Report((found,), (MODEL,)))
    file.write_text(notebook_page.document(html, STYLES[name]), encoding="utf-8")
    with chromium() as browser, browser.page(file, width=700) as shown:
        of = "getComputedStyle(document.querySelector('.convlint %s')).%s"
        assert "monospace" in shown.value(of % ("pre", "fontFamily"))
        assert shown.value(of % ("pre", "whiteSpace")) == "pre"
        assert shown.value(of % ("td.l", "textAlign")) == "left"
        assert shown.value(of % ("td:not(.l)", "textAlign")) == "right"
        assert shown.value("[...document.querySelectorAll('td')].every(cell => cell.scrollWidth <= cell.clientWidth)")


def test_problem() -> None:
    shown = page(Report(problems=(Problem("timeout", "no answer within 5 s"),)))
    assert shown.all("b") == ["problem [timeout]"]
    assert "no answer within 5 s" in shown.all("div")
