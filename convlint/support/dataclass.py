"""Data classes as of the standard library, with methods that are written at their first call.

``dataclasses.dataclass`` compiles up to six functions for each class when its module is imported: of a ``check`` of a
file of 100 lines, which defines 77 such classes, a quarter of the time. Here ``__init__`` is compiled when the first
object is made, the other methods need no compilation, and ``inspect`` is not imported. ``dataclasses.fields``,
``replace``, ``asdict`` and ``is_dataclass`` know these classes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import attrgetter
from reprlib import recursive_repr
from types import MemberDescriptorType
from typing import Any, TypeVar, dataclass_transform, overload

T = TypeVar("T")

_MISSING: Any = object()
_FIELDS = "__convlint_fields__"


class Field:
    """The declaration of one attribute; the parameters are those of ``dataclasses.field``."""

    __slots__ = ("compare", "default", "default_factory", "init", "metadata", "name", "repr")

    def __init__(
        self,
        default: Any = _MISSING,
        default_factory: Any = _MISSING,
        init: bool = True,
        repr: bool = True,
        compare: bool = True,
        metadata: Mapping[str, object] | None = None,
    ) -> None:
        self.name = ""
        self.default = default
        self.default_factory = default_factory
        self.init = init
        self.repr = repr
        self.compare = compare
        self.metadata = metadata or {}


@overload
def field(*, default: T, init: bool = ..., repr: bool = ..., compare: bool = ..., metadata: Any = ...) -> T: ...
@overload
def field(
    *, default_factory: Callable[[], T], init: bool = ..., repr: bool = ..., compare: bool = ..., metadata: Any = ...
) -> T: ...
@overload
def field(*, init: bool = ..., repr: bool = ..., compare: bool = ..., metadata: Any = ...) -> Any: ...
def field(**options: Any) -> Any:
    """Declare an attribute with more than a default, as ``dataclasses.field`` does."""
    return Field(**options)


def fields(kind: object) -> tuple[Field, ...]:
    """Return the fields of a data class, or of an object of one; empty for everything else."""
    found: Mapping[str, Field] = getattr(kind, _FIELDS, {})
    return tuple(found.values())


def replace(record: T, /, **changes: Any) -> T:
    """Return a copy of a record with some fields changed, as ``dataclasses.replace`` does."""
    for each in getattr(type(record), _FIELDS).values():
        if each.init and each.name not in changes:
            changes[each.name] = getattr(record, each.name)
    return type(record)(**changes)


@overload
def dataclass(cls: type[T], /) -> type[T]: ...
@overload
def dataclass(
    *, frozen: bool = ..., slots: bool = ..., eq: bool = ..., repr: bool = ...
) -> Callable[[type[T]], type[T]]: ...
@dataclass_transform(field_specifiers=(field,))
def dataclass(
    cls: type[T] | None = None, /, *, frozen: bool = False, slots: bool = False, eq: bool = True, repr: bool = True
) -> type[T] | Callable[[type[T]], type[T]]:
    """Make a data class of a class with annotations, as ``dataclasses.dataclass`` does."""

    def decorator(cls: type[Any]) -> type[Any]:
        return _dataclass(cls, frozen, slots, eq, repr)

    return decorator if cls is None else decorator(cls)


def _dataclass(cls: type[Any], frozen: bool, slots: bool, eq: bool, has_repr: bool) -> type[Any]:
    fields = _fields(cls)
    written = set(vars(cls))
    if slots:
        cls = _with_slots(cls, fields)
    setattr(cls, _FIELDS, fields)
    methods: dict[str, Any] = {
        "__dataclass_fields__": _StandardFields(),
        "__match_args__": tuple([each.name for each in fields.values() if each.init]),
        "__init__": _first_init(cls, fields, frozen),
    }
    if has_repr:
        methods["__repr__"] = _representation([each.name for each in fields.values() if each.repr])
    if eq:
        methods["__eq__"], methods["__hash__"] = _comparison([each.name for each in fields.values() if each.compare])
        if not frozen:
            methods["__hash__"] = None
    if frozen:
        methods["__setattr__"], methods["__delattr__"] = _refusals(cls, frozenset(fields))
        if slots:
            methods["__setstate__"] = _set_state
    # A class with its own __eq__ has __hash__ = None among its attributes without having written it.
    own_hash = "__hash__" in written and not (vars(cls)["__hash__"] is None and "__eq__" in written)
    for name, method in methods.items():
        if name not in written or (name == "__hash__" and not own_hash):
            setattr(cls, name, method)
    return cls


def _fields(cls: type[Any]) -> dict[str, Field]:
    """Collect the fields of the bases and of the class; a field that is declared again keeps its place."""
    fields: dict[str, Field] = {}
    for base in reversed(cls.__mro__[1:]):
        fields.update(vars(base).get(_FIELDS, {}))
    for name, annotation in vars(cls).get("__annotations__", {}).items():
        if str(annotation).startswith(("ClassVar", "typing.ClassVar")):
            continue
        default = vars(cls).get(name, _MISSING)
        fields[name] = each = default if isinstance(default, Field) else Field(default)
        each.name = name
        if default is not each:
            continue
        if each.default is _MISSING:
            delattr(cls, name)
        else:
            setattr(cls, name, each.default)
    return fields


def _with_slots(cls: type[Any], fields: Mapping[str, Field]) -> type[Any]:
    """Create the class again, because ``__slots__`` are read when a class is made."""
    inherited = {name for base in cls.__mro__[1:] for name in vars(base).get("__slots__", ())}
    members = {name: value for name, value in vars(cls).items() if name not in fields}
    members.pop("__dict__", None)
    members.pop("__weakref__", None)
    members["__slots__"] = tuple([name for name in fields if name not in inherited])
    members["__qualname__"] = cls.__qualname__
    kind: Any = type(cls)
    with_slots: type[Any] = kind(cls.__name__, cls.__bases__, members)
    return with_slots


def _first_init(cls: type[Any], fields: Mapping[str, Field], frozen: bool) -> Callable[..., None]:
    """Return the ``__init__`` that the first object calls: it writes the one that all others call."""

    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:  # noqa: N807
        cls.__init__ = _initializer(cls, fields, frozen)
        cls.__init__(self, *args, **kwargs)

    return __init__


def _initializer(cls: type[Any], fields: Mapping[str, Field], frozen: bool) -> Any:
    """Compile ``__init__``. The name of a field may be ``self``."""
    names: dict[str, Any] = {"__set": object.__setattr__, "__default": _MISSING}
    parameters, body = [], []
    for each in fields.values():
        name, value = each.name, each.name
        if each.default_factory is not _MISSING:
            names[f"__make_{name}"] = each.default_factory
            value = f"__make_{name}() if {name} is __default else {name}" if each.init else f"__make_{name}()"
            default = "=__default"
        elif each.default is not _MISSING:
            names[f"__default_{name}"] = each.default
            default = f"=__default_{name}"
            value = name if each.init else f"__default_{name}"
        elif each.init:
            default = ""
        else:
            continue
        if each.init:
            parameters.append(name + default)
        slot = getattr(cls, name, None) if frozen else None
        if type(slot) is MemberDescriptorType:  # faster than a look-up of the name
            names[f"__set_{name}"] = slot.__set__
            body.append(f"__set_{name}(__self, {value})")
        else:
            body.append(f"__set(__self, {name!r}, {value})" if frozen else f"__self.{name} = {value}")
    if hasattr(cls, "__post_init__"):
        body.append("__self.__post_init__()")
    text = f"def __init__({', '.join(['__self', *parameters])}):\n " + "\n ".join(body or ["pass"])
    exec(text, names)  # noqa: S102 - the text is made of the names of fields
    initializer = names["__init__"]
    initializer.__qualname__ = f"{cls.__qualname__}.__init__"
    return initializer


def _representation(names: list[str]) -> Callable[[Any], str]:
    @recursive_repr()
    def __repr__(self: Any) -> str:  # noqa: N807
        values = ", ".join([f"{name}={getattr(self, name)!r}" for name in names])
        return f"{type(self).__qualname__}({values})"

    return __repr__


def _comparison(names: list[str]) -> tuple[Callable[[Any, object], bool], Callable[[Any], int]]:
    """Return ``__eq__`` and ``__hash__`` over the values of some fields."""
    values: Callable[[Any], object] = attrgetter(*names) if names else lambda _: ()

    def __eq__(self: Any, other: Any) -> bool:  # noqa: N807
        if other.__class__ is not self.__class__:
            return NotImplemented
        return values(self) == values(other)

    def __hash__(self: Any) -> int:  # noqa: N807
        return hash(values(self))

    return __eq__, __hash__


def _refusals(cls: type[Any], names: frozenset[str]) -> tuple[Callable[..., None], Callable[..., None]]:
    """Return the ``__setattr__`` and ``__delattr__`` of a frozen class."""

    def __setattr__(self: Any, name: str, value: object) -> None:  # noqa: N807
        if type(self) is cls or name in names:
            _refuse("assign to", name)
        super(cls, self).__setattr__(name, value)

    def __delattr__(self: Any, name: str) -> None:  # noqa: N807
        if type(self) is cls or name in names:
            _refuse("delete", name)
        super(cls, self).__delattr__(name)

    return __setattr__, __delattr__


def _refuse(action: str, name: str) -> None:
    from dataclasses import FrozenInstanceError

    raise FrozenInstanceError(f"cannot {action} field {name!r}")


def _set_state(self: Any, state: tuple[None, Mapping[str, object]]) -> None:
    """Set the slots of a frozen object that is copied or unpickled."""
    for name, value in state[1].items():
        object.__setattr__(self, name, value)


class _StandardFields:
    """The attribute by which the functions of ``dataclasses`` know a data class, created at its first use."""

    def __init__(self) -> None:
        self._known: dict[str, Any] | None = None

    def __get__(self, instance: object, owner: type[Any]) -> dict[str, Any]:
        if self._known is None:
            self._known = self._build(owner)
        return self._known

    def _build(self, owner: type[Any]) -> dict[str, Any]:
        import dataclasses

        standard: dict[str, Any] = {}
        for each in getattr(owner, _FIELDS).values():
            options = {"init": each.init, "repr": each.repr, "compare": each.compare, "metadata": each.metadata}
            if each.default is not _MISSING:
                options["default"] = each.default
            if each.default_factory is not _MISSING:
                options["default_factory"] = each.default_factory
            copy: Any = dataclasses.field(**options)
            copy.name, copy.type = each.name, _annotation(owner, each.name)
            copy._field_type = vars(dataclasses)["_FIELD"]  # noqa: SLF001 - as dataclasses.fields wants it
            standard[each.name] = copy
        return standard


def _annotation(cls: type[Any], name: str) -> object:
    declarations = [vars(base).get("__annotations__", {}) for base in cls.__mro__]
    return next((declared[name] for declared in declarations if name in declared), None)
