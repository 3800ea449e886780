"""Mistakes to plant in the source of a model: wrong numbers in the calls that build its layers.

The model is built once, and every call in its own files on the way to the constructor of a layer is recorded with the
values of its arguments. A mistake changes one number there; whether PyTorch then refuses the model is tried.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from types import FrameType
from typing import Any

from bench.home_packages import Family, built_and_run, imported

KINDS = ("channels", "groups", "norm", "linear", "cat", "residual")


@dataclass(frozen=True)
class Mistake:
    """A span within a line that is replaced; offsets count characters from 0.

    ``call_line`` is the first line of the call, or of the statement, that the number is in.
    """

    path: str
    call_line: int
    line: int
    start: int
    before: str
    after: str
    kind: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.before or '-'} -> {self.after} ({self.kind})"


def planted(files: Mapping[str, str], mistakes: tuple[Mistake, ...]) -> dict[str, str]:
    """Return the files with mistakes; no line moves."""
    changed = dict(files)
    for mistake in sorted(mistakes, key=lambda each: (each.line, each.start), reverse=True):
        lines = changed[mistake.path].split("\n")
        line = lines[mistake.line - 1]
        stop = mistake.start + len(mistake.before)
        assert line[mistake.start : stop] == mistake.before
        lines[mistake.line - 1] = line[: mistake.start] + mistake.after + line[stop:]
        changed[mistake.path] = "\n".join(lines)
    return changed


_REFUSED = {
    "residual": r"The size of tensor a \(\d+\) must match the size of tensor b \(\d+\) at non-singleton dimension 1",
    "groups": r"divisible by (num_)?groups|must be divisible",
    "norm": r"running_mean should contain|weight to be a vector of size|normalized_shape|num_groups",
    "linear": r"mat1 and mat2 shapes cannot be multiplied",
    "channels": r"to have \d+ channels, but got \d+ channels|weight of size",
}
"""What PyTorch says of a mistake in channels, by what fails."""


def kind(edited: str, error: str) -> str | None:
    """Return the kind of a mistake: by the number that is wrong, or by the sum that fails; None for other errors."""
    failing = next((kind for kind, text in _REFUSED.items() if re.search(text, error)), None)
    if failing is None:
        return None
    return failing if edited == "channels" and failing == "residual" else edited


# --- the calls that build layers


@dataclass
class _Call:
    """A call in the sources: its argument expressions by position or name, with the values that they had."""

    node: ast.Call
    layer: str | None = None
    values: dict[int, set[int] | None] = field(default_factory=dict)
    scope: dict[str, set[int]] = field(default_factory=dict)


_WIDTHS = {
    "Conv": (("in_channels", "channels"), ("out_channels", "channels")),
    "Linear": (("in_features", "linear"), ("out_features", "linear")),
    "BatchNorm": (("num_features", "norm"),),
    "InstanceNorm": (("num_features", "norm"),),
    "GroupNorm": (("num_groups", "groups"), ("num_channels", "norm")),
    "PReLU": (("num_parameters", "norm"),),
}
"""The first parameters of the constructors of layers, and the kinds of a mistake in them."""


def candidates(folder: Path, family: Family, seed: int) -> list[Mistake]:
    """Return mistakes that may make the model in ``folder`` fail. Call it in a child process."""
    import torch

    module = imported(folder, family)
    recorder = _Recorder(folder)
    for name in dir(torch.nn):
        if name.startswith((*_WIDTHS,)) and isinstance(getattr(torch.nn, name), type):
            recorder.watch(getattr(torch.nn, name), next(key for key in _WIDTHS if name.startswith(key)))
    built_and_run(module, family)
    random = Random(f"{family} {seed}")
    found = [mistake for call in recorder.calls.values() for mistake in _of_call(*call, random)]
    for path, function, lines in recorder.functions.values():
        found += _of_statements(path, function, lines, random)
    unique = {(m.path, m.line, m.start, m.after): m for m in found}
    return sorted(unique.values(), key=str)


class _Recorder:
    """Records the calls in the files of a folder through which layers are built."""

    def __init__(self, folder: Path) -> None:
        self._folder = str(folder.resolve()) + "/"
        self._trees: dict[str, tuple[dict[tuple[int, ...], ast.Call], ast.Module, list[str]]] = {}
        self.calls: dict[tuple[str, tuple[int, ...]], tuple[str, list[str], _Call]] = {}
        self.functions: dict[tuple[str, int], tuple[str, ast.FunctionDef, list[str]]] = {}

    def watch(self, layer: type, kind: str) -> None:
        """Record the calls around each call of a layer's constructor."""
        original = layer.__init__  # type: ignore[misc]

        def init(instance: Any, *args: Any, **kwargs: Any) -> None:
            if type(instance) is layer:
                here = inspect.currentframe()
                self._record(here and here.f_back, kind)
            original(instance, *args, **kwargs)

        layer.__init__ = init  # type: ignore[misc]

    def _record(self, frame: FrameType | None, kind: str) -> None:
        layer: str | None = kind
        while frame is not None:
            if frame.f_code.co_filename.startswith(self._folder):
                self._record_frame(frame, layer)
                layer = None
            elif layer is not None and "/torch/nn/" not in frame.f_code.co_filename:
                layer = None  # a library builds it
            frame = frame.f_back

    def _record_frame(self, frame: FrameType, layer: str | None) -> None:
        path = frame.f_code.co_filename.removeprefix(self._folder)
        if path not in self._trees:
            text = Path(self._folder, path).read_text(encoding="utf-8")
            tree = ast.parse(text)
            calls = {_span(node): node for node in ast.walk(tree) if isinstance(node, ast.Call)}
            self._trees[path] = calls, tree, text.split("\n")
        calls, tree, lines = self._trees[path]
        positions = [*frame.f_code.co_positions()][frame.f_lasti // 2]
        node = calls.get(tuple(number or 0 for number in positions))
        if node is None:
            return
        for function in ast.walk(tree):
            if isinstance(function, ast.FunctionDef) and function.lineno <= node.lineno <= (function.end_lineno or 0):
                self.functions[path, function.lineno] = path, function, lines
        *_, call = self.calls.setdefault((path, _span(node)), (path, lines, _Call(node)))
        call.layer = call.layer or layer
        for name, value in frame.f_locals.items():
            if type(value) is int and value >= _LEAST:
                call.scope.setdefault(name, set()).add(value)
        for number, expression in enumerate(_arguments(node)):
            value = _value(expression, frame)
            known = call.values.setdefault(number, set())
            if value is None:
                call.values[number] = None
            elif known is not None:
                known.add(value)


_LEAST = 8  # the smallest number that is taken for a width where no layer says so
_PURE = (
    *(ast.Name, ast.Attribute, ast.Constant, ast.BinOp, ast.UnaryOp, ast.Subscript, ast.expr_context),
    *(ast.operator, ast.unaryop),
)


def _value(node: ast.expr, frame: FrameType) -> int | None:
    if not all(isinstance(part, _PURE) for part in ast.walk(node)):
        return None
    try:
        value = eval(ast.unparse(node), frame.f_globals, dict(frame.f_locals))  # noqa: S307 - names and numbers only
    except Exception:  # noqa: BLE001 - a name of another scope
        return None
    return value if type(value) is int else None


def _arguments(call: ast.Call) -> list[ast.expr]:
    return [*call.args, *(keyword.value for keyword in call.keywords)]


def _span(node: ast.expr) -> tuple[int, ...]:
    return node.lineno, node.end_lineno or 0, node.col_offset, node.end_col_offset or 0


# --- wrong numbers


def _of_call(path: str, lines: list[str], call: _Call, random: Random) -> Iterator[Mistake]:
    """Yield a wrong value for each number of a call."""
    arguments = _arguments(call.node)
    names = [None] * len(call.node.args) + [keyword.arg for keyword in call.node.keywords]
    widths = _WIDTHS.get(call.layer or "", ())
    for number, (expression, name) in enumerate(zip(arguments, names, strict=True)):
        values = call.values.get(number)
        if not values or min(values) < 1:
            continue
        edited: str | None = "channels" if min(values) >= _LEAST else None
        if call.layer is not None:
            by_name = dict(widths)
            edited = by_name.get(name or "", widths[number][1] if name is None and number < len(widths) else None)
            edited = "groups" if name == "groups" and max(values) > 1 else edited
        if edited is None:
            continue
        if edited in ("channels", "linear") and any(_is_sum(part) for part in ast.walk(expression)):
            edited = "cat"
        others = [name for name, each in call.scope.items() if each != values]
        wrong = _wrong(expression, others, random)
        if wrong is not None:
            yield _mistake(path, lines, call.node, *wrong, edited)
    if call.layer == "Conv" and "groups" not in names and len(call.node.args) < 7 and not _unpacks(call.node):
        last = arguments[-1] if arguments else None
        if last is not None:
            line, column = last.end_lineno or 0, last.end_col_offset or 0
            place = ast.Constant(0, lineno=line, col_offset=column, end_lineno=line, end_col_offset=column)
            text = f", groups={random.choice((2, 3, 5, 7))}"
            yield _mistake(path, lines, call.node, place, text, "groups")


def _unpacks(call: ast.Call) -> bool:
    return any(isinstance(a, ast.Starred) for a in call.args) or any(k.arg is None for k in call.keywords)


def _of_statements(path: str, function: ast.FunctionDef, lines: list[str], random: Random) -> Iterator[Mistake]:
    """Yield a wrong number for each sum that a function which builds layers assigns: the widths of concatenations."""
    for node in ast.walk(function):
        value = node.value if isinstance(node, ast.Assign | ast.AugAssign) else None
        if value is None:
            continue
        adds = isinstance(node, ast.AugAssign) and isinstance(node.op, ast.Add)
        if adds or any(_is_sum(part) for part in ast.walk(value)):
            wrong = _wrong(value, [], random)
            if wrong is not None:
                yield _mistake(path, lines, node, *wrong, "cat")


def _is_sum(node: ast.AST) -> bool:
    return isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add)


