"""Python's own functions that look at objects and classes: ``isinstance``, ``getattr``, ``super`` ..."""

from __future__ import annotations

from convlint.static.domain.execution import Raised
from convlint.static.domain.objects import Class, Function, Instance, Scope, Super
from convlint.static.domain.values import (
    UNKNOWN,
    Bound,
    Builtin,
    Condition,
    FilePath,
    Library,
    Partial,
    Real,
    Tensor,
    Unknown,
    Value,
    Vector,
)
from convlint.static.interpreter import (
    attributes,
    classes,
    instantiation,
    module_calls,
    parameter_lists,
    special_methods,
)
from convlint.static.interpreter.call import Call
from convlint.static.interpreter.pymodel.native import NativeFunction
from convlint.static.plain_numbers import WIDTHS
from convlint.static.program.parse import positional
from convlint.static.program.source_module import SourceModule
from convlint.static.torch_shapes import LAYERS
from convlint.symbolic import Dim


def _isinstance(call: Call) -> Value:
    value, kinds = call.args
    answers = [_is_of(value, kind, call) for kind in (kinds if type(kinds) is tuple else (kinds,))]
    if True in answers:
        return True
    return UNKNOWN if UNKNOWN in answers else False


def _is_of(value: Value, kind: Value, call: Call) -> Value:
    """Return whether a value is of one type: True, False or UNKNOWN."""
    if type(value) is Unknown or type(kind) is Unknown:
        return UNKNOWN
    if type(kind) is Builtin:
        name = kind.name
        if type(value) is Dim:
            return name == "int"
        if type(value) is Real:
            return name == "float"
        if type(value) is Instance and value.items is not None:
            return any(base.name == name for base in value.cls.mro)
        if type(value) in (Class, Function, Instance, Library, Tensor, Bound, Partial):
            return name == "type" and type(value) is Class
        return type(value).__name__ == name or (name == "int" and type(value) is bool)
    if type(kind) is Class:
        if type(value) is Instance:
            if kind in value.cls.mro:
                return True
            return UNKNOWN if value.incomplete else False
        if type(value) is Tensor:
            return kind.name == "torch.Tensor"
        return UNKNOWN if type(value) is Library else False
    if type(kind) is Library:
        last = kind.name.rsplit(".", 1)[-1]
        if last == "Hashable" and type(value) in _KNOWN:
            return type(value) not in (list, dict)
        if last == "Callable" and type(value) in _KNOWN:
            return type(value) in _CALLABLE
        if last in _CONTAINERS and type(value) is not Instance:
            return type(value) in _CONTAINERS[last]
        if last in _BY_BASES and _is_known(value):
            return type(value.items) in _CONTAINERS[last]
        if last in ("EnumMeta", "EnumType") and type(value) in _KNOWN:
            return type(value) is Class and classes.is_enum(value)
        if last == "Tensor":
            return type(value) is Tensor
        if last in _OWN_TYPES and type(value) in _NEITHER_NUMBER_NOR_LIBRARY:
            return type(value) is _OWN_TYPES[last]
        if type(value) in (int, str, float, bool, type(None), Dim):
            return last in _NUMBERS and type(value) in _NUMBERS[last]
    return UNKNOWN


_OWN_TYPES: dict[str, type] = {
    "partial": Partial,
    "FunctionType": Function,
    "LambdaType": Function,
    **dict.fromkeys(("Path", "PurePath", "PosixPath", "PathLike"), FilePath),
    "ndarray": Vector,
}
_NEITHER_NUMBER_NOR_LIBRARY = (
    *(Class, Function, Partial, Bound, Instance, Tensor, FilePath, Vector),
    *(str, int, float, bool, list, tuple, dict, type(None)),
)
_CALLABLE = (Class, Function, Bound, Partial, Builtin)
_KNOWN = (*_CALLABLE, int, float, str, bool, list, tuple, dict, range, type(None), Dim)
_CONTAINERS: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("Iterable", "Collection", "Sized", "Container"), (list, tuple, dict, str, range)),
    "Sequence": (list, tuple, str, range),
    "MutableSequence": (list,),
    **dict.fromkeys(("Mapping", "MutableMapping"), (dict,)),
}
_BY_BASES = frozenset({"Sequence", "MutableSequence", "Mapping", "MutableMapping"})  # not by the methods of an object


def _is_known(value: Instance) -> bool:
    """Return whether an object is of a class of the program whose bases are all known."""
    return (
        not value.incomplete
        and all(base.node is not None or base.name == "object" or value.items is not None for base in value.cls.mro)
        and not any(type(base) is Library for each in value.cls.mro for base in each.bases)
    )


_NUMBERS = {"Number": (int, float, bool, Dim), "Integral": (int, bool, Dim), "Real": (int, float, bool, Dim)}


def is_of_type(value: Value, kind: type) -> Value:
    """Return whether a value is a function or a class of the program; UNKNOWN of an unknown one, or a library's."""
    return UNKNOWN if type(value) is Unknown or type(value) is Library else type(value) is kind


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


def _issubclass(call: Call) -> Value:
    cls, kind = call.args
    return kind in cls.mro if type(cls) is type(kind) is Class else UNKNOWN


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
    if type(value) is Dim and type(name) is str:
        lacking = parameter_lists.part(value, f" lacks {name}")  # one execution for each: it has the attribute, or not
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
    """``dir(torch.nn.functional)``: the names of a library, of which those are known that are followed."""
    if len(call.args) != 1 or type(call.args[0]) is not Library:
        return UNKNOWN
    return Bound(Builtin("dir"), call.args[0])


def _type(call: Call) -> Value:
    if len(call.args) != 1:
        return UNKNOWN
    value = call.args[0]
    if type(value) is Instance:
        return value.cls
    if type(value) is Tensor:
        return Library("torch.Tensor")
    return Builtin(type(value).__name__) if type(value) in _PLAIN else UNKNOWN


_PLAIN = (int, float, str, bool, list, tuple, dict)


FUNCTIONS: dict[str, NativeFunction] = {
    "isinstance": _isinstance,
    "issubclass": _issubclass,
    "callable": _callable,
    "getattr": _getattr,
    "setattr": _setattr,
    "hasattr": _hasattr,
    "type": _type,
    "super": _super,
    "super.init": _super_init,
    "class.init": _class_init,
    "class.forward": _class_forward,
    "function.apply": _function_apply,
    "dir": _dir,
}
