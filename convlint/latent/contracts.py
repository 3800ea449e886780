"""Failures that are the contract of a class: arguments that it does not accept."""

from __future__ import annotations

from convlint.analysis import ops
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
