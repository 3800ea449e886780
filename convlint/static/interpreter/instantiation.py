"""Objects as calls of classes build them: modules of the program, layers of torch, dataclasses."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from convlint.static.domain import origins
from convlint.static.domain.execution import ConstructorError, Gap, Raised
from convlint.static.domain.facts import is_unknown
from convlint.static.domain.objects import Built, Class, Function, Instance, Outside
from convlint.static.domain.origins import first_unknown
from convlint.static.domain.values import UNKNOWN, Value, has_unknown
from convlint.static.interpreter import call_cache, classes, records, special_methods
from convlint.static.interpreter.call import Call
from convlint.static.interpreter.pymodel import containers, methods, module_containers
from convlint.static.plain_numbers import WIDTHS
from convlint.static.torch_shapes import LAYERS, NOT_TAKEN, function


def instantiate(cls: Class, call: Call) -> Value:
    """Call a class."""
    interpreter = call.interpreter
    if cls.is_library and not cls.is_module:
        created = function(cls.name)
        return interpreter.call_unknown(call) if created is None else interpreter.call_torch(created, call)
    if classes.is_enum(cls):
        return _member(cls, call)
    if any(base.is_library and base.qualname == "NamedTuple" for base in cls.mro):
        instance = Instance(cls)
        records.fill(instance, call)
        return instance
    key = None
    if cls.node is not None and cls.is_module and not call.open_ended:
        key = call_cache.constructor_key(cls, call)
        cached = None if key is None else interpreter.cached_instances.get(key)
        if cached is not None:
            interpreter.handle_items(cached.modules)
            if cached.is_unchanged:
                _note_in_forward(cached.instance, call)
                if cached.instance not in interpreter.shared:
                    interpreter.shared.update(call_cache.modules_in(cached.instance))
                return cached.instance
    instance = Instance(cls, None if type(call.node) is Outside else call.site, tuple(interpreter.frames))
    if not cls.is_module:
        instance.items = special_methods.new_items(cls)
    else:
        creator = interpreter.constructing[-1] if interpreter.constructing else None
        interpreter.creators[instance] = creator
        if creator is None:
            interpreter.top_modules.append(instance)
        interpreter.built_at[instance] = (call.node, call.scope.as_now() if interpreter.is_trial else call.scope)
        _note_in_forward(instance, call)
    _construct(instance, call)
    if key is not None:
        interpreter.cached_instances[key] = built = call_cache.BuiltInstance(instance)
        interpreter.handle_items(built.modules)
    return instance


def _member(cls: Class, call: Call) -> Value:
    """``Format("NCHW")``: a member of an enumeration by its value, which stands for it."""
    value = call.argument(0, "value", UNKNOWN)
    members = [each for name, each in cls.namespace.items() if not name.startswith("_") and type(each) is not Function]
    if type(value) in (int, str, float, bool, tuple) and not has_unknown(members):
        if value not in members:
            raise Raised("an enumeration has no such member")
        return value
    return UNKNOWN


def _note_in_forward(instance: Instance, call: Call) -> None:
    interpreter = call.interpreter
    if interpreter.execution.owner is not None and not interpreter.constructing:
        built = Built(instance, call.scope, interpreter.execution.assumptions > 0)
        interpreter.built_in_forward.append(built)


def _construct(instance: Instance, call: Call) -> None:
    """Run the constructor of an object."""
    interpreter = call.interpreter
    interpreter.constructing.append(instance)
    try:
        init = instance.cls.lookup("__init__")
        if type(init) is Function:
            interpreter.call_function(init, call.with_args([instance, *call.args]), instance=instance)
        else:
            _default_init(instance, call)
    except BaseException as error:
        instance.incomplete = True
        if isinstance(error, Raised) and instance.is_module:
            error.owner = instance
        raise
    finally:
        interpreter.constructing.pop()


def _default_init(instance: Instance, call: Call) -> None:
    """Run the constructor of a class that defines none: that of a library, or of a dataclass."""
    layer = instance.cls.layer
    if layer is not None and instance.cls.is_module:
        _construct_layer(instance, layer, call)
    elif records.is_record(instance.cls):
        records.fill(instance, call)
    elif instance.items is not None:
        _fill_items(instance, call)
    if any(map(classes.is_unknown_base, instance.cls.mro)):
        instance.incomplete = True


def super_init(cls: Class, instance: Instance, call: Call) -> None:
    """``super().__init__(...)`` where the next class ``cls`` is one of a library."""
    if cls.is_module:
        _construct_layer(instance, cls.qualname, call)
    elif instance.items is not None and cls.name in special_methods.CONTAINERS:
        _fill_items(instance, call)
    elif classes.is_unknown_base(cls):
        instance.incomplete = True
        if instance.is_module:
            instance.kind = "Module"


def _fill_items(instance: Instance, call: Call) -> None:
    """Run the constructor of ``dict``, ``list`` or ``tuple`` on an object derived from it."""
    kind = type(instance.items).__name__
    methods.call_method(f"{kind}.__init__", call.with_args([instance, *call.args]))
    if call.open_ended:
        containers.taint(instance)


# --- layers of torch


def _construct_layer(instance: Instance, name: str, call: Call) -> None:
    """Run the constructor of the class ``name`` of ``torch.nn`` on an object."""
    execution = call.interpreter.execution
    instance.kind = name
    execution.site = call.site
    if module_containers.construct(instance, name, call):
        if call.open_ended:
            containers.taint(instance)
        return
    layer = LAYERS.get(name)
    if layer is None:
        instance.incomplete = name != "Module"
        return
    kwargs = call.kwargs
    if call.open_ended:
        kwargs = dict.fromkeys(layer.construct.parameters[len(call.args) :], UNKNOWN) | kwargs
    arguments = layer.construct.bind(call.args, kwargs)
    if arguments is None:
        instance.incomplete = True
        return
    try:
        instance.attrs.update(layer.construct.call(execution, arguments))
    except ConstructorError as rejection:
        instance.attrs.update(rejection.attrs)
        instance.error = str(rejection)
    except NOT_TAKEN:
        execution.record_gap("this layer does not accept these arguments")
        instance.incomplete = True
    _record_unknown_numbers(instance, call)
    execution.note_widths([instance.attrs[name] for name in WIDTHS if name in instance.attrs])
    call.interpreter.demands[instance] = execution.take_pending()


def _record_unknown_numbers(instance: Instance, call: Call) -> None:
    """Note a layer of which an argument is not known that decides about its channels."""
    cause = first_unknown(call.values())
    if not any(is_unknown(instance.attrs.get(name)) for name in WIDTHS):
        return
    arguments = list(_argument_nodes(call))
    subject = next((node for node, value in arguments if value is cause), None)
    reason = "unknown number of channels"
    if cause is None:
        subject = next((node for node, value in arguments if value is None or is_unknown(value)), None)
        reason = reason if subject is None else f"{origins.quoted(subject)} is not a known number"
        subject = None
    call.interpreter.execution.unfollowed.append(Gap(call.site, reason, subject, cause, owner=instance))


def _argument_nodes(call: Call) -> Iterator[tuple[ast.expr, Value]]:
    """Yield the expressions of the arguments of a call with their values, where they are written one by one."""
    node = call.node
    if isinstance(node, ast.Call):
        if len(node.args) == len(call.args) and not any(isinstance(part, ast.Starred) for part in node.args):
            yield from zip(node.args, call.args, strict=True)
        yield from [(part.value, call.kwargs[part.arg]) for part in node.keywords if part.arg in call.kwargs]
