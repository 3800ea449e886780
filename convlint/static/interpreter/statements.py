"""The execution of statements."""

from __future__ import annotations

import ast
from contextlib import suppress
from typing import TYPE_CHECKING

from convlint.static.domain.budget import ITERATIONS
from convlint.static.domain.execution import Raised
from convlint.static.domain.objects import Function, Instance, Scope
from convlint.static.domain.origins import unknown_from
from convlint.static.domain.values import ANY_KEY, LONGEST, UNKNOWN, InputItems, Unknown, Value, has_more
from convlint.static.interpreter import (
    conditionals,
    definitions,
    exceptions,
    generators,
    input_mappings,
    matching,
    truth,
)
from convlint.static.interpreter.assignment import assign, unpacked_shape
from convlint.static.interpreter.call import Call
from convlint.static.interpreter.dispatch import (
    BREAK,
    CONTINUE,
    EXPRESSIONS,
    BlockEnd,
    StatementHandler,
    evaluate,
    execute_block,
)
from convlint.static.interpreter.effects import forget
from convlint.static.interpreter.initialization import is_initialization
from convlint.static.interpreter.loops import Progress
from convlint.static.interpreter.operators import operate
from convlint.static.interpreter.pymodel import containers, module_containers
from convlint.static.interpreter.pymodel.any_item import any_item
from convlint.static.interpreter.unknown_loops import Carried
from convlint.static.program.parse import is_generator

if TYPE_CHECKING:
    from convlint.static.interpreter.interpreter import Interpreter


def run_function(interpreter: Interpreter, function: Function, scope: Scope) -> Value:
    """Return the result of a function whose parameters are bound in ``scope``."""
    node = function.node
    if isinstance(node, ast.Lambda):
        return evaluate(interpreter, node.body, scope)
    if isinstance(node, ast.AsyncFunctionDef):
        return interpreter.record_gap("coroutines are not supported", node, scope)
    scope.names["__class__"] = function.owner
    if function.scope.module.text.yields and is_generator(node):
        return generators.run(interpreter, node, scope)
    try:
        end = execute_block(interpreter, node.body, scope)
    except Raised:
        if scope.skipped is None or node is interpreter.entry_code:
            raise
        end = _return(interpreter, scope.skipped, scope)  # a program that works returned there
    return None if end is None else end.value


# --- simple statements


def _expression(interpreter: Interpreter, node: ast.Expr, scope: Scope) -> None:
    if not isinstance(node.value, ast.Constant):
        value = EXPRESSIONS[type(node.value)](interpreter, node.value, scope)
        unfollowed = interpreter.execution.unfollowed
        if unfollowed and value is not None and unfollowed[-1].result is value:
            unfollowed.pop()  # nothing reads the result of that call


def _assign(interpreter: Interpreter, node: ast.Assign, scope: Scope) -> None:
    value = EXPRESSIONS[type(node.value)](interpreter, node.value, scope)
    for target in node.targets:
        if type(target) is ast.Name:
            scope.names[target.id] = value
        else:
            if type(value) is Unknown and isinstance(node.value, ast.Tuple) and isinstance(target, ast.Tuple):
                value = unpacked_shape(interpreter, target, node.value, scope) or value
            assign(interpreter, target, value, scope)


def _annotated(interpreter: Interpreter, node: ast.AnnAssign, scope: Scope) -> None:
    if node.value is not None:
        assign(interpreter, node.target, evaluate(interpreter, node.value, scope), scope)


def _augmented(interpreter: Interpreter, node: ast.AugAssign, scope: Scope) -> None:
    left = evaluate(interpreter, node.target, scope)
    right = evaluate(interpreter, node.value, scope)
    if type(left) is list and isinstance(node.op, ast.Add):
        items = containers.iterate(interpreter, right)
        long = items is None or len(left) + len(items) > LONGEST
        left.extend([UNKNOWN] if items is None or long else items)
        return
    if type(left) is Instance and left.kind in ("ModuleList", "Sequential") and isinstance(node.op, ast.Add):
        added = containers.iterate(interpreter, right)
        module_containers.extend(left, [UNKNOWN] if added is None else added)
        return
    operands = Call(interpreter, [left, right], {}, node, scope)  # type: ignore[arg-type]
    value = operate(node.op, operands, inplace=True)
    if type(value) is Unknown and value.node is None:
        value = unknown_from(node.value, scope, left, right)
    assign(interpreter, node.target, value, scope)


def _return(interpreter: Interpreter, node: ast.Return, scope: Scope) -> BlockEnd | None:
    return BlockEnd(None if node.value is None else evaluate(interpreter, node.value, scope))


def _delete(interpreter: Interpreter, node: ast.Delete, scope: Scope) -> None:
    for target in node.targets:
        if isinstance(target, ast.Attribute):
            owner = evaluate(interpreter, target.value, scope)
            if type(owner) is Instance:
                owner.attrs.pop(target.attr, None)
        elif isinstance(target, ast.Name):
            scope.names.pop(target.id, None)
        elif isinstance(target, ast.Subscript):
            containers.delete(evaluate(interpreter, target.value, scope), evaluate(interpreter, target.slice, scope))


def _global(interpreter: Interpreter, node: ast.Global | ast.Nonlocal, scope: Scope) -> None:
    """Assignments to names outside of a function are not tracked: these names are unknown from here on."""
    for name in node.names:
        scope.names[name] = UNKNOWN
        outer = scope.outer
        while outer is not None:
            if name in outer.names:
                outer.names[name] = UNKNOWN
            outer = outer.outer
        top = interpreter.top_level
        if top is not None and top.module is scope.module and name in top.names:
            top.names[name] = UNKNOWN


