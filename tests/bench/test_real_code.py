"""The findings in real code and their verdicts, see bench/real_code.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import published, real_code
from bench.corpus import PARTS, copied
from bench.real_code import Found, Key, Verdict

SOURCE = """\
x = 1
class Net:
    y = 2
    if y:
        @property
        def forward(self):
            return lambda: 3
"""


@pytest.mark.parametrize(("line", "name"), [(1, ""), (2, "Net"), (3, "Net"), (7, "Net.forward"), (99, "")])
def test_name_of_the_function_around_a_line(tmp_path: Path, line: int, name: str) -> None:
    file = tmp_path / "net.py"
    file.write_text(SOURCE)
    assert real_code.function_at(file, line) == name


def found(code: str, severity: str = "warning") -> Found:
    return Found(Key(code, "net.py", "Net"), 3, "a-name", severity, "It is so.")


def test_every_error_and_latent_defect_needs_a_verdict_and_no_other_finding() -> None:
    known = {Key("CVL201", "net.py", "Net"): Verdict(true=True, why="It is.")}
    rest = [found("CVL301"), found("CVL202", "info")]
    assert real_code.judged([*rest, found("CVL201")], known) == [(found("CVL201"), *known.values())]
    with pytest.raises(LookupError, match=r"no verdict: .*CVL101.*net.py.*line 3: It is so\."):
        real_code.judged([found("CVL101"), found("CVL201")], known)


def test_a_verdict_on_nothing_is_a_failure() -> None:
    known = {Key("CVL201", "net.py", "Net"): Verdict(true=True, why="It is.")}
    with pytest.raises(LookupError, match=r"no such finding: .*CVL201"):
        real_code.judged([], known)


def test_verdicts_are_said_in_a_line() -> None:
    for key, verdict in real_code.verdicts().items():
        assert key.code.startswith(real_code.JUDGED)
        assert verdict.why.endswith(".")
        assert "\n" not in verdict.why


def test_findings_have_the_names_that_verdicts_have(tmp_path: Path) -> None:
    copied(tmp_path)
    files = sorted({key.file for key in real_code.verdicts()})
    there = {one.key for one in real_code.check(tmp_path, files) if one.needs_verdict}
    assert there == real_code.verdicts().keys()


@pytest.mark.sweep
def test_every_finding_has_a_verdict(tmp_path: Path) -> None:
    copied(tmp_path)
    real_code.judged(real_code.check(tmp_path, PARTS), real_code.verdicts())


def test_of_published_packages_every_error_needs_a_verdict_and_nothing_else() -> None:
    error, latent = found("CVL102", "error"), found("CVL203")
    known = {error.key: Verdict(true=True, why="It is.")}
    assert published.errors([latent, error], known) == [(error, known[error.key])]
    with pytest.raises(LookupError, match="no verdict"):
        published.errors([error], {})


def test_the_section_on_published_packages_says_what_was_read_and_found() -> None:
    error = found("CVL102", "error")
    read = published.Read(7, 1200, 300, 90_000, 12.3, 1_500_000_000)
    text = published.section([error], {error.key: Verdict(true=False, why="Not so.")}, read)
    assert "7 packages" in text
    assert "1,200 Python files with 90,000 lines; 300 of the files name a convolution" in text
    assert "0 of 1 are true" in text
    assert "| CVL102 | net.py:3 | It is so. | no | Not so. |" in text


def test_each_pinned_package_is_named_once_and_verdicts_are_about_them() -> None:
    names = [line.partition("==")[0] for line in published.PINS.read_text().split()]
    assert sorted(set(names)) == names
    assert {key.file.split("/")[0] for key in real_code.verdicts(published.VERDICTS)} <= set(names)
