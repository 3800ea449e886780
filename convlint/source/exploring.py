"""What is followed in a file, and every way that it may go: each class with its parameters as
symbols, each function with its defaults, and what runs at the top level.
"""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from dataclasses import dataclass, field

from convlint import dims
from convlint.dims import Symbol
from convlint.flow import is_width
from convlint.model import Site
from convlint.source import attributes, classes, statements
from convlint.source.choices import Choices
from convlint.source.execution import Execution, Stop
from convlint.source.interpreter import Interpreter
from convlint.source.project import Project, SourceModule, bound_names, is_main_guard
from convlint.source.reading import children, walk
from convlint.source.values import (
    UNKNOWN,
    Class,
    Function,
    Instance,
    Num,
    Outside,
    Scope,
    Tensor,
    Value,
)

PARAMETERS = 0  # the scope of the symbols that stand for parameters
_MOST_WAYS = 10  # of one class, function or file
_MOST_VARIANTS = 4
_STEPS_OF_A_WAY = 15_000
_STEPS_OF_A_FILE = 4_000  # and for each of its lines:
_STEPS_OF_A_LINE = 1
_FACTORIES = 2  # functions followed first of those that call the same


@dataclass(slots=True, eq=False)
class Way:
    """One execution of a root. ``complete``: it ran to its end."""

    root: Root
    it: Interpreter
    complete: bool = True
    failure: str | None = None  # the traceback of a mistake of convlint's own
    names: dict[str, Value] = field(default_factory=dict)
    instance: Instance | None = None

    @property
    def run(self) -> Execution:
        return self.it.run

    @property
    def steps(self) -> int:
        """About how many steps of the program it took."""
        return _STEPS_OF_A_WAY - self.it.steps


@dataclass(frozen=True, slots=True, eq=False)
class Root:
    """A piece of the program that is followed for itself: a class, a function, or the file."""

    module: SourceModule
    kind: str  # "class", "function", "file"
    name: str
    value: Value = None
    ignored: tuple[tuple[str, str, Site], ...] = ()  # parameters of a class that it never reads


def roots(project: Project, module: SourceModule) -> list[Root]:
    """What is to be followed in a file."""
    return list(_roots(project, module))


def _roots(project: Project, module: SourceModule) -> Iterator[Root]:
    for name, bindings in module.bindings.items():
        definition = bindings[-1]
        if isinstance(definition, ast.ClassDef):
            value = _defined(project, module, name)
            if type(value) is Class and value.is_module and value.node is definition:
                yield Root(module, "class", name, value, tuple(_ignored(value)))
                if type(value.namespace.get("example_input_array")) in (Tensor, tuple):
                    yield Root(module, "example", name, value)
            elif type(value) is Class and value.node is definition:
                yield from _tests(module, value)
        elif isinstance(definition, ast.FunctionDef) and _is_worth_it(definition):
            value = _defined(project, module, name)
            if type(value) is Function:
                yield Root(module, "function", name, value)
    if any(_is_worth_it(statement) for statement in module.main):
        yield Root(module, "file", "")
    here = os.path.abspath(module.path)
    for entry in project.entries:
        path = entry.target.path
        if entry.target.name and path is not None and os.path.abspath(path) == here:
            yield Root(module, "model", entry.target.text, entry)


def _tests(module: SourceModule, cls: Class) -> Iterator[Root]:
    """The methods of a class that is no module: a test case, a trainer."""
    for name, value in cls.namespace.items():
        if type(value) is Function and _is_worth_it(value.node):
            yield Root(module, "function", f"{cls.qualname}.{name}", value)


def _ignored(cls: Class) -> Iterator[tuple[str, str, Site]]:
    """The parameters of a class's own constructor that its body never reads: name, class, place."""
    init = cls.namespace.get("__init__")
    if type(init) is not Function or isinstance(init.node, ast.Lambda):
        return
    read = {n.id for s in init.node.body for n in walk(s) if isinstance(n, ast.Name)}
    if not read.isdisjoint(("locals", "vars")):
        return
    given = init.node.args
    for parameter in [*[*given.posonlyargs, *given.args][1:], *given.kwonlyargs]:
        if parameter.arg not in read:
            text = init.scope.module.text
            yield parameter.arg, cls.qualname, text.site(parameter, init.qualname)


def _defined(project: Project, module: SourceModule, name: str) -> Value:
    it = Interpreter(project, Execution(), Choices())
    try:
        return it.name_of_module(module, name)
    except (Stop, RecursionError):
        return UNKNOWN


_worth: dict[ast.AST, bool] = {}


def _is_worth_it(node: ast.AST) -> bool:
    """Whether code builds or calls anything that could be a model: it calls something that is named
    like a class, or makes a tensor.
    """
    found = _worth.get(node)
    if found is None:
        found = _worth[node] = any(_is_telling(callee) for callee in _callees(node))
    return found


