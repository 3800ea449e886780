"""The command line from end to end: every bad input one clear line, results on stdout, the right exit code."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import Any, cast

import pytest
import torch

from convlint import cli
from convlint.runtime.worker.client import Worker

NET = """
import sys
from dataclasses import dataclass
from typing import NamedTuple
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, width=4):
        super().__init__()
        self.conv = nn.Conv2d(3, width, 3)
    def forward(self, x):
        print("the model prints")
        return self.conv(x)

class Needs(Net):
    def __init__(self, width, depth):
        super().__init__(width)

class ByName(Net):
    def forward(self, *, x):
        return super().forward(x)

class Yields(Net):
    def forward(self, x):
        yield super().forward(x)

class Raises(Net):
    def forward(self, x):
        y = self.conv(x)
        return self.inner(y)
    def inner(self, y):
        raise KeyError("the key")

class RaisesBuilt(Net):
    def __init__(self):
        super().__init__()
        raise LookupError("in the constructor")

class Nothing(Net):
    def forward(self, x):
        self.conv(x)

class Number(Net):
    def forward(self, x):
        return 3

class Empty(nn.Module):
    def forward(self, x):
        return x

class Dense(nn.Module):
    def __init__(self):
        super().__init__()
        self.dense = nn.Linear(8, 2)
    def forward(self, x):
        return self.dense(x)

class Two(Net):
    def forward(self, x, mask):
        assert mask.dtype == torch.int64, mask.dtype
        return self.conv(x) * mask.sum()

@dataclass
class Result:
    features: torch.Tensor
    note: str

class Pair(NamedTuple):
    left: torch.Tensor
    right: torch.Tensor

class Outputs(Net):
    def forward(self, x):
        y = self.conv(x)
        return {"a": y, "b": (y + 1, [y + 2]), "c": Result(y + 3, "n"), "d": Pair(y + 4, y + 5)}

class Example(Net):
    def __init__(self):
        super().__init__()
        self.example_input_array = torch.zeros(2, 3, 10, 12)

def factory(width):
    return Net(width)

def no_model():
    return [Net()]

instance = Net()
number = 3
class Other: pass
"""

WARNED = """
from torch import nn

class Warned(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 1, padding=1)
    def forward(self, x):
        return self.conv(x)
"""

BROKEN = """
from torch import nn

class Broken(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, bias=False)
        self.norm = nn.BatchNorm2d(9)
    def forward(self, x):
        return self.norm(self.conv(x))
"""

FILES = {
    "net.py": NET,
    "warned.py": WARNED,
    "broken.py": BROKEN,
    "bad_import.py": "import torch\nimport no_such_thing\n",
    "bad_value.py": "def f():\n    raise ValueError('at import')\nf()\n",
    "bad_syntax.py": "x = 1\ndef f(:\n",
    "pack/__init__.py": "",
    "pack/wide.py": "WIDTH = 5\n",
    "deep/net.py": "from torch import nn\nfrom pack.wide import WIDTH\ndef net(): return nn.Conv2d(3, WIDTH, 3)\n",
    "pack/net.py": """
from torch import nn
from .wide import WIDTH
def net(): return nn.Conv2d(3, WIDTH, 3)
""",
}


@dataclass(frozen=True)
class Result:
    """What a command gave."""

    code: int
    out: str
    err: str

    @property
    def both(self) -> str:
        return self.out + self.err


Convlint = Callable[..., Result]


class Kept:
    """A worker that outlives the command, so that torch is loaded once for all tests."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self.run = worker.run

    def __enter__(self) -> Worker:
        return self._worker

    def __exit__(self, *_: object) -> None: ...


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The working directory of all tests: the worker's is the one that it was started in."""
    folder = tmp_path_factory.mktemp("project")
    for name, text in FILES.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    (folder / "latin.py").write_bytes(b"x = 1\n# caf\xe9\n")
    (folder / "text.pt").write_text("these are no tensors")
    torch.save(torch.zeros(1, 3, 9, 9), folder / "one.pt")
    torch.save({"x": torch.zeros(1, 3, 9, 9), "mask": torch.ones(2, dtype=torch.int64)}, folder / "two.pt")
    torch.save(torch.zeros(0, 3, 9, 9), folder / "empty.pt")
    with contextlib.chdir(folder):
        yield folder


@pytest.fixture(scope="module")
def worker(here: Path) -> Iterator[Worker]:
    del here
    with Worker() as one:
        yield one


