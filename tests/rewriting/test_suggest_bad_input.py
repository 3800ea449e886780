"""``convlint suggest`` where it cannot do what it is asked: one clear line that says why, and nothing half-written."""

from __future__ import annotations

import errno
import os
import py_compile
from collections.abc import Callable
from typing import Any

import pytest

from convlint.pipelines import suggest as suggesting
from convlint.source_text import edits
from tests.rewriting.suggest_project import Project, refused

NET = """\
from torch import nn


class Net(nn.Sequential):
    def __init__(self, width=32):
        super().__init__(nn.Conv2d(3, width, 3), nn.Conv2d(width, 2 * width, 3))


class Small(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 1))


class Same(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Conv2d(32, 32, 3))


class Broken(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Conv2d(32, 32, 3), nn.Conv2d(33, 32, 3))


class Raises(Net):
    def forward(self, x):
        raise KeyError("the key")
"""
INPUT = ("--input", "3,16,16")
GROUPED = ("--kind", "grouped")


@pytest.fixture
def here(kept: Project) -> Project:
    """A project with the file ``net.py``."""
    kept.emptied().write("net.py", NET)
    return kept


# --- misuse

MISUSE = {
    "an unknown kind": (("--kind", "group"), "--kind 'group' is unknown; did you mean 'grouped'?"),
    "a kind like none": (("--kind", "zzz"), "choose from grouped, depthwise-separable, factorised"),
    "one group": (("--groups", "1"), "--groups 1: expected auto or a number of at least 2"),
    "no groups": (("--groups", "0"), "--groups 0: expected auto"),
    "less than no groups": (("--groups", "-4"), "--groups -4: expected auto"),
    "no number of groups": (("--groups", "many"), "--groups many: expected auto"),
    "a digit that is none": (("--groups", "\u0664"), "expected auto"),
    "no share": (("--min-saving", "much"), "--min-saving much: expected a share of the model, for example 5%"),
    "more than all": (("--min-saving", "101%"), "--min-saving must be a share of the model"),
    "less than nothing": (("--min-saving", "-0.1"), "--min-saving must be a share of the model"),
    "not a number": (("--min-saving", "nan"), "--min-saving must be a share of the model"),
    "no budget": (("--target-params", "few"), "--target-params 'few' is not a number"),
    "a budget of parsecs": (("--target-macs", "4parsecs"), "'parsecs' is not a unit"),
    "none at most": (("--top", "0"), "--top"),
    "no pairs": (("--pairs", "0"), "--pairs"),
    "nothing to stand between": (("--between", "relu"), "--between 'relu' is unknown; did you mean 'norm-relu'?"),
    "no such form": (("--output-format", "yaml"), "'yaml' is unknown; did you mean 'html'?"),
    "no such option": (("--grops", "4"), "--groups"),
    "nothing to convert": (("--save-weights", "new.pt"), "--save-weights requires --weights FILE"),
    "weights with an activation": (
        ("--weights", "net.pt", "--between", "norm-relu"),
        "--between norm-relu adds an activation that the trained weights do not have",
    ),
    "no folder to save to": (
        ("--weights", "net.pt", "--save-weights", "gone/net.pt"),
        "--save-weights gone/net.pt: the folder does not exist",
    ),
}


@pytest.mark.parametrize("case", MISUSE)
def test_misuse_is_one_clear_line(here: Project, case: str) -> None:
    arguments, expected = MISUSE[case]
    result = here.suggest("net.py:Net", *INPUT, *arguments)
    assert expected in refused(result)
    assert result.out == ""


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ((), "pass a model: `convlint suggest net.py:Net`"),
        (("net.py",), "net.py does not name a model; did you mean net.py:Net?"),
        (("nett.py:Net",), "nett.py does not exist; did you mean net.py?"),
        (("net.py:Nett",), "net.py has no Nett; did you mean Net?"),
        (("net.py:Net(1+width)",), "argument 1 of Net is `1 + width`, which is not a literal"),
        (("net.py:Net", "--input", "4,8,8"), "net.py"),
        (("net.py:Broken",), "the model does not run, so nothing can be verified; convlint check reports all errors"),
        (("net.py:Raises",), "the model does not run, so nothing can be verified; convlint check reports all errors"),
    ],
)
def test_a_model_that_cannot_be_had_is_one_clear_line(here: Project, target: tuple[str, ...], expected: str) -> None:
    assert expected in refused(here.suggest(*target))


def test_a_wrong_channel_count_names_the_layer_and_its_line(here: Project) -> None:
    here.write("wide.py", "from torch import nn\n\nnet = nn.Sequential(nn.Conv2d(8, 8, 3))\n")
    said = refused(here.suggest("wide.py:net", "--input", "4,8,8"))
    assert "0 at wide.py:3:21: " in said
    assert "8 channels, but got 4 channels" in said


