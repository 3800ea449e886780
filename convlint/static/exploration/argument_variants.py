"""With which arguments a class is followed: its defaults, and others that its conditions ask for."""

from __future__ import annotations

import ast

from convlint import symbolic
from convlint.analysis.graph_queries import is_width
from convlint.static.domain.objects import Class, Function
from convlint.static.domain.values import Value
from convlint.static.exploration.entry_points import PARAMETERS, EntryPoint, callees
from convlint.static.interpreter import classes
from convlint.static.program.parse import children, walk

_MOST_VARIANTS = 4


def variants(entry_point: EntryPoint) -> list[dict[str, Value]]:
    """The arguments that are tried one after the other: the defaults, then each flag turned round,
    each word that the constructor knows, and a number for each width that may be left out.
    """
    found: list[dict[str, Value]] = [{}]
    init = classes.lookup(entry_point.value, "__init__") if entry_point.kind == "class" else None
    if type(init) is not Function:
        return found
    switches = {
        name: default
        for name, default in defaults(init).items()
        if type(default) in (bool, str) or (default is None and is_width(name))
    }
    if switches:
        asked = _asked(init.node)
        for name, default in switches.items():
            if name not in asked:
                continue
            if type(default) is bool:
                found.append({name: not default})
            elif type(default) is str:
                found += [{name: word} for word in asked[name] if word != default]
            else:
                found.append({name: symbolic.symbol(name, PARAMETERS)})
    return found[: _MOST_VARIANTS + 1]


def _asked(function: ast.AST) -> dict[str, list[str]]:
    """The names that the conditions of a function ask about, each with the words that it is
    compared with.
    """
    found: dict[str, list[str]] = {}
    for node in walk(function):
        if not isinstance(node, ast.If | ast.IfExp):
            continue
        names = [n.id for n in walk(node.test) if isinstance(n, ast.Name)]
        words = [n.value for n in walk(node.test) if isinstance(n, ast.Constant)]
        for name in names:
            found.setdefault(name, []).extend([word for word in words if type(word) is str])
    return {name: list(dict.fromkeys(words)) for name, words in found.items()}


def builds_on_condition(entry_point: EntryPoint) -> bool:
    """Whether something is called on one side of a condition in the code that is followed."""
    if entry_point.kind != "class":
        return True
    cls: Class = entry_point.value
    assert cls.node is not None
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


def defaults(function: Function) -> dict[str, Value]:
    """The defaults of a function's parameters, by their names."""
    given = function.node.args
    positional = [*given.posonlyargs, *given.args]
    with_default = positional[len(positional) - len(function.defaults) :]
    found = {p.arg: value for p, value in zip(with_default, function.defaults, strict=True)}
    return found | dict(function.keyword_defaults)
