"""The order of repairs that all make a class work: which of them the author most likely meant."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Sequence

from convlint.analysis import ops
from convlint.latent.candidates import ClassRepair
from convlint.latent.following import Followed, layer_of
from convlint.repairs.unread_names import left_unread
from convlint.source_text.bindings import parameters
from convlint.source_text.call_sites import Function


def rank(works: Sequence[Followed], accepted: Sequence[tuple[ClassRepair, Sequence[Followed]]]) -> list[int]:
    """The order of repairs, by number: those that keep working models the same and are simplest come first."""
    before = Counter(_sizes(each) for each in works)
    keys = []
    for number, (repair, after) in enumerate(accepted):
        changed = sum((before - Counter(_sizes(each) for each in after)).values())
        keys.append(
            (
                not repair.is_own,
                changed,
                not _drops_arithmetic(repair),
                repair.is_composed,
                not repair.fits,
                repair.written.role != "argument",
                not reads_input_by_parameter(repair),
                _ROLES.index(repair.number.role),
                number,
            )
        )
    return [key[-1] for key in sorted(keys)]


def _drops_arithmetic(repair: ClassRepair) -> bool:
    """Return whether a repair leaves an operand of what was written: ``width`` of ``width * 2``."""
    written = repair.written.node
    operands = (written.left, written.right) if isinstance(written, ast.BinOp) else ()
    return repair.written.role == "argument" and repair.text in map(ast.unparse, operands)


_ROLES = ("reader", "source", "sibling")


def _sizes(followed: Followed) -> tuple[object, ...]:
    """The numbers of all layers of an execution."""
    names = ("in_channels", "out_channels", "in_features", "out_features", "num_features", "groups", "normalized_shape")
    layers = [layer_of(step) for step in followed.path.execution.steps if step.op in ops.WITH_WEIGHTS]
    return tuple(tuple(layer.attrs.get(name) for name in names) for layer in layers if layer)


def reads_input_by_parameter(repair: ClassRepair) -> bool:
    """Return whether a repair lets a layer that reads the input of the class read a parameter's number of channels."""
    scope = repair.written.place.scope
    return repair.number.role == "sibling" and isinstance(scope, Function) and repair.text in parameters(scope)


def orphans(repair: ClassRepair) -> int:
    """The number of names of the function that nothing would read any more."""
    return left_unread(repair.written.place.scope, repair.written.node, repair.text)
