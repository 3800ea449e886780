"""The claim of a latent defect: the arguments that were followed, for a run."""

from __future__ import annotations

import ast

from convlint.ir import Argument, Claim, Edit, Instantiation, Shape, Trial
from convlint.ir.claims import MODULE
from convlint.latent.arguments import ArgumentSpace
from convlint.latent.following import Followed
from convlint.latent.search import LatentDefect
from convlint.static.domain.objects import Function
from convlint.static.domain.values import Library, Value
from convlint.static.exploration.execute import optional_tensors, required_inputs, takes_tensor

_MOST_PAIRS = 4  # of failing and working arguments


def claim(defect: LatentDefect, edits: tuple[Edit, ...]) -> Claim | None:
    """The same arguments for a run: those that fail, each with those that work. None for a class inside a function."""
    cls = defect.entry_point.value
    if "<locals>" in cls.qualname:
        return None
    layers = [defect.repair.number.layer, defect.repair.failed.failing_layer]
    sites = tuple(dict.fromkeys(layer.site for layer in layers if layer is not None and layer.site is not None))
    works: list[Instantiation | None] = [_instantiation(defect.space, each) for each in defect.works[:1]]
    failing = [_instantiation(defect.space, each) for each in defect.fails[:_MOST_PAIRS]]
    trials = tuple(Trial(bad, good) for bad in failing for good in (works or [None]))
    is_built = defect.fails[0].step is not None
    return Claim(
        defect.entry_point.module.path,
        cls.qualname,
        (),
        trials,
        sites,
        fails_in="forward" if is_built else "constructor",
        edits=edits,
    )


def argument_text(space: ArgumentSpace, name: str, value: Value) -> str | None:
    """An argument as source text; None for the default, and for one that cannot be written."""
    parameter = space.parameter(name)
    if not parameter.is_required and type(parameter.default) is type(value) and parameter.default == value:
        return None
    if type(value) is Library:
        return MODULE
    text = repr(value)
    try:
        ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return None
    return text


def _instantiation(space: ArgumentSpace, followed: Followed) -> Instantiation:
    texts = {name: argument_text(space, name, value) for name, value in followed.arguments.items()}
    arguments = tuple(Argument(name, text) for name, text in texts.items() if text is not None)
    return Instantiation((), arguments=arguments, shapes=_shapes(followed))


def _shapes(followed: Followed) -> tuple[Shape, ...]:
    """The shapes of the inputs: 0 for any size, an empty shape for an input that is not followed as a tensor."""
    forward = followed.path.entry_point.value.lookup("forward")
    if type(forward) is not Function:
        return ()
    execution = followed.path.execution
    tensors = [step.outputs[0] for step in execution.steps if step.op == "input"]
    parameters = required_inputs(forward) + (optional_tensors(forward) if followed.has_optional else [])
    followed_as_tensors = [parameter for parameter in parameters if takes_tensor(forward, parameter)]
    if len(tensors) != len(followed_as_tensors):
        return ()
    found: list[Shape] = []
    left = iter(tensors)
    for parameter in parameters:
        if parameter not in followed_as_tensors:
            found.append(())
            continue
        shape = next(left).shape
        if shape is None:
            return ()
        sizes = [execution.reduced(size) for size in shape]
        found.append(tuple(size if type(size) is int else 0 for size in sizes))
    return tuple(found)
