"""List, set and dict comprehensions, and generator expressions."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import TYPE_CHECKING

from convlint.static.domain.objects import Scope
from convlint.static.domain.values import LONGEST, UNKNOWN, Value, has_more
from convlint.static.interpreter import truth
from convlint.static.interpreter.assignment import assign
from convlint.static.interpreter.dispatch import evaluate
from convlint.static.interpreter.pymodel import containers

if TYPE_CHECKING:
    from convlint.static.interpreter.interpreter import Interpreter


def comprehension(
    interpreter: Interpreter, node: ast.ListComp | ast.SetComp | ast.GeneratorExp, scope: Scope
) -> Value:
    """Return a list; UNKNOWN in it stands for items that are not known."""
    result: list[Value] = []

    def add(inner: Scope) -> None:
        result.append(evaluate(interpreter, node.elt, inner))

    if not _generate(
        interpreter, node.generators, 0, Scope(scope.module, scope, scope.qualname), add
    ):
        result.append(UNKNOWN)
    return result


def dict_comprehension(interpreter: Interpreter, node: ast.DictComp, scope: Scope) -> Value:
    """Return a dict; an UNKNOWN key stands for items that are not known."""
    result: dict[Value, Value] = {}

    def add(inner: Scope) -> None:
        containers.put(
            result, evaluate(interpreter, node.key, inner), evaluate(interpreter, node.value, inner)
        )

    if not _generate(
        interpreter, node.generators, 0, Scope(scope.module, scope, scope.qualname), add
    ):
        result[UNKNOWN] = UNKNOWN
    return result


def _generate(
    interpreter: Interpreter,
    generators: list[ast.comprehension],
    depth: int,
    scope: Scope,
    add: Callable[[Scope], None],
) -> bool:
    """Run the loops of a comprehension; False if an iterable or a condition is not known."""
    if depth == len(generators):
        add(scope)
        return True
    loop = generators[depth]
    iterable = evaluate(interpreter, loop.iter, scope)
    items = containers.iterate(interpreter, iterable)
    if items is None or len(items) > LONGEST:
        assign(interpreter, loop.target, UNKNOWN, scope)
        _generate(interpreter, generators, depth + 1, scope, add)
        return False
    complete = not has_more(iterable)
    for item in items:
        interpreter.step()
        assign(interpreter, loop.target, item, scope)
        included: bool | None = True
        for test in loop.ifs:
            included = truth.known(interpreter, evaluate(interpreter, test, scope))
            if not included:
                break
        if included is None:
            complete = False
        elif included:
            complete &= _generate(interpreter, generators, depth + 1, scope, add)
    return complete
