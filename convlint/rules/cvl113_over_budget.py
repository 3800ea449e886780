from __future__ import annotations

from collections.abc import Iterator

from convlint.analysis import cost
from convlint.ir import Finding, Graph, Related, Row
from convlint.rules.base import Rule

_HOLDERS = 3  # layers that are named


class OverBudget(Rule):
    """The model exceeds a configured budget of parameters, multiply-accumulates or activation memory.

    ## Why is this bad?

    A device, a latency target or a download size limits the model. A budget in the settings makes that limit a
    check: `max-params` counts all parameters, `max-macs` the multiply-accumulates of one forward with the given
    input, and `max-activation-bytes` the peak memory of activations during inference.

    ## Use instead

    Smaller layers: the finding is reported at the layer that contributes most, and lists the next ones. `convlint
    suggest` proposes cheaper layers. Or raise the budget.
    """

    code = "CVL113"
    name = "over-budget"

    def check(self, graph: Graph) -> Iterator[Finding]:
        if not graph.budgets:
            return
        totals = cost.totals(graph)
        rows = cost.model_report(graph).layers
        for key, unit, total, column in (
            ("max-params", "parameters", totals.params, "params"),
            ("max-macs", "multiply-accumulates", totals.macs, "macs"),
            ("max-activation-bytes", "bytes of activations", totals.peak_inference_bytes, "output_bytes"),
        ):
            budget = graph.budgets.get(key)
            if budget is None or total is None or total <= budget:
                continue
            shares = _shares(rows, column)
            holders = [f"{_called(row)} {count:,}" for row, count in shares]
            held = f"; most are in {', '.join(holders)}" if holders else ""
            yield self.finding(
                f"{total:,} {unit} exceed {key}={budget:,} by {total - budget:,} "
                f"({total / max(1, budget) - 1:.0%}){held}",
                next((row.site for row, _ in shares if row.site is not None), None),
                module=shares[0][0].name if shares else None,
                related=tuple([Related(f"{_called(r)} has {count:,}", r.site) for r, count in shares[1:] if r.site]),
            )


def _called(row: Row) -> str:
    return f"`{row.name}`" if row.name else f"the {row.kind}"


def _shares(rows: tuple[Row, ...], column: str) -> list[tuple[Row, int]]:
    """Return the rows with the largest values of a column, the largest first."""
    counts = [(row, int(getattr(row, column) or 0)) for row in rows]
    return sorted([pair for pair in counts if pair[1]], key=lambda pair: -pair[1])[:_HOLDERS]
