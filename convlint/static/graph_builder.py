"""The graph of an execution, in the form that a recorded run has.

Rules read plain numbers, so every symbol gets a value: the default of the parameter if it has one, changed to fit the
demands of the execution if necessary. ``Layer.exprs`` and ``Graph.scopes`` have the numbers as expressions.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from convlint import symbolic
from convlint.analysis import ops
from convlint.ir import Call, Graph, Layer, Node, Scope, Shape, Site
from convlint.ir import Tensor as Value
from convlint.source_text.texts import SourceTexts
from convlint.static.domain.execution import Step
from convlint.static.domain.facts import FRESH
from convlint.static.domain.objects import Instance
from convlint.static.domain.values import Num, Tensor, symbols_of
from convlint.static.exploration.entry_points import PARAMETERS, ExecutionPath
from convlint.static.exploration.execute import descendants
from convlint.static.interpreter import ModuleCall
from convlint.static.kept_tensors import kept_tensors
from convlint.static.layer_kinds import WITH_PARAMETERS
from convlint.static.plain_numbers import WIDTHS, PlainNumbers
from convlint.symbolic import Dim

if TYPE_CHECKING:
    from convlint.rules.base import Rule

_DECLARED = (*WIDTHS, "groups", "num_groups", "normalized_shape")


def graph(path: ExecutionPath, rules: Sequence[Rule], texts: SourceTexts) -> Graph:
    """Build the graph of one execution, with the expressions and values that ``rules`` need."""
    families = {rule.family for rule in rules}
    return _GraphBuilder(path, "latent" in families, texts, fitting=families != {"advice"}).graph()


class _GraphBuilder:
    def __init__(self, path: ExecutionPath, with_exprs: bool, texts: SourceTexts, *, fitting: bool) -> None:
        self.texts = texts
        self.path = path
        self.with_exprs = with_exprs
        self.execution = path.execution
        self.names: dict[Instance, str] = {}
        self.ids: dict[Tensor, int] = {}
        self.recorded: dict[int, Value] = {}  # by the id of the tensor in the execution
        self.nodes: list[Node] = []
        self._sizes: dict[Dim, str | None] = {}
        self._value_count = 0  # the number of values so far
        self.unregistered: dict[tuple[str, str], Site | None] = {}  # the site of the first module in a container
        self.instances = list(self._instances())
        self.numbers = PlainNumbers(path.execution, self.instances, fitting=fitting)

    # --- layers

    def _instances(self) -> Iterator[Instance]:
        """Yield the modules of the execution. Sets their names: paths of attributes, as in a recorded run."""
        interpreter = self.path.interpreter
        owned = {child for built in interpreter.top_modules for _, child in built.children()}
        tops = [built for built in interpreter.top_modules if built not in owned]
        if self.path.instance is not None and type(self.path.instance) is Instance:
            tops = [self.path.instance, *[top for top in tops if top is not self.path.instance]]
        names = {id(v): name for name, v in self.path.names.items() if type(v) is Instance}
        self.registered = {child for top in tops for child in descendants(top)}
        for number, top in enumerate(tops):
            alone = top is self.path.instance or (len(tops) == 1 and any(True for _ in top.children()))
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
                pending += self._in_plain_containers(instance, name, prefix)

    def _in_plain_containers(self, instance: Instance, name: str, prefix: str) -> Iterator[tuple[str, Instance]]:
        """Yield modules in lists, tuples and dicts. They are recorded as unregistered if they have parameters, unless
        ``instance`` may have registered them under an unknown name.
        """
        for attribute, value in instance.attrs.items():
            if type(value) not in (list, tuple, dict):
                continue
            for key, item in value.items() if type(value) is dict else enumerate(value):
                if type(item) is Instance and item.is_module and item not in self.registered:
                    below = list(descendants(item))
                    self.registered.update(below)
                    if not instance.may_have_more_children and any(module.kind in WITH_PARAMETERS for module in below):
                        self.unregistered.setdefault((name, attribute), item.site)
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
        return Layer(
            name=self.names[instance],
            kind=instance.cls.qualname.rsplit(".", 1)[-1],
            base=instance.kind or "Module",
            leaf=not any(True for _ in instance.children()),
            site=instance.site,
            chain=instance.chain,
            attrs=attrs if instance.kind not in (None, "Module") else {},
            exprs=exprs,
            scope=PARAMETERS if self.path.entry_point.kind == "class" else None,
            error=instance.error,
        )

    # --- calls

    def graph(self) -> Graph:
        layers = tuple([self._layer(instance) for instance in self.instances])
        starts = [0]
        for step in self.execution.steps:
            self._add(step)
            starts.append(len(self.nodes))
        self._add_kept()
        registered = set(self.instances)
        calls = [call for call in self.path.interpreter.calls if call.instance in registered]
        return Graph(
            target=None,
            status="complete" if self.path.complete else "partial",
            layers=layers,
            nodes=tuple(self.nodes),
            calls=tuple([self._call(call, starts) for call in calls]),
            traced_by="source",
            unregistered_layers=tuple([(*container, site) for container, site in self.unregistered.items()]),
            scopes=self._scopes(),
            ignored_arguments=self.path.entry_point.ignored,
            rebuilt_layers=self.path.rebuilt,
            texts=self.texts,
        )

    def _add_kept(self) -> None:
        """Add a node that reads the tensors that outlive the forward."""
        inputs = dict.fromkeys(self.ids[tensor] for tensor in kept_tensors(self.path) if tensor in self.ids)
        if inputs:
            self.nodes.append(Node(len(self.nodes), "kept", inputs=tuple(inputs)))

    def _add(self, step: Step) -> None:
        op = step.op
        known = all(tensor.shape is not None for tensor in (*step.inputs, *step.outputs))
        if not known and op not in ops.NOT_CALLS:
            op = "unseen"
        inputs = tuple([self._id(tensor) for tensor in step.inputs])
        outputs = tuple([self._value(tensor) for tensor in step.outputs])
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
        """Return the layer of a call: one of torch, or the module that makes the call if it has no children."""
        layer, owner = step.layer, step.owner
        if layer is None and owner is not None and self.names.get(owner):
            layer = None if any(True for _ in owner.children()) else owner
        return layer if layer in self.names else None

    def _id(self, tensor: Tensor) -> int:
        """Return the id of a tensor that a call reads. If no recorded call created it, or with another shape
        because more was known there, it becomes a constant.
        """
        if tensor not in self.ids:
            known = None if tensor.id is None else self.recorded.get(tensor.id)
            if known is not None and known.shape == self._shape(tensor):
                self.ids[tensor] = known.id
            else:
                self.nodes.append(Node(len(self.nodes), "constant", outputs=(self._value(tensor),)))
        return self.ids[tensor]

    def _value(self, tensor: Tensor) -> Value:
        value = Value(self._value_count, self._shape(tensor), tensor.dtype, unknown=self._unknown(tensor))
        self._value_count += 1
        self.ids[tensor] = value.id
        if tensor.id is not None:
            self.recorded.setdefault(tensor.id, value)
        return value

    def _shape(self, tensor: Tensor) -> Shape:
        return tuple([max(self.numbers.of(size), 0) for size in tensor.shape or ()])

    def _unknown(self, tensor: Tensor) -> tuple[tuple[int, str], ...]:
        """Return the dimensions of a tensor whose size depends on numbers that the program does not show."""
        sizes = [(dim, self._unknown_size(size)) for dim, size in enumerate(tensor.shape or ()) if type(size) is Dim]
        return tuple([(dim, text) for dim, text in sizes if text is not None])

    def _unknown_size(self, size: Dim) -> str | None:
        """Return an unknown size as text, None for one that is known; most tensors of a model share a few."""
        if size not in self._sizes:
            reduced = self.execution.reduced(size)
            is_unknown = any(symbol.scope == FRESH for symbol in symbols_of(reduced))
            self._sizes[size] = _short(reduced) if is_unknown else None
        return self._sizes[size]

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
        parameters = sorted({s for s in self.numbers.values if s.scope == PARAMETERS}, key=lambda symbol: symbol.name)
        symbols = tuple([(s.name, self.numbers.values[s], None) for s in parameters])
        equal = tuple(
            [
                (symbolic.to_json(symbolic.as_dim(left)), symbolic.to_json(symbolic.as_dim(right)))
                for left, right in self.execution.facts
                if not any(s.scope == FRESH for n in (left, right) for s in symbols_of(n))
            ]
        )
        name = entry_point.value.qualname
        return (Scope(PARAMETERS, name, None, symbols, equal, path=entry_point.module.path, cls=name),)


def _short(size: Num) -> str:
    """Write an unknown size with letters, ``H-2``; a long expression is a question mark."""
    text = _FRESH_NAME.sub(lambda match: "N" if match[1] == "b" else match[1].upper(), str(size)).replace(" ", "")
    if len(text) > _LONGEST_SIZE:
        return "?"
    return text if text.isalpha() else f"({text})"


_FRESH_NAME = re.compile(r"\b([a-z])[a-z]* \d+")
_LONGEST_SIZE = 12
