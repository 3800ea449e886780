from __future__ import annotations

from collections.abc import Iterator

from convlint import flow
from convlint.model import Finding, Graph, Node, Related
from convlint.rule import Example, Rule


class BiasBeforeNorm(Rule):
    """A convolution or linear layer has a bias, and the normalisation behind it subtracts that bias
    again.

    ## Why is this bad?

    BatchNorm and InstanceNorm subtract the mean of every channel. A constant that was added to the
    whole channel is part of that mean, so it disappears. In training its gradient is zero up to
    rounding. The parameters, their optimizer state and the addition are paid for and change
    nothing: what a bias could do, the norm's own bias does.

    The rule is silent before LayerNorm, and before a GroupNorm with fewer groups than channels:
    their mean is taken over several channels, and a bias per channel survives it. It is also silent
    where anyone beside the norm reads the output.

    ## What to do

    Write `bias=False` in the constructor of the layer.

    ## Fix safety

    The change is unsafe for saved models: checkpoints written before hold a `bias` that the layer
    no longer has. In eval mode the old bias must be subtracted from the norm's `running_mean` to
    keep the outputs the same.

    ## References

    - Ioffe and Szegedy, [Batch Normalization](https://arxiv.org/abs/1502.03167), section 3.2
    """

    code = "CVL301"
    name = "bias-before-norm"
    severity = "warning"

    bad = (
        Example(
            """\
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 16, 3, padding=1)  # CVL301
        self.norm = nn.BatchNorm2d(16)

    def forward(self, x):
        return self.norm(self.conv(x)).relu()
"""
        ),
        Example(
            """\
from torch import nn


def Net():
    return nn.Sequential(
        nn.ConvTranspose2d(3, 16, 2, stride=2),  # CVL301
        nn.InstanceNorm2d(16),
        nn.ReLU(),
        nn.Conv2d(16, 8, 1),  # CVL301
        nn.GroupNorm(8, 8),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(8, 4),  # CVL301
        nn.BatchNorm1d(4),
    )
"""
        ),
    )
    good = (
        Example(
            """\
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 16, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(16)
        self.mixed = nn.Conv2d(16, 16, 3, padding=1)
        self.groups = nn.GroupNorm(4, 16)  # one mean for four channels: the bias survives

    def forward(self, x):
        x = self.norm(self.conv(x)).relu()
        return self.groups(self.mixed(x)).relu()
"""
        ),
        Example(
            """\
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 16, 3, padding=1)
        self.norm = nn.BatchNorm2d(16)

    def forward(self, x):
        x = self.conv(x)
        return x + self.norm(x).relu()  # the bias is read here
"""
        ),
        Example(
            """\
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.tokens = nn.Linear(32, 32)
        self.norm = nn.BatchNorm1d(3)  # over dimension 1, the bias lies along dimension 2

    def forward(self, x):
        return self.norm(self.tokens(x))
""",
            input=("3,32",),
        ),
    )

    def check(self, graph: Graph) -> Iterator[Finding]:
        for node in flow.distinct(graph, flow.CONVS | flow.TRANSPOSED_CONVS | {"linear"}):
            if not node.attrs["bias"]:
                continue
            norms = [
                _norm_that_cancels(graph, call) for call in flow.calls_of_same_layer(graph, node)
            ]
            if any(norm is None for norm in norms):
                continue
            norm = norms[0]
            assert norm is not None
            count = node.outputs[0].shape[1]
            site = graph.where(norm)
            yield self.finding(
                f"the bias of this {flow.kind(graph, node)} ({count:,} parameters) has no effect: "
                f"{flow.called(graph, norm)} subtracts it again; use bias=False",
                graph.where(node),
                module=node.layer,
                # Where the run ended early, a second reader of the output may not have been reached.
                confidence="high" if graph.status == "complete" else "medium",
                related=(Related("the norm that subtracts the bias", site),) if site else (),
            )


def _norm_that_cancels(graph: Graph, node: Node) -> Node | None:
    """The only reader of ``node``, if it subtracts each channel's own mean and the bias is constant
    on the channel.
    """
    norm = flow.only_consumer(graph, node)
    if norm is None or norm.inputs[0] != node.outputs[0].id:
        return None
    shape = node.outputs[0].shape
    batched = 2 if node.op == "linear" else 2 + int(node.op[-2])
    if (
        len(shape) != batched
    ):  # the bias lies along the last dimension, or there is no batch: not dimension 1
        return None
    if norm.op in ("batch_norm", "instance_norm"):
        return norm
    if norm.op == "group_norm" and norm.attrs["num_groups"] == shape[1] and len(shape) > 2:
        return norm
    return None
