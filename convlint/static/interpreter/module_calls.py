"""Calls of modules: the ``forward`` of a class of the program, or of a layer of torch."""

from __future__ import annotations

from convlint.ir import Site
from convlint.static.domain.execution import Gap, Raised
from convlint.static.domain.objects import Function, Instance, tensors_held_by
from convlint.static.domain.origins import first_unknown
from convlint.static.domain.values import Tensor, Unknown, Value
from convlint.static.interpreter import call_cache
from convlint.static.interpreter.call import Call, tensors_in
from convlint.static.interpreter.pymodel import module_containers
from convlint.static.torch_shapes import LAYERS, NOT_TAKEN
from convlint.support.dataclass import dataclass


@dataclass(slots=True, eq=False, repr=False)
class ModuleCall:
    """One call of a module: its tensors, and the steps ``start`` to ``stop`` of the execution that it took."""

    instance: Instance
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    start: int
    stop: int
    site: Site | None


def call_instance(instance: Instance, call: Call) -> Value:
    """Call an object: the forward of a module, or ``__call__``."""
    interpreter = call.interpreter
    execution = interpreter.execution
    if not instance.is_module:
        method = instance.cls.lookup("__call__")
        if type(method) is Function:
            return interpreter.call_function(method, call.with_args([instance, *call.args]))
        return interpreter.call_unknown(call)
    key = None
    if instance.cls.node is not None and not call.open_ended and not interpreter.constructing:
        key = call_cache.call_key(instance, call)
        if key is not None and key in interpreter.cached_calls:
            return interpreter.cached_calls[key].again(call)
    interpreter.called.add(instance)
    is_shared = instance in interpreter.shared
    if is_shared and instance in interpreter.states:
        interpreter.states[instance].undo(instance)
    before = dict(instance.attrs) if is_shared else {}
    start = len(execution.steps)
    owner, execution.owner = execution.owner, instance
    try:
        forward = instance.cls.lookup("forward")
        if type(forward) is Function:
            result = interpreter.call_function(forward, call.with_args([instance, *call.args]))
        else:
            result = forward_layer(instance, call)
    except Raised as raised:
        raised.owner = instance
        raise
    finally:
        execution.owner = owner
    if is_shared:
        interpreter.states[instance] = call_cache.State(before, instance)
    if key is not None and (returned := call_cache.Returned(result)).is_repeatable:
        interpreter.cached_calls[key] = returned
    outputs, stop = tuple(tensors_in(result)), len(execution.steps)
    interpreter.calls.append(ModuleCall(instance, call.tensors(), outputs, start, stop, call.site))
    results = list(tensors_held_by([result])) if owner is None else []
    if results:
        execution.emit("output", results, [])
    return result


def forward_layer(instance: Instance, call: Call) -> Value:
    """Call the forward of a class of ``torch.nn``."""
    interpreter, args = call.interpreter, call.args
    execution = interpreter.execution
    name = instance.kind or ""
    if name == "Sequential" and len(args) == 1:
        value = args[0]
        for module in module_containers.items(instance):
            value = interpreter.call(module, call.with_args([value], {}, open_ended=False))
        return value
    layer = LAYERS.get(name)
    if layer is None or instance.incomplete or call.open_ended:
        return interpreter.call_unknown(call, instance)
    if args and type(args[0]) is Unknown:
        input_ = execution.emit("unseen", [], [None])[0]
        execution.unfollowed.append(Gap(call.site, "", call.node, first_unknown([args[0]]), input_, owner=instance))
        args = [input_, *args[1:]]
        call = call.with_args(args)
    arguments = layer.forward.bind([instance, *args], call.kwargs)
    if arguments is None:
        return interpreter.call_unknown(call)
    outer, execution.layer = execution.layer, instance
    execution.site = call.site
    try:
        return layer.forward.call(execution, arguments)
    except NOT_TAKEN:
        execution.record_gap("this layer does not accept these arguments")
        return interpreter.call_unknown(call)
    finally:
        execution.layer = outer
