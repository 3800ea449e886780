"""Other names that may be meant where a number is written: of the same function, and of its class."""

from __future__ import annotations

import ast
import builtins
from collections import Counter
from collections.abc import Iterator

from convlint.analysis.width_names import is_width_name
from convlint.repairs.unread_names import filled_lists
from convlint.repairs.written_number import WrittenNumber
from convlint.source_text.bindings import assigned, default_of, parameters
from convlint.source_text.call_sites import Function
from convlint.source_text.trees import nodes_of

MOST_NAMES = 6
"""Names in scope that are tried without a reason of their own."""


def passed_names(scope: ast.AST) -> set[str]:
    """The names that a function passes to calls."""
    calls = (node for node in nodes_of(scope) if isinstance(node, ast.Call))
    passed = (each for call in calls for each in (*call.args, *(keyword.value for keyword in call.keywords)))
    return {each.id for each in passed if isinstance(each, ast.Name)}


def computed_from(scope: ast.AST, name: str) -> Iterator[str]:
    """The names in the arithmetic that a function assigns to a name: ``width`` of ``hidden = 4 * width``."""
    for value, holds in assigned(scope, name):
        if isinstance(value, ast.BinOp) and not holds:
            names = dict.fromkeys(n.id for n in ast.walk(value) if isinstance(n, ast.Name))
            yield from (each for each in names if each != "self") if name not in names else ()


def factors(number: WrittenNumber, scope: Function) -> list[str]:
    """The attributes that the file multiplies by, ``block.expansion``: of a function's parameters, of the classes that
    it names, and of the modules that it has built where another class multiplies by its own.
    """
    file = number.place.file
    names, modules, own = parameters(scope), list(_built(scope, number.node)), file.scope(scope)
    classes = [node.id for node in nodes_of(scope) if isinstance(node, ast.Name) and node.id[:1].isupper()]
    products = (n for n in file.nodes if isinstance(n, ast.BinOp) and isinstance(n.op, ast.Mult))
    found: dict[str, None] = {}
    for factor in (factor for product in products for factor in (product.left, product.right)):
        if isinstance(factor, ast.Attribute) and isinstance(factor.value, ast.Name):
            if factor.value.id in names and factor.value.id != "self":
                found[ast.unparse(factor)] = None
            elif factor.value.id[:1].isupper():
                found |= dict.fromkeys(f"{name}.{factor.attr}" for name in classes)
            elif factor.value.id == "self" and file.scope(file.scope(factor)) is not own:
                found |= dict.fromkeys(f"{module}.{factor.attr}" for module in modules)
    return list(found)


def _built(scope: Function, node: ast.expr) -> Iterator[str]:
    """The modules that a constructor builds before a number, the last first: ``self.block``. No layers of PyTorch."""
    built = [s for s in nodes_of(scope) if isinstance(s, ast.Assign) and isinstance(s.value, ast.Call)]
    built = [s for s in built if not ast.unparse(s.value).startswith(("nn.", "torch."))]
    for statement in sorted(built, key=lambda statement: -statement.lineno):
        if statement.lineno < node.lineno and isinstance(statement.targets[0], ast.Attribute):
            yield ast.unparse(statement.targets[0])


def unread(scope: Function) -> list[str]:
    """The parameters that a function never reads: where it has a number instead, one of them was meant."""
    read = {node.id for node in nodes_of(scope) if isinstance(node, ast.Name)}
    return [name for name in parameters(scope) if name not in read]


def unread_lists(scope: Function) -> list[str]:
    """The lists that a function fills and never reads: an item of it was forgotten."""
    reads: Counter[str] = Counter(
        node.id for node in nodes_of(scope) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
    )
    filled = Counter(name.id for name in filled_lists(scope))
    return [name for name, count in filled.items() if reads[name] == count]


def widths(scope: Function, node: ast.expr) -> list[str]:
    """The names that a function passes as one of the first two arguments of calls, or as channels: widths, mostly.

    Those come first that other calls get where ``node`` is passed.
    """
    passed = [each for call in nodes_of(scope) if isinstance(call, ast.Call) for each in _passed_widths(call)]
    own_place = next((place for place, argument in passed if argument is node), None)
    same: Counter[str] = Counter()
    for place, argument in passed:
        if isinstance(argument, ast.Name) and not hasattr(builtins, argument.id):
            same[argument.id] += place == own_place
    own = {
        *parameters(scope),
        *(n.id for n in nodes_of(scope) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)),
    }
    own -= {n.func.id for n in nodes_of(scope) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)}
    own -= {"self", "cls", *_of_other_kinds(scope)}
    others = (name for name in parameters(scope) if is_width_name(name) and name not in same)
    return [*(name for name, _ in same.most_common() if name in own), *others]


def _of_other_kinds(scope: Function) -> Iterator[str]:
    """The names of a function for values that are not numbers: lists, dicts, texts, modules."""
    for name in parameters(scope):
        default = default_of(scope, name)
        if default is not None and _is_other_kind(default):
            yield name
    for node in nodes_of(scope):
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if _is_other_kind(value):
                yield name
            case ast.Subscript(value=ast.Name(id=name)) | ast.Starred(value=ast.Name(id=name)):
                yield name
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name))):
                yield name


def _is_other_kind(value: ast.expr) -> bool:
    """Return whether an expression cannot be a number, as it is written; None may stand for one."""
    match value:
        case ast.Constant(value=constant):
            return constant is not None and type(constant) not in (int, float)
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)):
            return name[:1].isupper() or name in ("dict", "list", "tuple", "set")
    kinds = (ast.List, ast.Tuple, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.JoinedStr, ast.Lambda)
    return isinstance(value, kinds)


def other_attributes(cls: ast.AST, node: ast.Attribute) -> list[str]:
    """The other numbers that a class keeps as attributes of ``self``: those that it calculates with or passes,
    the last first.
    """
    if not isinstance(cls, ast.ClassDef) or not isinstance(node.value, ast.Name) or node.value.id != "self":
        return []
    own = [n for n in nodes_of(cls) if isinstance(n, ast.Attribute) and ast.unparse(n.value) == "self"]
    operands = {id(side) for n in nodes_of(cls) if isinstance(n, ast.BinOp) for side in (n.left, n.right)}
    passed = {id(argument) for n in nodes_of(cls) if isinstance(n, ast.Call) for argument in n.args}
    calculated = {n.attr for n in own if id(n) in operands | passed}
    kept = {n.attr: n.lineno for n in own if isinstance(n.ctx, ast.Store) and n.lineno < node.lineno}
    names = sorted(calculated & kept.keys() - {node.attr}, key=lambda name: -kept[name])
    return [f"self.{name}" for name in names[:MOST_NAMES]]


_WIDTHS = ("channels", "features", "planes", "filters", "width")


def _passed_widths(call: ast.Call) -> Iterator[tuple[int | str, ast.expr]]:
    """The arguments of a call that may be widths, with their positions or names."""
    yield from enumerate(call.args[:2])
    for keyword in call.keywords:
        if keyword.arg is not None and keyword.arg.endswith(_WIDTHS):
            yield keyword.arg, keyword.value
