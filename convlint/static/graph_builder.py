"""From an execution to convlint's own graph: the same that a recorded run gives.

The graph has plain numbers, as the rules want them: every symbol gets a value that fits, defaults
where there are any. What the numbers are as expressions stands in ``Layer.exprs`` and
``Graph.scopes``, as in a recorded run.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from convlint import symbolic
from convlint.ir import Call, Graph, Layer, Node, Scope, Shape, Site
from convlint.ir import Tensor as Value
from convlint.source_text.texts import SourceTexts
from convlint.static.domain.execution import Step
from convlint.static.domain.facts import FRESH
from convlint.static.domain.objects import Instance
from convlint.static.domain.values import Tensor, symbols_of
from convlint.static.exploration.entry_points import PARAMETERS, ExecutionPath
from convlint.static.exploration.execute import descendants
from convlint.static.interpreter import ModuleCall
from convlint.static.plain_numbers import WIDTHS, PlainNumbers
from convlint.symbolic import Dim

if TYPE_CHECKING:
    from convlint.rules.base import Rule

_SPATIAL = ("1d", "2d", "3d")
_WITH_PARAMETERS = frozenset(
    {
        *("Linear", "Bilinear", "PReLU", "GroupNorm", "LayerNorm", "RMSNorm", "SyncBatchNorm"),
        *("Embedding", "EmbeddingBag", "LSTM", "GRU", "RNN", "MultiheadAttention"),
        *(f"{name}{n}" for name in ("Conv", "ConvTranspose", "BatchNorm") for n in _SPATIAL),
        *(f"Lazy{name}{n}" for name in ("Conv", "ConvTranspose", "BatchNorm") for n in _SPATIAL),
        "LazyLinear",
    }
)
_DECLARED = (*WIDTHS, "groups", "num_groups", "normalized_shape")


def graph(path: ExecutionPath, rules: Sequence[Rule], texts: SourceTexts) -> Graph:
    """The graph of one execution, with what ``rules`` need. ``texts`` are the files of the project."""
    families = {rule.family for rule in rules}
    return _Writer(path, "latent" in families, texts, fitting=families != {"advice"}).graph()


class _Writer:
    def __init__(
        self, path: ExecutionPath, with_exprs: bool, texts: SourceTexts, *, fitting: bool
    ) -> None:
        self.texts = texts
        self.path = path
        self.with_exprs = with_exprs
        self.execution = path.execution
        self.names: dict[Instance, str] = {}
        self.layers: list[Layer] = []
        self.ids: dict[Tensor, int] = {}
        self.recorded: dict[int, Value] = {}  # by the number of the tensor
        self.nodes: list[Node] = []
        self._made_so_far = 0  # tensors
        self.unregistered: list[tuple[str, str, Site | None]] = []
        self.instances = list(self._instances())
        self.numbers = PlainNumbers(path.execution, self.instances, fitting=fitting)

    # --- layers

    def _instances(self) -> Iterator[Instance]:
        """Every module of the execution, named as a reader would find it."""
        interpreter = self.path.interpreter
        owned = {child for built in interpreter.built for _, child in built.children()}
        tops = [built for built in interpreter.built if built not in owned]
        if self.path.instance is not None and type(self.path.instance) is Instance:
            tops = [self.path.instance, *[top for top in tops if top is not self.path.instance]]
        names = {id(v): name for name, v in self.path.names.items() if type(v) is Instance}
        self.registered = {child for top in tops for child in descendants(top)}
        for number, top in enumerate(tops):
            alone = len(tops) == 1 and any(True for _ in top.children())
            alone = alone or top is self.path.instance
            name = "" if alone else names.get(id(top), f"{top.cls.qualname.lower()}{number}")
            yield from self._below(top, name)
        for step in self.execution.steps:
            if step.layer is not None and step.layer not in self.names:
                yield from self._below(step.layer, f"{step.layer.kind}@{len(self.names)}")

    def _below(self, top: Instance, name: str) -> Iterator[Instance]:
        pending = [(name, top)]
        while pending:
            name, instance = pending.pop(0)
            if instance in self.names:
                continue
            self.names[instance] = name
            yield instance
            prefix = f"{name}." if name else ""
            pending[:0] = [(f"{prefix}{key}", child) for key, child in instance.children()]
            if instance.cls.node is not None:
                pending += self._kept_in_lists(instance, name, prefix)

    def _kept_in_lists(
        self, instance: Instance, name: str, prefix: str
    ) -> Iterator[tuple[str, Instance]]:
        """Modules in containers of Python. They are told of where they have parameters and nobody may have registered
        them: one that is added under a name that is not known may be any.
        """
        known = not instance.may_have_more_children
        for attribute, value in instance.attrs.items():
            if type(value) not in (list, tuple, dict):
                continue
            pairs = value.items() if type(value) is dict else enumerate(value)
            for key, item in pairs:
                if type(item) is Instance and item.is_module and item not in self.registered:
                    below = list(descendants(item))
                    self.registered.update(below)
                    if known and any(one.kind in _WITH_PARAMETERS for one in below):
                        self.unregistered.append((name, attribute, item.site))
                    yield f"{prefix}{attribute}[{key!r}]", item

    def _layer(self, instance: Instance) -> Layer:
        attrs = self.numbers.attributes(instance.attrs)
        exprs = {}
        for name in _DECLARED if self.with_exprs else ():
            number = instance.attrs.get(name)
            if isinstance(number, tuple) and number:
                number = number[-1]
            if type(number) is int or type(number) is Dim:
                exprs[name] = symbolic.to_json(symbolic.as_dim(self.execution.reduced(number)))
        leaf = not any(True for _ in instance.children())
        return Layer(
            name=self.names[instance],
            kind=instance.cls.qualname.rsplit(".", 1)[-1],
            base=instance.kind or "Module",
            leaf=leaf,
            site=instance.site,
            chain=instance.chain,
            attrs=attrs if instance.kind not in (None, "Module") else {},
            exprs=exprs,
            scope=PARAMETERS if self.path.entry_point.kind == "class" else None,
            error=instance.error,
        )

    # --- calls

    def graph(self) -> Graph:
        layers = [self._layer(instance) for instance in self.instances]
        starts = [0]
        for step in self.execution.steps:
            self._add(step)
            starts.append(len(self.nodes))
        registered = set(self.instances)
        return Graph(
            target=None,
            status="complete" if self.path.complete else "partial",
            layers=tuple(layers),
            nodes=tuple(self.nodes),
            calls=tuple(
                [
                    self._call(call, starts)
                    for call in self.path.interpreter.calls
                    if call.instance in registered
                ]
            ),
            traced_by="source",
            unregistered_layers=tuple(_once(self.unregistered)),
            scopes=self._scopes(),
            ignored_arguments=self.path.entry_point.ignored,
            texts=self.texts,
        )

    def _add(self, step: Step) -> None:
        op = step.op
        known = all(tensor.shape is not None for tensor in (*step.inputs, *step.outputs))
        if not known and op not in ("input", "output"):
            op = "unseen"
        inputs = tuple([self._id(tensor) for tensor in step.inputs])
        outputs = tuple([self._made(tensor) for tensor in step.outputs])
        layer = self._layer_of(step)
        owner = step.layer or step.owner
        self.nodes.append(
            Node(
                id=len(self.nodes),
                op=op,
                module=self.names.get(owner, "") if owner is not None else "",
                layer=None if layer is None else self.names[layer],
                inputs=inputs,
                outputs=outputs,
                attrs=self.numbers.attributes(step.attrs) if op != "unseen" else {},
                site=step.site,
                error=step.error if op != "unseen" else None,
            )
        )

    def _layer_of(self, step: Step) -> Instance | None:
        """The layer that a call belongs to: one of torch, or the module around it if that is one
        without parts, as in a recorded run.
        """
        layer, owner = step.layer, step.owner
        if layer is None and owner is not None and self.names.get(owner):
            layer = None if any(True for _ in owner.children()) else owner
        return layer if layer in self.names else None

    def _id(self, tensor: Tensor) -> int:
        """The id of a tensor that a call reads; one that no recorded call made is a constant. So is one of which more
        was known there than elsewhere.
        """
        if tensor not in self.ids:
            known = None if tensor.id is None else self.recorded.get(tensor.id)
            if known is not None and known.shape == self._shape(tensor):
                self.ids[tensor] = known.id
            else:
                self.nodes.append(Node(len(self.nodes), "constant", outputs=(self._made(tensor),)))
        return self.ids[tensor]

    def _made(self, tensor: Tensor) -> Value:
        made = Value(self._made_so_far, self._shape(tensor), tensor.dtype)
        self._made_so_far += 1
        self.ids[tensor] = made.id
        if tensor.id is not None:
            self.recorded.setdefault(tensor.id, made)
        return made

    def _shape(self, tensor: Tensor) -> Shape:
        return tuple([max(self.numbers.of(size), 0) for size in tensor.shape or ()])

    def _call(self, call: ModuleCall, starts: list[int]) -> Call:
        return Call(
            layer=self.names[call.instance],
            inputs=tuple([self.ids[t] for t in call.inputs if t in self.ids]),
            outputs=tuple([self.ids[t] for t in call.outputs if t in self.ids]),
            start=starts[call.start],
            stop=starts[call.stop],
            site=call.site,
        )

    def _scopes(self) -> tuple[Scope, ...]:
        entry_point = self.path.entry_point
        if entry_point.kind != "class":
            return ()
        parameters = sorted(
            {s for s in self.numbers.values if s.scope == PARAMETERS},
            key=lambda symbol: symbol.name,
        )
        symbols = tuple([(s.name, self.numbers.values[s], None) for s in parameters])
        equal = tuple(
            [
                (symbolic.to_json(symbolic.as_dim(left)), symbolic.to_json(symbolic.as_dim(right)))
                for left, right in self.execution.facts
                if not any(s.scope == FRESH for n in (left, right) for s in symbols_of(n))
            ]
        )
        name = entry_point.value.qualname
        file = entry_point.module.path
        return (Scope(PARAMETERS, name, None, symbols, equal, path=file, cls=name),)


def _once(found: list[tuple[str, str, Site | None]]) -> Iterator[tuple[str, str, Site | None]]:
    """Each container once, with the line of its first module."""
    seen = set()
    for name, attribute, site in found:
        if (name, attribute) not in seen:
            seen.add((name, attribute))
            yield name, attribute, site
