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
    it: Interpreter,
    instance: Instance,
    args: Sequence[Value],
    kwargs: dict[str, Value],
    node: ast.expr,
    scope: Scope,
    *,
    open_: bool = False,
) -> Value:
    """Call an object: the forward of a module."""
    if not instance.is_module:
        method = classes.lookup(instance.cls, "__call__")
        if type(method) is Function:
            return it.call_function(method, [instance, *args], kwargs, node, scope, open_=open_)
        return it.call_unknown(args, kwargs, node, scope)
    key = None
    if instance.cls.node is not None and not kwargs and not open_:
        key = call_cache.call_key(instance, args)
        if key is not None and key in it.followed:
            it.run.site = it.at(node, scope)
            return it.run.emit("unseen", args, [it.followed[key]])[0]
    start = len(it.run.steps)
    owner, it.run.owner = it.run.owner, instance
    try:
        result = _forward(it, instance, args, kwargs, node, scope, open_=open_)
    finally:
        it.run.owner = owner
    if key is not None and type(result) is Tensor and result.shape is not None:
        it.followed[key] = result.shape
    it.calls.append(
        ModuleCall(
            instance,
            tuple([t for value in (*args, *kwargs.values()) for t in tensors_in(value)]),
            tuple(tensors_in(result)),
            start,
            len(it.run.steps),
            it.at(node, scope),
            owner,
        )
    )
    return result


def _forward(
    it: Interpreter,
    instance: Instance,
    args: Sequence[Value],
    kwargs: dict[str, Value],
    node: ast.expr,
    scope: Scope,
    *,
    open_: bool,
) -> Value:
    forward = classes.lookup(instance.cls, "forward")
    if type(forward) is Function:
        return it.call_function(forward, [instance, *args], kwargs, node, scope, open_=open_)
    return forward_layer(it, instance, args, kwargs, node, scope, open_=open_)


def forward_layer(
    it: Interpreter,
    instance: Instance,
    args: Sequence[Value],
    kwargs: dict[str, Value],
    node: ast.expr,
    scope: Scope,
    *,
    open_: bool = False,
) -> Value:
    """The forward of a class of ``torch.nn``."""
    name = instance.kind or ""
    if name == "Sequential" and len(args) == 1:
        value = args[0]
        for item in module_containers.items(instance):
            value = it.call(item, [value], {}, node, scope)
        return value
    layer = LAYERS.get(name)
    if layer is None or layer.forward is None or instance.incomplete or open_:
        return it.call_unknown(args, kwargs, node, scope)
    if args and args[0] is UNKNOWN:
        args = [it.run.emit("unseen", [], [None])[0], *args[1:]]
    if not fits(layer.forward, len(args) + 1, kwargs):
        return it.call_unknown(args, kwargs, node, scope)
    outer, it.run.layer = it.run.layer, instance
    it.run.site = it.at(node, scope)
    try:
        return layer.forward(it.run, instance, *args, **kwargs)
    except NOT_TAKEN:
        it.run.lose("arguments that no such layer takes")
        return it.call_unknown(args, kwargs, node, scope)
    finally:
        it.run.layer = outer
