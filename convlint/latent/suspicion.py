"""Classes that may fail for arguments that they accept: the others are not followed again.

The symbolic executions of a class prove that it works for all arguments if they came to their end, knew every width and
assumed nothing about parameters that the arguments to be tried would break.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from typing import Literal

from convlint.latent.arguments import DESCENDING, DIFFERENT, ArgumentSpace, usual_number
from convlint.static.domain.execution import Step
from convlint.static.domain.facts import Pair
from convlint.static.domain.objects import Function
from convlint.static.domain.values import Unknown, symbols_of
from convlint.static.exploration.entry_points import PARAMETERS, ExecutionPath
from convlint.static.exploration.execute import optional_tensors
from convlint.static.exploration.explore import Exploration
from convlint.static.plain_numbers import WIDTHS
from convlint.static.program.parse import walk
from convlint.support.dataclass import dataclass
from convlint.symbolic import Apply, Dim, Symbol

Suspicion = Literal["none", "options", "ratios", "inputs", "unknown", "broken", "failing"]
"""``options``: nothing is proved about layers that other options build. ``ratios``: nor about other ratios than the
defaults. ``inputs``: nor about inputs that may be None and were. ``unknown``: nor about a part of the class.
``broken``: arguments break an assumption, or widths are unknown. ``failing``: an execution has an error.
"""


@dataclass(frozen=True, eq=False)
class OpenClass:
    """A class about which its symbolic executions leave a question open, and the arguments that it can have."""

    exploration: Exploration
    space: ArgumentSpace
    question: Suspicion


def open_classes(explorations: Sequence[Exploration]) -> list[OpenClass]:
    """The classes that are worth a search, those with the fewest steps first."""
    classes = [exploration for exploration in explorations if exploration.entry_point.kind == "class"]
    found = []
    for exploration in sorted(classes, key=lambda each: each.paths[0].steps):
        space = ArgumentSpace(exploration.entry_point.value, _widths_of(exploration), _built_by(exploration))
        question = suspicion(exploration, space) if space.can_vary else "none"
        if question != "none":
            found.append(OpenClass(exploration, space, question))
    return found


def _widths_of(exploration: Exploration) -> list[str]:
    """The parameters that the executions of a class used as widths, or computed widths from."""
    found = {
        symbol.name for path in exploration.paths for symbol in path.execution.widths if symbol.scope == PARAMETERS
    }
    for path in exploration.paths:
        for instance in path.interpreter.creators:
            for width in (instance.attrs.get(name) for name in WIDTHS):
                symbols = width.symbols() if type(width) is Dim else ()
                found.update(s.name for s in symbols if s.scope == PARAMETERS and usual_number(s.name) is None)
    return sorted(found)


def _built_by(exploration: Exploration) -> set[tuple[int, int]]:
    """The places in its file of the calls with which the executions of a class built layers."""
    path = exploration.entry_point.module.path
    return {
        (site.line, site.column)
        for execution in exploration.paths
        for instance in execution.interpreter.creators
        for site in (instance.site, *instance.chain)
        if site is not None and site.path == path
    }


def suspicion(exploration: Exploration, space: ArgumentSpace) -> Suspicion:
    """Return what the symbolic executions of a class leave open: nothing if Python refuses it for all arguments."""
    if all(path.interpreter.raises_type_error for path in exploration.paths):
        return "none"
    if any(_fails(path) for path in exploration.paths):
        return "failing"
    tried = {name for path in exploration.paths for name in path.variant}
    if (
        space.width_lists
        or not space.optional_widths <= tried
        or any(_breaks(path, space) for path in exploration.paths)
    ):
        return "broken"
    if any(_is_open(path) for path in exploration.paths):
        return "unknown"
    if any(_leaves_out_tensors(path) for path in exploration.paths[:1]):
        return "inputs"
    if space.other_ratios:
        return "ratios"
    return "options" if space.building_options() else "none"


def _fails(path: ExecutionPath) -> bool:
    return any(instance.error for instance in path.interpreter.creators) or any(
        step.error and not step.hypothetical for step in path.execution.steps
    )


def _leaves_out_tensors(path: ExecutionPath) -> bool:
    """Return whether an input of a class may be None or a tensor that a module of the class is called with."""
    forward = path.entry_point.value.lookup("forward")
    if type(forward) is not Function:
        return False
    names = {parameter.arg for parameter in optional_tensors(forward)}
    return bool(names) and any(
        isinstance(node, ast.Call)
        and ast.unparse(node.func).startswith("self.")
        and any(isinstance(argument, ast.Name) and argument.id in names for argument in node.args)
        for node in walk(forward.node)
    )


def _is_open(path: ExecutionPath) -> bool:
    """Return whether an execution with plain numbers may show more.

    It does for widths that are rounded, inputs of which nothing is known, and calls that were not followed: a trial
    follows checks of types. An attribute that is unknown remains so.
    """
    execution = path.execution
    if not path.complete or any(step.op == "unseen" for step in execution.steps):
        return True
    widths = (instance.attrs.get(name) for instance in path.interpreter.creators for name in WIDTHS)
    if any(type(width) is Dim and _is_opaque(width) for width in widths):
        return True
    inputs = [step.outputs[0] for step in execution.steps if step.op == "input"]
    if any(tensor.shape is None or tensor.cell.is_guess for tensor in inputs):
        return True
    return any(_is_loose(path, step) for step in execution.steps if step.op == "layer_norm")


def _is_loose(path: ExecutionPath, step: Step) -> bool:
    """Return whether it is open that a LayerNorm is sized by its input: another class may be meant by a parameter."""
    sizes, shape = step.attrs.get("normalized_shape"), step.inputs[0].shape if step.inputs else None
    if type(sizes) is not tuple or not sizes or not shape:
        return False
    return bool(path.execution.reduced(sizes[-1]) != path.execution.reduced(shape[-1]))


def _is_opaque(width: Dim) -> bool:
    """Return whether a width is rounded or otherwise computed, so that little is proved about it."""
    terms = width.terms
    return terms is None or any(isinstance(atom, Apply) for monomial, _ in terms for atom, _ in monomial)


def _breaks(path: ExecutionPath, space: ArgumentSpace) -> bool:
    """Return whether a layer has an unknown width, or assumes what the arguments to be tried would break."""
    for instance in path.interpreter.creators:
        if any(type(instance.attrs.get(name)) is Unknown for name in WIDTHS):
            return True
    for step in path.execution.steps:
        slopes = step.attrs.get("num_parameters")  # of PReLU: one for all channels, or one for each
        if type(slopes) is Dim and _is_on_parameters(slopes):
            return True
    values = [
        {Symbol(name, PARAMETERS): value for name, value in space.with_pattern(pattern).items() if type(value) is int}
        for pattern in (DIFFERENT, DESCENDING)
    ]
    if any(not _holds(pair, each) for pair in _demands(path) for each in values):
        return True
    return bool(path.variant) and any(_asks_for_none(path, each) for each in values)


def _asks_for_none(path: ExecutionPath, values: dict[Symbol, int]) -> bool:
    """Return whether an input would need a size below 1."""
    for step in path.execution.steps:
        for size in step.outputs[0].shape or () if step.op == "input" else ():
            number = path.execution.reduced(size)
            if type(number) is Dim and all(symbol in values for symbol in number.symbols()):
                try:
                    if number.evaluate(values) < 1:
                        return True
                except (ValueError, ZeroDivisionError, OverflowError):
                    continue
    return False


def _is_on_parameters(number: Dim) -> bool:
    return any(symbol.scope == PARAMETERS for symbol in number.symbols())


def _demands(path: ExecutionPath) -> Iterator[Pair]:
    """The equalities of widths that calls and constructors of layers assumed."""
    for step in path.execution.steps:
        yield from step.demands
    for pairs in path.interpreter.demands.values():
        yield from pairs


def _holds(pair: Pair, values: dict[Symbol, int]) -> bool:
    """Return whether an equality holds; one of sizes that no argument determines does."""
    if all(symbol.scope != PARAMETERS for number in pair for symbol in symbols_of(number)):
        return True
    try:
        left, right = (number.evaluate(values) if isinstance(number, Dim) else number for number in pair)
    except (KeyError, ValueError, ZeroDivisionError, OverflowError):
        return any(symbol.scope != PARAMETERS for number in pair for symbol in symbols_of(number))
    return left == right
