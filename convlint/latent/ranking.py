"""The order of repairs that all make a class work: which of them the author most likely meant."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Sequence

from convlint.analysis import ops
from convlint.latent.arguments import UNIT, ArgumentSpace
from convlint.latent.candidates import ClassRepair, evaluated
from convlint.latent.constructor_code import is_inner_name
from convlint.latent.contracts import may_be_mistaken
from convlint.latent.expression_values import scope_of
from convlint.latent.following import Followed, layer_of
from convlint.repairs.unread_names import left_unread
from convlint.repairs.usual_widths import is_unusual
from convlint.source_text.bindings import assigned, parameters
from convlint.source_text.call_sites import Function
from convlint.static.domain.values import Tensor


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
                -_fits_names(after),
                left_unread(repair.written.place.scope, repair.written.node, repair.text) > 0,
                _drops_from_layers(repair),
                -_computed_widths(repair, after),
                _renames(repair),
                not _is_local_width(repair),
                repair.is_composed,
                not repair.fits,
                not reads_input_by_parameter(repair),
                is_unusual(repair.written.place.file, repair.written.place.scope, repair.written.node, repair.text),
                _ROLES.index(repair.number.role),
                not _drops_arithmetic(repair),
                not _changes_factor(repair),
                repair.written.role != "argument",
                number,
            )
        )
    return [key[-1] for key in sorted(keys)]


def _drops_arithmetic(repair: ClassRepair) -> bool:
    """Return whether a repair leaves an operand of what was written: ``width`` of ``width * 2``."""
    written = repair.written.node
    operands = (written.left, written.right) if isinstance(written, ast.BinOp) else ()
    return repair.written.role == "argument" and repair.text in map(ast.unparse, operands)


def _changes_factor(repair: ClassRepair) -> bool:
    """Return whether a repair changes only the number in a multiple of a name: ``width * 3`` to ``width * 4``."""
    around, _ = repair.written.place.file.parents.get(repair.written.node, (None, ""))
    is_factor = isinstance(around, ast.BinOp) and isinstance(around.op, ast.Mult)
    return is_factor and repair.written.literal is not None and repair.text.isdecimal()


def _renames(repair: ClassRepair) -> bool:
    """Return whether a repair makes a computed variable another name for one that there is."""
    return repair.written.role == "assignment" and repair.text.isidentifier()


def _drops_from_layers(repair: ClassRepair) -> bool:
    """Return whether no call of the function would be given a name any more that the repair replaces."""
    written, scope = repair.written, repair.written.place.scope
    if not isinstance(scope, Function) or not isinstance(written.node, ast.Name | ast.Attribute):
        return False
    if written.text in map(ast.unparse, ast.walk(ast.parse(repair.text, mode="eval").body)):
        return False
    return not any(
        part is not written.node and type(part) is type(written.node) and ast.unparse(part) == written.text
        for node in ast.walk(scope)
        if isinstance(node, ast.Call)
        for argument in [*node.args, *(keyword.value for keyword in node.keywords)]
        for part in ast.walk(argument)
    )


def _computed_widths(repair: ClassRepair, after: Sequence[Followed]) -> int:
    """The number of layers' numbers that are those of computed variables, before and after the repair.

    A repair in the wrong place leaves no layer with the width that was computed for one.
    """
    if repair.written.role == "element":
        return 0  # what a loop gives its variable is not computed
    failed = repair.failed
    scope = scope_of(failed, repair.number.layer, repair.written)
    names = {} if scope is None else scope.names
    computed = {n for name, n in names.items() if type(n) is int and n >= UNIT and failed.arguments.get(name) != n}
    again = next((each for each in after if each.arguments == failed.arguments), failed)
    return len((computed & _layer_numbers(failed) & _layer_numbers(again)).difference(_numbers(failed).values()))


def _is_local_width(repair: ClassRepair) -> bool:
    """Return whether a repair drops arithmetic with a variable of the function: that was computed to be a width."""
    scope = repair.written.place.scope
    is_own = repair.text not in parameters(scope) if isinstance(scope, Function) else False
    return is_own and _drops_arithmetic(repair) and bool(assigned(scope, repair.text))


_INPUT = re.compile(r"^in(p|put|_|c|ch|planes|nc|features|$)|^c_?in$|_in$|^prev|^dim$|^channels?$")
_OUTPUT = re.compile(r"^out|^oup|^c_?out$|_out$|^channels?$")


def has_named_ends(after: Sequence[Followed]) -> bool:
    """Return whether the input and the output of a class have the different widths that are named after them.

    Without a name for the output, it may have that of any other parameter.
    """
    works = [each for each in after if each.outcome == "works"]
    if not works:
        return False
    widest = _widest(works)
    numbers = _numbers(widest)
    names_of_input = [name for name in numbers if _INPUT.search(name)] or list(numbers)
    if not names_of_input or numbers[names_of_input[0]] not in _widths(widest, _ends(widest)[0]):
        return False
    given = numbers[names_of_input[0]]
    names_of_output = [name for name in numbers if _OUTPUT.search(name)][:1] or list(numbers)
    return any(numbers[name] in _widths(widest, _ends(widest)[1]) for name in names_of_output if numbers[name] != given)


def is_meant(repair: ClassRepair, after: Sequence[Followed]) -> bool:
    """Return whether names say that a failure which arguments could avoid is a mistake: those of the ends, of a class
    that continues after what fails, or that of a width inside the class that became one of an end.
    """
    return _takes_inner_for_end(repair) or (may_be_mistaken(repair.failed) and has_named_ends(after))


def _takes_inner_for_end(repair: ClassRepair) -> bool:
    """Return whether a repair removes a name from an expression that is that of a width inside the class."""
    names = {ast.unparse(n) for n in ast.walk(repair.written.node) if isinstance(n, ast.Name | ast.Attribute)}
    names -= {ast.unparse(n) for n in ast.walk(ast.parse(repair.text)) if isinstance(n, ast.Name | ast.Attribute)}
    return any(is_inner_name(name) for name in names)


def _widest(after: Sequence[Followed]) -> Followed:
    return max(after, key=lambda each: len({v for v in each.arguments.values() if type(v) is int}))


def _numbers(followed: Followed) -> dict[str, int]:
    return {name: value for name, value in followed.arguments.items() if type(value) is int and value >= UNIT}


def _fits_names(after: Sequence[Followed]) -> int:
    """The number of ends of a repaired class that have the width of the parameter with their name, 0 to 2.

    ``in_channels`` is the width of the input, ``out_channels`` of the output; without such a name the input has that
    of the first parameter.
    """
    widest = _widest(after)
    numbers = _numbers(widest)
    if not numbers:
        return 0
    inputs, outputs = _ends(widest)
    names_of_input = [name for name in numbers if _INPUT.search(name)] or list(numbers)[:1]
    has_input = any(numbers[name] in _widths(widest, inputs) for name in names_of_input[:1])
    names_of_output = [name for name in numbers if _OUTPUT.search(name)]
    has_output = any(numbers[name] in _widths(widest, outputs) for name in names_of_output[:1])
    return has_input + has_output


def _ends(followed: Followed) -> tuple[list[Tensor], list[Tensor]]:
    """The inputs and the outputs of a class."""
    steps = followed.path.execution.steps
    inputs = [tensor for step in steps if step.op == "input" for tensor in step.outputs]
    return inputs, [tensor for step in steps if step.op == "output" for tensor in step.inputs]


def _widths(followed: Followed, tensors: Sequence[Tensor]) -> set[object]:
    return {followed.path.execution.reduced(size) for tensor in tensors for size in tensor.shape or ()}


_ROLES = ("reader", "source", "sibling")


def _layer_numbers(followed: Followed) -> set[object]:
    return {number for sizes in _sizes(followed) for number in sizes}


def _sizes(followed: Followed) -> tuple[tuple[object, ...], ...]:
    """The numbers of all layers of an execution."""
    names = ("in_channels", "out_channels", "in_features", "out_features", "num_features", "groups", "normalized_shape")
    layers = [layer_of(step) for step in followed.path.execution.steps if step.op in ops.WITH_WEIGHTS]
    return tuple(tuple(layer.attrs.get(name) for name in names) for layer in layers if layer)


def reads_input_by_parameter(repair: ClassRepair) -> bool:
    """Return whether a repair lets a layer that reads the input of the class read a parameter's number of channels."""
    scope = repair.written.place.scope
    return repair.number.role == "sibling" and isinstance(scope, Function) and repair.text in parameters(scope)


def is_right_for_defaults(space: ArgumentSpace, state: Sequence[Followed], repair: ClassRepair) -> bool:
    """Return whether a repair replaces a constant that fits the ratios that a class has by default.

    A model that computes `40` from `1.2 * 32` by hand is meant for that ratio. A ratio of 1 may have been forgotten.
    """
    ratios = {name for name in space.other_numbers if space.parameter(name).default != 1}
    fails = [each for each in state if each.outcome == "fails"]
    if not all(any(name in ratios for name, _ in each.options) for each in fails):
        return False
    return len({repr(evaluated(each, repair)[0]) for each in state}) == 1


def is_pointless(repair: ClassRepair) -> bool:
    """Return whether nothing would read a name of the function any more, or a condition would choose between equals."""
    node = repair.written.node
    around, _ = repair.written.place.file.parents.get(node, (None, ""))
    if isinstance(around, ast.IfExp) and node is not around.test:
        other = around.orelse if node is around.body else around.body
        if ast.unparse(other) == repair.text:
            return True
    return left_unread(repair.written.place.scope, node, repair.text, as_bound=False) > 0
