"""Calls of modules: the ``forward`` of a class of the program, or of a layer of torch."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from convlint.ir import Site
from convlint.static.domain.objects import Function, Instance, Scope
from convlint.static.domain.values import UNKNOWN, Tensor, Value
from convlint.static.interpreter import call_cache, classes
from convlint.static.interpreter.binding import tensors_in
from convlint.static.interpreter.pymodel import module_containers
from convlint.static.torch_shapes import LAYERS
from convlint.static.torch_shapes.registry import NOT_TAKEN, fits

if TYPE_CHECKING:
    from convlint.static.interpreter.interpreter import Interpreter


@dataclass(slots=True, eq=False)
class ModuleCall:
    """One call of a module: tensors in and out, and the steps made inside."""

    instance: Instance
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    start: int
    stop: int
    site: Site | None
    owner: Instance | None


def call_instance(
    interpreter: Interpreter,
    instance: Instance,
    args: Sequence[Value],
    kwargs: dict[str, Value],
    node: ast.expr,
    scope: Scope,
    *,
    open_ended: bool = False,
) -> Value:
    """Call an object: the forward of a module."""
    if not instance.is_module:
        method = classes.lookup(instance.cls, "__call__")
        if type(method) is Function:
            return interpreter.call_function(
                method, [instance, *args], kwargs, node, scope, open_ended=open_ended
            )
        return interpreter.call_unknown(args, kwargs, node, scope)
    key = None
    if instance.cls.node is not None and not kwargs and not open_ended:
        key = call_cache.call_key(instance, args)
        if key is not None and key in interpreter.followed:
            interpreter.execution.site = interpreter.at(node, scope)
            return interpreter.execution.emit("unseen", args, [interpreter.followed[key]])[0]
    start = len(interpreter.execution.steps)
    owner, interpreter.execution.owner = interpreter.execution.owner, instance
    try:
        result = _forward(interpreter, instance, args, kwargs, node, scope, open_ended=open_ended)
    finally:
        interpreter.execution.owner = owner
    if key is not None and type(result) is Tensor and result.shape is not None:
        interpreter.followed[key] = result.shape
    interpreter.calls.append(
        ModuleCall(
            instance,
            tuple([t for value in (*args, *kwargs.values()) for t in tensors_in(value)]),
            tuple(tensors_in(result)),
            start,
            len(interpreter.execution.steps),
            interpreter.at(node, scope),
            owner,
        )
    )
    return result


def _forward(
    interpreter: Interpreter,
    instance: Instance,
    args: Sequence[Value],
    kwargs: dict[str, Value],
    node: ast.expr,
    scope: Scope,
    *,
    open_ended: bool,
) -> Value:
    forward = classes.lookup(instance.cls, "forward")
    if type(forward) is Function:
        return interpreter.call_function(
            forward, [instance, *args], kwargs, node, scope, open_ended=open_ended
        )
    return forward_layer(interpreter, instance, args, kwargs, node, scope, open_ended=open_ended)


def forward_layer(
    interpreter: Interpreter,
    instance: Instance,
    args: Sequence[Value],
    kwargs: dict[str, Value],
    node: ast.expr,
    scope: Scope,
    *,
    open_ended: bool = False,
) -> Value:
    """The forward of a class of ``torch.nn``."""
    name = instance.kind or ""
    if name == "Sequential" and len(args) == 1:
        value = args[0]
        for item in module_containers.items(instance):
            value = interpreter.call(item, [value], {}, node, scope)
        return value
    layer = LAYERS.get(name)
    if layer is None or layer.forward is None or instance.incomplete or open_ended:
        return interpreter.call_unknown(args, kwargs, node, scope)
    if args and args[0] is UNKNOWN:
        args = [interpreter.execution.emit("unseen", [], [None])[0], *args[1:]]
    if not fits(layer.forward, len(args) + 1, kwargs):
        return interpreter.call_unknown(args, kwargs, node, scope)
    outer, interpreter.execution.layer = interpreter.execution.layer, instance
    interpreter.execution.site = interpreter.at(node, scope)
    try:
        return layer.forward(interpreter.execution, instance, *args, **kwargs)
    except NOT_TAKEN:
        interpreter.execution.record_gap("arguments that no such layer takes")
        return interpreter.call_unknown(args, kwargs, node, scope)
    finally:
        interpreter.execution.layer = outer
