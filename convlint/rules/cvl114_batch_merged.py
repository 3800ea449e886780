from __future__ import annotations

from collections.abc import Iterator
from math import prod

from convlint.analysis import batch_merges, graph_queries
from convlint.ir import Finding, Graph, MergedBatch
from convlint.rules.base import Rule, related_to


class BatchMerged(Rule):
    """A view, reshape or flatten merges the batch with the features of its samples.

    ## Why is this bad?

    `x.view(-1)` and `torch.flatten(x)` make one vector of a whole batch. With a batch of one sample the linear layer
    after it works, so a test with one image passes, and training raises "mat1 and mat2 shapes cannot be multiplied".

    `x.view(-1, n)` raises nothing if `n` divides the values of a sample: it makes several rows of each sample, and the
    model returns more rows than there are samples. This is reported if the rows mix channels and pixels.

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
        for node in batch_merges.split_samples(graph):
            before, after = graph_queries.input_shape(graph, node), node.outputs[0].shape
            yield self.finding(
                f"this reshape splits each sample of {prod(before[1:])} values ({'*'.join(map(str, before[1:]))}) into "
                f"{after[0] // before[0]} rows of {after[1]}: a batch of {before[0]} gives {after[0]} rows",
                node.site,
                module=node.module or None,
            )


def _message(merged: MergedBatch) -> str:
    batch, *sample = merged.before
    expected = f"{merged.expected} features"
    if merged.received < prod(sample):
        return (
            f"this reshape splits each sample of {prod(sample)} values ({'*'.join(map(str, sample))}) into rows of "
            f"{merged.received}, but {merged.reader} expects {expected}; use x.flatten(1)"
        )
    if prod(sample) == merged.expected:
        expected += f" ({'*'.join(map(str, sample))})"
    return (
        f"this reshape merges the batch with the features: with batch size {batch}, {merged.reader} expects "
        f"{expected} but receives {merged.received} ({'*'.join(map(str, merged.before))}); use x.flatten(1)"
    )