def _callees(node: ast.AST) -> Iterator[ast.expr]:
    """What some code calls, without what only fills a table."""
    pending = [node]
    while pending:
        inner = pending.pop()
        if isinstance(inner, ast.Call):
            yield inner.func
        if not isinstance(inner, ast.Dict):
            pending += children(inner)


def _is_telling(callee: ast.expr) -> bool:
    name = callee.attr if isinstance(callee, ast.Attribute) else getattr(callee, "id", "")
    return name in _CREATING or (
        name[:1].isupper() and not name.isupper() and not name.endswith(_ERRORS)
    )


_CREATING = frozenset({"randn", "rand", "zeros", "ones", "empty", "full", "summary"})
_ERRORS = ("Error", "Exception", "Warning", "Path", "Namespace", "ArgumentParser")


# --- ways


class Exploration:
    """The executions of a root, one for each way that it can go."""

    def __init__(self, project: Project, root: Root) -> None:
        self.project = project
        self.root = root
        self.ways: list[Way] = []
        self._variants = _variants(root)
        self._variant: dict[str, Value] = {}
        self._choices: Choices | None = None

    def advance(self, steps: int) -> int | None:
        """Follow the next way, and give the steps that it took; None if there is none."""
        if len(self.ways) >= _MOST_WAYS:
            return None
        if self._choices is None:
            if not self._variants:
                return None
            self._variant, self._choices = self._variants.pop(0), Choices()
        it = Interpreter(self.project, Execution(), self._choices)
        it.steps = given = min(steps, _STEPS_OF_A_WAY)
        way = Way(self.root, it)
        self.ways.append(way)
        try:
            _follow(way, self._variant)
        except statements.Raised:
            way.complete = False
        except Stop as stop:
            way.complete = False
            it.run.lose(str(stop))
        except RecursionError:
            way.complete = False
            it.run.lose("it is nested too deeply to follow")
        except Exception:  # noqa: BLE001 - a mistake of ours is told, and the rest is checked
            way.complete = False
            import traceback  # noqa: PLC0415 - loaded when needed

            way.failure = traceback.format_exc()
        self._choices = self._choices.next() if self._goes_on(way) else None
        return given - it.steps

    @property
    def contracts(self) -> Contracts:
        """What the class had to take for granted at each call, as far as it was followed."""
        found: Contracts = {}
        for way in self.ways:
            for step in way.run.steps:
                if step.site is not None and step.demands:
                    found.setdefault(step.site, set()).update(step.demands)
        return found

    def _goes_on(self, way: Way) -> bool:
        """Whether the other ways at the conditions of one could show anything: layers may be built
        on one of them alone, or what failed here may work there.
        """
        return _builds_on_condition(self.root) or any(step.error for step in way.run.steps)


Contracts = dict[Site, set[tuple[Num, Num]]]


def contracts(project: Project, root: Root) -> Contracts:
    """What a class takes for granted, by the call that needs it."""
    if root.value not in project.contracts:
        project.contracts[root.value] = exploration(project, root).contracts
    found: Contracts = project.contracts[root.value]
    return found


def close(project: Project, explored: Exploration) -> None:
    """Forget the executions of a root that was judged: only what its class takes for granted is
    asked for again.
    """
    root = explored.root
    if root.kind == "class":
        project.contracts[root.value] = explored.contracts
    project.explorations.pop(root.value if root.kind == "class" else root, None)
    for way in explored.ways:
        for instance in way.it.creators:
            instance.frames = ()  # they hold what holds the object: nothing would be freed


def exploration(project: Project, root: Root) -> Exploration:
    """The exploration of a root: the same for a class, whoever asks. Its first way is followed."""
    key = root.value if root.kind == "class" else root
    if key not in project.explorations:
        project.explorations[key] = made = Exploration(project, root)
        made.advance(_STEPS_OF_A_WAY)
    found: Exploration = project.explorations[key]
    return found


def explored(project: Project, module: SourceModule) -> list[Exploration]:
    """Everything that is to be followed in a file, as far as its size gives room: first each class
    as its defaults have it, then what the file itself runs and its functions, then the other ways.
    """
    left = _STEPS_OF_A_FILE + _STEPS_OF_A_LINE * module.text.length
    found = roots(project, module)
    classes_first = [root for root in found if root.kind == "class"]
    first, later = _by_callees([root for root in found if root.kind != "class"])
    made: list[Exploration] = []
    for group in (classes_first, first):
        for root in group:
            one = exploration(project, root)
            made.append(one)
            left -= one.ways[0].steps
    pending = made[:]
    while pending and left > 0:
        one = pending.pop(0)
        steps = one.advance(left)
        if steps is not None:
            left -= steps
            pending.append(one)
    for root in later:
        if left <= 0:
            break
        one = exploration(project, root)
        made.append(one)
        left -= one.ways[0].steps
    return made


