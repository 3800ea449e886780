"""einops: tensors whose axes a pattern rearranges, reduces or repeats."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from convlint.static.domain.execution import Execution
from convlint.static.domain.values import UNKNOWN, Num, Shape, Tensor, Value, as_number
from convlint.static.interpreter.call import Call
from convlint.static.interpreter.pymodel.native import NativeFunction
from convlint.static.torch_shapes import function, sizes

Axis = tuple[str, ...]  # the names in one dimension: one, those of a group, or none for a dimension of size 1
_TOKEN = re.compile(r"\(([^()]*)\)|(\.\.\.)|(\w+)")
_MERGED = "(...)"  # the name of the dimensions of an ellipsis that a group makes one
_LONGEST = 200  # characters of a pattern


def _axes(side: str) -> list[Axis]:
    return [
        tuple(name for name in (group.replace("...", _MERGED) or rest or name).split() if name != "1")
        for group, rest, name in _TOKEN.findall(side)
    ]


def _sizes_of(shape: Shape, axes: list[Axis], given: Mapping[str, Num]) -> dict[str, Num] | None:
    """Return the size of each name on the left of a pattern; None where a group has several that are not known."""
    found: dict[str, Num] = dict(given)
    for size, names in zip(shape, axes, strict=True):
        unknown = [name for name in names if name not in found and not name.isdigit()]
        if len(unknown) > 1:
            return None
        known = sizes.product([found.get(name, int(name) if name.isdigit() else 1) for name in names])
        if unknown:
            found[unknown[0]] = size if known == 1 else sizes.plain(sizes.divided(size, known))
    return found


def _result(run: Execution, x: Value, pattern: Value, lengths: Mapping[str, Value]) -> Value:
    """Return a tensor of the shape on the right of a pattern."""
    if type(x) is not Tensor or type(pattern) is not str or len(pattern) > _LONGEST or "->" not in pattern:
        return None
    left, _, right = pattern.partition("->")
    before, after = _axes(left), _axes(right)
    given = {name: number for name, value in lengths.items() if (number := as_number(value)) is not None}
    rest: Shape = ()
    if ("...",) in before:
        shape, position = sizes.shape_of(run, x), before.index(("...",))
        if shape is None or len(shape) < len(before) - 1:
            return None
        end = position + len(shape) - len(before) + 1
        rest, shape = shape[position:end], (*shape[:position], *shape[end:])
        before.pop(position)
    else:
        shape = run.require_rank(x, len(before))
    found = None if shape is None or len(shape) != len(before) else _sizes_of(shape, before, given)
    if found is None:
        return None
    found[_MERGED] = sizes.product(rest)
    result: list[Num] = []
    for names in after:
        if names == ("...",):
            result += rest
        elif all(name in found or name.isdigit() for name in names):
            result.append(sizes.product([found[name] if name in found else int(name) for name in names]))
        else:
            return None
    return run.emit("unseen", [x], [tuple(result)], {"known": True})[0]


def _on_pattern(position: int) -> NativeFunction:
    """Return a function of a tensor, a pattern at ``position``, and lengths by name."""

    def native(call: Call) -> Value:
        lengths = {name: value for name, value in call.kwargs.items() if name not in ("reduction", "pattern")}
        pattern = call.argument(position, "pattern", UNKNOWN)
        found = _result(call.interpreter.execution, call.args[0], pattern, lengths)
        return call.interpreter.call_unknown(call) if found is None else found

    return native


def _einsum(call: Call) -> Value:
    """``einsum(x, y, "b c, c d -> b d")``: names of any length, a letter each for torch."""
    *tensors, pattern = call.args
    names = dict.fromkeys(re.findall(r"\w+", pattern)) if type(pattern) is str else {}
    handler: Callable[..., Value] | None = function("torch.einsum")
    if not names or len(names) > len(_LETTERS) or handler is None or re.search(r"[().]", pattern):
        return call.interpreter.call_unknown(call)
    letters = dict(zip(names, _LETTERS, strict=False))
    equation = re.sub(r"\w+", lambda match: letters[match.group()], pattern).replace(" ", "")
    return call.interpreter.call(handler, call.with_args([equation, *tensors]))


_LETTERS = "abcdefghijklmnopqrstuvwxyz"
FUNCTIONS: dict[str, NativeFunction] = {
    **dict.fromkeys(("einops.rearrange", "einops.reduce", "einops.repeat"), _on_pattern(1)),
    "einops.einsum": _einsum,
}
CONSTANTS: dict[str, float] = {}
