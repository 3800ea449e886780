"""The witness: a suspected class is really built with other numbers, beside a control that works."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import torch

from convlint.findings import confirm
from convlint.ir import Argument, Claim, Edit, Finding, Instantiation, Proof, Site, Trial, Witness
from convlint.pipelines import run_models
from convlint.runtime.counterexample.arguments import snapshot, text
from convlint.runtime.counterexample.call_again import CannotCallError, class_call
from convlint.runtime.worker.client import Worker
from convlint.settings.input_shapes import InputSpec
from convlint.settings.jobs import Job
from convlint.settings.targets import parse_target

FIXTURES = Path(__file__).parents[2] / "fixtures"
HEAD = "import time\nimport torch\nfrom torch import nn\n"
BLOCK = """
class Block(nn.Module):
    def __init__(self, in_planes, out_planes):
        super().__init__()
        self.conv = nn.Conv2d(in_planes, out_planes, 3, padding=1)
        self.norm = nn.BatchNorm2d(in_planes)
    def forward(self, x):
        return self.norm(self.conv(x))
"""


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    with Worker() as started:
        yield started


@dataclass
class Checked:
    """The 2xx findings on a source, before and after their proof."""

    worker: Worker
    file: Path
    suspected: list[Finding] = field(default_factory=list)
    proved: list[Finding] = field(default_factory=list)

    def __call__(self, source: str, call: str, *shapes: tuple[int, ...]) -> Checked:
        self.run(source, call, *shapes)
        self.proved = confirm.confirmed(self.suspected, self.worker.prove)
        return self

    def run(self, source: str, call: str, *shapes: tuple[int, ...]) -> None:
        self.file.write_text(HEAD + source, encoding="utf-8")
        job = Job(parse_target(f"{self.file}:{call}"), tuple(map(InputSpec, shapes)), timeout=60)
        answer = self.worker.run(job)
        assert not answer.problems
        assert answer.graph is not None
        self.suspected = [f for f in run_models.findings(answer.graph) if f.claim is not None]

    @property
    def witness(self) -> Witness | None:
        (finding,) = self.proved
        return finding.witness


@pytest.fixture
def check(worker: Worker, tmp_path: Path) -> Checked:
    return Checked(worker, tmp_path / "net.py")


def forward(file: Path, call: str, given: str) -> Any:
    """What PyTorch makes of a call and an input that a witness names."""
    names: dict[str, Any] = {"__name__": "net"}
    exec(compile(file.read_text(encoding="utf-8"), str(file), "exec"), names)  # noqa: S102
    model = eval(call, names).eval()  # noqa: S307
    return model(torch.zeros([int(size) for size in given.split("x")]))


def edited(source: str, edit: Edit) -> str:
    lines = source.splitlines(keepends=True)
    line, site = lines[edit.site.line - 1], edit.site
    lines[site.line - 1] = line[: site.column - 1] + edit.text + line[site.end_column - 1 :]
    return "".join(lines)


# --- the flagship


def test_gdconv_that_runs_fine_fails_with_other_numbers(check: Checked, tmp_path: Path) -> None:
    source = (FIXTURES / "gdconv.py").read_text(encoding="utf-8")
    check.file.write_text(source, encoding="utf-8")
    check(source.removeprefix(HEAD), "GDConv(64, 64, 224, 0)", (64, 224, 224))
    norm = next(f for f in check.proved if f.code == "CVL201")
    assert (norm.severity, norm.confidence) == ("error", "high")
    assert norm.witness == Witness(
        "GDConv(2, 4, 7, 0)",
        ("1x2x7x7",),
        "RuntimeError: running_mean should contain 4 elements not 2",
        "GDConv(2, 2, 7, 0)",
    )
    with pytest.raises(RuntimeError, match="running_mean should contain 4 elements not 2"):
        forward(check.file, norm.witness.call, norm.witness.inputs[0])
    assert forward(check.file, norm.witness.control, norm.witness.inputs[0]) is not None

    assert norm.fix is not None
    (edit,) = norm.fix.edits
    check.file.write_text(edited(check.file.read_text("utf-8"), edit), encoding="utf-8")
    assert forward(check.file, norm.witness.call, norm.witness.inputs[0]) is not None


def test_its_groups_are_shown_too_and_stay_an_info(check: Checked) -> None:
    source = (FIXTURES / "gdconv.py").read_text(encoding="utf-8")
    check(source, "GDConv(64, 64, 7, 0)", (64, 7, 7))
    groups = next(f for f in check.proved if f.code == "CVL202")
    assert (groups.severity, groups.confidence) == ("info", "high")
    assert groups.witness is not None
    assert groups.witness.call == "GDConv(4, 2, 7, 0)"
    assert groups.witness.inputs == ()  # the constructor refuses it
    assert groups.witness.error == "ValueError: out_channels must be divisible by groups"


def test_mobilefacenet_has_this_bug_and_no_other(worker: Worker) -> None:
    target = parse_target(f"{FIXTURES / 'mobilefacenet.py'}:MobileFaceNet")
    graph = worker.run(Job(target, (InputSpec((3, 112, 112)),))).graph
    assert graph is not None
    latent = [f for f in run_models.findings(graph) if f.code.startswith("CVL2")]
    found = confirm.confirmed(latent, worker.prove)
    assert {Path(f.site.path).name for f in found if f.site} == {"gdconv.py"}
    (norm,) = [f for f in found if f.code == "CVL201"]
    assert norm.witness is not None  # the class sits in a larger model, and is built alone
    assert norm.witness.call == "GDConv(2, 4, 7, 0)"


# --- how the class is called


CALLED = {
    "in a larger model": (
        BLOCK + "def Net():\n    return nn.Sequential(nn.Conv2d(16, 64, 3), Block(64, 64))\n",
        "Net",
        "Block(4, 2)",
    ),
    "by keyword": (BLOCK, "Block(out_planes=16, in_planes=16)", "Block(out_planes=2, in_planes=4)"),
    "a default": (
        BLOCK.replace("in_planes, out_planes)", "in_planes=16, out_planes=16)", 1),
        "Block()",
        "Block(in_planes=4, out_planes=2)",
    ),
    "numbers in a list": (
        BLOCK.replace("in_planes, out_planes)", "widths)", 1)
        .replace("in_planes", "widths[0]")
        .replace("out_planes", "widths[1]"),
        "Block([16, 16])",
        "Block([4, 2])",
    ),
    "variable arguments": (
        BLOCK.replace("in_planes, out_planes)", "*widths)", 1)
        .replace("in_planes", "widths[0]")
        .replace("out_planes", "widths[1]"),
        "Block(16, 16)",
        "Block(4, 2)",
    ),
    "a class inside a class": (
        "class Outer:\n" + BLOCK.replace("\n", "\n    "),
        "Outer.Block(16, 16)",
        "Outer.Block(4, 2)",
    ),
    "a subclass without a constructor": (BLOCK + "class Wide(Block):\n    pass\n", "Wide(16, 16)", "Wide(4, 2)"),
    "an argument that is no literal and has a default": (
        BLOCK.replace("in_planes, out_planes)", "in_planes, out_planes, act=nn.ReLU())", 1)
        + "def Net():\n    return Block(16, 16, nn.GELU())\n",
        "Net",
        "Block(4, 2)",
    ),
    "a class as an argument": (
        BLOCK.replace("out_planes)", "out_planes, norm)", 1).replace("nn.BatchNorm2d", "norm")
        + "def Net():\n    return Block(16, 16, nn.BatchNorm2d)\n",
        "Net",
        "Block(4, 2, BatchNorm2d)",
    ),
    "widths that must divide": (BLOCK.replace("nn.BatchNorm2d(", "nn.GroupNorm(8, "), "Block(16, 16)", "Block(16, 8)"),
    "a check on small numbers": (
        BLOCK.replace("super().__init__()", "super().__init__()\n        assert in_planes > 15 and out_planes > 15"),
        "Block(16, 16)",
        "Block(32, 16)",
    ),
    "prints, and a slow constructor": (
        BLOCK.replace("super().__init__()", "super().__init__()\n        print('x' * 100_000)"),
        "Block(16, 16)",
        "Block(4, 2)",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize(("source", "works", "fails"), CALLED.values(), ids=CALLED)
def test_the_class_is_built_as_it_was_called(
    source: str, works: str, fails: str, check: Checked, capfd: pytest.CaptureFixture[str]
) -> None:
    check(source, works, (16, 8, 8))
    capfd.readouterr()
    (suspected,) = check.suspected
    (proved,) = confirm.confirmed([suspected], check.worker.prove)
    assert proved.witness is not None
    assert proved.witness.call == fails
    assert proved.severity == "error"
    assert capfd.readouterr() == ("", "")


def test_two_inputs_get_the_channels_that_each_needs(check: Checked) -> None:
    check(
        """
