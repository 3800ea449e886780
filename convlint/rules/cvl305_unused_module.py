from __future__ import annotations

from collections.abc import Iterator

from convlint.ir import Finding, Graph, Layer
from convlint.rules.base import Rule


class UnusedModule(Rule):
    """A module is registered and holds parameters, but the forward never calls it.

    ## Why is this bad?

    Its parameters are saved, moved and given to the optimizer, and get no gradient.
    DistributedDataParallel stops with "Expected to have finished reduction in the prior iteration"
    on such a model, or needs `find_unused_parameters=True`, which costs time in every step. Often
    the layer was meant to be called, and another one is called twice in its place.

    The outermost module that is not used is named. A module whose parameters are read without a
    call of it is used, as with `F.linear(x, self.head.weight)`. A module that a training forward
    calls, such as an auxiliary head, is not reported. Where only eval mode was seen, the finding is
    an info.

    ## What to do

    Call it in `forward`, or take it out of `__init__`. If it is used in some runs only, build it
    only for those.

    ## References

    - [DistributedDataParallel](https://pytorch.org/docs/stable/generated/torch.nn.parallel.DistributedDataParallel.html),
      `find_unused_parameters`
    """

    code = "CVL305"
    name = "unused-module"
    family = "advice"
    severity = "warning"
    unnecessary_code = True

    def check(self, graph: Graph) -> Iterator[Finding]:
        if graph.status != "complete" or not graph.outputs:
            return  # what the rest of the forward, or of a generator, would have called is not known
        used = _used(graph)
        seen_training = graph.training or graph.called_in_training is not None
        for layer in _outermost(graph, used):
            inside = [part for part in graph.layers if _holds(layer.name, part.name)]
            params = sum(part.params for part in inside)
            yield self.finding(
                f"{layer.kind} `{layer.name}` ({params:,} parameters) is registered, but forward never "
                f"calls it"
                + ("" if seen_training else " in eval mode; --train shows whether training does"),
                layer.site,
                module=layer.name,
                severity=None if seen_training else "info",
            )


def _used(graph: Graph) -> set[str]:
    """Names of the layers that were called, or read without a call, and of all modules around them."""
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
    """The unused layers that hold parameters and lie in no other unused layer."""
    holders = [layer.name for layer in graph.layers if layer.params]
    reported: list[str] = []
    for layer in sorted(graph.layers, key=lambda layer: layer.name.count(".")):
        if layer.name in used or any(_holds(outer, layer.name) for outer in reported):
            continue
        if any(_holds(layer.name, name) for name in holders):
            reported.append(layer.name)
            yield layer


def _holds(outer: str, inner: str) -> bool:
    """Whether one module path is another or lies inside it."""
    return outer == inner or not outer or inner.startswith(f"{outer}.")