# --- compound statements


def _for(interpreter: Interpreter, node: ast.For | ast.AsyncFor, scope: Scope) -> BlockEnd | None:
    if is_initialization(node, scope.function):
        return execute_block(interpreter, node.orelse, scope)
    iterable = evaluate(interpreter, node.iter, scope)
    if type(iterable) is InputItems:
        return _for_inputs(interpreter, node, iterable, scope)
    items = containers.iterate(interpreter, iterable)
    if items is None or len(items) > ITERATIONS:
        before, carried = _Layers(interpreter), Carried.before(interpreter, node, scope)
        item = any_item(interpreter, iterable)
        assign(interpreter, node.target, unknown_from(node.iter, scope, iterable) if item is None else item, scope)
        end = execute_block(interpreter, node.body, scope)
        changed = None if item is None else carried.changed(interpreter, node, scope)
        if changed is None or changed:
            is_value = not before.have_more(interpreter)
            interpreter.record_gap("loop over an unknown iterable", node.iter, scope, iterable, is_value=is_value)
        forget(interpreter, [node], scope, node, names=changed)
        return end if end not in (None, BREAK, CONTINUE) and not node.orelse else None
    progress, before = Progress(interpreter), _Layers(interpreter)
    for item in items:
        if progress.has_ended():
            _leave(interpreter, node, scope, before)
            return None
        assign(interpreter, node.target, item, scope)
        end = execute_block(interpreter, node.body, scope)
        if end is BREAK:
            return None
        if end is not None and end is not CONTINUE:
            return end
    if has_more(iterable):
        forget(interpreter, [node], scope, node)
    return execute_block(interpreter, node.orelse, scope)


def _leave(interpreter: Interpreter, loop: ast.For | ast.AsyncFor | ast.While, scope: Scope, before: _Layers) -> None:
    """Continue after a loop of which no more is followed; what it changes is unknown."""
    is_value = not before.have_more(interpreter)
    interpreter.record_gap("a loop takes too many steps", loop, scope, is_value=is_value)
    forget(interpreter, [loop], scope, loop)


def _for_inputs(
    interpreter: Interpreter, node: ast.For | ast.AsyncFor, inputs: InputItems, scope: Scope
) -> BlockEnd | None:
    """Loop over the items of an input that is a dict."""
    for item in input_mappings.items(interpreter, inputs, node.target, node.body, scope):
        interpreter.step()
        assign(interpreter, node.target, item, scope)
        end = execute_block(interpreter, node.body, scope)
        if end is BREAK or end is CONTINUE:
            continue
        if end is not None:
            return end
    if ANY_KEY in inputs.mapping.parts:
        forget(interpreter, [node], scope, node, key=input_mappings.key_name(node.target))
    return None


def _while(interpreter: Interpreter, node: ast.While, scope: Scope) -> BlockEnd | None:
    progress, before = Progress(interpreter), _Layers(interpreter)
    for _ in range(ITERATIONS):
        if progress.has_ended():
            _leave(interpreter, node, scope, before)
            return None
        test = evaluate(interpreter, node.test, scope)
        condition = truth.known(interpreter, test)
        if condition is None:
            break
        if not condition:
            return execute_block(interpreter, node.orelse, scope)
        end = execute_block(interpreter, node.body, scope)
        if end is BREAK:
            return None
        if end is not None and end is not CONTINUE:
            return end
    before = _Layers(interpreter)
    with suppress(Raised), interpreter.execution.hypothetical():
        execute_block(interpreter, node.body, scope)
    is_value = not before.have_more(interpreter)
    interpreter.record_gap("loop with an unknown condition", node.test, scope, test, is_value=is_value)
    forget(interpreter, node.body, scope, node)
    return None


class _Layers:
    """The layers that were built and called before a loop of unknown length: one that adds none only changes values."""

    __slots__ = ("_built", "_calls")

    def __init__(self, interpreter: Interpreter) -> None:
        self._built, self._calls = len(interpreter.creators), len(interpreter.execution.steps)

    def have_more(self, interpreter: Interpreter) -> bool:
        """Return whether one was built or called since."""
        steps = interpreter.execution.steps[self._calls :]
        return len(interpreter.creators) > self._built or any(step.layer is not None for step in steps)


HANDLERS: dict[type, StatementHandler] = {
    ast.Expr: _expression,
    ast.Assign: _assign,
    ast.AnnAssign: _annotated,
    ast.AugAssign: _augmented,
    ast.Return: _return,
    ast.Raise: exceptions.execute_raise,
    ast.Assert: exceptions.execute_assert,
    ast.Delete: _delete,
    ast.Pass: lambda *_: None,
    ast.Global: _global,
    ast.Nonlocal: _global,
    ast.Break: lambda *_: BREAK,
    ast.Continue: lambda *_: CONTINUE,
    ast.If: conditionals.execute_if,
    ast.For: _for,
    ast.AsyncFor: _for,
    ast.While: _while,
    ast.With: exceptions.execute_with,
    ast.AsyncWith: exceptions.execute_with,
    ast.Try: exceptions.execute_try,
    ast.Match: matching.execute_match,
    ast.FunctionDef: definitions.define_function,
    ast.AsyncFunctionDef: definitions.define_function,
    ast.ClassDef: definitions.define_class,
    ast.Import: definitions.import_modules,
    ast.ImportFrom: definitions.import_names,
}
if hasattr(ast, "TryStar"):
    HANDLERS[ast.TryStar] = exceptions.execute_try
if hasattr(ast, "TypeAlias"):
    HANDLERS[ast.TypeAlias] = HANDLERS[ast.Pass]
