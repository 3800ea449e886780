"""The condition under which a call builds a layer that is rewritten, as a text about the arguments of the call."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations

from convlint.rewriting import call_text, unpacked_calls
from convlint.rewriting.base import EditedCall
from convlint.rewriting.layer_class import REQUIRED
from convlint.rewriting.layer_use import LayerArguments
from convlint.source_text.call_sites import WrittenCall
from convlint.support.dataclass import dataclass

_POSITIONS = {"in_channels": 0, "out_channels": 1, "kernel_size": 2, "groups": call_text.GROUPS}


@dataclass(frozen=True, slots=True)
class Comparison:
    """A comparison of an argument with a number, such as ``> 4``, and whether it holds for a layer."""

    parameter: str
    text: str
    holds: Callable[[LayerArguments], bool]


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition on arguments; ``named``: so many parameters are taken out of ``*args`` for it."""

    text: str
    holds: Callable[[LayerArguments], bool]
    named: int = 0


def separating(
    edited: EditedCall, fits: Sequence[bool], base: str, comparisons: Sequence[Comparison]
) -> Condition | None:
    """The shortest condition on arguments of the call that holds for the layers to rewrite and for no misfit.

    It is always a condition that a ``groups`` argument is 1, because a rewritten layer is a dense one.
    """
    misfits = [others for others, fit in zip(edited.others, fits, strict=True) if not fit]
    uses = [use.arguments for use in edited.uses]
    tests = [test for test in _written(edited.call, base, comparisons) if all(test.holds(n) for n in uses)]
    tests.sort(key=lambda test: test.named)
    groups = edited.call.argument("groups", call_text.GROUPS)
    required = (
        "" if groups is None or isinstance(groups, ast.Constant) else f"{call_text.source(edited.call, groups)} == 1"
    )
    for count in range(1, len(tests) + 1):
        for chosen in combinations(tests, count):
            if required and required not in (test.text for test in chosen):
                continue
            if not any(all(test.holds(n) for test in chosen) for n in misfits):
                text = " and ".join(test.text for test in chosen)
                return Condition(text, chosen[0].holds, max(test.named for test in chosen))
    return None


def _written(call: WrittenCall, base: str, comparisons: Sequence[Comparison]) -> Iterator[Condition]:
    """The comparisons as the call can write them."""
    passed_on = unpacked_calls.PassedOn.of(call, base)
    for each in comparisons:
        name, position = each.parameter, _POSITIONS[each.parameter]
        node = call.argument(name, position)
        if node is not None and _is_number(node):
            yield Condition(f"{call_text.source(call, node)} {each.text}", each.holds)
        elif node is None and passed_on is not None and name in REQUIRED:
            if passed_on.can_name(position + 1):
                yield Condition(f"{name} {each.text}", each.holds, position + 1)
        elif node is None and (options := _unpacked(call)):
            # A required argument that is not written is among those that are unpacked.
            item = f'["{name}"]' if name in REQUIRED else f'.get("{name}", 1)'
            yield Condition(f"{options}{item} {each.text}", each.holds)


def _unpacked(call: WrittenCall) -> str:
    """The dictionary from which a call has the arguments that are not written; empty if that cannot be known."""
    given = [keyword.value for keyword in call.node.keywords if keyword.arg is None]
    known = len(given) == 1 and isinstance(given[0], ast.Name | ast.Attribute)
    starred = any(isinstance(argument, ast.Starred) for argument in call.node.args)
    return call_text.source(call, given[0]) if known and not starred else ""


def _is_number(node: ast.expr) -> bool:
    """Return whether an argument may differ from call to call, and is evaluated again without effect."""
    names = [part for part in ast.walk(node) if isinstance(part, ast.expr) and not isinstance(part, ast.Constant)]
    return bool(names) and all(isinstance(n, ast.Name | ast.Attribute | ast.BinOp | ast.Subscript) for n in names)
