"""Bindings in a file as it is written: of names, parameters, attributes and keys."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from functools import lru_cache
from math import inf

from convlint.source_text.call_sites import Function, ParsedFile, WrittenCall
from convlint.source_text.trees import expression


def parameters(function: Function) -> list[str]:
    """The names of a function's parameters, without ``self`` and ``cls``."""
    arguments = function.args
    names = [a.arg for a in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
    return names[1:] if names[:1] in (["self"], ["cls"]) else names


def is_bound_at(scope: Function, node: ast.expr, text: str) -> bool:
    """Return whether a function has bound the names and attributes in an expression before ``node``.

    What the statement of ``node`` binds may get its value from there, and what it never binds, or reads before it
    binds it, comes from elsewhere. The names of a comprehension are bound in it alone.
    """
    uses = _uses(scope)
    line = node.lineno
    for name in _names_in(text):
        places = _comprehensions(scope).get(name, ())
        if any(node in nodes for nodes in places):
            continue
        if places and name not in parameters(scope):
            return False
        stores, first_read = uses.get(name, ((), 0))
        is_later = all(start >= line or first <= line <= last for start, first, last in stores)
        if stores and is_later and first_read > line and name not in parameters(scope):
            return False
    return True


@lru_cache(maxsize=256)
def _names_in(text: str) -> tuple[str, ...]:
    """The names and attributes in an expression that it does not bind itself."""
    parts = [*ast.walk(expression(text))]
    own = {each.id for each in parts if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)}
    names = (ast.unparse(each) for each in parts if isinstance(each, ast.Name | ast.Attribute))
    return tuple(name for name in names if name not in own)


_BINDING = (ast.Assign, ast.AnnAssign, ast.AugAssign)
Store = tuple[int, int, int]
"""The line where a name is bound, and the first and last line of its statement; (1, 0) if that has no value."""


@lru_cache(maxsize=64)
def _uses(scope: Function) -> dict[str, tuple[list[Store], float]]:
    """The names and attributes in a function: where they are bound, and the line where they are read first."""
    statements: dict[int, tuple[int, int]] = {}
    for statement in ast.walk(scope):
        if isinstance(statement, _BINDING):
            span = (statement.lineno, statement.end_lineno or 0)
            statements.update((id(inner), span) for inner in ast.walk(statement))
    uses: dict[str, tuple[list[Store], float]] = {}
    for inner in ast.walk(scope):
        if isinstance(inner, ast.Name | ast.Attribute):
            name = ast.unparse(inner)
            stores, first_read = uses.setdefault(name, ([], inf))
            if isinstance(inner.ctx, ast.Store):
                stores.append((inner.lineno, *statements.get(id(inner), (1, 0))))
            else:
                uses[name] = stores, min(first_read, inner.lineno)
    return uses


@lru_cache(maxsize=64)
def _comprehensions(scope: Function) -> dict[str, list[set[ast.AST]]]:
    """The nodes of each comprehension that binds a name, by the names that nothing else in a function binds."""
    found: dict[str, list[set[ast.AST]]] = {}
    within: set[ast.AST] = set()
    for part in ast.walk(scope):
        if isinstance(part, ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
            nodes = set(ast.walk(part))
            targets = {each for generator in part.generators for each in ast.walk(generator.target)}
            within |= targets
            for name in {each.id for each in targets if isinstance(each, ast.Name)}:
                found.setdefault(name, []).append(nodes)
    if found:
        stores = (n for n in ast.walk(scope) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store))
        for each in stores:
            if each not in within:
                found.pop(each.id, None)
    return found


def argument_for(call: WrittenCall, function: Function, name: str) -> ast.expr | None:
    """The expression that a call of ``function`` passes for its parameter ``name``; None if it passes none."""
    positional = len(function.args.posonlyargs) + len(function.args.args)
    names = parameters(function)
    dropped = positional + len(function.args.kwonlyargs) - len(names)
    position = names.index(name)
    if position < positional - dropped:
        return call.argument(name, position)
    return next((keyword.value for keyword in call.node.keywords if keyword.arg == name), None)


def passes_on_keywords(call: WrittenCall) -> bool:
    """Return whether a call passes the ``**kwargs`` of the function around it."""
    scope = call.scope
    kwargs = scope.args.kwarg.arg if isinstance(scope, Function) and scope.args.kwarg else None
    unpacked = [keyword.value for keyword in call.node.keywords if keyword.arg is None]
    return any(isinstance(value, ast.Name) and value.id == kwargs for value in unpacked)


def keyword_of(call: WrittenCall, name: str) -> ast.expr | None:
    return next((keyword.value for keyword in call.node.keywords if keyword.arg == name), None)


def default_of(function: Function, name: str) -> ast.expr | None:
    arguments = function.args
    positional = [*arguments.posonlyargs, *arguments.args]
    pairs = [*zip(reversed(positional), reversed(arguments.defaults), strict=False)]
    found = [value for parameter, value in pairs if parameter.arg == name]
    found += [v for p, v in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True) if p.arg == name and v]
    return found[0] if found else None


