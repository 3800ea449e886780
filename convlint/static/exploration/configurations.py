"""Parameters that are objects of a class of the program, as their annotation says: configurations.

One is followed with the defaults of its class. Its numbers are symbols with these defaults, as those of parameters are,
and what its class does not define is a symbol of its own: a caller passes it.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping

from convlint import symbolic
from convlint.static.domain.execution import Raised
from convlint.static.domain.objects import Class, Function, Instance
from convlint.static.domain.values import Value
from convlint.static.exploration.entry_points import PARAMETERS
from convlint.static.interpreter import Call, Interpreter, is_enum, record_fields
from convlint.static.program.parse import positional
from convlint.symbolic import Symbol

_DEEPEST = 3  # of configurations in configurations


def configuration(
    interpreter: Interpreter, function: Function, parameter: ast.arg, call: Call, given: Mapping[str, Value]
) -> Instance | None:
    """Return an object for a parameter whose annotation is a class of the program other than a module; else None.

    ``given`` are numbers other than the defaults, by names such as ``config.width``.
    """
    cls = _class_of(interpreter, function, parameter.annotation)
    if cls is None:
        return None
    execution = interpreter.execution
    gaps, unfollowed, steps = len(execution.gaps), len(execution.unfollowed), len(execution.steps)
    try:
        value = interpreter.instantiate(cls, call.with_args([], _required(cls, parameter.arg)))
    except Raised:
        value = None
    is_plain = (len(execution.unfollowed), len(execution.steps)) == (unfollowed, steps)
    if type(value) is Instance and not value.incomplete and is_plain and all(g.is_value for g in execution.gaps[gaps:]):
        _use_symbols(interpreter, value, parameter.arg, given)
        return value
    del execution.gaps[gaps:], execution.unfollowed[unfollowed:]
    return None


def _class_of(interpreter: Interpreter, function: Function, annotation: ast.expr | None) -> Class | None:
    """Return the class that an annotation names, ``Config``, ``Optional[Config]`` or ``Config | None``."""
    match annotation:
        case ast.Constant(value=str(text)) if text.isidentifier():
            annotation = ast.Name(text, ast.Load())
        case ast.Subscript(value=ast.Name(id="Optional") | ast.Attribute(attr="Optional"), slice=inner):
            annotation = inner
        case ast.BinOp(left=inner, op=ast.BitOr(), right=ast.Constant(value=None)):
            annotation = inner
    if not isinstance(annotation, ast.Name | ast.Attribute):
        return None
    cls = interpreter.evaluate(annotation, function.scope)
    if type(cls) is not Class or cls.module is None or cls.module.is_library or cls.is_module or is_enum(cls):
        return None
    return cls


def _required(cls: Class, name: str) -> dict[str, Value]:
    """Return symbols for what a class needs to be built."""
    init = cls.lookup("__init__")
    if type(init) is Function:
        parameters = init.node.args
        names = [each.arg for each in (*positional(parameters)[1:], *parameters.kwonlyargs)]
        needed = [each for each in names if each not in init.defaults]
    else:
        needed = [each for each, (default, _) in record_fields(cls).items() if default is None]
    return {each: symbolic.symbol(f"{name}.{each}", PARAMETERS) for each in needed}


def _use_symbols(
    interpreter: Interpreter, instance: Instance, name: str, given: Mapping[str, Value], depth: int = 0
) -> None:
    """Replace the numbers and flags of a configuration by symbols with these defaults."""
    instance.stands_for = symbolic.symbol(name, PARAMETERS)
    if instance.items is not None:
        return  # a named tuple
    for attribute, value in instance.attrs.items():
        inner = f"{name}.{attribute}"
        if inner in given:
            instance.attrs[attribute] = given[inner]
        elif type(value) in (int, bool) and attribute.isidentifier():
            instance.attrs[attribute] = symbolic.symbol(inner, PARAMETERS)
            interpreter.execution.defaults[Symbol(inner, PARAMETERS)] = int(value)
        elif type(value) is Instance and not value.is_module and depth < _DEEPEST and value.stands_for is None:
            _use_symbols(interpreter, value, inner, given, depth + 1)
