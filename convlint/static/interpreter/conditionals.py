"""The execution of ``if``: one branch where the condition is known, both where it is not."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from itertools import islice
from typing import TYPE_CHECKING

from convlint.static.domain.execution import Raised, Step
from convlint.static.domain.objects import Instance, Scope
from convlint.static.domain.origins import unknown_from
from convlint.static.domain.values import Value
from convlint.static.interpreter import truth
from convlint.static.interpreter.dispatch import BlockEnd, evaluate, execute_block
from convlint.static.interpreter.effects import effects_of, forget
from convlint.static.interpreter.joining import UNBOUND, Outcome, joined_values, outcome

if TYPE_CHECKING:
    from convlint.static.interpreter.interpreter import Interpreter


def execute_if(interpreter: Interpreter, node: ast.If, scope: Scope) -> BlockEnd | None:
    """Execute an ``if`` statement."""
    value = evaluate(interpreter, node.test, scope)
    taken = truth.known(interpreter, value)
    if taken is None:
        raising = _raising_branch(node)
        if raising is not None:  # a guard: the code after it runs on the other branch
            taken = not raising
            truth.guard(interpreter, value, taken)
        elif truth.is_on_parameters(interpreter, value):
            taken = truth.decide_at(interpreter, node, value, scope)
        else:
            return _both_branches(interpreter, node, scope)
    return execute_block(interpreter, node.body if taken else node.orelse, scope)


def _raising_branch(node: ast.If) -> bool | None:
    """Return the branch that ends with a raise: True for the body, False for else, None if neither does."""
    branches = ((True, node.body), (False, node.orelse))
    return next((which for which, body in branches if body and isinstance(body[-1], ast.Raise)), None)


def _both_branches(interpreter: Interpreter, node: ast.If, scope: Scope) -> BlockEnd | None:
    """Execute both branches of an unknown condition, except one that leaves; what they assign is what both leave."""
    if isinstance(node.body[-1], ast.Return) and _returns(node.orelse):
        return _either_return(interpreter, node, scope)
    if isinstance(node.body[-1], _LEAVING):
        scope.skipped = node.body[0] if isinstance(node.body[0], ast.Return) else scope.skipped
        return execute_block(interpreter, node.orelse, scope)
    if node.orelse and isinstance(node.orelse[-1], _LEAVING):
        return execute_block(interpreter, node.body, scope)
    places = _places(interpreter, node, scope)
    before = [owner.get(name, UNBOUND) for owner, name in places]
    ends: list[list[Outcome]] = []
    errors: list[list[Step]] = []
    for branch in (node.body, node.orelse):
        start = len(interpreter.execution.steps)
        for (owner, name), value in zip(places, before, strict=True):
            _rebind(owner, name, value)
        with interpreter.execution.hypothetical():
            execute_block(interpreter, branch, scope)
            ends.append([outcome(interpreter, owner.get(name, UNBOUND)) for owner, name in places])
            errors.append([s for s in interpreter.execution.steps[start:] if s.error and not s.hypothetical])
        forget(interpreter, branch, scope, node)
    unknown = unknown_from(node, scope)
    for (owner, name), first, second in zip(places, *ends, strict=True):
        _rebind(owner, name, joined_values(interpreter, first, second, unknown))
    if all(errors):  # one of the branches is taken
        errors[0][0].hypothetical = False
    return None


def _returns(block: Sequence[ast.stmt]) -> bool:
    """Return whether a block ends with a return on each of its branches that does not raise."""
    match block:
        case [*_, ast.Return()]:
            return True
        case [*_, ast.If(body=[*_, ast.Return() | ast.Raise()], orelse=rest)]:
            return _returns(rest) or (bool(rest) and isinstance(rest[-1], ast.Raise))
    return False


def _either_return(interpreter: Interpreter, node: ast.If, scope: Scope) -> BlockEnd | None:
    """Execute two branches that return; the result is what both return."""
    results: list[Outcome] = []
    attempts: list[Attempt] = []
    for branch in (node.body, node.orelse):
        names = dict(scope.names)
        attempts.append(Attempt(interpreter))
        try:
            with interpreter.execution.hypothetical():
                end = execute_block(interpreter, branch, scope)
                results.append(outcome(interpreter, None if end is None else end.value))
        except Raised:
            continue  # a program that works takes the other branch
        finally:
            attempts[-1].end()
            scope.names.clear()
            scope.names.update(names)
    if not results:
        raise Raised("both branches raise an exception")
    if isinstance(node.orelse[-1], ast.If) and not all(attempt.failed for attempt in attempts):
        for attempt in attempts:  # one of many cases: what PyTorch rejects in it, no caller may choose
            attempt.forgive()
    return BlockEnd(joined_values(interpreter, results[0], results[-1], unknown_from(node, scope)))


class Attempt:
    """The layers that one branch builds, and the calls that it makes."""

    def __init__(self, interpreter: Interpreter) -> None:
        self._interpreter = interpreter
        self._built, self._steps = len(interpreter.creators), len(interpreter.execution.steps)
        self.failed: list[Instance | Step] = []

    def end(self) -> None:
        """Note what PyTorch rejects of it."""
        interpreter = self._interpreter
        self.failed += [each for each in islice(interpreter.creators, self._built, None) if each.error is not None]
        self.failed += [each for each in interpreter.execution.steps[self._steps :] if each.error is not None]

    def forgive(self) -> None:
        """Report none of it."""
        for each in self.failed:
            each.error = None


def _places(interpreter: Interpreter, node: ast.If, scope: Scope) -> list[tuple[dict[str, Value], str]]:
    """Return the names and attributes of objects that a statement binds, each with the dict that has its value."""
    effects = effects_of(node)
    places = [(scope.names, name) for name in effects.names]
    for owner_node, attribute in effects.attributes:
        if isinstance(owner_node, ast.Name):
            owner = evaluate(interpreter, owner_node, scope)
            if type(owner) is Instance and not any(o is owner.attrs and n == attribute for o, n in places):
                places.append((owner.attrs, attribute))
    return places


def _rebind(owner: dict[str, Value], name: str, value: Value) -> None:
    if value is UNBOUND:
        owner.pop(name, None)
    else:
        owner[name] = value


_LEAVING = (ast.Return, ast.Break, ast.Continue, ast.Raise)
