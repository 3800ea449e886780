"""Objects whose class lists its fields: dataclasses, attrs, pydantic's models, named tuples."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

from convlint.static.domain.objects import Class, Function, Instance, Scope
from convlint.static.domain.values import LONGEST, UNKNOWN, Unknown, Value
from convlint.static.interpreter import classes, validation
from convlint.static.interpreter.call import Call
from convlint.static.interpreter.dispatch import evaluate
from convlint.static.program.parse import cached

if TYPE_CHECKING:
    from convlint.static.interpreter.interpreter import Interpreter

_DECORATORS = frozenset({"define", "frozen", "mutable", "attrs", "attributes", "attr.s"})
_NO_FIELDS = ("ClassVar", "typing.ClassVar")


def is_record(cls: Class) -> bool:
    """Return whether a class gets its constructor from its annotations."""
    return any(
        base.node is not None and ("_is_record" in base.namespace or _is_decorated(base.node)) for base in cls.mro
    )


def _is_decorated(node: ast.ClassDef) -> bool:
    names = [_name(decorator) for decorator in node.decorator_list]
    return any("dataclass" in name or name in _DECORATORS or name.split(".", 1)[-1] in _DECORATORS for name in names)


def _name(node: ast.expr) -> str:
    """Return the name of a decorator, or of the function that makes it: ``attr.s``."""
    return ast.unparse(node.func if isinstance(node, ast.Call) else node)


def is_named_tuple(cls: Class) -> bool:
    """Return whether the objects of a class are named tuples."""
    return any(base.is_library and base.qualname == "NamedTuple" for base in cls.mro)


def fields(cls: Class) -> dict[str, tuple[ast.expr | None, Class]]:
    """Return the default and the class of each field, those of the bases first."""
    return {
        name: (default, base)
        for base in reversed(cls.mro)
        if base.node is not None
        for name, default in cached(base.node, "fields", partial(_own_fields, base.node))
    }


def _own_fields(node: ast.ClassDef) -> list[tuple[str, ast.expr | None]]:
    own: list[tuple[str, ast.expr | None]] = []
    for statement in node.body:
        match statement:
            case ast.AnnAssign(target=ast.Name(id=name), annotation=annotation, value=value):
                if not ast.unparse(annotation).startswith(_NO_FIELDS) and name != "model_config":
                    own.append((name, value))
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Call() as value):
                if _name(value) in ("attr.ib", "attr.attrib", "attrs.field"):
                    own.append((name, value))
    return own


def fill(instance: Instance, call: Call) -> None:
    """Set the fields of an object from the arguments of a call, and the defaults."""
    interpreter, cls = call.interpreter, instance.cls
    rest = dict(call.kwargs)
    positions = iter(call.args)
    declared = fields(cls)
    interpreter.handle_items(len(declared))
    for name, (default, owner) in declared.items():
        is_plain = default is not None and not isinstance(default, ast.Call)
        options = {} if is_plain else _options(default)
        if options and _is_false(options.get("init")):
            instance.attrs[name] = _default(interpreter, default, owner, name)
        elif name in rest:
            instance.attrs[name] = rest.pop(name)
        elif (value := next(positions, rest)) is not rest and not (options and _is_true(options.get("kw_only"))):
            instance.attrs[name] = value
        elif call.open_ended:
            instance.attrs[name] = UNKNOWN
        elif is_plain:
            instance.attrs[name] = owner.namespace.get(name, UNKNOWN)
        else:
            instance.attrs[name] = UNKNOWN if default is None else _default(interpreter, default, owner, name)
    if cls.lookup("_is_record"):
        instance.attrs.update(rest)
        validation.convert(call, instance, declared)
    if is_named_tuple(cls):
        instance.items = list(instance.attrs.values())
    for method in ("__post_init__", "__attrs_post_init__", "model_post_init"):
        after = cls.lookup(method)
        if type(after) is Function:
            passed_on = [name for name, (_, owner) in declared.items() if _is_passed_on(owner, name)]
            args = [instance, *[instance.attrs.pop(name) for name in passed_on]]
            args += [None] if method == "model_post_init" else []
            interpreter.call_function(after, Call(interpreter, args, {}, call.node, call.scope))


def _is_passed_on(owner: Class, name: str) -> bool:
    """Return whether a field is an ``InitVar``: an argument of ``__post_init__``."""
    assert owner.node is not None
    return any(
        isinstance(each, ast.AnnAssign)
        and isinstance(each.target, ast.Name)
        and each.target.id == name
        and ast.unparse(each.annotation).strip("'\"").startswith(("InitVar", "dataclasses.InitVar"))
        for each in owner.node.body
    )


def _options(default: ast.expr | None) -> dict[str, ast.expr]:
    """Return the keyword arguments of ``field(...)``, none of any other default."""
    keywords = default.keywords if isinstance(default, ast.Call) else []
    return {keyword.arg: keyword.value for keyword in keywords if keyword.arg is not None}


def _is_true(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Constant) and node.value is True


def _is_false(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Constant) and node.value is False


_FIELD_FUNCTIONS = frozenset({"field", "Field", "ib", "attrib", "PrivateAttr"})


def _default(interpreter: Interpreter, default: ast.expr | None, owner: Class, name: str) -> Value:
    """Return the default of a field: a value, or what ``field(...)`` says."""
    if not isinstance(default, ast.Call) or _name(default).rsplit(".", 1)[-1] not in _FIELD_FUNCTIONS:
        return owner.namespace.get(name, UNKNOWN)
    assert owner.module is not None
    scope = Scope(owner.module, None, owner.qualname)
    options = _options(default)
    factory = options.get("default_factory") or options.get("factory")
    if factory is not None:
        return interpreter.call(evaluate(interpreter, factory, scope), Call(interpreter, [], {}, default, scope))
    first = options.get("default") or next(iter(default.args), None)
    if first is None or (isinstance(first, ast.Constant) and first.value is ...):
        return UNKNOWN
    return evaluate(interpreter, first, scope)


def named_tuple(call: Call) -> Value:
    """``collections.namedtuple(name, fields)``: a class."""
    name, listed = call.argument(0, "typename"), call.argument(1, "field_names")
    names = listed.replace(",", " ").split() if type(listed) is str else listed
    defaults = call.kwargs.get("defaults") or ()
    if type(name) is not str or not all(type(each) is str and each.isidentifier() for each in (name, *names)):
        return UNKNOWN
    with_default = dict(zip(names[len(names) - len(defaults) :], defaults, strict=True))
    body = "; ".join([f"{each}: object{' = 0' if each in with_default else ''}" for each in names])
    (node,) = ast.parse(f"class {name}: {body or 'pass'}").body
    assert isinstance(node, ast.ClassDef)
    cls = Class(name, (), node, call.scope.module, dict(with_default), name)
    cls.mro = (cls, *classes.named_tuple().mro)
    return cls


# --- functions of records


def values(instance: Instance) -> dict[str, Value]:
    """Return the fields of an object by their names."""
    return {name: instance.attrs.get(name, UNKNOWN) for name in fields(instance.cls)}


def field_objects(call: Call) -> Value:
    """``dataclasses.fields(record)``: objects with the names of the fields."""
    record = call.args[0]
    cls = record.cls if type(record) is Instance else record
    if type(cls) is not Class or not is_record(cls):
        return UNKNOWN
    kind = call.interpreter.of_library("types.SimpleNamespace")
    return tuple([call.interpreter.call(kind, call.with_args([], {"name": name})) for name in fields(cls)])


def replaced(call: Call) -> Value:
    """``dataclasses.replace(object, name=value)``: another object with other fields."""
    instance = call.args[0]
    declared = fields(instance.cls) if type(instance) is Instance else {}
    if type(instance) is not Instance or not declared:
        return UNKNOWN
    call.interpreter.handle_items(len(declared))
    kept = {
        name: instance.attrs.get(name, UNKNOWN)
        for name, (default, _) in declared.items()
        if not (isinstance(default, ast.Call) and _is_false(_options(default).get("init")))
    }
    copy = Instance(instance.cls, instance.site, instance.frames)
    fill(copy, call.with_args([], kept | call.kwargs))
    return copy


def as_dict(call: Call) -> Value:
    """``dataclasses.asdict(object)``: the fields of an object and of those in it."""
    budget = iter(range(LONGEST))
    return _plain(call.args[0], budget)


def _plain(value: Value, budget: Iterator[int]) -> Value:
    if next(budget, None) is None:
        return UNKNOWN
    if type(value) is Instance and fields(value.cls):
        return {name: _plain(item, budget) for name, item in values(value).items()}
    if type(value) in (list, tuple):
        return type(value)([_plain(item, budget) for item in value])
    if type(value) is dict:
        return {key: _plain(item, budget) for key, item in value.items()}
    return value


def is_record_value(call: Call) -> Value:
    """``dataclasses.is_dataclass(value)``."""
    value = call.args[0]
    if type(value) is Unknown:
        return UNKNOWN
    cls = value.cls if type(value) is Instance else value
    return type(cls) is Class and is_record(cls)
