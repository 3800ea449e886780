"""Findings, problems and the verdict, as a reader sees them."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from textwrap import dedent

import pytest
from wcwidth import wcswidth

from convlint.analysis import cost
from convlint.ir import (
    Edit,
    Failure,
    Finding,
    Fix,
    Graph,
    Model,
    Occurrence,
    Problem,
    Related,
    Repair,
    Report,
    Row,
    Severity,
    Site,
    Witness,
)
from convlint.outputs import text
from convlint.outputs.parts.sentences import headline
from convlint.outputs.parts.terminal import terminal
from tests.outputs.reports import NET


@pytest.fixture(autouse=True)
def _net(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The findings point into ``net.py`` of the working directory."""
    (tmp_path / "net.py").write_text(NET, encoding="utf-8")
    monkeypatch.chdir(tmp_path)


CONV = Site("net.py", 7, 21, 7, 39)
NORM = Site("net.py", 8, 21, 8, 38)
MIX = Site("net.py", 9, 20, 12, 10)


def finding(site: Site | None = NORM, severity: Severity = "error", **facts: object) -> Finding:
    made = Finding("CVL103", "norm-channels", severity, "the norm is for 16 channels", site)
    return made.with_(**facts)


def shown(*findings: Finding, width: int | None = None, **parts: tuple[object, ...]) -> str:
    return text.render(Report(findings, **parts), table=None, width=width)  # type: ignore[arg-type]


def model(target: str = "net.py:Block", **facts: object) -> Model:
    return cost.model_report(Graph(target, **facts))  # type: ignore[arg-type]


# --- findings


def test_finding_with_both_ends_witness_and_fix() -> None:
    related = Related("Conv2d `conv` gives 32 channels", CONV)
    witness = Witness("Block(2, 4)", ("1x2x8x8",), "RuntimeError: 4 is not 2", "Block(2, 2)")
    fix = Fix("use d", "safe", (Edit(Site("net.py", 8, 36, 8, 37), "d"),))
    assert shown(finding(related=(related,), witness=witness, fix=fix)) == dedent("""\
        net.py:8:21: CVL103 error [norm-channels] the norm is for 16 channels
        8 |         self.norm = nn.BatchNorm2d(c)
          |                     ^^^^^^^^^^^^^^^^^
          --> net.py:7:21: Conv2d `conv` gives 32 channels
        7 |         self.conv = nn.Conv2d(c, d, 3)
          |                     ------------------
          = witness: Block(2, 4) on 1x2x8x8 fails: RuntimeError: 4 is not 2
          = control: Block(2, 2) works
          = safe fix: use d
        8 -         self.norm = nn.BatchNorm2d(c)
        8 +         self.norm = nn.BatchNorm2d(d)

        Found 1 error. 1 can be fixed with --fix.
        """)


def test_span_of_several_lines() -> None:
    assert shown(finding(MIX)).splitlines()[1:9] == [
        " 9 |         self.mix = nn.Conv2d(",
        "   |                    ^^^^^^^^^^",
        "10 |             d, d, 3,",
        "   |             ^^^^^^^^",
        "11 |             groups=3,",
        "   |             ^^^^^^^^^",
        "12 |         )",
        "   |         ^",
    ]


def test_long_span_is_cut() -> None:
    lines = shown(finding(Site("net.py", 1, 1, 12, 10))).splitlines()
    assert lines[-3] == "  | .. to line 12"
    assert len(lines) < 15


def test_site_without_an_end_marks_the_rest_of_the_line() -> None:
    assert shown(finding(Site("net.py", 7, 21))).splitlines()[2] == f"  | {'^' * 18:>38}"


def test_all_modules_built_at_a_site_are_named() -> None:
    names = tuple(f"layers.{n}.norm" for n in range(8))
    assert (
        "  = modules: layers.0.norm, layers.1.norm, layers.2.norm, layers.3.norm, layers.4.norm, "
        "layers.5.norm and 2 more" in shown(finding(instances=names))
    )
    assert "modules:" not in shown(finding(instances=names[:1]))