class Up(nn.Module):
    def __init__(self, low, skip, out):
        super().__init__()
        self.up = nn.ConvTranspose2d(low, skip, 2, stride=2)
        self.conv = nn.Conv2d(2 * skip, out, 3, padding=1)
        self.norm = nn.BatchNorm2d(skip)
    def forward(self, x, other):
        return self.norm(self.conv(torch.cat([self.up(x), other], 1)))
""",
        "Up(32, 16, 16)",
        (32, 8, 8),
        (16, 16, 16),
    )
    assert check.witness is not None
    assert check.witness.inputs == ("1x32x8x8", "1x4x16x16")
    assert check.witness.call == "Up(32, 4, 2)"


# --- what is no proof


def test_a_class_that_takes_other_numbers_after_all_is_not_reported(check: Checked) -> None:
    check(
        BLOCK.replace("return", "self.norm.num_features\n        return").replace(
            "nn.BatchNorm2d(in_planes)", "nn.BatchNorm2d(in_planes, affine=False, track_running_stats=False)"
        ),
        "Block(16, 16)",
        (16, 8, 8),
    )
    assert len(check.suspected) == 1
    assert check.proved == []


def test_a_class_that_refuses_other_numbers_in_its_own_words_is_not_reported(check: Checked) -> None:
    check(
        BLOCK.replace(
            "super().__init__()",
            "super().__init__()\n        if str(in_planes) != str(out_planes):\n"
            "            raise ValueError('this block keeps the width')",
        ),
        "Block(16, 16)",
        (16, 8, 8),
    )
    assert len(check.suspected) == 1
    assert check.proved == []


def test_a_failure_anywhere_else_proves_nothing(check: Checked) -> None:
    source = BLOCK.replace("self.norm = nn", "self.other = nn.Linear(in_planes, 3)\n        self.norm = nn").replace(
        "return", "self.other(torch.zeros(1, self.conv.weight.numel() // (9 * in_size(x))))\n        return"
    )
    check(source + "def in_size(x):\n    return x.shape[1]\n", "Block(16, 16)", (16, 8, 8))
    (finding,) = check.proved
    assert finding.witness is None
    assert (finding.severity, finding.confidence) == ("warning", "medium")


@pytest.mark.slow
@pytest.mark.parametrize(
    "deed",
    [
        "while out_planes < 16: pass",
        "if out_planes < 16: __import__('os')._exit(3)",
        "if out_planes < 16: raise SystemExit",
    ],
)
def test_what_other_numbers_do_harms_nobody(deed: str, check: Checked) -> None:
    check.run(BLOCK.replace("super().__init__()", f"super().__init__()\n        {deed}"), "Block(16, 16)", (16, 8, 8))
    (finding,) = check.suspected
    assert finding.claim is not None
    few = replace(finding.claim, trials=finding.claim.trials[:1])
    proof = check.worker.prove(few, timeout=8)
    assert proof.verdict == "unknown"
    assert proof.reason


def test_a_claim_needs_a_class_that_can_be_named_from_outside(check: Checked) -> None:
    check("def Net():\n" + BLOCK.replace("\n", "\n    ") + "\n    return Block(16, 16)\n", "Net", (16, 8, 8))
    assert check.suspected == []


# --- from a file that was only read


def claim(file: Path, *trials: Trial, **changes: Any) -> Claim:
    """What source mode knows of ``BLOCK``: the class, an example of each parameter, the norm's line."""
    line = next(n for n, s in enumerate(file.read_text().splitlines(), 1) if "BatchNorm" in s)
    arguments = (Argument("in_planes", "8", positional=True), Argument("out_planes", "8"))
    made = Claim(str(file), "Block", arguments, trials, (Site(str(file), line, 21),))
    return replace(made, **changes)