def _by_callees(functions: list[Root]) -> tuple[list[Root], list[Root]]:
    """Functions to follow first, and the rest: factories of one family call the same, and differ in
    a few numbers.
    """
    counts: dict[frozenset[str], int] = {}
    first: list[Root] = []
    later: list[Root] = []
    for root in functions:
        key = frozenset([root.kind])
        if root.kind == "function":
            key = frozenset(
                node.func.id
                for node in walk(root.value.node)
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
            )
        counts[key] = counts.get(key, 0) + 1
        (first if counts[key] <= _FACTORIES else later).append(root)
    return first, later


def _variants(root: Root) -> list[dict[str, Value]]:
    """The arguments that are tried one after the other: the defaults, then each flag turned round,
    each word that the constructor knows, and a number for each width that may be left out.
    """
    found: list[dict[str, Value]] = [{}]
    init = classes.lookup(root.value, "__init__") if root.kind == "class" else None
    if type(init) is not Function:
        return found
    switches = {
        name: default
        for name, default in _defaults(init).items()
        if type(default) in (bool, str) or (default is None and is_width(name))
    }
    if switches:
        asked = _asked(init.node)
        for name, default in switches.items():
            if name not in asked:
                continue
            if type(default) is bool:
                found.append({name: not default})
            elif type(default) is str:
                found += [{name: word} for word in asked[name] if word != default]
            else:
                found.append({name: dims.symbol(name, PARAMETERS)})
    return found[: _MOST_VARIANTS + 1]


def _asked(function: ast.AST) -> dict[str, list[str]]:
    """The names that the conditions of a function ask about, each with the words that it is
    compared with.
    """
    found: dict[str, list[str]] = {}
    for node in walk(function):
        if not isinstance(node, ast.If | ast.IfExp):
            continue
        names = [n.id for n in walk(node.test) if isinstance(n, ast.Name)]
        words = [n.value for n in walk(node.test) if isinstance(n, ast.Constant)]
        for name in names:
            found.setdefault(name, []).extend([word for word in words if type(word) is str])
    return {name: list(dict.fromkeys(words)) for name, words in found.items()}


def _builds_on_condition(root: Root) -> bool:
    """Whether something is called on one side of a condition in the code that is followed."""
    if root.kind != "class":
        return True
    cls: Class = root.value
    found = _conditional.get(cls.node)
    if found is None:
        methods = [
            v.node for n, v in cls.namespace.items() if type(v) is Function and n != "forward"
        ]
        found = _conditional[cls.node] = any(
            isinstance(callee, ast.AST)
            for method in methods
            for node in walk(method)
            if isinstance(node, ast.If | ast.IfExp)
            for part in children(node)
            if part is not node.test
            for callee in _callees(part)
        )
    return found


_conditional: dict[ast.AST | None, bool] = {}


def _defaults(function: Function) -> dict[str, Value]:
    given = function.node.args
    positional = [*given.posonlyargs, *given.args]
    with_default = positional[len(positional) - len(function.defaults) :]
    found = {p.arg: value for p, value in zip(with_default, function.defaults, strict=True)}
    return found | dict(function.keyword_defaults)


def _follow(way: Way, variant: dict[str, Value]) -> None:
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
        kwargs = arguments(it, init, variant, skip=1)
        open_ = init.node.args.kwarg is not None or init.node.args.vararg is not None
    way.instance = it.instantiate(cls, [], kwargs, node, scope, open_=open_)
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
    open_ = given.vararg is not None
    it.call(instance, values, named, node, scope, open_=open_)


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
    defaults = _defaults(function) | variant
    found: dict[str, Value] = dict(defaults)
    for parameter in [*[*given.posonlyargs, *given.args][skip:], *given.kwonlyargs]:
        name = parameter.arg
        if name not in defaults:
            found[name] = _symbol(parameter)
        elif type(defaults[name]) is int and name not in variant:
            found[name] = dims.symbol(name, PARAMETERS)
            it.run.hints[Symbol(name, PARAMETERS)] = defaults[name]
    return found


def _symbol(parameter: ast.arg) -> Value:
    said = "" if parameter.annotation is None else ast.unparse(parameter.annotation)
    if any(word in said for word in ("str", "Module", "Callable", "Type", "Tensor", "type")):
        return UNKNOWN
    return dims.symbol(parameter.arg, PARAMETERS)


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
    kwargs = arguments(it, function, {}, skip)
    positional = [UNKNOWN] * skip
    positional += [kwargs.pop(p.arg) for p in [*given.posonlyargs, *given.args][skip:]]
    open_ = (given.kwarg is not None or given.vararg is not None) and _is_called(root)
    it.call_function(function, positional, kwargs, node, scope, open_=open_)
    _call_what_was_built(way)


def _follow_example(way: Way) -> None:
    """Build a class without arguments, and run it on the example that it names."""
    it, root = way.it, way.root
    node, scope = _place(root.value.node, root.module)
    instance = it.instantiate(root.value, [], {}, node, scope)
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
                statements.block(it, statement.body, scope)
            else:
                statements.execute(it, statement, scope)
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
