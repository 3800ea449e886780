"""Objects as calls of classes build them: modules of the program, layers of torch, dataclasses."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from convlint.static.domain.execution import Refused
from convlint.static.domain.objects import Class, Function, Instance, Outside, Scope
from convlint.static.domain.values import UNKNOWN, Value
from convlint.static.interpreter import call_cache, classes
from convlint.static.interpreter.dispatch import evaluate
from convlint.static.interpreter.pymodel import containers, module_containers
from convlint.static.plain_numbers import WIDTHS
from convlint.static.torch_shapes import LAYERS
from convlint.static.torch_shapes.registry import NOT_TAKEN, fits

if TYPE_CHECKING:
    from convlint.static.interpreter.interpreter import Interpreter


def instantiate(
    interpreter: Interpreter,
    cls: Class,
    args: Sequence[Value],
    kwargs: dict[str, Value],
    node: ast.expr,
    scope: Scope,
    *,
    open_ended: bool = False,
) -> Value:
    """Call a class."""
    special = _special(interpreter, cls, args, kwargs, node, scope)
    if special is not None:
        return special[0]
    key = None
    if cls.node is not None and cls.is_module and not open_ended:
        key = call_cache.constructor_key(cls, node, args, kwargs)
        if key is not None and key in interpreter.twins:
            return interpreter.twins[key]
    site = None if type(node) is Outside else interpreter.at(node, scope)
    instance = Instance(cls, site, tuple(interpreter.frames))
    if cls.is_module:
        outer = interpreter.constructing[-1] if interpreter.constructing else None
        interpreter.creators[instance] = outer
        if outer is None:
            interpreter.built.append(instance)
            interpreter.called_at[instance] = (node, scope)
    construct(interpreter, instance, args, kwargs, node, scope, open_ended=open_ended)
    if key is not None:
        interpreter.twins[key] = instance
    return instance


def _special(
    interpreter: Interpreter,
    cls: Class,
    args: Sequence[Value],
    kwargs: dict[str, Value],
    node: ast.expr,
    scope: Scope,
) -> tuple[Value] | None:
    """What calling a class gives that makes no ordinary object, in a tuple."""
    if cls.is_library and not cls.is_module:
        return (interpreter.call_unknown(args, kwargs, node, scope),)
    if any(one.is_library and one.qualname in ("Enum", "NamedTuple") for one in cls.mro):
        return _tuple_like(interpreter, cls, args, kwargs)
    return None


def _tuple_like(
    interpreter: Interpreter, cls: Class, args: Sequence[Value], kwargs: dict[str, Value]
) -> tuple[Value]:
    instance = Instance(cls)
    _fill_fields(interpreter, instance, args, kwargs)
    return (instance,)


def construct(
    interpreter: Interpreter,
    instance: Instance,
    args: Sequence[Value],
    kwargs: dict[str, Value],
    node: ast.expr,
    scope: Scope,
    *,
    open_ended: bool = False,
) -> None:
    """Run the constructor of an object."""
    interpreter.constructing.append(instance)
    try:
        init = classes.lookup(instance.cls, "__init__")
        if type(init) is Function:
            interpreter.call_function(
                init,
                [instance, *args],
                kwargs,
                node,
                scope,
                open_ended=open_ended,
                instance=instance,
            )
        else:
            _default_init(interpreter, instance, args, kwargs, node, scope, open_ended=open_ended)
    except BaseException:
        instance.incomplete = True
        raise
    finally:
        interpreter.constructing.pop()


def _default_init(
    interpreter: Interpreter,
    instance: Instance,
    args: Sequence[Value],
    kwargs: dict[str, Value],
    node: ast.expr,
    scope: Scope,
    *,
    open_ended: bool,
) -> None:
    """The constructor of a class that has none of its own: that of a library, or of a dataclass."""
    layer = instance.cls.layer
    if layer is not None and instance.cls.is_module:
        construct_layer(
            interpreter, instance, layer, args, kwargs, node, scope, open_ended=open_ended
        )
    elif _is_dataclass(instance.cls):
        _fill_fields(interpreter, instance, args, kwargs)
    if classes.has_unknown_base(instance.cls):
        instance.incomplete = True


def super_init(
    interpreter: Interpreter,
    cls: Class,
    instance: Instance,
    args: Sequence[Value],
    kwargs: dict[str, Value],
    node: ast.expr,
    scope: Scope,
) -> None:
    """``super().__init__(...)`` where the class behind is one of a library."""
    if cls.is_module:
        construct_layer(interpreter, instance, cls.qualname, args, kwargs, node, scope)
    elif classes.is_unknown_base(cls):
        instance.incomplete = True
        if instance.is_module:
            instance.kind = "Module"


# --- layers of torch


def construct_layer(
    interpreter: Interpreter,
    instance: Instance,
    name: str,
    args: Sequence[Value],
    kwargs: dict[str, Value],
    node: ast.expr,
    scope: Scope,
    *,
    open_ended: bool = False,
) -> None:
    """Run the constructor of the class ``name`` of ``torch.nn`` on an object."""
    instance.kind = name
    interpreter.execution.site = interpreter.at(node, scope)
    if module_containers.construct(interpreter, instance, name, args, kwargs):
        if open_ended:
            containers.taint(instance)
        return
    layer = LAYERS.get(name)
    if layer is None:
        instance.incomplete = name != "Module"
        return
    if open_ended:
        kwargs = _with_unknown(layer.construct, args, kwargs)
    if not fits(layer.construct, len(args), kwargs):
        instance.incomplete = True
        return
    try:
        instance.attrs.update(layer.construct(interpreter.execution, *args, **kwargs))
    except Refused as refused:
        instance.attrs.update(refused.attrs)
        instance.error = str(refused)
    except NOT_TAKEN:
        interpreter.execution.record_gap("arguments that no such layer takes")
        instance.incomplete = True
    interpreter.execution.note_widths(
        [instance.attrs[name] for name in WIDTHS if name in instance.attrs]
    )
    interpreter.demands[instance] = interpreter.execution.taken()


def _with_unknown(
    construct: Callable[..., Any], args: Sequence[Value], kwargs: dict[str, Value]
) -> dict[str, Value]:
    """Keywords with UNKNOWN for every parameter that was not passed."""
    names = _parameters(construct)[1:]
    return dict.fromkeys(names[len(args) :], UNKNOWN) | kwargs


@cache
def _parameters(function: Callable[..., Any]) -> tuple[str, ...]:
    """The names of a function's parameters."""
    return tuple(inspect.signature(function).parameters)


