"""Modules that hold others (``Sequential``, ``ModuleList``, ``ModuleDict``), and the methods that every module has."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from convlint.static.domain.objects import UNKNOWN_CHILD, Instance
from convlint.static.domain.values import UNKNOWN, Value
from convlint.static.interpreter.call import Call
from convlint.static.interpreter.pymodel import module_walks

_CONTAINERS = frozenset({"Sequential", "ModuleList", "ModuleDict", "ParameterList", "ParameterDict"})


def construct(instance: Instance, name: str, call: Call) -> bool:
    """Fill a container of ``torch.nn``; False if ``name`` is not the name of one."""
    if name not in _CONTAINERS:
        return False
    values = call.values()
    call.interpreter.steps -= len(values)  # each of them is visited later
    if name == "Sequential" and not (len(values) == 1 and type(values[0]) is dict):
        extend(instance, values)
        return True
    for value in values:
        if type(value) is dict:
            _update(instance, value.items())
        elif type(value) in (list, tuple):
            if name == "ModuleDict" and all(type(v) in (tuple, list) and len(v) == 2 for v in value):
                _update(instance, value)
            else:
                extend(instance, value)
        elif type(value) is Instance and value.is_module:
            extend(instance, iterated(value) or [UNKNOWN])
        elif value is not None:
            instance.attrs[UNKNOWN_CHILD] = UNKNOWN
    return True


def _update(instance: Instance, pairs: Iterable[tuple[Value, Value]]) -> None:
    for key, value in pairs:
        put(instance, key, value)
        if value is not None and not (type(value) is Instance and value.is_module):
            instance.attrs[UNKNOWN_CHILD] = UNKNOWN


def put(instance: Instance, key: Value, value: Value) -> None:
    """Hold a value under a name; two modules whose names are not known are no longer known themselves."""
    if type(key) is str:
        instance.attrs[key] = value
    else:
        instance.attrs[UNKNOWN_CHILD] = UNKNOWN if UNKNOWN_CHILD in instance.attrs else value


def extend(instance: Instance, values: Sequence[Value]) -> None:
    """Append modules under the next numbers."""
    for number, value in enumerate(values, start=len(items(instance))):
        instance.attrs[str(number)] = value


def _insert(instance: Instance, index: int, module: Value) -> None:
    """Put a module before another one; those after it get the next numbers."""
    modules = items(instance)
    modules.insert(index, module)
    instance.attrs.update({str(number): value for number, value in enumerate(modules)})


def items(instance: Instance) -> list[Value]:
    """Return the children of a container, in order; UNKNOWN stands for those that are not known."""
    return [
        value
        for name, value in instance.attrs.items()
        if (type(value) is Instance and value.is_module) or str(name).isdigit() or name == UNKNOWN_CHILD
    ]


def iterated(instance: Instance) -> list[Value] | None:
    """Return the items of a loop over a module; None where they are not known."""
    if instance.may_have_more_children:
        return None
    if instance.kind in ("Sequential", "ModuleList"):
        return items(instance)
    if instance.kind == "ModuleDict":
        return [name for name, _ in instance.children()]
    return None


def call_method(name: str, instance: Instance, call: Call) -> Value:
    """Call a method other than ``forward`` that ``nn.Module`` or a container of torch has."""
    args = call.args
    if name in _REGISTERING:
        key = call.argument(0, "name", UNKNOWN)
        named = [call.kwargs[word] for word in ("module", "tensor", "param") if word in call.kwargs]
        value = args[1] if len(args) > 1 else next(iter(named), UNKNOWN)
        if name in ("add_module", "register_module"):
            _update(instance, [(key, value)])
        else:
            instance.attrs.update({key: value} if type(key) is str else {UNKNOWN_CHILD: UNKNOWN})
        return None
    if name == "__setattr__" and len(args) == 2:
        _update(instance, [(args[0], args[1])])
        return None
    if name in _WALKS:
        return module_walks.walk(name, instance, call)
    if name == "apply":
        return module_walks.apply(instance, call)
    if name in ("values", "items", "keys"):
        if instance.may_have_more_children:
            return UNKNOWN
        children = list(instance.children())
        if name == "values":
            return [child for _, child in children]
        return [key for key, _ in children] if name == "keys" else children
    if name in ("append", "extend", "insert"):
        if name == "append" and args:
            extend(instance, args[:1])
        elif name == "insert" and len(args) == 2 and type(args[0]) is int and not instance.may_have_more_children:
            _insert(instance, *args)
        elif name == "extend" and args and type(args[0]) in (list, tuple):
            extend(instance, args[0])
        elif name == "extend" and args and type(args[0]) is Instance and (more := iterated(args[0])) is not None:
            extend(instance, more)
        else:
            instance.attrs[UNKNOWN_CHILD] = UNKNOWN
        return instance
    if name == "update":
        _update(instance, args[0].items() if args and type(args[0]) is dict else [(UNKNOWN_CHILD, UNKNOWN)])
        return None
    if name in ("modules", "named_modules") and b"register_forward" in call.scope.module.data:
        modules = _below(instance)
        return modules if name == "modules" else [("", module) for module in modules]
    if name in _HOOKS:
        instance.hooked = True
        return UNKNOWN
    if name == "get_submodule" and args and type(args[0]) is str:
        module: Value = instance
        for part in args[0].split("."):
            module = module.attrs.get(part, UNKNOWN) if type(module) is Instance else UNKNOWN
        return module
    if name in ("train", "eval") and call.interpreter.constructing:  # before that it is in training mode
        mode = name == "train" and call.argument(0, "mode", True)
        for module in _below(instance):
            if mode is True:
                module.attrs.pop("training", None)
            else:
                module.attrs["training"] = mode
    return instance if name in _RETURNING_SELF else UNKNOWN


def _below(instance: Instance) -> list[Instance]:
    """Return a module and all modules in it."""
    found = {instance: None}
    pending = [instance]
    while pending:
        new = [child for _, child in pending.pop(0).children() if child not in found]
        found.update(dict.fromkeys(new))
        pending += new
    return list(found)


_HOOKS = frozenset({"register_forward_hook", "register_forward_pre_hook"})
_REGISTERING = frozenset({"add_module", "register_module", "register_buffer", "register_parameter"})
_RETURNING_SELF = frozenset(
    {"to", "cuda", "cpu", "train", "eval", "half", "float", "double", "bfloat16", "type"}
    | {"requires_grad_", "share_memory", "to_empty"}
)
_WALKS = frozenset(
    {"modules", "children", "parameters", "buffers"}
    | {"named_modules", "named_children", "named_parameters", "named_buffers"}
)
METHODS = (
    _REGISTERING
    | _RETURNING_SELF
    | _WALKS
    | {"apply", "values", "items", "keys", "append", "extend", "insert"}
    | {"update", "get_submodule", "__setattr__", "__init__", "state_dict", "_get_name"}
    | {"load_state_dict", "zero_grad", "extra_repr"}
    | _HOOKS
)
