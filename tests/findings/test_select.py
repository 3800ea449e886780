"""One finding for a cause, and the order of findings: as a program executes them, whatever order they were found in."""

from __future__ import annotations

import random

import pytest

from convlint.findings.select import joined, merged
from convlint.ir import Edit, Finding, Occurrence, Repair, Site


def error(
    line: int, step: int, *, path: str = "net.py", program: str = "net.py", code: str = "CVL102", **facts: object
) -> Finding:
    made = Finding(code, "a-name", "error", f"wrong at {line}", Site(path, line))
    return made.with_(program=program, step=step, **facts)


def advice(line: int, *, path: str = "net.py", message: str = "m", **facts: object) -> Finding:
    return Finding("CVL301", "a-name", "warning", message, Site(path, line)).with_(**facts)


def places(findings: list[Finding]) -> list[str]:
    return [f"{f.site.path}:{f.site.line}" for f in findings if f.site]


def test_errors_come_as_the_program_executes_them_before_other_findings_by_line() -> None:
    found = [advice(9), error(7, 2), error(30, 0), advice(2), error(8, 1)]
    assert places(merged(found)) == ["net.py:30", "net.py:8", "net.py:7", "net.py:2", "net.py:9"]


def test_an_error_in_another_file_stands_where_the_program_executes_it() -> None:
    found = [error(7, 1), error(3, 0, path="parts.py"), error(9, 2, path="parts.py"), advice(1, path="parts.py")]
    assert places(merged(found)) == ["parts.py:3", "net.py:7", "parts.py:9", "parts.py:1"]


def test_programs_are_not_mixed() -> None:
    found = [error(1, 1, path="b.py", program="b.py"), error(5, 0), error(9, 0, path="b.py", program="b.py")]
    assert places(merged(found)) == ["b.py:9", "b.py:1", "net.py:5"]
    first, second = error(4, 0, target="net.py:A"), error(2, 0, target="net.py:B")
    last = error(3, 1, target="net.py:A")
    assert places(merged([second, last, first])) == ["net.py:4", "net.py:3", "net.py:2"]


@pytest.mark.parametrize("seed", range(5))
def test_the_order_does_not_depend_on_the_order_in_which_files_were_checked(seed: int) -> None:
    found = [
        *(error(line, step) for step, line in enumerate((9, 4, 6))),
        *(error(line, step, path="b.py", program="b.py", code=f"CVL10{step + 1}") for step, line in enumerate((3, 3))),
        *(advice(line, path=path) for path in ("net.py", "b.py", "c.py") for line in (8, 2)),
        Finding("CVL113", "a-name", "error", "too many parameters", None, target="net.py:Net"),
    ]
    shuffled = random.Random(seed).sample(found, len(found))
    assert merged(shuffled) == merged(found)


def test_one_cause_in_several_files_is_one_finding_with_all_its_modules() -> None:
    found = [
        error(8, 0, path="block.py", program=path, module=module, occurrences=(Occurrence(path, line, module),))
        for path, line, module in (("a.py", 12, "body.norm"), ("block.py", 8, "norm"), ("b.py", 7, "head.norm"))
    ]
    (one,) = merged(found)
    assert (one.program, one.module) == ("a.py", "body.norm")  # a model has real numbers, a class alone may have none
    assert one.instances == ("body.norm", "norm", "head.norm")
    assert one.occurrences == (Occurrence("a.py", 12, "body.norm"), Occurrence("b.py", 7, "head.norm"))


def test_a_module_counts_in_the_smallest_program_that_builds_it() -> None:
    inner, outer = Occurrence("a.py", 12, "norm"), Occurrence("b.py", 3, "body.norm")
    script = Occurrence("b.py", 9, "x")
    (one,) = merged([error(8, 0, path="block.py", occurrences=(outer, inner, script))])
    assert one.occurrences == (inner, script)
    ran = tuple(Occurrence("net.py", 3, name, "net.py:Net") for name in ("norm", "body.norm"))
    (one,) = merged([error(8, 0, occurrences=ran)])
    assert one.occurrences == ran  # a run shows each module once


def test_a_module_that_the_line_itself_builds_is_an_occurrence() -> None:
    (one,) = merged([error(8, 0, occurrences=(Occurrence("net.py", 8, "norm"),))])
    assert one.occurrences == (Occurrence("net.py", 8, "norm"),)


def test_one_cause_in_several_models_is_one_finding() -> None:
    found = [
        error(8, 0, target=target, module="norm", occurrences=(Occurrence("net.py", 20, "norm", target),))
        for target in ("net.py:A", "net.py:B")
    ]
    (one,) = merged(found)
    assert [each.target for each in one.occurrences] == ["net.py:A", "net.py:B"]


def test_advice_of_several_models_is_one_finding_if_it_says_the_same() -> None:
    models = ("net.py:A", "net.py:B")
    assert len(merged([advice(8, target=target) for target in models])) == 1
    assert len(merged([advice(8, target=target, message=f"of {target}") for target in models])) == 2


def test_what_is_about_a_model_and_no_line_is_told_of_each() -> None:
    found = [Finding("CVL113", "a-name", "error", "164 parameters", None, target=target) for target in ("A", "B")]
    assert len(merged(found)) == 2


def test_modules_that_have_no_name_are_left_out_if_others_have_one() -> None:
    named, nameless = Occurrence("net.py", 3, "norm"), Occurrence("net.py", 9, "BatchNorm2d@2")
    (one,) = merged([error(8, 0, occurrences=(nameless, named))])
    assert one.occurrences == (named,)
    (other,) = merged([error(8, 0, occurrences=(nameless,))])
    assert other.occurrences == (nameless,)


def test_of_a_run_and_a_file_that_find_the_same_the_run_is_told_and_the_order_is_one() -> None:
    ran = [error(9, 0, target="net.py:Net"), error(4, 1, target="net.py:Net")]
    read = [error(4, 0), advice(2)]
    found = joined(ran, read)
    assert places(found) == ["net.py:9", "net.py:4", "net.py:2"]
    assert [f.target for f in found] == ["net.py:Net", "net.py:Net", None]


def repaired(line: int, code: str, text: str = "width", **facts: object) -> Finding:
    edit = Edit(Site("net.py", line, 5, line, 9), text)
    made = Finding(code, "a-name", "error", "wrong", Site("net.py", line, 1))
    return made.with_(repairs=(Repair("replace", (edit,), "static", "it runs"),), **facts)


def test_errors_with_the_same_repair_have_one_cause() -> None:
    ran = repaired(8, "CVL102", program="net.py", step=0, module="a.norm")
    alone = repaired(8, "CVL103", module="norm").with_(site=Site("net.py", 8, 3))
    (one,) = merged([alone, ran])
    assert (one.code, one.module) == ("CVL102", "a.norm")
    assert len(merged([alone, ran, repaired(9, "CVL102", module="b")])) == 2


def test_what_fails_for_some_arguments_is_not_told_beside_an_error_with_that_repair() -> None:
    latent = repaired(8, "CVL201", severity="warning")
    error_there = repaired(8, "CVL103", program="net.py", step=0)
    assert [f.code for f in merged([latent, error_there])] == ["CVL103"]
    assert [f.code for f in merged([latent])] == ["CVL201"]
    assert [f.code for f in joined([error_there], [latent])] == ["CVL103"]