def test_a_traceback_is_shown_where_it_is_asked_for(here: Project) -> None:
    here.write("bad.py", "raise ValueError('at import')\n")
    assert "ValueError: at import" in refused(here.suggest("bad.py:Net"))
    assert "Traceback" in here.suggest("bad.py:Net", "--traceback").err


def test_a_layer_that_the_model_does_not_have_is_one_clear_line(here: Project) -> None:
    line = refused(here.suggest("net.py:Net", *INPUT, "--layer", "conv*", "--layer", "1"))
    assert "no layer is named conv*" in line


# --- nothing to rewrite

WHOLE = "from torch import nn\nnet = nn.Sequential(nn.Conv2d(32, 32, 3))\n"
STAYS = {
    "nothing but a stem and 1x1": (
        "net.py:Small",
        ("--input", "3,8,8"),
        "No dense convolution with a kernel larger than 1x1 has more than 4 input channels.",
    ),
    "channels that do not divide": (
        "net.py:Net",
        (*INPUT, *GROUPED, "--groups", "7"),
        "1 layer: 32 and 64 channels are not divisible by 7 groups",
    ),
    "a kind for linear layers": (
        "net.py:Net",
        (*INPUT, "--kind", "global-depthwise"),
        "1 layer: not supported for Conv2d",
    ),
    "maps of another size": (
        "net.py:Same",
        ("--input", "32,22,16", "--kind", "factorised"),
        "1 layer: its feature map is 22x16; this works well only on 12 to 20 pixels",
    ),
    "too little": (
        "net.py:Net",
        (*INPUT, *GROUPED, "--min-saving", "90%"),
        "1 layer: it would save only 47.5% of the model",
    ),
}


@pytest.mark.parametrize("case", STAYS)
def test_where_nothing_can_be_rewritten_it_says_why(here: Project, case: str) -> None:
    target, arguments, expected = STAYS[case]
    result = here.suggest(target, *arguments)
    assert (result.code, result.err) == (0, "")
    assert result.out.splitlines()[3:][-1] == f"  {expected}"
    first = "No layer can be rewritten:" if "layer" in expected.split(":")[0] else "Nothing to rewrite."
    assert result.out.splitlines()[3] == first
    diff = here.suggest(target, *arguments, "--output-format", "diff")
    assert (diff.code, diff.out) == (0, "")
    assert f"  {expected}\n" in diff.err
    assert first in here.suggest(target, *arguments, "--explain").out
    written = here.suggest(target, *arguments, "--write")
    assert (written.code, written.err, written.out) == (0, "", result.out)


ELSEWHERE = {
    "a generated file": (
        "# @generated by a tool, do not edit\n" + WHOLE,
        "net.py is generated; change its generator instead",
    ),
    "code that was made while the program ran": (
        f"names = {{}}\nexec(compile({WHOLE!r}, '<made>', 'exec'), names)\nnet = names['net']\n",
        "its code was generated at run time (<made>) and is not in a file",
    ),
    "code of a string": (
        f"names = {{}}\nexec({WHOLE!r}, names)\nnet = names['net']\n",
        "its code was generated at run time (exec) and is not in a file",
    ),
    "a cell of a notebook": (
        f"names = {{}}\nexec(compile({WHOLE!r}, '<ipython-input-3-aa>', 'exec'), names)\nnet = names['net']\n",
        "it is in a notebook cell; use convlint.rewrite(model, suggestion) on the live model",
    ),
    "a module compiled without its source": (
        "from compiled import net\n",
        "compiled.py cannot be read: the module has no source file",
    ),
    "an installed package that is asked for by its name": (
        "import sys\nsys.path.insert(0, 'site-packages')\nnet = __import__('installed').net\n",
        "it is built in site-packages/installed.py:2, outside of the project (called at",
    ),
    "an installed package": (
        "import sys\nsys.path.insert(0, 'site-packages')\nfrom installed import net\n",
        "it is built in site-packages/installed.py:2, outside of the project (called at",
    ),
}


@pytest.mark.parametrize("case", ELSEWHERE)
def test_what_stands_in_no_file_of_the_project_stays_as_it_is(here: Project, case: str) -> None:
    text, expected = ELSEWHERE[case]
    here.write("net.py", text)
    source = here.write("compiled.py", WHOLE)
    py_compile.compile(str(source), cfile=str(source.with_suffix(".pyc")))
    source.unlink()
    here.write("site-packages/installed.py", WHOLE)
    result = here.suggest("net.py:net", "--input", "32,16,16", "--explain")
    assert (result.code, result.err) == (0, "")
    assert "diff --git" not in result.out
    reasons = [line for line in result.out.splitlines() if expected in line]
    assert len(reasons) == 3  # one for each kind


# --- files that cannot be written


