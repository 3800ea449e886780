"""The HTML page of suggestions: one file with the sum, a plot of the sets, and the diff."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from bench.browser import chromium, executable
from convlint.ir import Consequence, Costs, Refusal, Report, RewrittenSet, SetEstimate, Timing
from convlint.ir.suggestions import is_certain
from convlint.outputs.suggestions import front, page
from convlint.support.dataclass import replace

BEFORE, AFTER = Costs(381_000, 387_000_000, 0, 100), Costs(56_000, 53_000_000, 0, 186)
SETS = (
    SetEstimate("depthwise-separable", ("CVL502",), 3, AFTER, chosen=True),
    SetEstimate("grouped", ("CVL501",), 3, Costs(100_000, 90_000_000, 0, 100)),
)
TIMING = Timing("model", "cpu", "contiguous", 1, 40, (0.002, 0.003), (0.001, 0.002), 40)
BREAKS = Consequence("breaks", "Net.fuse() <works> for the original")


def report(*timings: Timing) -> Report:
    rewritten = RewrittenSet(BEFORE, AFTER, "-a < b\n+\xe9\n", latency=timings, consequences=(BREAKS,), front=SETS)
    return Report(rewritten=rewritten)


def test_the_first_line_sums_up() -> None:
    assert front.headline(report()) == (
        "381 k -> 56.0 k parameters (-85 %), 387 M -> 53.0 M MACs (-86 %), training memory +86 %, "
        "time not measured: fewer MACs may be slower"
    )
    assert str(front.headline(report(TIMING))).endswith("time faster: -50 % (contiguous)")
    assert front.headline(Report()) is None


def test_the_sets_are_points_of_a_plot_and_rows_of_a_table() -> None:
    text = page.render(report())
    assert text.isascii()
    assert "http" not in text.replace("http-equiv", "")
    start, end = text.index("<svg"), text.index("</svg>") + len("</svg>")
    plot = ET.fromstring(text[start:end])  # noqa: S314 - convlint's own
    assert len(plot.findall("circle")) == 1 + len(SETS)
    assert text.count("<tr>") == 1 + len(SETS)
    assert "&lt;works&gt;" in text
    assert "-a &lt; b" in text


def test_commands_are_code() -> None:
    found = Consequence("checkpoint", "convert with `convlint suggest 'a <b>'`")
    text = page.render(Report(rewritten=RewrittenSet(BEFORE, AFTER, "", consequences=(found,), front=SETS)))
    assert "convert with <code>convlint suggest &#x27;a &lt;b&gt;&#x27;</code>" in text


@pytest.mark.slow
@pytest.mark.skipif(executable() is None, reason="no Chromium here: apt-get install chromium, or set CHROMIUM")
def test_it_fits_a_phone(tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    file.write_text(page.render(report()))
    with chromium() as browser, browser.page(file, width=390) as shown:
        assert shown.value("document.documentElement.scrollWidth") == 390
        assert shown.complaints() == []


def test_labels_of_near_points_stand_above_each_other() -> None:
    near = replace(SETS[0], name="depthwise-separable + grouped", totals=Costs(58_000, 53_500_000))
    text = page.render(Report(rewritten=RewrittenSet(BEFORE, AFTER, "", front=(*SETS, near))))
    plot = ET.fromstring(text[text.index("<svg") : text.index("</svg>") + len("</svg>")])  # noqa: S314
    levels = [float(each.attrib["y"]) for each in plot.findall("text") if "separable" in (each.text or "")]
    assert abs(levels[0] - levels[1]) >= 14


def test_a_page_without_suggestions_has_the_reasons() -> None:
    refusal = Refusal("CVL503", None, ("a.conv",), "not supported for Conv1d")
    text = page.render(Report(refusals=(refusal,)))
    assert "No layer can be rewritten:" in text
    assert "not CVL503: a.conv: not supported for Conv1d" in text
    assert "Nothing to rewrite." in page.render(Report())


def test_a_verdict_needs_turns_that_chance_does_not_explain() -> None:
    assert TIMING.verdict == "faster"
    assert Timing("model", "cpu", "contiguous", 1, 40, (1, 1), (1, 1), 22).verdict == "no difference"
    assert Timing("model", "cpu", "contiguous", 1, 40, (1, 1), (1, 1), 2).verdict == "slower"
    assert is_certain(0, 8)
    assert not is_certain(0, 7)
