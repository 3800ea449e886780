"""What statements do."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from convlint.static.domain.execution import Stop
from convlint.static.domain.objects import Function, Instance, Scope
from convlint.static.domain.values import LONGEST, UNKNOWN, Value, has_more
from convlint.static.interpreter import definitions, truth
from convlint.static.interpreter.assignment import assign
from convlint.static.interpreter.dispatch import (
    BREAK,
    CONTINUE,
    EXPRESSIONS,
    Ending,
    Mark,
    block,
    evaluate,
)
from convlint.static.interpreter.operators import operate
from convlint.static.interpreter.pymodel import containers
from convlint.static.program.parse import is_generator, kept, own_nodes
from convlint.static.program.source_module import CHANGING, bound_names

if TYPE_CHECKING:
    from convlint.static.interpreter.interpreter import Interpreter

_MOST_TURNS = 400  # of one loop


class Raised(Stop):
    """The program raises."""


def run_function(interpreter: Interpreter, function: Function, scope: Scope) -> Value:
    """The result of a function whose parameters are bound in ``scope``."""
    node = function.node
    if isinstance(node, ast.Lambda):
        return evaluate(interpreter, node.body, scope)
    if isinstance(node, ast.AsyncFunctionDef) or (
        function.scope.module.text.yields and is_generator(node)
    ):
        interpreter.record_gap("a generator", node, scope)
        return UNKNOWN
    scope.names["__class__"] = function.owner
    ending = block(interpreter, node.body, scope)
    return None if ending is None else ending.value


# --- simple statements


def _expression(interpreter: Interpreter, node: ast.Expr, scope: Scope) -> None:
    if not isinstance(node.value, ast.Constant):
        EXPRESSIONS[type(node.value)](interpreter, node.value, scope)


def _assign(interpreter: Interpreter, node: ast.Assign, scope: Scope) -> None:
    value = EXPRESSIONS[type(node.value)](interpreter, node.value, scope)
    for target in node.targets:
        if type(target) is ast.Name:
            scope.names[target.id] = value
        else:
            assign(interpreter, target, value, scope)


def _annotated(interpreter: Interpreter, node: ast.AnnAssign, scope: Scope) -> None:
    if node.value is not None:
        assign(interpreter, node.target, evaluate(interpreter, node.value, scope), scope)


def _augmented(interpreter: Interpreter, node: ast.AugAssign, scope: Scope) -> None:
    left = evaluate(interpreter, _loaded(node.target), scope)
    right = evaluate(interpreter, node.value, scope)
    if type(left) is list and isinstance(node.op, ast.Add):
        items = containers.iterate(interpreter, right)
        long = items is None or len(left) + len(items) > LONGEST
        left.extend([UNKNOWN] if items is None or long else items)
        return
    assign(
        interpreter,
        node.target,
        operate(interpreter, node.op, left, right, node.value, scope, inplace=True),
        scope,
    )


def _loaded(target: ast.expr) -> ast.expr:
    """A target as an expression that reads it: evaluation does not look at the context."""
    return target


def _return(interpreter: Interpreter, node: ast.Return, scope: Scope) -> Ending:
    return Mark(None if node.value is None else evaluate(interpreter, node.value, scope))


def _raise(interpreter: Interpreter, node: ast.Raise, scope: Scope) -> None:
    raise Raised("the program raises")


def _assert(interpreter: Interpreter, node: ast.Assert, scope: Scope) -> None:
    value = evaluate(interpreter, node.test, scope)
    if not truth.assume(interpreter, value, True):
        raise Raised("an assertion fails")


def _delete(interpreter: Interpreter, node: ast.Delete, scope: Scope) -> None:
    for target in node.targets:
        if isinstance(target, ast.Attribute):
            owner = evaluate(interpreter, target.value, scope)
            if type(owner) is Instance:
                owner.attrs.pop(target.attr, None)
        elif isinstance(target, ast.Name):
            scope.names.pop(target.id, None)
        elif isinstance(target, ast.Subscript):
            containers.delete(
                evaluate(interpreter, target.value, scope),
                evaluate(interpreter, target.slice, scope),
            )


def _nothing(interpreter: Interpreter, node: ast.stmt, scope: Scope) -> None:
    return None


def _global(interpreter: Interpreter, node: ast.Global | ast.Nonlocal, scope: Scope) -> None:
    """What a function does to names outside of it is not followed: they may mean anything then."""
    for name in node.names:
        scope.names[name] = UNKNOWN
        around = scope.outer
        while around is not None:
            if name in around.names:
                around.names[name] = UNKNOWN
            around = around.outer
        if (
            interpreter.top is not None
            and interpreter.top.module is scope.module
            and name in interpreter.top.names
        ):
            interpreter.top.names[name] = UNKNOWN


def _break(interpreter: Interpreter, node: ast.Break, scope: Scope) -> Ending:
    return BREAK


def _continue(interpreter: Interpreter, node: ast.Continue, scope: Scope) -> Ending:
    return CONTINUE


# --- compound statements


def _if(interpreter: Interpreter, node: ast.If, scope: Scope) -> Ending:
    value = evaluate(interpreter, node.test, scope)
    taken = truth.known(interpreter, value)
    if taken is None:
        leaves = _only_leaves(node)
        if leaves is not None:  # a guard: whoever gets past it goes the other way
            taken = not leaves
            truth.assume(interpreter, value, taken)
        elif truth.is_on_parameters(interpreter, value):
            taken = truth.decide(interpreter, value)
        else:
            return _either(interpreter, node, scope)
    return block(interpreter, node.body if taken else node.orelse, scope)


def _only_leaves(node: ast.If) -> bool | None:
    """Whether it is the branch that is taken, or the other, that does nothing but raise; None if
    neither does.
    """
    for which, body in ((True, node.body), (False, node.orelse)):
        if body and isinstance(body[-1], ast.Raise):
            return which
    return None


def _either(interpreter: Interpreter, node: ast.If, scope: Scope) -> Ending:
    """Go on where nothing is known of a condition: what either branch sets is unknown afterwards.

    A branch that leaves the function or the loop is passed by.
    """
    if isinstance(node.body[-1], _LEAVING):
        return block(interpreter, node.orelse, scope)
    if node.orelse and isinstance(node.orelse[-1], _LEAVING):
        return block(interpreter, node.body, scope)
    for branch in (node.body, node.orelse):
        with interpreter.execution.supposing():
            block(interpreter, branch, scope)
        forget(interpreter, branch, scope)
    return None


_LEAVING = (ast.Return, ast.Break, ast.Continue, ast.Raise)


def _for(interpreter: Interpreter, node: ast.For | ast.AsyncFor, scope: Scope) -> Ending:
    over = evaluate(interpreter, node.iter, scope)
    items = containers.iterate(interpreter, over)
    if items is None or len(items) > _MOST_TURNS:
        interpreter.record_gap("a loop over something unknown", node.iter, scope)
        assign(interpreter, node.target, UNKNOWN, scope)
        ending = block(interpreter, node.body, scope)
        forget(interpreter, [node], scope)
        return ending if ending not in (None, BREAK, CONTINUE) and not node.orelse else None
    for item in items:
        interpreter.step()
        assign(interpreter, node.target, item, scope)
        ending = block(interpreter, node.body, scope)
        if ending is BREAK:
            return None
        if ending is not None and ending is not CONTINUE:
            return ending
    if has_more(over):
        forget(interpreter, [node], scope)
    return block(interpreter, node.orelse, scope)


def _while(interpreter: Interpreter, node: ast.While, scope: Scope) -> Ending:
    for _ in range(_MOST_TURNS):
        interpreter.step()
        going = truth.known(interpreter, evaluate(interpreter, node.test, scope))
        if going is None:
            break
        if not going:
            return block(interpreter, node.orelse, scope)
        ending = block(interpreter, node.body, scope)
        if ending is BREAK:
            return None
        if ending is not None and ending is not CONTINUE:
            return ending
    interpreter.record_gap("a loop that ends on something unknown", node.test, scope)
    forget(interpreter, node.body, scope)
    return None


def forget(interpreter: Interpreter, statements: Sequence[ast.stmt], scope: Scope) -> None:
    """Take everything that statements may have changed for unknown."""
    for statement in statements:
        effects = _effects(statement)
        for name in effects.names:
            scope.names[name] = UNKNOWN
        for owner_node, attribute in effects.attributes:
            owner = evaluate(interpreter, owner_node, scope)
            if type(owner) is Instance:
                owner.attrs[attribute] = UNKNOWN
        for changed in effects.containers:
            containers.taint(evaluate(interpreter, changed, scope))


class _Effects:
    """What a statement may change: names, attributes of objects, and things that hold others."""

    def __init__(self, statement: ast.stmt) -> None:
        self.names = list(dict.fromkeys(bound_names(statement)))
        self.attributes: list[tuple[ast.expr, str]] = []
        self.containers: list[ast.expr] = []
        for node in own_nodes(statement):
            match node:
                case ast.Attribute(ctx=ast.Store()):
                    self.attributes.append((node.value, node.attr))
                case ast.Subscript(ctx=ast.Store()):
                    self.containers.append(node.value)
                case ast.Call(func=ast.Attribute(attr=attr)) if attr in CHANGING:
                    assert isinstance(node.func, ast.Attribute)
                    self.containers.append(node.func.value)


def _effects(statement: ast.stmt) -> _Effects:
    return kept(statement, "effects", lambda: _Effects(statement))


def _with(interpreter: Interpreter, node: ast.With | ast.AsyncWith, scope: Scope) -> Ending:
    for item in node.items:
        value = evaluate(interpreter, item.context_expr, scope)
        if item.optional_vars is not None:
            assign(
                interpreter,
                item.optional_vars,
                value if type(value) is not Instance else UNKNOWN,
                scope,
            )
    return block(interpreter, node.body, scope)


def _try(interpreter: Interpreter, node: ast.Try, scope: Scope) -> Ending:
    try:
        ending = block(interpreter, node.body, scope)
    except Raised:
        if not node.handlers:
            raise
        ending = block(interpreter, node.handlers[0].body, scope)
    else:
        if ending is None:
            ending = block(interpreter, node.orelse, scope)
    last = block(interpreter, node.finalbody, scope)
    return last or ending


def _match(interpreter: Interpreter, node: ast.Match, scope: Scope) -> Ending:
    interpreter.record_gap("a match statement", node, scope)
    evaluate(interpreter, node.subject, scope)
    forget(interpreter, [statement for case in node.cases for statement in case.body], scope)
    return None


HANDLERS: dict[type, Callable[[Any, Any, Scope], Ending]] = {
    ast.Expr: _expression,
    ast.Assign: _assign,
    ast.AnnAssign: _annotated,
    ast.AugAssign: _augmented,
    ast.Return: _return,
    ast.Raise: _raise,
    ast.Assert: _assert,
    ast.Delete: _delete,
    ast.Pass: _nothing,
    ast.Global: _global,
    ast.Nonlocal: _global,
    ast.Break: _break,
    ast.Continue: _continue,
    ast.If: _if,
    ast.For: _for,
    ast.AsyncFor: _for,
    ast.While: _while,
    ast.With: _with,
    ast.AsyncWith: _with,
    ast.Try: _try,
    ast.Match: _match,
    ast.FunctionDef: definitions.define_function,
    ast.AsyncFunctionDef: definitions.define_function,
    ast.ClassDef: definitions.define_class,
    ast.Import: definitions.import_modules,
    ast.ImportFrom: definitions.import_names,
}
if hasattr(ast, "TryStar"):
    HANDLERS[ast.TryStar] = _try
if hasattr(ast, "TypeAlias"):
    HANDLERS[ast.TypeAlias] = _nothing