def arguments(call: WrittenCall) -> list[ast.expr]:
    return [*call.node.args, *(keyword.value for keyword in call.node.keywords)]


Bound = tuple[str, ast.expr, bool]
"""A name, the expression that is assigned to it, and whether that only holds its value, as what a loop runs over."""


def assigned(scope: ast.AST, name: str) -> Sequence[tuple[ast.expr, bool]]:
    """The expressions that the statements of a scope assign to a name; True for one that holds its value: for a loop,
    what it runs over.
    """
    return _assignments(scope).get(name, ())


@lru_cache(maxsize=256)
def _assignments(scope: ast.AST) -> dict[str, list[tuple[ast.expr, bool]]]:
    """The expressions that a scope assigns to each of its names, in the order of the text."""
    found: dict[str, list[tuple[ast.expr, bool]]] = {}
    body = getattr(scope, "body", [])
    pending: list[ast.AST] = [body] if isinstance(body, ast.expr) else list(reversed(body))
    while pending:
        node = pending.pop()
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            for name, value, holds in _bound_by(node):
                found.setdefault(name, []).append((value, holds))
            pending += reversed([*ast.iter_child_nodes(node)])
    return found


@lru_cache(maxsize=256)
def appended(scope: ast.AST, name: str) -> Sequence[ast.expr]:
    """The expressions that a scope appends to the list of a name."""
    calls = (node for node in ast.walk(scope) if isinstance(node, ast.Call) and len(node.args) == 1)
    return [
        call.args[0]
        for call in calls
        if isinstance(call.func, ast.Attribute) and call.func.attr == "append" and ast.unparse(call.func.value) == name
    ]


def _bound_by(node: ast.AST) -> Iterator[Bound]:
    match node:
        case ast.Assign(targets=targets, value=value):
            for target in targets:
                yield from _bound(target, value)
        case ast.AnnAssign(target=target, value=value) if value is not None:
            yield from _bound(target, value)
        case ast.AugAssign(target=target, value=value) | ast.NamedExpr(target=target, value=value):
            yield from _bound(target, value)
        case ast.For(target=target, iter=value) | ast.comprehension(target=target, iter=value):
            yield from _bound_by_loop(target, value)


def _bound(target: ast.expr, value: ast.expr, holds: bool = False) -> Iterator[Bound]:
    """The names that a target binds, each with its part of ``value``, and whether that only holds what is bound."""
    if isinstance(target, ast.Name):
        yield target.id, value, holds
    elif isinstance(target, ast.Tuple | ast.List):
        if not holds and isinstance(value, ast.Tuple | ast.List) and len(value.elts) == len(target.elts):
            for part, its in zip(target.elts, value.elts, strict=True):
                yield from _bound(part, its)
        else:
            yield from ((part.id, value, True) for part in target.elts if isinstance(part, ast.Name))


def _bound_by_loop(target: ast.expr, iterated: ast.expr) -> Iterator[Bound]:
    """The names that a loop binds, each with its iterable: of a ``zip``, the argument that it takes from."""
    match target, iterated:
        case ast.Tuple(elts=parts), ast.Call(func=ast.Name(id="zip"), args=args) if len(parts) == len(args):
            for part, argument in zip(parts, args, strict=True):
                yield from _bound_by_loop(part, argument)
        case ast.Tuple(elts=[_, part]), ast.Call(func=ast.Name(id="enumerate"), args=[argument, *_]):
            yield from _bound_by_loop(part, argument)
        case _:
            yield from _bound(target, iterated, holds=True)


def attributes(file: ParsedFile, name: str) -> Iterator[ast.expr]:
    """The expressions that the classes of a file assign to an attribute of that name."""
    for node in file.nodes:
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                in_class = isinstance(target, ast.Name) and isinstance(file.scope(node), ast.ClassDef)
                if name == (target.attr if isinstance(target, ast.Attribute) else in_class and ast.unparse(target)):
                    yield node.value


def keyed(file: ParsedFile, key: str, within: ast.AST | None = None) -> Iterator[ast.expr]:
    """The values that a file, or a part of it, writes for a key: keyword arguments, items of dicts, defaults of
    ``add_argument``.
    """
    for node in file.nodes if within is None else ast.walk(within):
        if isinstance(node, ast.Dict):
            for written, value in zip(node.keys, node.values, strict=True):
                if isinstance(written, ast.Constant) and written.value == key:
                    yield value
        elif isinstance(node, ast.Call):
            option = node.args[0] if node.args and ast.unparse(node.func).endswith("add_argument") else None
            text = option.value if isinstance(option, ast.Constant) and isinstance(option.value, str) else ""
            wanted = {key, "default"} if text.lstrip("-").replace("-", "_") == key else {key}
            yield from (keyword.value for keyword in node.keywords if keyword.arg in wanted)
