"""Python's own functions that look at objects and classes: ``getattr``, ``hasattr``, ``super`` ..."""

from __future__ import annotations

from convlint.static.domain.execution import Raised
from convlint.static.domain.objects import Class, Function, Instance, Scope, Super
from convlint.static.domain.values import UNKNOWN, Bound, Builtin, Condition, Library, Partial, Unknown, Value
from convlint.static.interpreter import attributes, instantiation, module_calls, parameter_lists, special_methods
from convlint.static.interpreter.call import Call
from convlint.static.interpreter.pymodel import type_tests
from convlint.static.interpreter.pymodel.native import NativeFunction
from convlint.static.plain_numbers import WIDTHS
from convlint.static.program.parse import positional
from convlint.static.program.source_module import SourceModule
from convlint.static.torch_shapes import LAYERS
from convlint.symbolic import Dim


def signature(call: Call) -> Value:
    """``inspect.signature(function)`` and ``getfullargspec``: an object with the names of the parameters."""
    names = _parameters(call.args[0])
    if names is None:
        return UNKNOWN
    kind = call.interpreter.of_library("types.SimpleNamespace")
    content = {"parameters": dict.fromkeys(names, UNKNOWN), "args": names}
    return call.interpreter.call(kind, call.with_args([], content))


def _parameters(value: Value) -> list[str] | None:
    if type(value) is Partial:
        return _parameters(value.function)
    if type(value) is Class and value.node is None:
        layer = LAYERS.get(value.qualname)
        return None if layer is None else list(layer.construct.parameters)
    function = value.lookup("__init__") if type(value) is Class else value
    skipped = int(function is not value)
    if type(function) is Bound:
        function, skipped = function.function, 1
    if type(function) is not Function or function.node.args.vararg or function.node.args.kwarg:
        return None
    arguments = function.node.args
    return [each.arg for each in (*positional(arguments)[skipped:], *arguments.kwonlyargs)]


def _callable(call: Call) -> Value:
    kind = type(call.args[0])
    if kind in (Class, Function, Bound, Partial, Builtin):
        return True
    return False if kind in (int, str, float, list, tuple, dict, type(None), Dim) else UNKNOWN


def _getattr(call: Call) -> Value:
    owner, name, *default = call.args
    if type(name) is not str:
        return call.interpreter.record_gap(
            "an attribute name that is only known at run time", call.node, call.scope, is_value=True
        )
    if default and type(owner) is Instance and owner.stands_for is not None and _lacks(owner, name):
        return default[0]
    try:
        value = attributes.get(call.interpreter, owner, name, call.node, call.scope)
    except Raised:
        if not default:
            raise
        return default[0]
    return default[0] if type(value) is Unknown and default and _lacks(owner, name) else value


def _lacks(value: Value, name: str) -> bool:
    """Return whether an object is known to have no attribute of this name."""
    if type(value) is not Instance or value.incomplete or value.has_unknown_attributes:
        return False
    if value.cls.node is None and name not in WIDTHS:
        return False  # layers of torch have more attributes than are known
    return name not in value.attrs and value.cls.lookup(name) is None


def _setattr(call: Call) -> Value:
    owner, name, value = call.args
    if type(name) is str and special_methods.defines(owner, "__setattr__") and not owner.is_module:
        special_methods.call_special(
            call.interpreter, owner, "__setattr__", name, value, node=call.node, scope=call.scope
        )
        return None
    return special_methods.set_attribute(call)


def get_attribute(call: Call) -> Value:
    """``object.__getattribute__(owner, name)``: without the program's ``__getattr__``."""
    owner, name = call.args
    if type(owner) is not Instance or type(name) is not str or owner.has_unknown_attributes or owner.incomplete:
        return UNKNOWN
    if name in owner.attrs:
        return owner.attrs[name]
    if owner.cls.lookup(name) is None:
        raise Raised("an object has no such attribute")
    return attributes.get(call.interpreter, owner, name, call.node, call.scope)


def _hasattr(call: Call) -> Value:
    value, name = call.args
    parameter = value
    if type(value) is Instance and type(name) is str and _lacks(value, name):
        parameter = value.stands_for
    if type(parameter) is Dim and type(name) is str:
        # One execution for each: the object of a caller has the attribute, or not.
        lacking = parameter_lists.part(parameter, f" lacks {name}")
        return UNKNOWN if type(lacking) is Unknown else Condition("not", Condition("truth", lacking))
    if type(value) is Library and value.name == "torch.nn" and name in LAYERS:
        return True
    if type(value) is SourceModule and type(name) is str and not value.stars:
        return name in value.bindings
    if type(value) is not Instance or type(name) is not str:
        return UNKNOWN
    if name in value.attrs or value.cls.lookup(name) is not None:
        return True
    if special_methods.defines(value, "__getattr__"):
        try:
            return True if type(_getattr(call)) is not Unknown else UNKNOWN
        except Raised:
            return False
    return False if _lacks(value, name) else UNKNOWN


def _super(call: Call) -> Value:
    args = call.args
    method: Scope | None = call.scope
    while method is not None and "__class__" not in method.names:
        method = method.outer
    if method is None:
        return UNKNOWN
    owner = args[0] if args and type(args[0]) is Class else method.names["__class__"]
    instance = args[1] if len(args) > 1 else next(iter(method.names.values()), None)
    return Super(owner, instance) if type(owner) is Class and type(instance) is Instance else UNKNOWN


def _super_init(call: Call) -> Value:
    cls, instance, *rest = call.args
    instantiation.super_init(cls, instance, call.with_args(rest))
    return None


def _class_init(call: Call) -> Value:
    """``Base.__init__(self, ...)`` of a class of torch."""
    cls, instance, *rest = call.args
    if type(instance) is Instance:
        library = next((base for base in cls.mro if base.is_library), cls)
        instantiation.super_init(library, instance, call.with_args(rest))
    return None


def _class_forward(call: Call) -> Value:
    """``Base.forward(self, ...)`` of a class of torch."""
    _, instance, *rest = call.args
    return module_calls.forward_layer(instance, call.with_args(rest)) if type(instance) is Instance else UNKNOWN


def _function_apply(call: Call) -> Value:
    """``Swish.apply(x)`` of a ``torch.autograd.Function``: its ``forward``, with a context or without one."""
    cls, *args = call.args
    forward = cls.lookup("forward")
    if type(forward) is not Function:
        return call.interpreter.call_unknown(call.with_args(args))
    context = [] if type(cls.lookup("setup_context")) is Function else [UNKNOWN]
    return call.interpreter.call(forward, call.with_args([*context, *args]))


def _dir(call: Call) -> Value:
    """``dir(torch.nn.functional)``: the names of a library, of which those are known that are followed.

    A parameter that is an object has those attributes that the program asks for by name: see ``_hasattr``.
    """
    if len(call.args) == 1 and type(call.args[0]) is Dim:
        return []
    if len(call.args) == 1 and type(call.args[0]) is Instance and call.args[0].stands_for is not None:
        return [*call.args[0].attrs]
    if len(call.args) != 1 or type(call.args[0]) is not Library:
        return UNKNOWN
    return Bound(Builtin("dir"), call.args[0])


FUNCTIONS: dict[str, NativeFunction] = {
    **type_tests.FUNCTIONS,
    "callable": _callable,
    "getattr": _getattr,
    "setattr": _setattr,
    "hasattr": _hasattr,
    "super": _super,
    "super.init": _super_init,
    "class.init": _class_init,
    "class.forward": _class_forward,
    "function.apply": _function_apply,
    "dir": _dir,
}
