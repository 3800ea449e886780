"""Write copies of torchvision's model files with wrong constructor arguments.

A mutant is a package: the file of a family with changed arguments, and the files of ``torchvision.models`` and
``torchvision.ops`` that it imports. No line moves.
"""

from __future__ import annotations

import ast
import functools
import importlib
import importlib.util
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from threading import Lock
from typing import Any


@dataclass(frozen=True)
class Family:
    """A model file of torchvision, the call that builds its model, and one sample (C, H, W)."""

    file: str
    call: str
    input: tuple[int, int, int] = (3, 64, 64)

    @property
    def factory(self) -> str:
        return self.call.split("(")[0]

    @property
    def options(self) -> dict[str, Any]:
        """The keyword arguments of ``call``."""
        call = ast.parse(self.call, mode="eval").body
        assert isinstance(call, ast.Call)
        return {str(word.arg): ast.literal_eval(word.value) for word in call.keywords}


FAMILIES = (
    Family("alexnet", "alexnet()"),
    Family("vgg", "vgg11_bn()"),
    Family("resnet", "resnet50()"),
    Family("densenet", "densenet121()"),
    Family("googlenet", "googlenet(init_weights=False)"),
    Family("inception", "inception_v3(init_weights=False)", (3, 96, 96)),
    Family("mobilenetv2", "mobilenet_v2()"),
    Family("mobilenetv3", "mobilenet_v3_small()"),
    Family("shufflenetv2", "shufflenet_v2_x1_0()"),
    Family("squeezenet", "squeezenet1_0()"),
    Family("efficientnet", "efficientnet_b0()"),
    Family("mnasnet", "mnasnet1_0()"),
    Family("regnet", "regnet_y_400mf()"),
    Family("convnext", "convnext_tiny()"),
)

COUNTS: dict[str, tuple[str, ...]] = {
    "Conv2d": ("in_channels", "out_channels"),
    "BatchNorm2d": ("num_features",),
    "Linear": ("in_features",),
    "norm_layer": ("num_features",),
    "conv3x3": ("in_planes", "out_planes"),
    "conv1x1": ("in_planes", "out_planes"),
    "conv_block": ("in_channels", "out_channels"),
    "BasicConv2d": ("in_channels", "out_channels"),
    "Conv2dNormActivation": ("in_channels", "out_channels"),
}
"""Constructor calls of layers in these files, and the positions of their arguments that are counts."""
GROUPED = ("Conv2d", "Conv2dNormActivation")


@dataclass(frozen=True)
class Edit:
    """Replacement of a span within a line, with offsets from 0 in characters.

    ``call_line`` is the first line of the call; ``change`` describes the change of a count and is empty for groups.
    """

    call: str
    argument: str
    call_line: int
    line: int
    start: int
    stop: int
    before: str
    after: str
    change: str = ""

    def __str__(self) -> str:
        return f"line {self.line}: {self.call}({self.argument}: {self.before or '-'} -> {self.after})"


CHANGES = (" * 2", " // 2", " + 8")
"""Typical mistakes: double, half, or eight more."""


def edits(source: str, random: Random, changes: Sequence[str] = CHANGES) -> list[Edit]:
    """Yield one wrong value for every count and group of every constructor call in a file."""
    found = []
    for node in ast.walk(_parsed(source)):
        if isinstance(node, ast.Call) and _name(node.func) in COUNTS:
            made = _edits_of(node, source, random, changes)
            found += [edit for edit in made if "\n" not in edit.before]
    return sorted(found, key=lambda edit: (edit.line, edit.start))


def _edits_of(call: ast.Call, source: str, random: Random, changes: Sequence[str]) -> Iterator[Edit]:
    name = _name(call.func)
    words = {word.arg: word.value for word in call.keywords}
    plain = not any(isinstance(argument, ast.Starred) for argument in call.args)
    for position, argument in enumerate(COUNTS[name]):
        given = words.get(argument)
        if given is None and plain and position < len(call.args):
            given = call.args[position]
        if given is not None:
            before = ast.get_source_segment(source, given) or ""
            change = random.choice(changes)
            yield _edit(name, argument, call, given, before, _wrong(given, before, change), change)
    if "groups" in words:
        before = ast.get_source_segment(source, words["groups"]) or ""
        yield _edit(name, "groups", call, words["groups"], before, f"{before} + 1")
    elif name in GROUPED and call.args:
        last = call.keywords[-1].value if call.keywords else call.args[-1]
        after = f", groups={random.choice((3, 5, 7))}"
        line, column = int(last.end_lineno or 0), int(last.end_col_offset or 0)
        yield Edit(name, "groups", call.lineno, line, column, column, "", after)