def in_the_way(monkeypatch: pytest.MonkeyPatch, deed: Callable[[], Any]) -> None:
    """Do something between the run and the writing."""
    suggest = suggesting.suggest

    def then(*args: Any, **kwargs: Any) -> Any:
        report = suggest(*args, **kwargs)
        deed()
        return report

    monkeypatch.setattr(suggesting, "suggest", then)


@pytest.mark.slow
def test_a_file_that_was_changed_since_the_run_is_not_overwritten(
    here: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = here.folder / "net.py"
    in_the_way(monkeypatch, lambda: path.write_text(NET + "# mine\n"))
    result = here.suggest("net.py:Net", *INPUT, *GROUPED, "--write")
    assert result.code == 2
    assert "net.py changed after the model ran, so nothing was written; run suggest again" in result.out
    assert "Wrote" not in result.err
    assert path.read_text() == NET + "# mine\n"


def test_a_file_that_is_gone_is_not_written_anew(here: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    path = here.folder / "net.py"
    in_the_way(monkeypatch, path.unlink)
    result = here.suggest("net.py:Net", *INPUT, *GROUPED, "--write")
    assert result.code == 2
    assert "net.py can no longer be read: No such file or directory; no file was written" in result.out
    assert not path.exists()


@pytest.mark.parametrize("closed", ["net.py", ""])
def test_a_file_or_folder_without_permission_is_left_alone(
    here: Project, monkeypatch: pytest.MonkeyPatch, closed: str
) -> None:
    place = str(here.folder / closed) if closed else str(here.folder)
    access = os.access

    def denied(path: str, mode: int) -> bool:
        return access(path, mode) and not (os.path.abspath(path) == place and mode == os.W_OK)

    monkeypatch.setattr(os, "access", denied)
    result = here.suggest("net.py:Net", *INPUT, *GROUPED, "--write")
    assert result.code == 2
    assert "[unwritable-file] net.py cannot be written; no file was written" in result.out
    assert (here.folder / "net.py").read_text() == NET


def test_where_one_file_cannot_be_written_none_is(here: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    block = "from torch import nn\n\n\ndef block(a, b):\n    return nn.Conv2d(a, b, 3)\n"
    layers = "block(32, 32), nn.Conv2d(32, 32, 1), nn.Conv2d(32, 32, 3)"
    net = f"from torch import nn\nfrom block import block\nnet = nn.Sequential({layers})\n"
    files = {"block.py": block, "net.py": net}
    for name, text in files.items():
        here.write(name, text)
    write, calls = edits.write_atomically, []

    def full(path: str, data: bytes) -> None:
        calls.append(path)
        if len(calls) == 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write(path, data)

    monkeypatch.setattr(edits, "write_atomically", full)
    result = here.suggest("net.py:net", "--input", "32,16,16", *GROUPED, "--write")
    assert result.code == 2
    assert "cannot be written: No space left on device; no file was written" in result.out
    assert "Wrote" not in result.err
    assert len(calls) == 3  # the first, put back
    assert {name: (here.folder / name).read_text() for name in files} == files


# --- models that end their process


HOSTILE = """\
import ctypes
import os
import sys

from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem, self.conv = nn.Conv2d(3, 32, 3), nn.Conv2d(32, 64, 3)

    def forward(self, x):
        return self.conv(self.stem(x))


class Constructor(Net):
    def __init__(self):
        super().__init__()
        self.more = nn.Conv2d(10, 20, 3, groups=3)


class SysExit(Net):
    def forward(self, x):
        sys.exit(3)


class OsExit(Net):
    def forward(self, x):
        os._exit(4)


class Crash(Net):
    def forward(self, x):
        ctypes.string_at(0)


class CrashesRewritten(Net):
    def forward(self, x):
        return super().forward(x) if type(self.conv) is nn.Conv2d else ctypes.string_at(0)
"""


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Constructor", "[does-not-run] it fails to build at hostile.py:20:21: ValueError: "),
        ("SysExit", "[exit] it called sys.exit(3)"),
        ("OsExit", "[exit] it ended the process with exit code 4"),
        ("Crash", "[crash] it crashed the process with SIGSEGV"),
    ],
)
def test_a_model_that_ends_its_process_is_one_clear_line(here: Project, name: str, said: str) -> None:
    here.write("hostile.py", HOSTILE)
    assert said in refused(here.suggest(f"hostile.py:{name}", *INPUT))


def test_a_rewrite_that_ends_the_process_is_refused_and_hides_no_other(here: Project) -> None:
    here.write("hostile.py", HOSTILE)
    kinds = ("--kind", "grouped", "--kind", "depthwise-separable")
    result = here.suggest("hostile.py:CrashesRewritten", *INPUT, *kinds, "--output-format", "json")
    assert result.code == 0
    assert [one["code"] for one in result.document["suggestions"]] == ["CVL501"]
    (refusal,) = result.document["refusals"]
    assert (refusal["code"], refusal["instances"]) == ("CVL502", ["conv"])
    assert refusal["reason"] == "it crashed the process with SIGSEGV"
