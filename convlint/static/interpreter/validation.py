"""Follow pydantic: dicts become the models that annotations name, and the validators of a class are called."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from convlint.static.domain.objects import Class, Function, Instance, Scope
from convlint.static.domain.values import UNKNOWN, Unknown, Value
from convlint.static.interpreter.call import Call
from convlint.static.interpreter.dispatch import evaluate
from convlint.static.program.parse import walk

if TYPE_CHECKING:
    from convlint.static.interpreter.interpreter import Interpreter

_OF_FIELDS = ("validator", "field_validator")
_OF_MODELS = ("root_validator", "model_validator")


def convert(call: Call, instance: Instance, fields: Iterable[str]) -> None:
    """Set the fields of a new model to what pydantic makes of their values."""
    annotations = {
        statement.target.id: (statement.annotation, base)
        for base in reversed(instance.cls.mro)
        if base.node is not None
        for statement in base.node.body
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name)
    }
    for name in fields:
        value = instance.attrs[name]
        if type(value) in (dict, list, tuple) and name in annotations:
            models = list(_models(call.interpreter, *annotations[name]))
            if models:
                instance.attrs[name] = _built(call, models[0], value)
    for cls in reversed(instance.cls.mro):
        for method, decorator in _decorated(cls):
            _validate(call, instance, method, decorator)


def _models(interpreter: Interpreter, annotation: ast.expr, owner: Class) -> Iterator[Class]:
    """Yield the models that an annotation names."""
    if isinstance(annotation, ast.Constant) and type(annotation.value) is str:
        try:
            annotation = ast.parse(annotation.value, mode="eval").body
        except SyntaxError:
            return
    assert owner.module is not None
    scope = Scope(owner.module, None, owner.qualname)
    for node in walk(annotation):
        if isinstance(node, ast.Name | ast.Attribute):
            value = evaluate(interpreter, node, scope)
            if type(value) is Class and value.lookup("_is_record"):
                yield value


def _built(call: Call, model: Class, value: Value) -> Value:
    """Return the model that a dict describes, or the models in a list of dicts, or in a dict of dicts."""
    if type(value) is dict and value and all(type(item) is dict for item in value.values()):
        return {key: _built(call, model, item) for key, item in value.items()}
    if type(value) is dict and all(type(key) is str for key in value):
        return call.interpreter.instantiate(model, call.with_args([], value))
    if type(value) in (list, tuple):
        return type(value)([_built(call, model, item) for item in value])
    return value


def _decorated(cls: Class) -> Iterator[tuple[ast.FunctionDef, ast.expr]]:
    for method in cls.node.body if cls.node is not None else []:
        if isinstance(method, ast.FunctionDef):
            for decorator in method.decorator_list:
                if _name(decorator) in (*_OF_FIELDS, *_OF_MODELS):
                    yield method, decorator


def _name(decorator: ast.expr) -> str:
    node = decorator.func if isinstance(decorator, ast.Call) else decorator
    return ast.unparse(node).rsplit(".", 1)[-1]


def _validate(call: Call, instance: Instance, method: ast.FunctionDef, decorator: ast.expr) -> None:
    """Call a validator of a field's value, or of the whole model; what others may change is unknown."""
    function = instance.cls.lookup(method.name)
    options = {each.arg: each.value for each in decorator.keywords} if isinstance(decorator, ast.Call) else {}
    names = [a.value for a in decorator.args if isinstance(a, ast.Constant)] if isinstance(decorator, ast.Call) else []
    mode = options.get("mode")
    after = isinstance(mode, ast.Constant) and mode.value == "after"
    if (
        type(function) is Function
        and _name(decorator) in _OF_FIELDS
        and "*" not in names
        and len([*method.args.posonlyargs, *method.args.args]) == 2
    ):
        for name in names:
            if name in instance.attrs and type(instance.attrs[name]) is not Unknown:
                args = [instance.cls, instance.attrs[name]]
                instance.attrs[name] = call.interpreter.call_function(function, call.with_args(args, {}))
    elif type(function) is Function and _name(decorator) == "model_validator" and after:
        call.interpreter.call_function(function, call.with_args([instance], {}))
    else:
        instance.attrs.update(dict.fromkeys(instance.attrs, UNKNOWN))
