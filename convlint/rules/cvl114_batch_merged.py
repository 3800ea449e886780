from __future__ import annotations

from collections.abc import Iterator
from math import prod

from convlint.analysis import batch_merges
from convlint.ir import Finding, Graph, MergedBatch
from convlint.rules.base import Rule, related_to


class BatchMerged(Rule):
    """A view, reshape or flatten merges the batch with the features of its samples.

    ## Why is this bad?

    `x.view(-1)` and `torch.flatten(x)` make one vector of a whole batch. With a batch of one sample the linear layer
    after it works, so a test with one image passes, and training raises "mat1 and mat2 shapes cannot be multiplied".

    A run with batch size 1 tries batch size 2 as well. Static analysis reports what fails for every batch size but 1.

    Pixels that become samples on purpose are not reported: `x.permute(0, 2, 3, 1).reshape(-1, channels)` before a
    linear layer that reads each pixel.

    ## Use instead

    `x.flatten(1)`, `x.view(x.size(0), -1)` or `nn.Flatten()`: each sample keeps its row.
    """

    code = "CVL114"
    name = "batch-merged"
    decided_by = ("source", "run")
    needs = "failed-call"

    def check(self, graph: Graph) -> Iterator[Finding]:
        for merged in (*graph.merged_batches, *batch_merges.merged_batches(graph)):
            yield self.finding(
                _message(merged),
                merged.site,
                module=merged.module or None,
                related=related_to(f"{merged.reader} expects {merged.expected} features", merged.reader_site),
                nodes=merged.nodes,
            )


def _message(merged: MergedBatch) -> str:
    batch, *sample = merged.before
    expected = f"{merged.expected} features"
    if prod(sample) == merged.expected:
        expected += f" ({'*'.join(map(str, sample))})"
    return (
        f"this reshape merges the batch with the features: with batch size {batch}, {merged.reader} expects "
        f"{expected} but receives {merged.received} ({'*'.join(map(str, merged.before))}); use x.flatten(1)"
    )