UNEQUAL = Trial(
    Instantiation((("in_planes", 4), ("out_planes", 2))), Instantiation((("in_planes", 2), ("out_planes", 2)))
)
EQUAL = Trial(
    Instantiation((("in_planes", 4), ("out_planes", 4))), Instantiation((("in_planes", 2), ("out_planes", 2)))
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "net.py"
    path.write_text(HEAD + BLOCK, encoding="utf-8")
    return path


def test_a_claim_about_a_file_is_proved_without_a_run(file: Path, worker: Worker) -> None:
    proof = worker.prove(claim(file, UNEQUAL))
    assert proof.verdict == "fails"
    assert proof.witness is not None
    assert proof.witness.call == "Block(4, 2)"
    assert proof.witness.inputs == ("1x4x7x7",)


def test_what_the_class_needs_beside_is_made_up(tmp_path: Path, worker: Worker) -> None:
    file = tmp_path / "net.py"
    text = BLOCK.replace("out_planes)", "out_planes, kernel_size, padding, stride=1)", 1)
    file.write_text(HEAD + text.replace("3, padding=1", "kernel_size, stride, padding"), "utf-8")
    proof = worker.prove(claim(file, UNEQUAL, arguments=(Argument("stride", "1"),)))
    assert proof.witness is not None
    assert proof.witness.call == "Block(4, 2, 3, 1)"


def test_numbers_that_work_refute_it(file: Path, worker: Worker) -> None:
    assert worker.prove(claim(file, EQUAL)).verdict == "works"


def test_a_failure_at_another_line_is_not_the_one_that_was_claimed(file: Path, worker: Worker) -> None:
    elsewhere = claim(file, UNEQUAL, sites=(Site(str(file), 8, 21),))
    assert worker.prove(elsewhere).verdict == "unknown"


def test_a_wrong_argument_proves_nothing(file: Path, worker: Worker) -> None:
    proof = worker.prove(claim(file, UNEQUAL, arguments=(Argument("depth", "3"),)))
    assert proof == Proof("unknown", reason="Block: got an unexpected keyword argument 'depth'")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("import nothing_of_that_name\n", "net.py cannot be imported: ModuleNotFoundError"),
        ("def Block(): pass\n", "Block is not a subclass of nn.Module"),
        ("def broken(:\n", "net.py cannot be imported"),
    ],
)
def test_a_file_without_the_class_says_why(text: str, reason: str, file: Path, worker: Worker) -> None:
    asked = claim(file, UNEQUAL)
    file.write_text(text, encoding="utf-8")
    proof = worker.prove(asked)
    assert proof.verdict == "unknown"
    assert reason in proof.reason