def test_modules_that_several_lines_build_are_named_with_them() -> None:
    built = (Occurrence("net.py", 30, "a.norm"), Occurrence("other.py", 4, "b.norm"))
    assert "  = modules: a.norm (net.py:30), b.norm (other.py:4)" in shown(finding(occurrences=built)).splitlines()
    one_line = tuple(Occurrence("net.py", 30, name) for name in ("a.norm", "b.norm"))
    names = ("a.norm", "b.norm")
    assert "  = modules: a.norm, b.norm" in shown(finding(occurrences=one_line, instances=names)).splitlines()


def test_the_models_that_have_a_finding_are_named() -> None:
    targets = ("net.py:Block", "net.py:Other")
    one = finding(target=targets[0], occurrences=tuple(Occurrence("net.py", 8, "norm", target) for target in targets))
    lines = shown(one, models=tuple(map(model, targets))).splitlines()
    assert "  = models: net.py:Block, net.py:Other" in lines


def test_doubt_is_said() -> None:
    assert "  = confidence: medium" in shown(finding(confidence="medium")).splitlines()


def test_target_is_named_where_there_are_several() -> None:
    one = finding(target="net.py:Block")
    assert "= model: net.py:Block" not in shown(one, models=(model(),))
    assert "= model: net.py:Block" in shown(one, models=(model(), model("net.py:Other")))


def test_finding_without_a_site_is_at_its_target() -> None:
    line = shown(finding(None, target="net.py:Block")).splitlines()[0]
    assert line.startswith("net.py:Block: CVL103 error")


@pytest.mark.parametrize("path", ["gone.py", "<ipython-input-1>"])
def test_source_that_cannot_be_read_is_left_out(path: str) -> None:
    lines = shown(finding(Site(path, 8, 21, 8, 38))).splitlines()
    assert lines[0].startswith(f"{path}:8:21: CVL103")
    assert not lines[1]


def test_line_behind_the_end_of_a_file_is_left_out() -> None:
    assert not shown(finding(Site("net.py", 99, 1, 99, 5))).splitlines()[1]


def test_file_that_is_no_text_is_left_out() -> None:
    Path("latin.py").write_bytes(b"x = '\xe9'\n")
    assert not shown(finding(Site("latin.py", 1, 1, 1, 3))).splitlines()[1]


# --- repairs that were tried

D_FOR_C = Edit(Site("net.py", 8, 36, 8, 37), "d")
C_FOR_D = Edit(Site("net.py", 7, 34, 7, 35), "c")
WIDTH = Repair("num_features=32 (replace `c` with `d`)", (D_FOR_C,), "run", "the model then runs")
OTHER = Repair("replace `d` with `c`", (C_FOR_D,), "run", "the model then runs")


def repaired(*repairs: Repair, **facts: object) -> list[str]:
    """What is shown of a finding below its message, without source."""
    first = Fix(repairs[0].title, "unsafe", repairs[0].edits)
    lines = shown(finding(fix=first, repairs=repairs, **facts)).splitlines()
    return lines[3 : lines.index("")]


def test_a_repair_that_was_tried_says_what_it_does_and_how_it_was_tried() -> None:
    assert repaired(WIDTH) == [
        "  = verified fix: num_features=32 (replace `c` with `d`); the model then runs",
        "8 -         self.norm = nn.BatchNorm2d(c)",
        "8 +         self.norm = nn.BatchNorm2d(d)",
    ]


def test_equally_good_repairs_are_alternatives_with_their_lines() -> None:
    assert repaired(WIDTH, OTHER) == [
        "  = verified fix: either num_features=32 (replace `c` with `d`)",
        "8 -         self.norm = nn.BatchNorm2d(c)",
        "8 +         self.norm = nn.BatchNorm2d(d)",
        "  = or: replace `d` with `c` at net.py:7; the model then runs",
        "7 -         self.conv = nn.Conv2d(c, d, 3)",
        "7 +         self.conv = nn.Conv2d(c, c, 3)",
    ]


def test_the_operation_that_fails_first_is_named_with_its_text() -> None:
    failure = Related("first fails here", Site("net.py", 7, 21, 7, 39), is_failure=True)
    assert repaired(WIDTH, related=(failure,))[0] == "  = first fails at net.py:7: nn.Conv2d(c, d, 3)"
    lines = replace(failure, site=MIX)
    assert repaired(WIDTH, related=(lines,))[0] == "  = first fails at net.py:9: nn.Conv2d( d, d, 3, groups=3, )"
    assert repaired(WIDTH, related=(replace(failure, site=Site("gone.py", 3)),))[0] == "  = first fails at gone.py:3:"


