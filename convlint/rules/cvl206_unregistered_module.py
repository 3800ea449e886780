from __future__ import annotations

from collections.abc import Iterator

from convlint.ir import Finding, Graph
from convlint.rules.base import Rule


class UnregisteredModule(Rule):
    """Layers are stored in a plain list, tuple or dict, so the model does not register them.

    ## Why is this bad?

    `nn.Module` registers modules that are assigned to an attribute, and does not look into Python's own containers.
    The parameters of these layers are in neither `parameters()` nor `state_dict()`: they are not trained, not
    saved, and `.to("cuda")` and `.eval()` skip them. The forward works all the same.

    ## Use instead

    `nn.ModuleList` or `nn.ModuleDict`, or `nn.Sequential` for layers that run one after the other.

    ## References

    - [ModuleList](https://pytorch.org/docs/stable/generated/torch.nn.ModuleList.html)
    """

    code = "CVL206"
    name = "unregistered-module"
    decided_by = ("source", "run")
    needs = "plain-container"

    def check(self, graph: Graph) -> Iterator[Finding]:
        for module, attribute, site in graph.unregistered_layers:
            owner = f"`{module}`" if module else "the model"
            yield self.finding(
                f"`{attribute}` of {owner} stores layers in a plain container: their parameters are not "
                f"trained, moved or saved; use nn.ModuleList or nn.ModuleDict",
                site,
                module=module or None,
            )