def test_nothing_is_written_beside_the_file(file: Path, worker: Worker) -> None:
    worker.prove(claim(file, UNEQUAL))
    assert [path.name for path in file.parent.iterdir()] == ["net.py"]


# --- what becomes of findings


def finding(asked: Claim | None, severity: Any = "warning") -> Finding:
    return Finding("CVL203", "x", severity, "x", None, "medium", claim=asked)


WITNESS = Witness("Net(2, 4)", ("1x2x7x7",), "RuntimeError: no", "Net(2, 2)")
ASKED = Claim("net.py", "Net", (), (UNEQUAL,), (Site("net.py", 1),))


def says(proof: Proof) -> Callable[[Claim], Proof]:
    return lambda _: proof


def test_with_a_witness_it_is_an_error() -> None:
    (proved,) = confirm.confirmed([finding(ASKED)], says(Proof("fails", WITNESS)))
    assert (proved.severity, proved.confidence, proved.witness) == ("error", "high", WITNESS)


def test_an_info_stays_one() -> None:
    (proved,) = confirm.confirmed([finding(ASKED, "info")], says(Proof("fails", WITNESS)))
    assert (proved.severity, proved.witness) == ("info", WITNESS)


def test_what_is_refuted_is_dropped() -> None:
    assert confirm.confirmed([finding(ASKED)], says(Proof("works"))) == []


