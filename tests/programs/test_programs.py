"""Random programs: the generator keeps its word, and source mode agrees with PyTorch about them."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from bench import differential
from bench.differential import Alarm, Verdict
from tests.programs.generator import Outcome, Program, programs, random_program, run_with_pytorch

SEEDS = range(200)
FAILED = Outcome("RuntimeError", "Given groups=1, weight of size ...", lines=(12, 9), built=(2, 11))


def test_a_program_without_a_change_runs() -> None:
    for seed in SEEDS:
        program = random_program(seed, mutated=False)
        outcome = run_with_pytorch(program)
        assert outcome.ran, f"seed {seed}: {outcome}\n{program.source}"
        assert (program.line, program.mutation) == (None, "")


@pytest.mark.slow
def test_a_changed_number_mostly_fails_where_it_is_named() -> None:
    changed = [random_program(seed, mutated=True) for seed in SEEDS]
    outcomes = [run_with_pytorch(program) for program in changed]
    failed = [outcome for outcome in outcomes if not outcome.ran]
    assert len(failed) > 0.6 * len(changed)
    assert all(outcome.lines for outcome in failed)
    assert all(outcome.error in {"RuntimeError", "ValueError"} for outcome in failed), failed
    for program in changed:
        assert program.line is not None
        assert program.mutation
        assert 1 <= program.line <= len(program.source.splitlines())


@pytest.mark.slow
def test_about_half_of_all_run() -> None:
    ran = sum(run_with_pytorch(random_program(seed)).ran for seed in SEEDS)
    assert 0.4 * len(SEEDS) < ran < 0.7 * len(SEEDS)


def test_a_change_is_one_number() -> None:
    """Apart from one line a changed program is the valid one of the same seed."""
    one, other = (random_program(3, mutated=mutated).source for mutated in (False, True))
    pairs = zip(one.splitlines(), other.splitlines(), strict=True)
    assert sum(left != right for left, right in pairs) == 1


def test_a_class_is_built_with_its_defaults_where_it_has_them() -> None:
    classes = "class Net:\n    def __init__(self, n=8): ...\nclass Block:\n    def __init__(self, n): Net(3)\n"
    program = Program(f"{classes}Net(4)(x), Block(2)\n", "", line=None)
    assert differential.with_defaults(program).source == f"{classes}Net()(x), Block(2)\n"


def test_a_seed_is_a_program() -> None:
    assert random_program(7) == random_program(7)


def test_they_vary() -> None:
    drawn = [random_program(seed) for seed in SEEDS]
    assert len({program.source for program in drawn}) == len(drawn)
    assert len({skeleton(program) for program in drawn}) > 0.95 * len(drawn)
    styles = Counter(style for program in drawn for style in program.styles)
    assert len(styles) > 30
    assert len({program.mutation for program in drawn}) > 15
    text = "\n".join(program.source for program in drawn)
    for word in ("Conv1d", "Conv3d", "ConvTranspose2d", "dilation=", "groups=", '"same"', "F.", "n."):
        assert word in text


def skeleton(program: Program) -> str:
    """A program's structure without its numbers and names."""
    nodes = ast.walk(ast.parse(program.source))
    return " ".join(type(node).__name__ for node in nodes)


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(programs(mutated=False))
def test_the_strategy_gives_programs_that_run(program: Program) -> None:
    assert run_with_pytorch(program).ran


@pytest.mark.parametrize(
    ("outcome", "alarms", "state"),
    [
        (Outcome(), [], "silent"),
        (Outcome(), [("CVL102", "error", 3)], "false alarm"),
        (Outcome(), [("CVL111", "warning", 3), ("CVL201", "warning", 4)], "silent"),
        (FAILED, [("CVL102", "error", 9)], "found"),  # on the traceback
        (FAILED, [("CVL102", "error", 2)], "found"),  # where the layer was built
        (FAILED, [("CVL102", "error", 5)], "found"),  # where the number was changed
        (FAILED, [("CVL102", "error", 4)], "misplaced"),
        (FAILED, [("CVL205", "warning", 9)], "missed"),
        (FAILED, [], "missed"),
        (Outcome("ValueError", "Expected more than 1 value per channel", (9,)), [], "not about shapes"),
    ],
)
def test_a_verdict(outcome: Outcome, alarms: list[tuple[str, str, int]], state: str) -> None:
    program = Program("", "", line=None if outcome.ran else 5)
    found = tuple(Alarm(code, severity, line, "") for code, severity, line in alarms)
    assert Verdict(0, program, outcome, found, seconds=0.0).state == state


@pytest.mark.slow
def test_source_mode_agrees_with_pytorch(tmp_path: Path) -> None:
    agree(differential.judge_all(range(300)), tmp_path)


@pytest.mark.sweep
def test_source_mode_agrees_with_pytorch_on_many(tmp_path: Path) -> None:
    agree(list(differential.measure(5000, seed=10_000)), tmp_path)


def agree(verdicts: Sequence[Verdict], folder: Path) -> None:
    """No false alarm and hardly a miss; the programs to look at are written to ``folder``."""
    crashed, wrong = chosen(verdicts, "crash"), chosen(verdicts, "false alarm")
    missed = [*chosen(verdicts, "missed"), *chosen(verdicts, "misplaced")]
    looked_at = [*crashed, *wrong, *missed[:20]]
    for verdict in looked_at:
        (folder / f"program_{verdict.seed}.py").write_text(verdict.program.source, encoding="utf-8")
    said = "\n\n".join([*map(str, looked_at), str(folder), differential.summary(verdicts)])
    assert not crashed, said
    assert not wrong, said
    assert differential.recall(verdicts) >= 0.95, said


def chosen(verdicts: Iterable[Verdict], state: str) -> list[Verdict]:
    return [verdict for verdict in verdicts if verdict.state == state]
