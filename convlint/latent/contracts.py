"""Failures that are the contract of a class: arguments that it does not accept."""

from __future__ import annotations

from convlint.analysis import ops
from convlint.latent.following import Followed


def breaks_contract(followed: Followed) -> bool:
    """Return whether a class adds its input to something of another width: it requires equal widths of its caller."""
    return any(
        is_input(followed, tensor.id)
        for step in followed.path.execution.steps
        if step.error and not step.hypothetical and step.op in ("add", "sub")
        for tensor in step.inputs
    )


def is_indivisible(followed: Followed) -> bool:
    """Return whether groups do not divide the channels that come out, which a class may require of its caller.

    Channels that come in are those of the layer before.
    """
    error = followed.layer.error if followed.layer is not None else None
    return error is not None and ("divisible" in error or "groups must be" in error) and "in_channels" not in error


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