def test_formats_of_one_line_say_what_to_do() -> None:
    first = Fix(WIDTH.title, "unsafe", WIDTH.edits)
    one = finding(message="expects 16", fix=first, repairs=(WIDTH,))
    assert headline(one) == "expects 16; use num_features=32 (replace `c` with `d`)"
    two = one.with_(repairs=(OTHER, WIDTH))
    other = "replace `d` with `c` at net.py:7"
    assert headline(two) == f"expects 16; either {other} or use num_features=32 (replace `c` with `d`)"


# --- fixes


def diff(*edits: Edit, width: int | None = None) -> list[str]:
    """What is shown of a fix below its title."""
    lines = shown(finding(None, fix=Fix("use d", "unsafe", edits)), width=width).splitlines()
    first = next(n for n, line in enumerate(lines) if line.startswith("  = unsafe fix"))
    return lines[first + 1 : lines.index("", first)]


def test_fix_of_two_places_in_a_line() -> None:
    edits = Edit(Site("net.py", 7, 31, 7, 32), "first"), Edit(Site("net.py", 7, 34, 7, 35), "2 * d")
    assert diff(*edits) == [
        "7 -         self.conv = nn.Conv2d(c, d, 3)",
        "7 +         self.conv = nn.Conv2d(first, 2 * d, 3)",
    ]


def test_fix_of_neighbouring_lines_is_one_change() -> None:
    assert diff(Edit(CONV, "nn.Conv2d(d, d, 3)"), Edit(NORM, "nn.BatchNorm2d(d)")) == [
        "7 -         self.conv = nn.Conv2d(c, d, 3)",
        "8 -         self.norm = nn.BatchNorm2d(c)",
        "7 +         self.conv = nn.Conv2d(d, d, 3)",
        "8 +         self.norm = nn.BatchNorm2d(d)",
    ]


def test_fix_of_lines_that_are_no_neighbours_is_two_changes() -> None:
    edits = Edit(Site("net.py", 11, 20, 11, 21), "1"), Edit(Site("net.py", 5, 24, 5, 32), "")
    assert diff(*edits) == [
        " 5 -     def __init__(self, c: int, d: int) -> None:",
        " 5 +     def __init__(self, d: int) -> None:",
        "11 -             groups=3,",
        "11 +             groups=1,",
    ]


def test_fix_that_takes_lines_away_or_puts_some_in() -> None:
    assert diff(Edit(Site("net.py", 11, 1, 12, 1), "")) == [
        "11 -             groups=3,",
        "12 -         )",
        "11 +         )",
    ]
    assert diff(Edit(Site("net.py", 8, 38, 8, 38), "\n        self.act = nn.ReLU()"))[1:] == [
        "8 +         self.norm = nn.BatchNorm2d(c)",
        "9 +         self.act = nn.ReLU()",
    ]


def test_fix_of_two_files_names_them() -> None:
    Path("other.py").write_text("width = 8\n", encoding="utf-8")
    assert diff(Edit(NORM, "nn.BatchNorm2d(d)"), Edit(Site("other.py", 1, 9, 1, 10), "16")) == [
        "net.py",
        "8 -         self.norm = nn.BatchNorm2d(c)",
        "8 +         self.norm = nn.BatchNorm2d(d)",
        "other.py",
        "1 - width = 8",
        "1 + width = 16",
    ]


def test_fix_of_many_lines_is_named_only() -> None:
    assert not diff(Edit(Site("net.py", 1, 1, 12, 1), "x\n" * 12))
    assert not diff(Edit(CONV, "nn.Conv2d(d, d, 3)"), Edit(Site("gone.py", 1, 1, 1, 2), "d"))
    assert not diff(Edit(Site("net.py", 99, 1, 99, 2), "d"))


def test_both_lines_of_a_fix_are_cut_alike() -> None:
    Path("long.py").write_text(f"x = [{'0, ' * 50}conv(1), {'0, ' * 50}]\n", encoding="utf-8")
    old, new = diff(Edit(Site("long.py", 1, 161, 1, 162), "1, bias=False"), width=40)
    assert max(len(old), len(new)) <= 40
    assert old.startswith("1 - .., 0, conv(1), 0")
    assert new.startswith("1 + .., 0, conv(1, bias=False), 0")


