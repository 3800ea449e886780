"""How each kind of root is followed: what is called, and on what."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator

from convlint import symbolic
from convlint.static.domain.objects import Class, Function, Instance, Outside, Scope
from convlint.static.domain.values import UNKNOWN, Tensor, Value
from convlint.static.exploration.argument_variants import defaults
from convlint.static.exploration.entry_points import PARAMETERS, Root, Way
from convlint.static.interpreter import attributes, classes, instantiation
from convlint.static.interpreter.dispatch import block, execute
from convlint.static.interpreter.interpreter import Interpreter
from convlint.static.program.parse import walk
from convlint.static.program.source_module import SourceModule, bound_names, is_main_guard
from convlint.symbolic import Symbol


def follow(way: Way, variant: dict[str, Value]) -> None:
    root = way.root
    if root.kind == "class":
        _follow_class(way, variant)
    elif root.kind == "function":
        _follow_function(way)
    elif root.kind == "model":
        _follow_model(way)
    elif root.kind == "example":
        _follow_example(way)
    else:
        _follow_file(way)


def _follow_class(way: Way, variant: dict[str, Value]) -> None:
    it, root = way.it, way.root
    cls: Class = root.value
    assert cls.node is not None
    node, scope = _place(cls.node, root.module)
    init = classes.lookup(cls, "__init__")
    kwargs = {}
    open_ = False
    if type(init) is Function:
        kwargs = arguments(it, init, _left_out(it, defaults(init), _is_empty) | variant, skip=1)
        open_ = init.node.args.kwarg is not None or init.node.args.vararg is not None
    way.instance = instantiation.instantiate(it, cls, [], kwargs, node, scope, open_=open_)
    if type(way.instance) is Instance:
        forward(it, way.instance, node, scope, on_example=False)


def forward(
    it: Interpreter, instance: Instance, node: ast.expr, scope: Scope, *, on_example: bool = True
) -> None:
    """Call a module on its own example, or on inputs of which nothing is known but what it asks for."""
    example = instance.attrs.get("example_input_array")
    if example is None:
        example = classes.lookup(instance.cls, "example_input_array")
    if on_example and example is not None:
        tensors = list(example) if type(example) is tuple else [example]
        if all(type(one) is Tensor and one.shape is not None for one in tensors):
            it.call(instance, tensors, {}, node, scope)
            return
    function = classes.lookup(instance.cls, "forward")
    if type(function) is not Function:
        if instance.kind in ("ModuleList", "ModuleDict", "Module", None):
            return
        it.call(instance, [_input(it)], {}, node, scope)
        return
    given = function.node.args
    positional = [*given.posonlyargs, *given.args][1:]
    count = len(positional) - len(function.defaults)
    values = [_argument(it, parameter) for parameter in positional[: max(count, 0)]]
    named = {
        parameter.arg: _argument(it, parameter)
        for parameter in given.kwonlyargs
        if parameter.arg not in function.keyword_defaults
    }
    named |= _left_out(it, defaults(function), lambda v: v is None or type(v) in (int, float))
    open_ = given.vararg is not None
    it.call(instance, values, named, node, scope, open_=open_)


def _left_out(
    it: Interpreter, usual: dict[str, Value], holds_a_place: Callable[[Value], bool]
) -> dict[str, Value]:
    """What is passed for parameters whose default may only hold a place: no caller may leave them out."""
    names = [name for name, value in usual.items() if holds_a_place(value)]
    if names and not it.all_inputs:
        it.left_out = True
        return {}
    return dict.fromkeys(names, UNKNOWN)


def _input(it: Interpreter) -> Tensor:
    return it.run.emit("input", [], [None])[0]


def _argument(it: Interpreter, parameter: ast.arg) -> Value:
    """A tensor, unless the annotation says that it is none."""
    said = ast.unparse(parameter.annotation) if parameter.annotation is not None else "Tensor"
    if said.strip("'\"").rsplit(".", 1)[-1] in ("Tensor", "FloatTensor"):
        return _input(it)
    return UNKNOWN


def arguments(
    it: Interpreter, function: Function, variant: dict[str, Value], skip: int = 0
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
            it.run.hints[Symbol(name, PARAMETERS)] = usual[name]
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


def _follow_function(way: Way) -> None:
    it, root = way.it, way.root
    function: Function = root.value
    node, scope = _place(function.node, root.module)
    skip = 1 if function.owner is not None and function.kind != "staticmethod" else 0
    given = function.node.args
    usual = defaults(function)
    kwargs = arguments(
        it, function, _left_out(it, usual, lambda v: v is None or _is_empty(v)), skip
    )
    positional = [UNKNOWN] * skip
    positional += [kwargs.pop(p.arg) for p in [*given.posonlyargs, *given.args][skip:]]
    open_ = (given.kwarg is not None or given.vararg is not None) and _is_called(root)
    it.call_function(function, positional, kwargs, node, scope, open_=open_)
    _call_what_was_built(way)


def _follow_example(way: Way) -> None:
    """Build a class without arguments, and run it on the example that it names."""
    it, root = way.it, way.root
    node, scope = _place(root.value.node, root.module)
    instance = instantiation.instantiate(it, root.value, [], {}, node, scope)
    if type(instance) is Instance:
        forward(it, instance, node, scope)


def _follow_model(way: Way) -> None:
    """Build a configured model and run it on its configured input."""
    it, entry, module = way.it, way.root.value, way.root.module
    node, scope = _place(module.text.tree, module)
    first, *rest = entry.target.name.split(".")
    value = it.name_of_module(module, first)
    for name in rest:
        value = attributes.get(it, value, name, node, scope)
    if type(value) is not Instance:
        args, kwargs = entry.target.arguments()
        value = it.call(value, list(args), kwargs, node, scope)
    way.model = value
    if type(value) is not Instance or not value.is_module:
        return
    if not entry.inputs:
        forward(it, value, node, scope)
        return
    batch = entry.batch_size or 1
    tensors = [
        (spec.name, it.run.emit("input", [], [(batch, *spec.shape)], dtype=spec.dtype)[0])
        for spec in entry.inputs
    ]
    named = {name: tensor for name, tensor in tensors if name}
    it.call(value, [tensor for name, tensor in tensors if not name], named, node, scope)


def _is_called(root: Root) -> bool:
    """Whether a function is called in its own file: then it is not for its defaults."""
    return any(
        isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == root.name
        for node in walk(root.module.text.tree)
    )


def _follow_file(way: Way) -> None:
    it, module = way.it, way.root.module
    it.top = scope = Scope(module, None, "", way.names)
    for statement in module.main:
        try:
            if isinstance(statement, ast.If) and is_main_guard(statement.test):
                block(it, statement.body, scope)
            else:
                execute(it, statement, scope)
        except RecursionError:
            it.lose("it is nested too deeply to follow", statement, scope)
            scope.names.update(dict.fromkeys(bound_names(statement), UNKNOWN))
    _call_what_was_built(way)


def _call_what_was_built(way: Way) -> None:
    """Run the models that were built and never called: most factories only build one."""
    it = way.it
    done = {call.instance for call in it.calls}
    for instance in it.built:
        done.update(child for child in descendants(instance) if child is not instance)
    for instance in list(it.built):
        if instance in done or instance.incomplete:
            continue
        if instance.cls.node is not None or instance.kind == "Sequential":
            node, scope = it.called_at[instance]
            forward(it, instance, node, scope)


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
