"""Failures that are the contract of a class: arguments that it does not accept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from convlint.analysis import ops
from convlint.latent.arguments import UNIT, ArgumentSpace
from convlint.latent.following import Followed, divides_wrongly, layer_of
from convlint.static.domain.execution import Step


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
    if followed.step is not None and followed.step.op == "group_norm":
        return "divisible" in (followed.step.error or "")
    layer = followed.layer
    if layer is None or not divides_wrongly(layer):
        return False
    return "in_channels" not in (layer.error or "") or layer.attrs.get("in_channels") != layer.attrs.get("out_channels")


def has_groups_of_another_width(followed: Followed) -> bool:
    """Return whether a layer has as many groups as an argument says, but not as many as its channels, in and out.

    Such groups divide its channels only for some arguments.
    """
    widths = {value for value in followed.arguments.values() if type(value) is int and value >= UNIT}
    for layer in followed.path.interpreter.creators:
        source, target, groups = (layer.attrs.get(name) for name in ("in_channels", "out_channels", "groups"))
        if source == target != groups and type(groups) is int and groups in widths:
            return True
    return False


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
    """Return whether a parameter is the class of the LayerNorm that fails: another class may read other dimensions.

    It reads the same ones if those that this one reads are the channels of a layer.
    """
    layer = failed.failing_layer
    if layer is None or layer.kind != "LayerNorm" or layer.cls not in failed.arguments.values():
        return False
    return failed.step is None or not reads_channels(failed, failed.step)


def reads_channels(failed: Followed, step: Step) -> bool:
    """Return whether the last dimension of the input of a step has the channels of the layer that it comes from."""
    producers = {output.id: each for each in failed.path.execution.steps for output in each.outputs}
    shape = step.inputs[0].shape
    size = failed.path.execution.reduced(shape[-1]) if shape else None
    before = producers.get(step.inputs[0].id)
    while before is not None and len(before.inputs) == 1:
        layer = layer_of(before)
        if before.op in ops.PROJECTIONS:
            attrs = {} if layer is None else layer.attrs
            return type(size) is int and size in (attrs.get("out_channels"), attrs.get("out_features"))
        before = producers.get(before.inputs[0].id)
    return False


def doubtful(
    space: ArgumentSpace, first: Followed, admitted: Sequence[Followed], every: Sequence[Followed]
) -> list[Followed]:
    """Those that work, and failures that may be no contract after all: sums, and groups that are the channels of the
    wrong end of a layer.

    A layer with as many groups as input channels may require that these divide its output channels; the widths that
    are tried ``first`` do.
    """
    fails = [each for each in every if each.outcome == "fails" and each not in admitted]
    left = [each for each in fails if (_mistakes_groups(each, first) if each.layer else _is_doubtful_sum(space, each))]
    return [*(each for each in every if each.outcome == "works"), *left] if left else []


def _is_doubtful_sum(space: ArgumentSpace, failed: Followed) -> bool:
    """Return whether a sum may fail because of a width inside the class, or a layer follows it."""
    is_sum = failed.step is not None and failed.step.op != "split"
    return is_sum and (space.has_inner_width or _goes_on(failed))


def may_be_mistaken(failed: Followed) -> bool:
    """Return whether a failure is that of groups, or of a sum that a layer follows."""
    return failed.layer is not None or _goes_on(failed)


def _mistakes_groups(failed: Followed, first: Followed) -> bool:
    """Return whether the groups of a failing layer are its output channels, or input channels that divide nothing."""
    attrs = failed.layer.attrs if failed.layer is not None else {}
    source, target = attrs.get("in_channels"), attrs.get("out_channels")
    is_usual = failed is first or (failed.options and first.outcome == "works")
    return source != target and attrs.get("groups") == (source if is_usual else target)


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