def test_what_changes_in_a_line_is_bold() -> None:
    fix = Fix("use d", "safe", (Edit(Site("net.py", 8, 36, 8, 37), "d"),))
    out = text.render(Report((finding(fix=fix),)), table=None, color=True)
    assert "\x1b[31m-         self.norm = nn.BatchNorm2d(\x1b[0m\x1b[1;31mc\x1b[0m\x1b[31m)" in out
    assert "\x1b[32m+         self.norm = nn.BatchNorm2d(\x1b[0m\x1b[1;32md\x1b[0m\x1b[32m)" in out


# --- characters and widths


def test_carets_stand_below_wide_characters_and_tabs() -> None:
    Path("wide.py").write_text("\tx = ('中文', conv(1))\n", encoding="utf-8")
    lines = shown(finding(Site("wide.py", 1, 13, 1, 20))).splitlines()
    assert lines[1:3] == ["1 |     x = ('中文', conv(1))", "  |                  ^^^^^^^"]


@pytest.mark.parametrize("width", range(21, 90, 5))
def test_wide_characters_are_cut_where_the_terminal_ends(width: int) -> None:
    """Source is never wrapped: what goes on in the next line would stand between a span and its marks."""
    text = "    x = f('中文😀中文😀'), conv('模型', 1), 尺寸('日本語😀のとても長い文字列😀😀😀')\n"
    start = text.index("conv(") + 1
    Path("wide.py").write_text(text, encoding="utf-8")
    edit = Edit(Site("wide.py", 1, start + 11, 1, start + 12), "1, bias='中'")
    site = Site("wide.py", 1, start, 1, start + 13)
    found = finding(site, fix=Fix("say so", "safe", (edit,)))
    lines = shown(found, width=width).splitlines()
    assert max(map(wcswidth, lines)) <= width
    source = [n for n, line in enumerate(lines) if re.match(r"[1 ] [|+-] ", line)]
    assert [lines[n][:4] for n in source] == ["1 | ", "  | ", "1 - ", "1 + "]
    assert (source[1] - source[0], source[3] - source[2]) == (1, 1)
    line, marks = lines[source[0]], lines[source[1]]
    before = line[: line.index("conv")] if "conv" in line else None
    assert before is None or wcswidth(before) == marks.index("^")


def test_a_place_without_extent_is_marked() -> None:
    """A syntax error may be a single place, also one behind the end of a line."""
    for column in (5, 24):
        line, marks = shown(finding(Site("net.py", 4, column, 4, column))).splitlines()[1:3]
        assert line == "4 | class Block(nn.Module):"
        assert marks == "  | ".ljust(4 + column - 1) + "^"


def test_escape_codes_in_a_source_file_stay_there() -> None:
    Path("evil.py").write_text("x = '\x1b[2J'; conv(1)\n", encoding="utf-8")
    out = shown(finding(Site("evil.py", 1, 13, 1, 20), message="a\x1b]0;b\nc"))
    assert "\x1b" not in out
    assert out.splitlines()[:3] == [
        "evil.py:1:13: CVL103 error [norm-channels] a\\x1b]0;b c",
        "1 | x = '\\x1b[2J'; conv(1)",
        "  |                ^^^^^^^",
    ]


def test_narrow_terminal() -> None:
    """Prose goes on in the next line; source loses its indentation, then its end, never the span's start."""
    lines = shown(finding(related=(Related("Conv2d `conv` gives 32 channels", CONV),)), width=34)
    assert lines == dedent("""\
        net.py:8:21: CVL103 error
            [norm-channels] the norm is
            for 16 channels
        8 | self.norm = nn.BatchNorm2d(c)
          |             ^^^^^^^^^^^^^^^^^
          --> net.py:7:21: Conv2d
            `conv` gives 32 channels
        7 | self.conv = nn.Conv2d(c, d, 3)
          |             ------------------

        Found 1 error.
        """)


