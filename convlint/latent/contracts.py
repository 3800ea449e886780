"""Failures that are the contract of a class: arguments that it does not accept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from convlint.analysis import ops
from convlint.latent.arguments import ArgumentSpace
from convlint.latent.following import Followed, divides_wrongly


def breaks_contract(followed: Followed) -> bool:
    """Return whether what fails first is a sum of the input and something of another width, or a split of too few.

    Such a class requires equal widths of its caller, or more channels.
    """
    step = followed.step
    if step is None or step.op not in ("add", "sub", "split"):
        return False
    return step.op == "split" or any(is_input(followed, tensor.id) for tensor in step.inputs)


def is_indivisible(followed: Followed) -> bool:
    """Return whether groups do not divide channels, which a class may require of its caller.

    A layer with as many output as input channels is meant to have groups that divide both.
    """
    layer = followed.layer
    if layer is None or not divides_wrongly(layer):
        return False
    return "in_channels" not in (layer.error or "") or layer.attrs.get("in_channels") != layer.attrs.get("out_channels")


def is_input(followed: Followed, tensor: int | None) -> bool:
    """Return whether the channels of a tensor are those of an input of the class."""
    producers = {output.id: step for step in followed.path.execution.steps for output in step.outputs}
    while (step := producers.get(tensor)) is not None:
        if step.op == "input":
            return True
        if step.op in ops.PROJECTIONS or len(step.inputs) != 1:
            return False
        tensor = step.inputs[0].id
    return False


def admissible(space: ArgumentSpace, first: Followed, tried: Sequence[Followed]) -> Iterator[Followed]:
    """The executions without those whose arguments break a contract of the class, unless all do.

    A sum with the input that works for different widths and fails for equal ones is not a contract.
    """
    works = [each for each in tried if each.outcome == "works"]
    has_usual = any(not each.options for each in works)
    has_others = any(not breaks_contract(each) for each in tried)
    is_added_if_equal = first.outcome == "works"
    for each in tried:
        if has_others and breaks_contract(each) and not (is_added_if_equal and _is_equal(space, each)):
            continue
        if has_usual and is_indivisible(each):
            continue
        yield each


def _is_equal(space: ArgumentSpace, followed: Followed) -> bool:
    """Return whether all widths are equal, of a class that has several."""
    if len(space.widths) < 2 or followed.options:
        return False
    return len({followed.arguments[parameter.name] for parameter in space.widths}) == 1


def is_of_another_kind(failed: Followed) -> bool:
    """Return whether a parameter is the class of the LayerNorm that fails: another class may read other dimensions."""
    layer = failed.failing_layer
    return layer is not None and layer.kind == "LayerNorm" and layer.cls in failed.arguments.values()


def doubtful(first: Followed, admitted: Sequence[Followed], every: Sequence[Followed]) -> list[Followed]:
    """Those that work, and failures that may be no contract after all: of a class with layers after a sum, or one
    whose groups are the channels of the wrong end of a layer.

    A layer with as many groups as input channels may require that these divide its output channels; the widths that
    are tried ``first`` do.
    """
    fails = [each for each in every if each.outcome == "fails" and each not in admitted]
    left = [each for each in fails if (_mistakes_groups(each, first) if each.layer else _goes_on(each))]
    return [*(each for each in every if each.outcome == "works"), *left] if left else []


def _mistakes_groups(failed: Followed, first: Followed) -> bool:
    """Return whether the groups of a failing layer are its output channels, or input channels that divide nothing."""
    attrs = failed.layer.attrs if failed.layer is not None else {}
    source, target = attrs.get("in_channels"), attrs.get("out_channels")
    return source != target and attrs.get("groups") == (source if failed is first else target)


def _goes_on(failed: Followed) -> bool:
    """Return whether a layer reads what a sum that fails would give."""
    step = failed.step
    if step is None or step.op == "split":
        return False
    steps = failed.path.execution.steps
    behind = {output.id for output in step.outputs}
    for each in steps[steps.index(step) + 1 :]:
        if any(tensor.id in behind for tensor in each.inputs):
            if each.op in ops.PROJECTIONS:
                return True
            behind.update(output.id for output in each.outputs)
    return False