@pytest.fixture
def convlint(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> Convlint:
    """Runs the command line as ``convlint ...`` does."""

    def run(*arguments: str) -> Result:
        out, err = io.StringIO(), io.StringIO()
        monkeypatch.setattr(sys, "argv", ["convlint", *arguments])
        with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as ended:
            cli.main(cast("Worker", Kept(worker)))
        assert isinstance(ended.value.code, int)
        return Result(ended.value.code, out.getvalue(), err.getvalue())

    return run


def shell(*arguments: str, folder: Path | None = None) -> Result:
    """The same in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "convlint", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return Result(done.returncode, done.stdout, done.stderr)


# --- bad input: one clear line, exit code 2, no traceback

INPUT = ("--input", "3,8,8")
BAD = {
    "missing file": (("nett.py:Net",), "nett.py does not exist; did you mean net.py?"),
    "missing folder": (("no/where.py:Net",), "no/where.py does not exist"),
    "missing module": (("no_such.module:Net",), "no module named 'no_such'"),
    "unknown name": (("net.py:Nett",), "net.py has no Nett; did you mean Net"),
    "a number": (("net.py:number",), "number is of type int, which is not a model and cannot build one"),
    "another class": (("net.py:Other",), "Other is not a subclass of nn.Module"),
    "a factory of no model": (("net.py:no_model",), "returned an object of type list, not an nn.Module"),
    "missing arguments": (
        ("net.py:Needs",),
        "Needs needs width and depth; pass them as 'net.py:Needs(width=..., depth=...)'",
    ),
    "one missing argument": (("net.py:Needs(4)",), "Needs needs depth; pass them as 'net.py:Needs(4, depth=...)'"),
    "an unknown argument": (("net.py:Net(wide=4)",), "unexpected keyword argument 'wide'; its signature is (width=4)"),
    "arguments for an instance": (("net.py:instance(4)",), "it takes no arguments"),
    "no literal": (("net.py:Net(2 * WIDTH)",), "argument 1 of Net is `2 * WIDTH`, which is not a literal"),
    "a call": (("net.py:Net(width=open('x'))",), "has no 'open', which an argument names"),
    "a name that is nearly right": (
        ("net.py:Net(width=Nett())",),
        "has no 'Nett', which an argument names; did you mean Net?",
    ),
    "an open parenthesis": (("net.py:Net(4",), "the parenthesis after Net is not closed"),
    "no file or folder": (("net",), "no such file or directory; did you mean net.py?"),
    "too many inputs": (("net.py:Net", *INPUT, *INPUT), "forward takes (x), but --input has 2 inputs"),
    "too few inputs": (("net.py:Two", *INPUT), "forward takes (x, mask), but --input has 1 input"),
    "no inputs for two": (("net.py:Two",), "--input x=... --input mask=..."),
    "an unknown input": (("net.py:Net", "--input", "y=3,8,8"), "forward takes (x)"),
    "too few sizes": (("net.py:Net", "--input", "8,8"), "its Conv2d `conv` expects 3,H,W"),
    "a zero size": (("net.py:Net", "--input", "3,0,8"), "size 0 would make an input without values"),
    "a negative size": (("net.py:Net", "--input", "3,-1,8"), "size -1 would make an input without values"),
    "no size": (("net.py:Net", "--input", "3,x,8"), "'x' is not a size"),
    "an import that fails": (("bad_import.py:Net",), "bad_import.py:2: ", "No module named 'no_such_thing'"),
    "an import that raises": (("bad_value.py:Net",), "bad_value.py:2: ", "ValueError: at import"),
    "a syntax error": (("bad_syntax.py:Net",), "bad_syntax.py:2: ", "invalid syntax"),
    "not UTF-8": (("latin.py:Net",), "latin.py:", "not UTF-8"),
    "no tensors in a file": (("net.py:Net", "--input-file", "text.pt"), "input file text.pt"),
    "no input file": (("net.py:Net", "--input-file", "no.pt"), "input file no.pt does not exist"),
    "no values in a file": (("net.py:Net", "--input-file", "empty.pt"), "is empty"),
    "half an old name": (("net.py", "--prov"), "No such option: --prov (see convlint check --help)"),
    "half a new name": (("net.py", "--confrm"), "No such option: --confrm; did you mean '--confirm'?"),
    "an unknown dtype": (("net.py:Net", "--dtype", "flot32"), "'flot32' is unknown; did you mean 'float32'?"),
    "a dtype of indices": (("net.py:Net", "--dtype", "int64"), "--dtype 'int64' is unknown"),
    "an unknown dtype of an input": (("net.py:Net", "--input", "3,8,8:itn64"), "did you mean 'int64'?"),
    "an unknown device": (("net.py:Net", "--device", "cdua"), "did you mean 'cuda'?"),
    "an unknown column": (("net.py:Net", "--columns", "name,parms"), "did you mean params?"),
    "an unknown column to sort by": (("net.py:Net", "--sort", "parms"), "did you mean params?"),
    "an unknown code": (("net.py:Net", "--select", "CVL399"), "no rule has the code 'CVL399'; did you mean"),
    "an unknown code to ignore": (("net.py:Net", "--ignore", "XYZ"), "no rule has the code 'XYZ'"),
    "an unknown unit": (("net.py:Net", "--max-memory", "4parsecs"), "'parsecs' is not a unit"),
    "an unknown budget": (("net.py:Net", "--max-params", "many"), "--max-params 'many' is not a number"),
    "an unknown severity": (("net.py:Net", "--fail-on", "wrning"), "did you mean 'warning'?"),
    "an unknown option": (("net.py:Net", "--dvice", "cpu"), "--device"),
    "an unknown option to summary": (("net.py:Net", "--frobnicate"), "No such option: --frobnicate"),
    "no batch": (("net.py:Net", "--batch-size", "0"), "--batch-size"),
    "nothing": ((), "nothing to check"),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_clear_line(convlint: Convlint, case: str) -> None:
    arguments, *expected = BAD[case]
    result = convlint("check", *arguments)
    assert result.code == 2, result
    line = result.err.rstrip("\n") or result.out.splitlines()[0]
    assert "\n" not in line
    assert all(text in line for text in expected)
    assert len(line) < 300
    assert "Traceback" not in result.both
    assert 'File "' not in result.both
    assert "No findings" not in result.out


@pytest.mark.parametrize("command", ["check", "summary"])
def test_a_traceback_is_shown_where_it_is_asked_for(convlint: Convlint, command: str) -> None:
    assert "Traceback" not in convlint(command, "bad_value.py:Net").both
    assert "Traceback" in convlint(command, "bad_value.py:Net", "--traceback").err


def test_a_failed_forward_has_a_traceback_too(convlint: Convlint) -> None:
    arguments = ("check", "net.py:Raises", *INPUT)
    assert "Traceback" not in convlint(*arguments).both
    assert "in forward" in convlint(*arguments, "--traceback").err


def test_an_unknown_command_names_the_nearest(convlint: Convlint) -> None:
    result = convlint("chek")
    assert result.code == 2
    assert "Did you mean 'check'?" in result.err


# --- models that fail are findings


def test_a_forward_that_raises_is_a_finding_at_the_deepest_line(convlint: Convlint) -> None:
    result = convlint("check", "net.py:Raises", *INPUT)
    line = NET.splitlines().index('        raise KeyError("the key")') + 1
    assert result.code == 1
    assert f"net.py:{line}:9: CVL190 error [forward-failed]" in result.out
    assert "the key" in result.out
    assert "Conv2d" in result.out  # the table up to there
    assert "Traceback" not in result.both


def test_a_constructor_that_raises_is_a_finding(convlint: Convlint) -> None:
    result = convlint("check", "net.py:RaisesBuilt", *INPUT)
    assert result.code == 1
    assert "CVL190" in result.out
    assert "in the constructor" in result.out
    assert "Traceback" not in result.both


def test_channels_that_do_not_fit_are_a_finding(convlint: Convlint) -> None:
    result = convlint("check", "broken.py:Broken", *INPUT)
    assert result.code == 1
    assert "CVL103 error" in result.out


def test_a_model_that_returns_nothing_is_a_problem(convlint: Convlint) -> None:
    result = convlint("check", "net.py:Nothing", *INPUT)
    assert result.code == 2
    assert "forward returned None; is a return statement missing?" in result.out


def test_a_model_that_returns_no_tensor_is_a_problem(convlint: Convlint) -> None:
    result = convlint("check", "net.py:Number", *INPUT)
    assert result.code == 2
    assert "an object of type int without tensors" in result.out


@pytest.mark.parametrize("target", ["Empty", "Dense"])
def test_a_model_without_convolutions_is_tabled(convlint: Convlint, target: str) -> None:
    result = convlint("check", f"net.py:{target}", "--input", "8")
    assert result.code == 0, result
    assert target in result.out


# --- targets and inputs


@pytest.mark.parametrize("target", ["Net", "Net(4)", "Net(width=4)", "factory(4)", "instance"])
def test_every_kind_of_target(convlint: Convlint, target: str) -> None:
    result = convlint("check", f"net.py:{target}", *INPUT)
    assert result.code == 0, result
    assert "Params: 112 " in result.out


def test_a_dotted_module_and_a_relative_import(convlint: Convlint) -> None:
    for target in ("pack/net.py:net", "pack.net:net", "./pack/net.py:net", "deep/net.py:net"):
        assert "Params: 140 " in convlint("check", target, *INPUT).out, target


def _layer(result: Result, name: str) -> dict[str, Any]:
    (model,) = json.loads(result.out)["models"]
    layer: dict[str, Any] = next(layer for layer in model["layers"] if layer["name"] == name)
    return layer


@pytest.mark.parametrize(
    ("arguments", "shape"),
    [
        (("net.py:Net", "--input", "3,9,10"), [1, 3, 9, 10]),
        (("net.py:Net", "--input", "x=3,9,10", "--batch-size", "2"), [2, 3, 9, 10]),
        (("net.py:Two", "--input", "3,9,10", "--input", "mask=4:int64"), [1, 3, 9, 10]),
        (("net.py:Net", "--input-file", "one.pt"), [1, 3, 9, 9]),
        (("net.py:Two", "--input-file", "two.pt"), [1, 3, 9, 9]),
        (("net.py:Example",), [2, 3, 10, 12]),
        (("net.py:Net",), [1, 3, 32, 32]),
    ],
)
def test_what_reaches_the_layer(convlint: Convlint, arguments: tuple[str, ...], shape: list[int]) -> None:
    result = convlint("check", *arguments, "--output-format", "json")
    assert result.code == 0, result
    assert _layer(result, "conv")["input_shape"] == shape


def test_the_report_says_which_input_was_taken(convlint: Convlint) -> None:
    assert "(inferred, --input 3,32,32)" in convlint("check", "net.py:Net").out
    assert "(example_input_array)" in convlint("check", "net.py:Example").out


def test_an_input_that_forward_takes_by_name_only_is_inferred_too(convlint: Convlint) -> None:
    result = convlint("check", "net.py:ByName")
    assert result.code == 0, result
    assert "(inferred, --input 3,32,32)" in result.out


@pytest.mark.parametrize("where", ["constructor", "forward"])
def test_a_package_that_is_missing_is_no_defect_of_the_model(convlint: Convlint, tmp_path: Path, where: str) -> None:
    lines = {"constructor": "pass", "forward": "pass"} | {where: "import no_such_package"}
    file = tmp_path / "needs.py"
    file.write_text(
        "from torch import nn\n\n\nclass Net(nn.Module):\n    def __init__(self):\n"
        f"        super().__init__()\n        {lines['constructor']}\n\n"
        f"    def forward(self, x):\n        {lines['forward']}\n        return x.relu()\n"
    )
    result = convlint("check", f"{file}:Net", "--input", "3,8,8")
    assert result.code == 2
    needs = f"the {where} imports a module that is not available: ModuleNotFoundError"
    assert f"needs.py:{7 if where == 'constructor' else 10}: problem [import-error] {needs}" in result.out


SIZED = """\
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        {declared}
        self.conv = nn.Conv2d(3, 8, 4, stride=4)
        self.position = nn.Parameter(torch.zeros(1, 8, 10, 12))

    def forward(self, x):
        return self.conv(x) + self.position
"""


@pytest.mark.parametrize(
    "declared",
    [
        "self.in_size = (40, 48)",
        "self.image_size = [40, 48]",
        "self.pretrained_cfg = {'input_size': (3, 40, 48)}",
        "self.patches = nn.Identity(); self.patches.img_size = (40, 48)",
    ],
)
def test_an_image_has_the_size_that_the_model_says_it_is_for(convlint: Convlint, tmp_path: Path, declared: str) -> None:
    file = tmp_path / "sized.py"
    file.write_text(SIZED.format(declared=declared))
    result = convlint("check", f"{file}:Net")
    assert result.code == 0, result
    assert "(inferred, --input 3,40,48)" in result.out


@pytest.mark.parametrize("declared", ["self.in_size = (7, 'wide')", "self.image_size = -1"])
def test_a_size_that_is_none_is_passed_over(convlint: Convlint, tmp_path: Path, declared: str) -> None:
    file = tmp_path / "sized.py"
    file.write_text(SIZED.format(declared=declared))
    assert "inferred, --input 3,32,32" in convlint("check", f"{file}:Net").out


def test_a_generator_has_run_nothing_and_is_no_output(convlint: Convlint) -> None:
    result = convlint("check", "net.py:Yields", *INPUT)
    assert result.code == 2
    assert "forward returned an object of type generator without tensors" in result.out
    assert "CVL305" not in result.out


def test_every_tensor_of_a_nested_output_is_seen(convlint: Convlint) -> None:
    result = convlint("check", "net.py:Outputs", *INPUT, "--output-format", "json")
    (model,) = json.loads(result.out)["models"]
    assert result.code == 0, result
    assert len(model["outputs"]) == 6
    assert all("1x4x6x6" in output for output in model["outputs"])


@pytest.mark.parametrize("dtype", ["float64", "bfloat16"])
def test_dtype_is_that_of_the_model_and_its_input(convlint: Convlint, dtype: str) -> None:
    result = convlint("summary", "net.py:Net", *INPUT, "--dtype", dtype)
    assert result.code == 0, result
    assert f"1x4x6x6 {dtype}" in result.out


def test_meta_runs_without_values(convlint: Convlint) -> None:
    assert convlint("check", "net.py:Net", *INPUT, "--device", "meta").code == 0


# --- streams and exit codes


def test_torch_without_numpy_is_no_news(here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "none").mkdir()
    (tmp_path / "none" / "numpy.py").write_text("raise ModuleNotFoundError(name='numpy')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "none"))
    result = shell("check", "net.py:Net", *INPUT, folder=here)
    assert result.code == 0, result
    assert "NumPy" not in result.err


@pytest.mark.slow
def test_json_stays_pure_when_the_model_prints(here: Path) -> None:
    result = shell("check", "net.py:Net", *INPUT, "--output-format", "json", folder=here)
    assert result.code == 0
    assert json.loads(result.out)["schema_version"] == 1
    assert result.err.count("the model prints") == 1  # though it runs again for its memory
    assert not list(here.glob("**/__pycache__"))


@pytest.mark.slow
def test_another_folder_and_a_module_called_like_one_of_the_standard_library(tmp_path: Path, here: Path) -> None:
    (tmp_path / "random.py").write_text("raise RuntimeError('not the standard one')")
    result = shell("check", str(here / "net.py:Net"), *INPUT, folder=tmp_path)
    assert result.code == 0, result
    assert "Params: 112 " in result.out


def test_problems_and_findings_stand_in_the_json(convlint: Convlint) -> None:
    report = json.loads(convlint("check", "broken.py:Broken", "gone.py:Net", *INPUT, "--output-format", "json").out)
    assert [finding["code"] for finding in report["findings"]] == ["CVL103"]
    assert [problem["kind"] for problem in report["problems"]] == ["missing-file"]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("warned.py:Warned",), 1),
        (("warned.py:Warned", "--fail-on", "error"), 0),
        (("warned.py:Warned", "--exit-zero"), 0),
        (("warned.py:Warned", "--ignore", "CVL302"), 0),
        (("warned.py:Warned", "--select", "CVL1"), 0),
        (("warned.py:Warned", "--select", "cvl302"), 1),
        (("broken.py:Broken", "--fail-on", "error"), 1),
        (("net.py:Net", "--max-params", "100"), 1),
        (("net.py:Net", "--max-params", "112"), 0),
        (("net.py:Net", "gone.py:Net"), 2),
        (("warned.py:Warned", "gone.py:Net"), 2),
        (("gone.py:Net", "--exit-zero"), 2),
    ],
)
def test_exit_code(convlint: Convlint, arguments: tuple[str, ...], code: int) -> None:
    assert convlint("check", *arguments, *INPUT).code == code


def test_summary_tables_without_judging(convlint: Convlint) -> None:
    result = convlint("summary", "warned.py:Warned", *INPUT)
    assert result.code == 0
    assert "CVL302" not in result.out
    assert "No findings" not in result.out  # nothing was looked for
    assert "Params: 16 " in result.out


@pytest.mark.parametrize(
    ("target", "hint"), [("net.py", "did you mean net.py:Net?"), ("pack", "write pack/net.py:Name to summarize")]
)
def test_only_a_model_is_tabled(convlint: Convlint, target: str, hint: str) -> None:
    result = convlint("summary", target)
    assert result.code == 2
    assert f"{target} does not name a model; {hint}" in result.err


def test_results_go_to_stdout_and_usage_errors_to_stderr(convlint: Convlint) -> None:
    assert convlint("check", "broken.py:Broken", *INPUT).err == ""
    assert convlint("check", "net.py:Net", "--device", "cup").out == ""


# --- configured models


@pytest.mark.slow
def test_configured_models(convlint: Convlint, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = here / "below"
    folder.mkdir(exist_ok=True)
    settings = """
        [tool.convlint]
        ignore = ["CVL302"]
        [[tool.convlint.models]]
        target = "../net.py:Net"
        args = { width = 5 }
        input = "3,9,9"
        max-params = 100
        [[tool.convlint.models]]
        target = "../warned.py:Warned"
        """
    (folder / "pyproject.toml").write_text(dedent(settings))
    result = shell("check", "--output-format", "json", folder=folder)
    report = json.loads(result.out)
    assert result.code == 1
    assert [finding["code"] for finding in report["findings"]] == ["CVL113"]
    assert [model["totals"]["params"] for model in report["models"]] == [140, 16]
    (folder / "pyproject.toml").write_text("[tool.convlint]\nselct = []\n")
    monkeypatch.chdir(folder)
    bad = convlint("check", "net.py:Net")
    assert bad.code == 2
    assert "unknown key 'selct'; did you mean 'select'?" in bad.err


# --- rules


def test_rule_pages(convlint: Convlint) -> None:
    listing = convlint("rule")
    assert listing.code == 0
    assert "CVL301" in listing.out
    by_code, by_name = convlint("rule", "CVL301"), convlint("rule", "bias-before-norm")
    assert by_code.code == 0
    assert by_code.out == by_name.out != ""
    unknown = convlint("rule", "CVL399")
    assert unknown.code == 2
    assert "unknown rule 'CVL399'; did you mean" in unknown.err


def test_version(convlint: Convlint) -> None:
    assert convlint("--version").out.startswith("convlint ")


@pytest.mark.slow
def test_summary_exports_tables_and_numbers(convlint: Convlint) -> None:
    Path("conv.py").write_text("from torch import nn\ndef net(): return nn.Conv2d(3, 4, 1)\n")
    target = ("summary", "conv.py:net", "--input", "3,8,8")
    assert convlint(*target, "--output-format", "csv").out.startswith("model,name,kind,calls,")
    assert "params 16\n" in convlint(*target, "--totals").out
    assert convlint(*target, "--totals", "--output-format", "csv").code == 2
    assert "sarif is a value of `convlint check`" in convlint(*target, "--output-format", "sarif").err


@pytest.mark.slow
def test_several_models_are_a_line_each_unless_tables_are_requested(convlint: Convlint) -> None:
    Path("conv.py").write_text("from torch import nn\ndef net(n=4): return nn.Conv2d(3, n, 1)\n")
    models = ("check", "conv.py:net", "conv.py:net(8)", "--input", "3,8,8")
    assert [line.split() for line in convlint(*models).out.splitlines()[:3]] == [
        ["model", "params", "MACs", "peak", "MB", "status"],
        ["conv.py:net", "16", "768", "0.00", "complete"],
        ["conv.py:net(8)", "32", "1,536", "0.00", "complete"],
    ]
    assert convlint(*models, "--table").out.count("Peak inference memory (MB)") == 2
    assert "Peak inference" not in convlint("check", "conv.py:net", "--input", "3,8,8", "--no-table").out
    assert convlint(*models, "--quiet").out == ""


@pytest.mark.slow
def test_branches_are_ascii_where_the_terminal_has_no_others() -> None:
    Path("conv.py").write_text("from torch import nn\ndef net(): return nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU())\n")
    command = [sys.executable, "-m", "convlint", "summary", "conv.py:net", "--input", "3,8,8"]
    done = subprocess.run(
        command, env=os.environ | {"PYTHONIOENCODING": "ascii"}, capture_output=True, text=True, check=False
    )
    assert "|-0 " in done.stdout
    assert "`-1 " in done.stdout
