"""Inputs that are dicts or objects of tensors: ``batch["image"]``, ``batch.image``, and loops over ``batch.items()``.

Which keys a caller passes is not known. A loop whose body looks a key up in a dict of modules runs for the keys of that
dict; any other loop runs once, for a key that stands for all.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from convlint.static.domain.objects import Children, Instance, Scope
from convlint.static.domain.values import ANY_KEY, InputItems, InputMapping, Value
from convlint.static.interpreter.dispatch import evaluate
from convlint.static.program.parse import cached, walk

if TYPE_CHECKING:
    from convlint.static.interpreter.interpreter import Interpreter

VIEWS = frozenset({"items", "keys", "values"})
METHODS = VIEWS | {"get", "pop"}


def is_mapping(function: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda, parameter: str) -> bool:
    """Return whether a function uses a parameter as a dict or an object, and does not ask for its type."""
    return parameter in cached(function, "mappings", partial(_mappings, function))


def _mappings(function: ast.AST) -> set[str]:
    used: set[str] = _objects(function)
    tested: set[str] = set()
    for node in walk(function):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr="items" | "keys" | "values")):
                used.add(name)
            case ast.Subscript(value=ast.Name(id=name), slice=ast.Constant(value=str())):
                used.add(name)
            case ast.Call(func=ast.Name(id="isinstance" | "hasattr" | "type"), args=[ast.Name(id=name), *_]):
                tested.add(name)
    return used - tested


def _objects(function: ast.AST) -> set[str]:
    """Return the names of which a function only reads attributes, and some that no tensor has."""
    called: set[ast.expr] = set()
    read: dict[str, list[ast.Attribute]] = {}
    uses: Counter[str] = Counter()
    for node in walk(function):
        match node:
            case ast.Call(func=ast.Attribute() as func):
                called.add(func)
            case ast.Attribute(value=ast.Name(id=name)):
                read.setdefault(name, []).append(node)
            case ast.Name(id=name):
                uses[name] += 1
    return {
        name
        for name, nodes in read.items()
        if len(nodes) == uses[name]
        and called.isdisjoint(nodes)
        and any(node.attr not in ATTRIBUTES_OF_TENSORS for node in nodes)
    }


ATTRIBUTES_OF_TENSORS = frozenset(
    {
        *("H", "T", "data", "device", "dtype", "grad", "grad_dtype", "grad_fn", "imag", "is_cpu", "is_cuda"),
        *("is_ipu", "is_leaf", "is_maia", "is_meta", "is_mkldnn", "is_mps", "is_mtia", "is_nested"),
        *("is_quantized", "is_sparse", "is_sparse_csr", "is_vulkan", "is_xla", "is_xpu", "itemsize", "layout"),
        *("mH", "mT", "name", "names", "nbytes", "ndim", "output_nr", "real", "requires_grad", "retains_grad"),
        *("shape", "volatile"),
    }
)
"""What tensors have besides methods."""


def part(interpreter: Interpreter, mapping: InputMapping, key: Value) -> Value:
    """Return the tensor under a key."""
    if key not in mapping.parts:
        execution = interpreter.execution
        execution.site = None
        mapping.parts[key] = execution.emit("input", [], [None], {"part": str(key)})[0]
    return mapping.parts[key]


def items(
    interpreter: Interpreter, view: InputItems, target: ast.expr, body: Sequence[ast.AST], scope: Scope
) -> list[Value]:
    """Return the items of a loop over the items, keys or values of a mapping."""
    name = target.elts[0] if isinstance(target, ast.Tuple) and target.elts else target
    keys: list[Value] = [ANY_KEY]
    if view.of != "values" and isinstance(name, ast.Name):
        keys = list(_keys_in(interpreter, name.id, body, scope)) or keys
    return _column(interpreter, view, keys)


def listed(interpreter: Interpreter, view: InputItems) -> list[Value]:
    """Return the items, keys or values of a mapping as a list, of as many parts as are counted."""
    execution = interpreter.execution
    execution.has_settled = execution.has_open_inputs = True
    known = [key for key in view.mapping.parts if type(key) is str]
    return _column(interpreter, view, known or [str(position) for position in range(execution.count)])


def _column(interpreter: Interpreter, view: InputItems, keys: Sequence[Value]) -> list[Value]:
    parts = [(key, part(interpreter, view.mapping, key)) for key in keys]
    column = {"keys": 0, "values": 1}.get(view.of)
    return list(parts) if column is None else [pair[column] for pair in parts]


def key_name(target: ast.expr) -> str:
    """Return the name that a loop over items or keys gives the key, "" if there is none."""
    first = target.elts[0] if isinstance(target, ast.Tuple) and target.elts else target
    return first.id if isinstance(first, ast.Name) else ""


def _keys_in(interpreter: Interpreter, name: str, body: Sequence[ast.AST], scope: Scope) -> Iterable[str]:
    """Return the keys of the first dict of modules, or of anything else, in which a loop looks its key up."""
    for node in (node for statement in body for node in walk(statement)):
        match node:
            case ast.Subscript(value=owner, slice=ast.Name(id=key), ctx=ast.Load()) if key == name:
                pass
            case ast.Compare(left=ast.Name(id=key), ops=[ast.In()], comparators=[owner]) if key == name:
                pass
            case _:
                continue
        if isinstance(owner, ast.Name | ast.Attribute):
            value = evaluate(interpreter, owner, scope)
            module = value.module if type(value) is Children else value
            if type(module) is Instance and module.is_module and not module.may_have_more_children:
                return [key for key, _ in module.children()]
            if type(value) is dict and all(type(key) is str for key in value):
                return list(value)
    return ()
