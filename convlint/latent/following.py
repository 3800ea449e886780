"""Executions of a class with plain numbers for its widths, and their outcomes."""

from __future__ import annotations

from functools import cached_property
from typing import Literal

from convlint.ir import Site
from convlint.latent.arguments import Arguments
from convlint.static.domain.execution import Execution, Step
from convlint.static.domain.objects import Instance
from convlint.static.domain.values import Tensor, Value
from convlint.static.exploration.entry_points import EntryPoint, ExecutionPath
from convlint.static.exploration.execute import execute_entry_point
from convlint.static.interpreter import Interpreter, PathChoices, Raised
from convlint.static.plain_numbers import WIDTHS
from convlint.static.program.project import Project
from convlint.support.dataclass import dataclass, replace

Outcome = Literal["works", "fails", "refused", "undecided"]
"""``refused``: the class itself raises. ``undecided``: the execution did not come to its end."""


Ranks = tuple[int | None, ...]
"""The numbers of dimensions of inputs; None, and none at all, for those that the code determines."""

Operation = tuple[str, Site | None, Site | None]
"""The function that is called, its place and that of the layer's constructor; no function for a constructor."""


@dataclass(frozen=True, eq=False, repr=False)
class Followed:
    """One execution of a class, and the first operation that PyTorch refuses: a call, or the constructor of a layer.

    ``options`` are the arguments that are neither widths nor as always. ``has_optional``: inputs that may be None are
    tensors. ``ranks`` are the dimensions that the inputs got.
    """

    arguments: Arguments
    options: tuple[tuple[str, Value], ...]
    path: ExecutionPath
    outcome: Outcome
    step: Step | None = None
    layer: Instance | None = None
    ranks: Ranks = ()
    has_optional: bool = False

    @property
    def site(self) -> Site | None:
        """The operation that fails."""
        if self.step is not None:
            return self.step.site
        return None if self.layer is None else self.layer.site

    @cached_property
    def failing(self) -> frozenset[Operation]:
        """All operations that fail: an execution continues after the first."""
        calls = {_operation(step) for step in self.path.execution.steps if step.error and not step.hypothetical}
        built = {("", None, instance.site) for instance in self.path.interpreter.creators if instance.error}
        return frozenset(calls | built)

    @property
    def operation(self) -> Operation | None:
        """The first operation that fails."""
        if self.layer is not None:
            return "", None, self.layer.site
        return None if self.step is None else _operation(self.step)

    @property
    def failing_layer(self) -> Instance | None:
        """The layer that fails: one of torch, or of a subclass that calls the function itself."""
        return layer_of(self.step) if self.step is not None else self.layer

    @property
    def inputs(self) -> list[Tensor]:
        return [step.outputs[0] for step in self.path.execution.steps if step.op == "input"]

    @property
    def ranks_of_inputs(self) -> Ranks:
        """The numbers of dimensions of the inputs."""
        return ranks_of_inputs(self.path)


def ranks_of_inputs(path: ExecutionPath) -> Ranks:
    """The numbers of dimensions of the inputs: None for one of which nothing in the class says how many it has."""
    inputs = [step.outputs[0] for step in path.execution.steps if step.op == "input"]
    return tuple(None if tensor.shape is None or tensor.cell.is_guess else len(tensor.shape) for tensor in inputs)


def _operation(step: Step) -> Operation:
    layer = layer_of(step)
    return step.op, step.site, None if layer is None else layer.site


def layer_of(step: Step) -> Instance | None:
    """The layer whose numbers a call uses: that of torch, or the subclass of one that calls the function itself."""
    if step.layer is not None:
        return step.layer
    owner = step.owner
    return owner if owner is not None and owner.kind not in (None, "Module", "Sequential") else None


def divides_wrongly(layer: Instance) -> bool:
    """Return whether the constructor of a layer fails because its groups do not divide its channels."""
    return layer.error is not None and ("divisible" in layer.error or "groups must be" in layer.error)


def follow(
    project: Project,
    entry_point: EntryPoint,
    arguments: Arguments,
    options: Arguments,
    steps: int,
    ranks: Ranks = (),
    *,
    has_optional: bool = False,
) -> Followed:
    """Execute a class with ``arguments`` and ``options``, on inputs with ``ranks`` of dimensions.

    The execution ends after a number of ``steps``.
    """
    followed = _follow(project, entry_point, arguments, options, steps, ranks, has_optional=has_optional)
    if followed.outcome != "fails":
        return followed
    others: list[Followed] = []
    if followed.path.interpreter.left_out_inputs:  # it may be due to an optional input that was left out
        others.append(_follow(project, entry_point, arguments, options, steps, ranks, all_inputs=True))
    if followed.path.execution.has_settled:  # ... or to the number of inputs in a list
        others.append(_follow(project, entry_point, arguments, options, steps, ranks, count=3))
    if any(followed.operation not in other.failing for other in others):
        return replace(followed, outcome="undecided", step=None, layer=None)
    return followed


def _follow(
    project: Project,
    entry_point: EntryPoint,
    arguments: Arguments,
    options: Arguments,
    steps: int,
    ranks: Ranks,
    *,
    all_inputs: bool = False,
    has_optional: bool = False,
    count: int = 2,
) -> Followed:
    interpreter = Interpreter(project, Execution(count=count), PathChoices())
    interpreter.steps, interpreter.input_ranks, interpreter.pass_all_inputs = steps, ranks, all_inputs
    interpreter.is_trial, interpreter.pass_optional_tensors = True, has_optional
    given = arguments | options
    path = ExecutionPath(entry_point, interpreter, dict(given), complete=False)
    outcome: Outcome = "undecided"
    try:
        execute_entry_point(path)
        path.complete = True
        outcome = "undecided" if interpreter.raises_type_error else "works"
    except Raised:
        outcome = "refused"
    except Exception:  # noqa: BLE001, S110 - too many steps, or sizes that cannot be: such arguments decide nothing
        pass
    path.steps = steps - interpreter.steps
    step = next((step for step in path.execution.steps if step.error and not step.hypothetical), None)
    layer = next((instance for instance in interpreter.creators if instance.error), None)
    if outcome == "refused" or interpreter.raises_type_error:
        step = layer = None
    elif (layer is not None and not divides_wrongly(layer)) or _has_empty_layer(interpreter):
        outcome, step, layer = "refused", None, None  # sizes below 1: the class is not meant for such arguments
    elif layer is not None:
        outcome, step = "fails", None
    elif step is not None:
        outcome = "fails"
    return Followed(given, tuple(options.items()), path, outcome, step, layer, ranks, has_optional)


def _has_empty_layer(interpreter: Interpreter) -> bool:
    """Return whether a layer has a width of 0, which a linear layer accepts."""
    return any(instance.attrs.get(name) == 0 for instance in interpreter.creators for name in WIDTHS)