def _mistake(path: str, lines: list[str], around: ast.AST, place: ast.expr, after: str, edited: str) -> Mistake:
    line = lines[place.lineno - 1].encode()
    stop = place.end_col_offset if place.end_lineno == place.lineno else len(line)
    start, before = len(line[: place.col_offset].decode()), line[place.col_offset : stop].decode()
    return Mistake(path, getattr(around, "lineno", 0), place.lineno, start, before, after, edited)


def _wrong(node: ast.expr, others: list[str], random: Random) -> tuple[ast.expr, str] | None:
    """Return a part of an expression and a wrong text for it: a slip that people make."""
    text = ast.unparse(node)
    choices: list[tuple[ast.expr, str]] = []
    match node:
        case ast.Constant(value=int(number)):
            choices += [(node, str(number * 2)), (node, str(number + 8))]
            choices += [(node, str(number // 2))] * (number % 2 == 0)
        case ast.Name() | ast.Attribute() | ast.Subscript():
            choices += [(node, f"{text} * 2"), (node, f"{text} // 2")]
            choices += [(node, other) for other in random.sample(others, min(2, len(others))) if other != text]
        case ast.BinOp(left=left, right=right):
            choices += [(node, ast.unparse(left)), (node, ast.unparse(right))]
            for part in ast.walk(node):
                if isinstance(part, ast.Constant) and type(part.value) is int:
                    choices += [(part, str(part.value + 1)), (part, str(part.value * 2))]
    if not choices:
        return None
    return random.choice([(place, after) for place, after in choices if place.lineno == place.end_lineno] or [None])