@pytest.mark.parametrize("runs", [says(Proof("unknown")), None])
def test_what_is_not_proved_stays_a_suspicion_or_is_nothing(runs: Callable[[Claim], Proof] | None) -> None:
    suspicion, plain = finding(ASKED), finding(None)
    needy = finding(replace(ASKED, needed=True))
    assert confirm.confirmed([suspicion, plain, needy], runs) == [suspicion, plain]


def test_one_claim_is_proved_once() -> None:
    asked: list[Claim] = []

    def runs(claim: Claim) -> Proof:
        asked.append(claim)
        return Proof("fails", WITNESS)

    assert len(confirm.confirmed([finding(ASKED), finding(ASKED)], runs)) == 2
    assert asked == [ASKED]


# --- arguments as source text


@pytest.mark.parametrize("value", [3, -1.5, "a'b", True, None, (1, [2, "x"]), {"k": (1,)}, b"x", 2 + 3j])
def test_a_plain_value_is_a_literal(value: Any) -> None:
    written = text(snapshot(value))
    assert written is not None
    assert ast.literal_eval(written) == value


def test_a_class_or_function_is_a_dotted_name() -> None:
    assert text(snapshot(torch.nn.ReLU)) == "torch.nn.modules.activation.ReLU"
    assert text(snapshot(torch.nn.functional.silu)) == "torch.nn.functional.silu"
    assert text(snapshot(lambda x: x)) is None


@pytest.mark.parametrize("value", [torch.nn.ReLU(), [torch.zeros(1)], float("nan"), ["x" * 3000]])
def test_anything_else_has_no_text(value: Any) -> None:
    assert text(snapshot(value)) is None


def test_a_list_is_noted_as_it_was() -> None:
    widths = [1, 2]
    kept = snapshot(widths)
    widths.clear()
    assert text(kept) == "[1, 2]"


class Sample(torch.nn.Module):
    def __init__(self, a: int, b: tuple[int, ...] = (1, 2), *rest: int, c: int = 0) -> None:
        super().__init__()


@pytest.mark.parametrize(
    ("arguments", "numbers", "shown"),
    [
        ([("a", "1", True)], (("a", 2),), "Sample(2)"),
        ([("a", "1", True)], (("b[1]", 5),), "Sample(1, b=(1, 5))"),
        ([("a", "1", True), ("b", None, True), ("c", "4", False)], (), "Sample(1, c=4)"),
        ([("a", "1", True), ("b", "(3,)", True), ("rest[0]", "7", True)], (("rest[0]", 8),), "Sample(1, (3,), 8)"),
        ([("a", "torch.nn.ReLU", True)], (("c", 1),), "Sample(ReLU, c=1)"),
    ],
)
def test_a_call_is_made_again_with_other_numbers(
    arguments: list[tuple[str, str | None, bool]], numbers: Any, shown: str
) -> None:
    assert class_call(Sample, [Argument(*a) for a in arguments], numbers).text == shown


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ([], "missing a required argument: 'a'"),
        ([("a", None, True)], "missing a required argument: 'a'"),
        ([("a", "no.such.name", True)], "no.such.name was not found"),
        ([("a", "1", True), ("b", None, True), ("rest[0]", "7", True)], r"before \*args"),
    ],
)
def test_a_call_that_cannot_be_made_again_says_why(arguments: list[tuple[str, str | None, bool]], reason: str) -> None:
    with pytest.raises(CannotCallError, match=reason):
        class_call(Sample, [Argument(*a) for a in arguments], ())
