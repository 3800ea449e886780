"""What comprehensions give."""

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
    found: list[Value] = []

    def take(inner: Scope) -> None:
        found.append(evaluate(interpreter, node.elt, inner))

    if not _generate(
        interpreter, node.generators, 0, Scope(scope.module, scope, scope.qualname), take
    ):
        found.append(UNKNOWN)
    return found


def dict_comprehension(interpreter: Interpreter, node: ast.DictComp, scope: Scope) -> Value:
    found: dict[Value, Value] = {}

    def take(inner: Scope) -> None:
        containers.put(
            found, evaluate(interpreter, node.key, inner), evaluate(interpreter, node.value, inner)
        )

    if not _generate(
        interpreter, node.generators, 0, Scope(scope.module, scope, scope.qualname), take
    ):
        found[UNKNOWN] = UNKNOWN
    return found


def _generate(
    interpreter: Interpreter,
    generators: list[ast.comprehension],
    depth: int,
    scope: Scope,
    take: Callable[[Scope], None],
) -> bool:
    """Run the loops of a comprehension; whether all of them could be followed."""
    if depth == len(generators):
        take(scope)
        return True
    loop = generators[depth]
    over = evaluate(interpreter, loop.iter, scope)
    items = containers.iterate(interpreter, over)
    if items is None or len(items) > LONGEST:
        assign(interpreter, loop.target, UNKNOWN, scope)
        _generate(interpreter, generators, depth + 1, scope, take)
        return False
    complete = not has_more(over)
    for item in items:
        interpreter.step()
        assign(interpreter, loop.target, item, scope)
        wanted: bool | None = True
        for test in loop.ifs:
            wanted = truth.known(interpreter, evaluate(interpreter, test, scope))
            if not wanted:
                break
        if wanted is None:
            complete = False
        elif wanted:
            complete &= _generate(interpreter, generators, depth + 1, scope, take)
    return complete