def test_lines_of_a_span_keep_their_indentation_against_each_other() -> None:
    assert shown(finding(MIX), width=28).splitlines()[4:12] == [
        " 9 | self.mix = nn.Conv2d(",
        "   |            ^^^^^^^^^^",
        "10 |     d, d, 3,",
        "   |     ^^^^^^^^",
        "11 |     groups=3,",
        "   |     ^^^^^^^^^",
        "12 | )",
        "   | ^",
    ]


def test_span_far_to_the_right_is_brought_into_view() -> None:
    Path("long.py").write_text(f"x = [{'0, ' * 50}conv(1), {'0, ' * 50}]\n", encoding="utf-8")
    lines = shown(finding(Site("long.py", 1, 156, 1, 163)), width=40).splitlines()
    assert max(map(len, lines)) <= 40
    assert any("conv(1)" in line for line in lines)
    marks = next(n for n, line in enumerate(lines) if "^" in line)
    start = lines[marks].index("^")
    assert lines[marks - 1][start : start + 7] == "conv(1)"


def test_colours_change_nothing_but_colours() -> None:
    report = Report((finding(), finding(severity="info")), (model(),), (Problem("timeout", "slow"),))
    plain, colored = text.render(report), text.render(report, color=True)
    assert "\x1b[" not in plain
    assert "\x1b[1;31mCVL103 error" in colored
    assert re.sub(r"\x1b\[[\d;]*m", "", colored) == plain


def test_a_file_takes_any_width_and_no_colours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FORCE_COLOR", "NO_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    with (tmp_path / "out").open("w", encoding="utf-8") as file:
        assert terminal(file) == (None, False)


def test_terminal_without_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal:
        encoding = "utf-8"

        def isatty(self) -> bool:
            return True

        def fileno(self) -> int:
            raise OSError

    monkeypatch.setenv("COLUMNS", "99")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert terminal(Terminal()) == (99, True)  # type: ignore[arg-type]
    monkeypatch.setenv("NO_COLOR", "1")
    assert terminal(Terminal()) == (99, False)  # type: ignore[arg-type]


# --- problems and the verdict


def test_problem_says_where_and_what() -> None:
    problems = (
        Problem("import-error", "No module named\n'x'", "net.py", 1, "net.py:Block"),
        Problem("timeout", "no answer within 5 s", target="net.py:Other"),
    )
    assert shown(problems=problems) == dedent("""\
        net.py:1: problem [import-error] No module named 'x'

        net.py:Other: problem [timeout] no answer within 5 s

        Could not check everything: 2 problems.
        """)


@pytest.mark.parametrize(
    ("report", "verdict"),
    [
        (Report(), "No findings."),
        (Report((), (model(), model())), "No findings in 2 models."),
        (Report((finding(),), (model(),)), "Found 1 error in 1 model."),
        (
            Report((finding(), finding(), finding(severity="warning"), finding(severity="info"))),
            "Found 2 errors and 1 warning. 1 info not listed: --verbose lists them.",
        ),
        (
            Report((), (model(),), (Problem("timeout", "slow"),)),
            "No findings in 1 model. Could not check everything: 1 problem.",
        ),
        (Report((), (model(status="partial"),)), "No findings in 1 model. 1 model did not run to completion."),
        (
            Report((), (model(untraced=(("head", "scripted"), ("", "not measured"))),)),
            "No findings in 1 model. Not traced into: head.",
        ),
    ],
)
def test_verdict(report: Report, verdict: str) -> None:
    assert text.render(report, table=None).splitlines()[-1] == verdict


def at(line: int, message: str = "no effect", severity: Severity = "info", code: str = "CVL301") -> Finding:
    return Finding(code, "some-rule", severity, message, Site("net.py", line, 1, line, 4))


def headlines(found: list[Finding], infos: tuple[str, ...] = ()) -> list[str]:
    lines = text.render(Report(tuple(found)), table=None, infos=infos).splitlines()
    return [line for line in lines if line.startswith(("net.py:", "  = also"))]


def test_infos_are_counted_and_listed_on_demand() -> None:
    found = [at(3), at(5, "broken", "error", "CVL103"), at(9, code="CVL204")]
    assert headlines(found) == ["net.py:5:1: CVL103 error [some-rule] broken"]
    assert len(headlines(found, ("CVL",))) == 3
    assert headlines(found, ("CVL2",))[1:] == ["net.py:9:1: CVL204 info [some-rule] no effect"]
    only = text.render(Report((at(3), at(4))), table=None, files=2)
    assert only == "No errors or warnings in 2 files. 2 infos not listed: --verbose lists them.\n"


