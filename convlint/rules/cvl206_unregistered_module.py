from __future__ import annotations

from collections.abc import Iterator

from convlint.ir import Finding, Graph
from convlint.rules.base import Rule


class UnregisteredModule(Rule):
    """Layers are kept in a plain list, tuple or dict, where their model does not see them.

    ## Why is this bad?

    `nn.Module` finds its parts when they are assigned to an attribute, and does not look into
    Python's own containers. The parameters of these layers are in neither `parameters()` nor
    `state_dict()`: they never train, they are not saved, and `.to("cuda")` and `.eval()` pass them
    by. The forward runs all the same.

    ## What to do

    Keep them in `nn.ModuleList` or `nn.ModuleDict`, or in `nn.Sequential` if they run one after the
    other.

    ## References

    - [ModuleList](https://pytorch.org/docs/stable/generated/torch.nn.ModuleList.html)
    """

    code = "CVL206"
    name = "unregistered-module"
    family = "latent"
    severity = "error"
    decided_by = ("source", "run")
    needs = "plain-container"

    def check(self, graph: Graph) -> Iterator[Finding]:
        for module, attribute, site in graph.unregistered_layers:
            owner = f"`{module}`" if module else "the model"
            yield self.finding(
                f"`{attribute}` of {owner} keeps layers in a plain container: their parameters are not "
                f"trained, moved or saved; use nn.ModuleList or nn.ModuleDict",
                site,
                module=module or None,
            )