def _edit(name: str, argument: str, call: ast.Call, node: ast.expr, before: str, after: str, change: str = "") -> Edit:
    start, stop = node.col_offset, node.col_offset + len(before)
    return Edit(name, argument, call.lineno, node.lineno, start, stop, before, after, change)


def _wrong(node: ast.expr, text: str, change: str) -> str:
    """Return a different count than ``text``."""
    if isinstance(node, ast.Constant) and isinstance(node.value, int):
        return str({" * 2": node.value * 2, " // 2": max(1, node.value // 2)}.get(change, node.value + 8))
    inner = text if isinstance(node, ast.Name | ast.Attribute) else f"({text})"
    return inner + change


def _name(function: ast.expr) -> str:
    """Return the last name: ``Conv2d`` of ``nn.Conv2d``."""
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def apply(source: str, changes: tuple[Edit, ...]) -> str:
    """Return the source with the edits; no line moves."""
    lines = source.split("\n")
    for edit in sorted(changes, key=lambda edit: (edit.line, edit.start), reverse=True):
        line = lines[edit.line - 1]
        assert line[edit.start : edit.stop] == edit.before
        lines[edit.line - 1] = line[: edit.start] + edit.after + line[edit.stop :]
    return "\n".join(lines)


# --- the package --------------------------------------------------------------------------------

COPIED = ("torchvision.models.", "torchvision.ops.")
INIT = "from bench.zoo_models import import_torchvision\n\nimport_torchvision()\n"


def original(family: Family) -> str:
    """Return the source of a family's file."""
    return _source(f"torchvision.models.{family.file}")


def write(package: Path, family: Family, changes: tuple[Edit, ...] = ()) -> Path:
    """Write a mutant into the empty folder ``package``; returns the path of the family's file."""
    start = f"torchvision.models.{family.file}"
    for module, source in _copied(start).items():
        path = package.joinpath(*module.split(".")[1:]).with_suffix(".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        (path.parent / "__init__.py").touch()
        path.write_text(apply(source, changes) if module == start else source, encoding="utf-8")
    (package / "__init__.py").write_text(INIT, encoding="utf-8")
    return package / "models" / f"{family.file}.py"


@functools.cache
def _source(module: str) -> str:
    root = importlib.util.find_spec("torchvision")
    assert root is not None
    assert root.origin is not None
    path = Path(root.origin).parent.joinpath(*module.split(".")[1:]).with_suffix(".py")
    return path.read_text(encoding="utf-8")


@functools.cache
def _copied(start: str) -> dict[str, str]:
    """Return a file and the files of ``COPIED`` that it imports, by module, with absolute imports."""
    found: dict[str, str] = {}
    waiting = [start]
    while waiting:
        module = waiting.pop()
        if module not in found:
            found[module], imported = _with_absolute_imports(module)
            waiting += sorted(imported)
    return found


def _parsed(source: str) -> ast.Module:
    with _PARSING:
        return ast.parse(source)


_PARSING = Lock()  # Python 3.11 fails if two threads parse at once (gh-106905)


def _with_absolute_imports(module: str) -> tuple[str, set[str]]:
    """Return a file whose relative imports name torchvision, except those of copied files, and the list of the
    latter.
    """
    source, copied = _source(module), set()
    lines = source.split("\n")
    for node in ast.walk(_parsed(source)):
        if isinstance(node, ast.ImportFrom) and node.level:
            name = ".".join([*module.split(".")[: -node.level], node.module or ""])
            if name.startswith(COPIED):
                copied.add(name)
            else:
                line = lines[node.lineno - 1]
                dots = "." * node.level + (node.module or "")
                lines[node.lineno - 1] = line.replace(f"from {dots} ", f"from {name} ", 1)
    return "\n".join(lines), copied


INITIAL = (
    *("uniform_", "normal_", "trunc_normal_", "constant_", "ones_", "zeros_"),
    *("kaiming_uniform_", "kaiming_normal_", "xavier_uniform_", "xavier_normal_"),
)


def failure(folder: Path, family: Family) -> str | None:
    """Return PyTorch's error for the mutant in ``folder/mutant``, or None if it runs. Call it in a child process."""
    import torch

    sys.path.insert(0, str(folder))
    for name in INITIAL:  # shapes do not depend on values, and random initialization is slow
        setattr(torch.nn.init, name, lambda tensor, *_, **__: tensor)
    module = importlib.import_module(f"mutant.models.{family.file}")
    try:
        model = getattr(module, family.factory)(**family.options).eval()
        with torch.no_grad():
            model(torch.zeros(1, *family.input))
    except Exception as error:  # noqa: BLE001  that it fails is the question, not how
        return f"{type(error).__name__}: {error}"
    return None
