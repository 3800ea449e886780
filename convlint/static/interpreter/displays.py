"""Displays and comprehensions of tuples, lists, sets and dicts, and f-strings."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import TYPE_CHECKING

from convlint.static.domain.objects import Scope
from convlint.static.domain.values import ANY_KEY, LONGEST, UNKNOWN, InputItems, Value, has_more
from convlint.static.interpreter import input_mappings, special_methods, truth
from convlint.static.interpreter.assignment import assign
from convlint.static.interpreter.dispatch import ExpressionHandler, evaluate
from convlint.static.interpreter.loops import Progress
from convlint.static.interpreter.operators import is_short_format
from convlint.static.interpreter.pymodel import containers
from convlint.static.interpreter.pymodel.any_item import any_item
from convlint.symbolic import Dim

if TYPE_CHECKING:
    from convlint.static.interpreter.interpreter import Interpreter


def _tuple(interpreter: Interpreter, node: ast.Tuple, scope: Scope) -> Value:
    items = _elements(interpreter, node.elts, scope)
    return UNKNOWN if items is None else tuple(items)


def _list(interpreter: Interpreter, node: ast.List | ast.Set, scope: Scope) -> Value:
    return _elements(interpreter, node.elts, scope, more=True)


def _elements(
    interpreter: Interpreter, elements: list[ast.expr], scope: Scope, *, more: bool = False
) -> list[Value] | None:
    """Return the items of a display; if not all are known, None, or with ``more`` UNKNOWN for the rest."""
    result: list[Value] = []
    complete = True
    for element in elements:
        if type(element) is ast.Starred:
            value = evaluate(interpreter, element.value, scope)
            items = containers.iterate(interpreter, value)
            long = items is None or len(items) + len(result) > LONGEST
            interpreter.handle_items(0 if items is None else len(items))
            result.extend([UNKNOWN] if items is None or long else items)
            complete &= not long and not has_more(value)
        else:
            result.append(evaluate(interpreter, element, scope))
    return result if complete or more else None


def _dict(interpreter: Interpreter, node: ast.Dict, scope: Scope) -> Value:
    result: dict[Value, Value] = {}
    for key, value in zip(node.keys, node.values, strict=True):
        item = evaluate(interpreter, value, scope)
        if key is None:
            content = containers.mapping(item)
            interpreter.handle_items(0 if content is None else len(content))
            result.update({UNKNOWN: UNKNOWN} if content is None else content)
        else:
            containers.put(result, evaluate(interpreter, key, scope), item)
    return result


def _joined(interpreter: Interpreter, node: ast.JoinedStr, scope: Scope) -> Value:
    parts = []
    for position, part in enumerate(node.values):
        if isinstance(part, ast.Constant):
            parts.append(str(part.value))
            continue
        assert isinstance(part, ast.FormattedValue)
        value = evaluate(interpreter, part.value, scope)
        rest = node.values[position + 1 :]
        if type(value) is Dim and rest and isinstance(rest[0], ast.Constant) and rest[0].value == "d":
            value = interpreter.execution.settled(value)  # `getattr(nn, f"Conv{dims}d")`
        form = "" if part.format_spec is None else evaluate(interpreter, part.format_spec, scope)
        text = special_methods.text_of(interpreter, value)
        if text is None or not is_short_format(form):
            return UNKNOWN
        try:
            shown = repr(value) if part.conversion == ord("r") and type(value) is str else text
            parts.append(format(value, form) if form else shown)
        except (TypeError, ValueError):
            return UNKNOWN
    return "".join(parts) if sum(map(len, parts)) <= LONGEST else UNKNOWN


# --- comprehensions


def _comprehension(
    interpreter: Interpreter, node: ast.ListComp | ast.SetComp | ast.GeneratorExp, scope: Scope
) -> Value:
    """Return a list; UNKNOWN in it stands for items that are not known."""
    result: list[Value] = []
    inner = Scope(scope.module, scope, scope.qualname, called_from=scope.called_from)

    def add() -> None:
        result.append(evaluate(interpreter, node.elt, inner))

    if not _loop(interpreter, node.generators, inner, add, [node.elt]):
        result.append(UNKNOWN)
    return result


def _dict_comprehension(interpreter: Interpreter, node: ast.DictComp, scope: Scope) -> Value:
    """Return a dict; an UNKNOWN key stands for items that are not known."""
    result: dict[Value, Value] = {}
    inner = Scope(scope.module, scope, scope.qualname, called_from=scope.called_from)

    def add() -> None:
        containers.put(result, evaluate(interpreter, node.key, inner), evaluate(interpreter, node.value, inner))

    if not _loop(interpreter, node.generators, inner, add, [node.key, node.value]) and ANY_KEY not in result:
        result[UNKNOWN] = UNKNOWN
    return result


def _loop(
    interpreter: Interpreter,
    loops: list[ast.comprehension],
    scope: Scope,
    add: Callable[[], None],
    parts: list[ast.expr],
) -> bool:
    """Run the loops of a comprehension, which makes ``parts``; False if an iterable or a condition is not known."""
    if not loops:
        add()
        return True
    loop, *inner = loops
    iterable = evaluate(interpreter, loop.iter, scope)
    complete = not has_more(iterable)
    if type(iterable) is InputItems:
        items: list[Value] | None = input_mappings.items(interpreter, iterable, loop.target, [*parts, *loop.ifs], scope)
        complete = ANY_KEY not in iterable.mapping.parts
    else:
        items = containers.iterate(interpreter, iterable)
    if items is None or len(items) > LONGEST:
        item = any_item(interpreter, iterable)
        assign(interpreter, loop.target, UNKNOWN if item is None else item, scope)
        _loop(interpreter, inner, scope, add, parts)
        return False
    progress = Progress(interpreter)
    for item in items:
        if progress.has_ended():
            return False
        assign(interpreter, loop.target, item, scope)
        included: bool | None = True
        for test in loop.ifs:
            included = truth.known(interpreter, evaluate(interpreter, test, scope))
            if not included:
                break
        if included is None:
            complete = False
        elif included:
            complete &= _loop(interpreter, inner, scope, add, parts)
    return complete


HANDLERS: dict[type, ExpressionHandler] = {
    ast.Tuple: _tuple,
    ast.List: _list,
    ast.Set: _list,
    ast.Dict: _dict,
    ast.JoinedStr: _joined,
    ast.ListComp: _comprehension,
    ast.SetComp: _comprehension,
    ast.GeneratorExp: _comprehension,
    ast.DictComp: _dict_comprehension,
}
