"""How each kind of root is followed: what is called, and on what."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator

from convlint import symbolic
from convlint.static.domain.objects import Class, Function, Instance, Outside, Scope
from convlint.static.domain.values import UNKNOWN, Tensor, Value
from convlint.static.exploration.argument_variants import defaults
from convlint.static.exploration.entry_points import PARAMETERS, EntryPoint, ExecutionPath
from convlint.static.interpreter import attributes, classes, instantiation
from convlint.static.interpreter.dispatch import block, execute
from convlint.static.interpreter.interpreter import Interpreter
from convlint.static.program.parse import walk
from convlint.static.program.source_module import SourceModule, bound_names, is_main_guard
from convlint.symbolic import Symbol


def follow(path: ExecutionPath, variant: dict[str, Value]) -> None:
    entry_point = path.entry_point
    if entry_point.kind == "class":
        _follow_class(path, variant)
    elif entry_point.kind == "function":
        _follow_function(path)
    elif entry_point.kind == "model":
        _follow_model(path)
    elif entry_point.kind == "example":
        _follow_example(path)
    else:
        _follow_file(path)


def _follow_class(path: ExecutionPath, variant: dict[str, Value]) -> None:
    interpreter, entry_point = path.interpreter, path.entry_point
    cls: Class = entry_point.value
    assert cls.node is not None
    node, scope = _place(cls.node, entry_point.module)
    init = classes.lookup(cls, "__init__")
    kwargs = {}
    open_ended = False
    if type(init) is Function:
        kwargs = arguments(
            interpreter, init, _left_out(interpreter, defaults(init), _is_empty) | variant, skip=1
        )
        open_ended = init.node.args.kwarg is not None or init.node.args.vararg is not None
    path.instance = instantiation.instantiate(
        interpreter, cls, [], kwargs, node, scope, open_ended=open_ended
    )
    if type(path.instance) is Instance:
        forward(interpreter, path.instance, node, scope, on_example=False)


def forward(
    interpreter: Interpreter,
    instance: Instance,
    node: ast.expr,
    scope: Scope,
    *,
    on_example: bool = True,
) -> None:
    """Call a module on its own example, or on inputs of which nothing is known but what it asks for."""
    example = instance.attrs.get("example_input_array")
    if example is None:
        example = classes.lookup(instance.cls, "example_input_array")
    if on_example and example is not None:
        tensors = list(example) if type(example) is tuple else [example]
        if all(type(one) is Tensor and one.shape is not None for one in tensors):
            interpreter.call(instance, tensors, {}, node, scope)
            return
    function = classes.lookup(instance.cls, "forward")
    if type(function) is not Function:
        if instance.kind in ("ModuleList", "ModuleDict", "Module", None):
            return
        interpreter.call(instance, [_input(interpreter)], {}, node, scope)
        return
    given = function.node.args
    positional = [*given.posonlyargs, *given.args][1:]
    count = len(positional) - len(function.defaults)
    values = [_argument(interpreter, parameter) for parameter in positional[: max(count, 0)]]
    named = {
        parameter.arg: _argument(interpreter, parameter)
        for parameter in given.kwonlyargs
        if parameter.arg not in function.keyword_defaults
    }
    named |= _left_out(
        interpreter, defaults(function), lambda v: v is None or type(v) in (int, float)
    )
    open_ended = given.vararg is not None
    interpreter.call(instance, values, named, node, scope, open_ended=open_ended)


def _left_out(
    interpreter: Interpreter, usual: dict[str, Value], holds_a_place: Callable[[Value], bool]
) -> dict[str, Value]:
    """What is passed for parameters whose default may only hold a place: no caller may leave them out."""
    names = [name for name, value in usual.items() if holds_a_place(value)]
    if names and not interpreter.all_inputs:
        interpreter.left_out = True
        return {}
    return dict.fromkeys(names, UNKNOWN)


def _input(interpreter: Interpreter) -> Tensor:
    return interpreter.execution.emit("input", [], [None])[0]


def _argument(interpreter: Interpreter, parameter: ast.arg) -> Value:
    """A tensor, unless the annotation says that it is none."""
    said = ast.unparse(parameter.annotation) if parameter.annotation is not None else "Tensor"
    if said.strip("'\"").rsplit(".", 1)[-1] in ("Tensor", "FloatTensor"):
        return _input(interpreter)
    return UNKNOWN


def arguments(
    interpreter: Interpreter, function: Function, variant: dict[str, Value], skip: int = 0
) -> dict[str, Value]:
    """A value for every parameter of a function, by name: a symbol for an integer, otherwise the
    default.
    """
    given = function.node.args
    usual = defaults(function) | variant
    found: dict[str, Value] = dict(usual)
    for parameter in [*[*given.posonlyargs, *given.args][skip:], *given.kwonlyargs]:
        name = parameter.arg
        if name not in usual:
            found[name] = _symbol(parameter)
        elif type(usual[name]) is int and name not in variant:
            found[name] = symbolic.symbol(name, PARAMETERS)
            interpreter.execution.hints[Symbol(name, PARAMETERS)] = usual[name]
    return found


def _is_empty(value: Value) -> bool:
    return type(value) in (tuple, list, dict) and not value


def _symbol(parameter: ast.arg) -> Value:
    said = "" if parameter.annotation is None else ast.unparse(parameter.annotation)
    if any(word in said for word in ("str", "Module", "Callable", "Type", "Tensor", "type")):
        return UNKNOWN
    return symbolic.symbol(parameter.arg, PARAMETERS)


def _place(node: ast.AST, module: SourceModule) -> tuple[ast.expr, Scope]:
    """Where the call of a root is said to stand: at its definition."""
    here = Outside(getattr(node, "name", ""), ast.Load())
    here.lineno = here.end_lineno = getattr(node, "lineno", 1)
    here.col_offset = here.end_col_offset = getattr(node, "col_offset", 0)
    return here, Scope(module, None, "")


def _follow_function(path: ExecutionPath) -> None:
    interpreter, entry_point = path.interpreter, path.entry_point
    function: Function = entry_point.value
    node, scope = _place(function.node, entry_point.module)
    skip = 1 if function.owner is not None and function.kind != "staticmethod" else 0
    given = function.node.args
    usual = defaults(function)
    kwargs = arguments(
        interpreter,
        function,
        _left_out(interpreter, usual, lambda v: v is None or _is_empty(v)),
        skip,
    )
    positional = [UNKNOWN] * skip
    positional += [kwargs.pop(p.arg) for p in [*given.posonlyargs, *given.args][skip:]]
    open_ended = (given.kwarg is not None or given.vararg is not None) and _is_called(entry_point)
    interpreter.call_function(function, positional, kwargs, node, scope, open_ended=open_ended)
    _call_what_was_built(path)


def _follow_example(path: ExecutionPath) -> None:
    """Build a class without arguments, and run it on the example that it names."""
    interpreter, entry_point = path.interpreter, path.entry_point
    node, scope = _place(entry_point.value.node, entry_point.module)
    instance = instantiation.instantiate(interpreter, entry_point.value, [], {}, node, scope)
    if type(instance) is Instance:
        forward(interpreter, instance, node, scope)


def _follow_model(path: ExecutionPath) -> None:
    """Build a configured model and run it on its configured input."""
    interpreter, entry, module = path.interpreter, path.entry_point.value, path.entry_point.module
    node, scope = _place(module.text.tree, module)
    first, *rest = entry.target.name.split(".")
    value = interpreter.name_of_module(module, first)
    for name in rest:
        value = attributes.get(interpreter, value, name, node, scope)
    if type(value) is not Instance:
        args, kwargs = entry.target.arguments()
        value = interpreter.call(value, list(args), kwargs, node, scope)
    path.model = value
    if type(value) is not Instance or not value.is_module:
        return
    if not entry.inputs:
        forward(interpreter, value, node, scope)
        return
    batch = entry.batch_size or 1
    tensors = [
        (
            spec.name,
            interpreter.execution.emit("input", [], [(batch, *spec.shape)], dtype=spec.dtype)[0],
        )
        for spec in entry.inputs
    ]
    named = {name: tensor for name, tensor in tensors if name}
    interpreter.call(value, [tensor for name, tensor in tensors if not name], named, node, scope)


def _is_called(entry_point: EntryPoint) -> bool:
    """Whether a function is called in its own file: then it is not for its defaults."""
    return any(
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == entry_point.name
        for node in walk(entry_point.module.text.tree)
    )


def _follow_file(path: ExecutionPath) -> None:
    interpreter, module = path.interpreter, path.entry_point.module
    interpreter.top = scope = Scope(module, None, "", path.names)
    for statement in module.main:
        try:
            if isinstance(statement, ast.If) and is_main_guard(statement.test):
                block(interpreter, statement.body, scope)
            else:
                execute(interpreter, statement, scope)
        except RecursionError:
            interpreter.record_gap("it is nested too deeply to follow", statement, scope)
            scope.names.update(dict.fromkeys(bound_names(statement), UNKNOWN))
    _call_what_was_built(path)


def _call_what_was_built(path: ExecutionPath) -> None:
    """Run the models that were built and never called: most factories only build one."""
    interpreter = path.interpreter
    done = {call.instance for call in interpreter.calls}
    for instance in interpreter.built:
        done.update(child for child in descendants(instance) if child is not instance)
    for instance in list(interpreter.built):
        if instance in done or instance.incomplete:
            continue
        if instance.cls.node is not None or instance.kind == "Sequential":
            node, scope = interpreter.called_at[instance]
            forward(interpreter, instance, node, scope)


def descendants(instance: Instance) -> Iterator[Instance]:
    """A module and all below it, each once."""
    seen = {instance}
    pending = [instance]
    while pending:
        one = pending.pop()
        yield one
        for _, child in one.children():
            if child not in seen:
                seen.add(child)
                pending.append(child)
