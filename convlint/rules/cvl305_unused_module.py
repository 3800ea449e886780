from __future__ import annotations

from collections.abc import Iterator

from convlint.ir import Finding, Graph, Layer
from convlint.rules.base import Rule


class UnusedModule(Rule):
    """A module with parameters is registered, but the forward never calls it.

    ## Why is this bad?

    Its parameters are saved, moved and passed to the optimizer, and get no gradient. DistributedDataParallel fails
    on such a model with "Expected to have finished reduction in the prior iteration", or needs
    `find_unused_parameters=True`, which costs time in every step. Often another layer is called twice instead of
    this one.

    The outermost unused module is reported. A module whose parameters are read without calling it counts as used,
    as in `F.linear(x, self.head.weight)`. A module that a training forward calls, such as an auxiliary head, is not
    reported. If only eval mode was recorded, the finding is an info.

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
            yield self.finding(
                f"{layer.kind} `{layer.name}` ({params:,} parameters) is registered, but forward never "
                f"calls it" + ("" if seen_training else " in eval mode; use --train to check training mode"),
                layer.site,
                module=layer.name,
                severity=None if seen_training else "info",
            )


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
