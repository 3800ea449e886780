"""The constructor arguments with which a class is executed: its defaults, and others that its conditions test for."""

from __future__ import annotations

import ast
from collections.abc import Collection

from convlint import symbolic
from convlint.analysis.width_names import is_width_name
from convlint.source_text.bindings import assigned
from convlint.static.domain.objects import Class, Function
from convlint.static.domain.values import Value
from convlint.static.exploration.entry_points import PARAMETERS, EntryPoint, ExecutionPath, callees
from convlint.static.program.parse import children, positional, walk
from convlint.symbolic import Atom, Dim

_MOST_VARIANTS = 4
_MOST_SELECTED = 6


def argument_variants(entry_point: EntryPoint) -> list[dict[str, Value]]:
    """Return arguments to try: the defaults, flags inverted, strings compared with, and numbers for widths."""
    variants: list[dict[str, Value]] = [{}]
    init = entry_point.value.lookup("__init__") if entry_point.kind == "class" else entry_point.value
    if type(init) is not Function or entry_point.kind not in ("class", "function"):
        return variants
    selectors = selected_values(init, (str,) if entry_point.kind == "class" else (int, str))
    switches = {
        name: default
        for name, default in init.defaults.items()
        if type(default) in (bool, str) or (default is None and is_width_name(name))
    }
    if switches:
        tested = _tested_names(init)
        for name, keys in _looked_up(init, switches).items():
            tested.setdefault(name, []).extend(keys)
        for name, default in switches.items():
            if name not in tested:
                continue
            if type(default) is bool:
                variants.append({name: not default})
            elif type(default) is str:
                variants += [{name: word} for word in tested[name] if word != default]
            else:
                variants.append({name: symbolic.symbol(name, PARAMETERS)})
    first = {name: values[0] for name, values in selectors.items()}
    variants += [{**first, name: value} for name, values in selectors.items() for value in values]
    return variants[: (_MOST_SELECTED if selectors else _MOST_VARIANTS) + 1]


def selected_values(function: Function, types: tuple[type, ...]) -> dict[str, list[Value]]:
    """Return the parameters without default that a function compares with literals, or looks up in a dict literal of
    its file; and these literals, those of ``types``. Such a parameter selects one of several models by its name.
    """
    node = function.node
    required = {p.arg for p in [*positional(node.args), *node.args.kwonlyargs]} - function.defaults.keys()
    found: dict[str, list[Value]] = {}
    for inner in walk(node) if required else ():
        name, literals = _comparison(inner, function)
        if name in required:
            taken = (int, str) if isinstance(inner, ast.Subscript) else types
            found.setdefault(name, []).extend([value for value in literals if type(value) in taken])
    return {name: list(dict.fromkeys(values)) for name, values in found.items() if values}


def _looked_up(function: Function, names: Collection[str]) -> dict[str, list[str]]:
    """Return the names among ``names`` that a function looks up in a dict literal, and the strings among its keys."""
    found: dict[str, list[str]] = {}
    for inner in walk(function.node):
        if isinstance(inner, ast.Subscript) and isinstance(inner.slice, ast.Name) and inner.slice.id in names:
            name, keys = _comparison(inner, function)
            found.setdefault(name, []).extend([key for key in keys if type(key) is str])
    return {name: list(dict.fromkeys(keys)) for name, keys in found.items() if name}


def compared_with(function: Function, type_: type) -> dict[str, list[Value]]:
    """Return the names that a function compares with literals of one type, and these."""
    found: dict[str, list[Value]] = {}
    for inner in walk(function.node):
        if isinstance(inner, ast.Compare | ast.Match):
            name, literals = _comparison(inner, function)
            found.setdefault(name, []).extend([value for value in literals if type(value) is type_])
    return {name: list(dict.fromkeys(values)) for name, values in found.items() if name and values}


def _comparison(node: ast.AST, function: Function) -> tuple[str, list[Value]]:
    """Return the name that a node compares with literals or looks up in a dict of literal keys, and those."""
    if isinstance(node, ast.Compare) and isinstance(node.left, ast.Name) and type(node.ops[0]) in (ast.Eq, ast.In):
        return node.left.id, [part.value for part in ast.walk(node.comparators[0]) if isinstance(part, ast.Constant)]
    if isinstance(node, ast.Match) and isinstance(node.subject, ast.Name):
        patterns = [part for case in node.cases for part in ast.walk(case.pattern)]
        return node.subject.id, [part.value for part in patterns if isinstance(part, ast.Constant)]
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Name):
        table = node.value
        if isinstance(table, ast.Attribute) and function.owner is not None and function.owner.node is not None:
            table = _of_class(function.owner.node, table.attr) or table
        if isinstance(table, ast.Name):
            table = _only_value(function, table.id) or table
        if isinstance(table, ast.Dict):
            return node.slice.id, [key.value for key in table.keys if isinstance(key, ast.Constant)]
    return "", []


def _only_value(function: Function, name: str) -> ast.expr | None:
    """Return what a function, or else its file, assigns to a name, if that happens once."""
    inside = assigned(function.node, name)
    if inside:
        return inside[0][0] if len(inside) == 1 else None
    bound = function.scope.module.bindings.get(name, ())
    return bound[0].value if len(bound) == 1 and isinstance(bound[0], ast.Assign) else None


def _of_class(cls: ast.ClassDef, name: str) -> ast.expr | None:
    """Return what a class assigns to a name in its body."""
    for statement in cls.body:
        if isinstance(statement, ast.Assign) and name in [getattr(target, "id", "") for target in statement.targets]:
            return statement.value
    return None


def default_numbers(path: ExecutionPath) -> dict[str, Value]:
    """Return the defaults of the parameters that an execution had symbols for."""
    return {s.name: number for s, number in path.execution.defaults.items() if s.scope == PARAMETERS}


def fails_at_defaults(path: ExecutionPath) -> bool:
    """Return whether equalities or guards that an execution assumed do not hold if every parameter has its default."""
    execution = path.execution
    if path.entry_point.kind != "class" or not execution.defaults:
        return False
    known: dict[Atom, Dim] = {symbol: symbolic.as_dim(number) for symbol, number in execution.defaults.items()}
    for left, right in execution.demands:
        difference = execution.reduced((symbolic.as_dim(left) - right).substitute(known))
        if difference != 0 and type(difference) is int:
            return True
    return not execution.has_settled and execution.fails_at_defaults()


def _tested_names(init: Function) -> dict[str, list[str]]:
    """Return the names and attributes of ``self`` in the conditions of a class, each with the strings there."""
    tested: dict[str, list[str]] = {}
    for node in walk(init.node if init.owner is None or init.owner.node is None else init.owner.node):
        if not isinstance(node, ast.If | ast.IfExp):
            continue
        names = [n.attr if isinstance(n, ast.Attribute) else getattr(n, "id", "") for n in walk(node.test)]
        words = [n.value for n in walk(node.test) if isinstance(n, ast.Constant)]
        for name in names:
            tested.setdefault(name, []).extend([word for word in words if type(word) is str])
    return {name: list(dict.fromkeys(words)) for name, words in tested.items()}


def builds_on_condition(entry_point: EntryPoint) -> bool:
    """Return whether a branch of a condition in the code of an entry point calls something."""
    if entry_point.kind != "class":
        return True
    cls: Class = entry_point.value
    methods = [v.node for n, v in cls.namespace.items() if type(v) is Function and n != "forward"]
    return any(
        True
        for method in methods
        for node in walk(method)
        if isinstance(node, ast.If | ast.IfExp)
        for part in children(node)
        if part is not node.test
        for _ in callees(part)
    )