def test_the_closing_line_counts_the_fixes_of_infos() -> None:
    fixes = [Fix("x", kind, (Edit(Site("net.py", 1, 1, 1, 2), ""),)) for kind in ("safe", "unsafe", "unsafe")]
    found = tuple(at(3).with_(fix=fix) for fix in fixes)
    shown = text.render(Report(found), table=None)
    assert shown == (
        "No errors or warnings. "
        "3 infos not listed: --verbose lists them, --fix fixes 1, --fix --unsafe-fixes fixes 3.\n"
    )


def test_findings_come_by_severity() -> None:
    found = [at(1), at(2, severity="warning", code="CVL302"), at(3, severity="error", code="CVL103"), at(4, "b")]
    codes = [line.split()[1] for line in headlines(found, ("CVL",)) if "also" not in line]
    assert codes == ["CVL103", "CVL302", "CVL301"]


def test_the_same_finding_at_several_lines_is_one_entry() -> None:
    warnings = [at(line, "pads a 1x1 kernel", "warning", "CVL302") for line in (4, 8, 6, 8)]
    other = at(9, "pads a 1x1 kernel of `x`", "warning", "CVL302")
    assert headlines([*warnings, other]) == [
        "net.py:4:1: CVL302 warning [some-rule] pads a 1x1 kernel",
        "  = also at: lines 6, 8",
        "net.py:9:1: CVL302 warning [some-rule] pads a 1x1 kernel of `x`",
    ]


def test_infos_of_one_rule_in_a_file_are_one_entry() -> None:
    found = [at(2, "the bias of `a` has no effect"), at(7, "the bias of `b` has no effect")]
    assert headlines(found, ("CVL",)) == [
        "net.py:2:1: CVL301 info [some-rule] the bias of `a` has no effect",
        "  = also at: line 7",
    ]


def test_without_a_verdict_only_what_went_wrong_is_counted() -> None:
    def last(report: Report) -> str:
        return text.render(report, table=None, verdict=False)

    assert not last(Report((), (model(),)))
    assert "Found 1 error" in last(Report((finding(),)))
    assert "Could not check everything" in last(Report((), (), (Problem("timeout", "slow"),)))


def test_several_models_are_a_line_each() -> None:
    failure = Failure("forward", "RuntimeError", "too small", Site("net.py", 9, 1, 9, 5))
    models = (model(), model("net.py:Other", status="partial", failure=failure))
    out = text.render(Report((), models), layout="auto")
    assert out.splitlines()[:4] == [
        "model         params  MACs  peak MB  status",
        "net.py:Block       0     0        -  complete",
        "net.py:Other       0   >=0        -  partial",
        "  stopped at net.py:9:1: RuntimeError: too small",
    ]
    assert text.render(Report((), models), layout="tables").count("Peak inference memory (MB)") == 2
    assert "Peak inference memory" not in text.render(Report((), models[:1]), layout="lines")


def test_a_model_that_was_not_built_has_no_numbers() -> None:
    failure = Failure("constructor", "ValueError", "no data", Site("net.py", 9, 1, 9, 5))
    failed = model("net.py:Other", status="failed", failure=failure)
    out = text.render(Report((), (model(), failed)), layout="lines")
    assert out.splitlines()[2:4] == [
        "net.py:Other       -     -        -  failed",
        "  stopped at net.py:9:1: ValueError: no data",
    ]


def test_a_run_that_went_on_after_an_error_is_not_called_complete() -> None:
    rows = (Row("conv", "Conv2d", 1, (1, 3, 8, 8), (1, 4, 8, 8), failed="RuntimeError: no"),)
    out = text.render(Report((), (model(), replace(model("net.py:Other"), layers=rows))), layout="lines")
    assert [line.split()[-1] for line in out.splitlines()[1:3]] == ["complete", "fails"]


def test_tables_stand_between_findings_and_verdict() -> None:
    out = text.render(Report((finding(),), (model(),)))
    assert out.index("CVL103") < out.index("Peak inference memory (MB)") < out.index("Found 1")