# --- dataclasses


def _is_dataclass(cls: Class) -> bool:
    """Whether a class gets its constructor from its annotations."""
    return any(
        "dataclass" in ast.dump(decorator)
        for one in cls.mro
        if one.node is not None
        for decorator in one.node.decorator_list
    )


def _fields(cls: Class) -> list[tuple[str, ast.expr | None, Class]]:
    """Names and defaults of a dataclass's fields, those of its bases first."""
    found: dict[str, tuple[str, ast.expr | None, Class]] = {}
    for one in reversed(cls.mro):
        for statement in one.node.body if one.node is not None else ():
            if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
                name = statement.target.id
                found[name] = (name, statement.value, one)
    return list(found.values())


def _fill_fields(
    interpreter: Interpreter, instance: Instance, args: Sequence[Value], kwargs: dict[str, Value]
) -> None:
    """Set the fields of a dataclass object."""
    for position, (name, default, owner) in enumerate(_fields(instance.cls)):
        if position < len(args):
            instance.attrs[name] = args[position]
        elif name in kwargs:
            instance.attrs[name] = kwargs[name]
        elif default is not None:
            instance.attrs[name] = _field_default(interpreter, default, owner, name)
        else:
            instance.attrs[name] = UNKNOWN
    after = classes.lookup(instance.cls, "__post_init__")
    if type(after) is Function:
        interpreter.call_function(
            after, [instance], {}, _nowhere(instance.cls), _scope(instance.cls)
        )


def _field_default(interpreter: Interpreter, default: ast.expr, owner: Class, name: str) -> Value:
    if not isinstance(default, ast.Call):
        return owner.namespace.get(name, UNKNOWN)
    for keyword in default.keywords:
        if keyword.arg == "default":
            return evaluate(interpreter, keyword.value, _scope(owner))
        if keyword.arg == "default_factory":
            made = evaluate(interpreter, keyword.value, _scope(owner))
            return interpreter.call(made, [], {}, default, _scope(owner))
    return UNKNOWN


def _scope(cls: Class) -> Scope:
    assert cls.module is not None
    return Scope(cls.module, None, cls.qualname)


def _nowhere(cls: Class) -> Any:
    return cls.node
