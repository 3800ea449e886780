from __future__ import annotations

import ast
from collections.abc import Iterator

from convlint.ir import Finding, Graph, Layer, Severity
from convlint.rules.base import Rule
from convlint.source_text import call_sites


class UnusedModule(Rule):
    """A module with parameters is registered, but the forward never calls it.

    ## Why is this bad?

    Its parameters are saved, moved and passed to the optimizer, and get no gradient. DistributedDataParallel fails
    on such a model with "Expected to have finished reduction in the prior iteration", or needs
    `find_unused_parameters=True`, which costs time in every step. Often another layer is called twice instead of
    this one.

    The outermost unused module is reported. A module whose parameters are read without calling it counts as used,
    as in `F.linear(x, self.head.weight)`. A module that a training forward calls, such as an auxiliary head, is not
    reported. If only eval mode was recorded, or a method calls the module on a branch that this forward did not take,
    the finding is an info.

    ## Use instead

    A call in `forward`, or an `__init__` without the module. If only some configurations use it, build it only for
    those.

    ## References

    - [DistributedDataParallel](https://pytorch.org/docs/stable/generated/torch.nn.parallel.DistributedDataParallel.html),
      `find_unused_parameters`
    """

    code = "CVL305"
    name = "unused-module"
    severity = "warning"
    unnecessary_code = True

    def check(self, graph: Graph) -> Iterator[Finding]:
        if graph.status != "complete" or not graph.outputs:
            return  # what the rest of the forward, or of a generator, would have called is not known
        used = _used(graph)
        seen_training = graph.training or graph.called_in_training is not None
        for layer in _outermost(graph, used):
            params = sum(part.params for part in graph.layers if _holds(layer.name, part.name))
            about = f"{layer.kind} `{layer.name}` ({params:,} parameters) is registered, but"
            severity: Severity | None = "info"
            if _may_be_called(graph, layer):
                message = f"{about} this forward did not call it: it is used on another branch"
            elif seen_training:
                message, severity = f"{about} forward never calls it", None
            else:
                message = f"{about} forward never calls it in eval mode; use --train to check training mode"
            yield self.finding(message, layer.site, module=layer.name, severity=severity)


def _may_be_called(graph: Graph, layer: Layer) -> bool:
    """Return whether a method of the class that holds a module uses it, other than by reading its attributes."""
    file = None if layer.site is None else call_sites.parsed_file(layer.site.path, graph.texts)
    names = [part for part in layer.name.split(".") if not part.isdigit()]
    owner = graph.layer(".".join(names[:-1]))
    if file is None or owner is None or not names:
        return False
    nodes = [node for method in _methods(file.tree, owner.kind) for node in ast.walk(method)]
    owners = {id(node.value) for node in nodes if isinstance(node, ast.Attribute)}
    return any(
        isinstance(node, ast.Attribute)
        and node.attr == names[-1]
        and isinstance(node.ctx, ast.Load)
        and id(node) not in owners
        for node in nodes
    )


def _methods(tree: ast.Module, name: str) -> Iterator[ast.FunctionDef]:
    """Yield the methods of a class and of its bases in the file, up to the one that defines ``forward``."""
    classes = {cls.name: cls for cls in tree.body if isinstance(cls, ast.ClassDef)}
    while name in classes:
        cls = classes.pop(name)
        methods = [each for each in cls.body if isinstance(each, ast.FunctionDef) and each.name != "__init__"]
        yield from methods
        bases = [base.id for base in cls.bases if isinstance(base, ast.Name)]
        name = "" if "forward" in [each.name for each in methods] or not bases else bases[0]


def _used(graph: Graph) -> set[str]:
    """Return the names of layers that were called, or whose parameters were read, and of all modules around them."""
    called = {call.layer for call in graph.calls} | set(graph.called_in_training or ())
    blind = [path for path, _ in graph.untraced]
    owners = {name.rpartition(".")[0] for name in graph.read_parameters}
    used = {""}
    for layer in graph.layers:
        names = {layer.name, *layer.aliases}
        if names & (called | owners) or any(_holds(path, layer.name) for path in blind):
            for name in names:
                parts = name.split(".")
                used |= {".".join(parts[:depth]) for depth in range(1, len(parts) + 1)}
    return used


def _outermost(graph: Graph, used: set[str]) -> Iterator[Layer]:
    """Yield the unused layers with parameters that are not inside another unused layer."""
    holders = [layer.name for layer in graph.layers if layer.params]
    reported: list[str] = []
    for layer in sorted(graph.layers, key=lambda layer: layer.name.count(".")):
        if layer.name in used or any(_holds(outer, layer.name) for outer in reported):
            continue
        if any(_holds(layer.name, name) for name in holders):
            reported.append(layer.name)
            yield layer


def _holds(outer: str, inner: str) -> bool:
    """Return whether one module path is another or is inside it."""
    return outer == inner or not outer or inner.startswith(f"{outer}.")
