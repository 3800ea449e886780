"""A module's constructor and forward while they grow, with the true shape of the current tensor."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.programs.text import Draft, wrong_counts

Shape = tuple[int, ...]


@dataclass
class Body:
    """Statements of a constructor (``init``) and a forward, and where the data stands: the name or
    expression of the current tensor, and its shape.

    ``names`` are integers that the constructor knows. ``prefix`` is ``self.`` in a class and empty
    in a script. With ``only_layers`` the body becomes one ``nn.Sequential``.
    """

    draft: Draft
    shape: Shape
    names: Mapping[str, int] = field(default_factory=dict)
    prefix: str = "self."
    only_layers: bool = False
    expr: str = "x"
    init: list[str] = field(default_factory=list)
    forward: list[str] = field(default_factory=list)
    methods: list[str] = field(default_factory=list)
    methods_rank: int = 0  # of the convolutions that they build
    depth: int = 0
    strided: bool = False  # the memory may be in another order, so that a view may be refused
    _sequence: list[str] | None = None
    _var: str = "x"

    # --- the tensor

    @property
    def channels(self) -> int:
        return self.shape[1]

    @property
    def sizes(self) -> Shape:
        return self.shape[2:]

    @property
    def rank(self) -> int:
        return len(self.sizes)

    @property
    def is_map(self) -> bool:
        return len(self.shape) > 2

    @property
    def values(self) -> int:
        """Values of each channel, in the whole batch."""
        count = self.shape[0]
        for size in self.sizes:
            count *= size
        return count

    def view(self) -> str:
        """The method that gives a tensor another shape."""
        return "reshape" if self.strided or self.draft.chance(0.4) else "view"

    # --- numbers in the constructor

    def width(self, kind: str, value: int) -> str:
        """A number as a literal, or as an expression of the constructor's names."""
        draft = self.draft
        found = [text for text in self._spellings(value) if draft.chance(0.7)]
        if not found:
            return draft.count(kind, value)
        wrong: list[str | int] = [*wrong_counts(value)[:3]]
        for name, known in self.names.items():
            wrong += [name] if known != value else []
            wrong += [f"{name} * 2"] if known * 2 != value else []
        draft.random.shuffle(wrong)
        return draft.slot(kind, draft.random.choice(found), wrong)

    def _spellings(self, value: int) -> Iterator[str]:
        for name, known in self.names.items():
            if known == value:
                yield from (name, name)
            elif known and value % known == 0 and value // known <= 8:
                yield f"{name} * {value // known}"
                yield f"{value // known} * {name}"
            elif value and known % value == 0 and known // value <= 4:
                yield f"{name} // {known // value}"
        for one, left in self.names.items():
            for other, right in self.names.items():
                if one < other and left + right == value:
                    yield f"{one} + {other}"

    # --- statements

    def layer(self, stem: str, call: str, shape: Shape) -> None:
        """Add a layer: as an attribute, or as the next one of an ``nn.Sequential``."""
        draft = self.draft
        if self._sequence is None and (self.only_layers or draft.chance(0.35)):
            self._sequence = []
        if self._sequence is not None:
            self._sequence.append(call)
        else:
            name = draft.fresh(stem)
            self.init.append(f"{self.prefix}{name} = {call}")
            self.expr = f"{self.prefix}{name}({self.expr})"
        self.shape = shape
        if not self.only_layers and draft.chance(0.5):
            self.settle()

    def apply(self, text: str, shape: Shape) -> None:
        """Wrap the current expression: ``{}`` in ``text`` stands for it."""
        self._close()
        if text.startswith("{}") and " " in self.expr:
            self.settle()  # a method of a sum would be that of its last term
        self.expr = text.replace("{}", self.expr)
        self.shape = shape
        if self.draft.chance(0.6):
            self.settle()

    def state(self, line: str) -> None:
        """Add a statement to the forward."""
        self.forward.append(line)

    def settle(self) -> str:
        """Give the current tensor a name."""
        self._close()
        if self.expr != self._var:
            self.state(f"{self._var} = {self.expr}")
            self.expr = self._var
        return self.expr

    def rename(self, stem: str) -> str:
        """Go on under another name; the old one keeps what it has."""
        self.settle()
        old, self._var = self._var, self.draft.fresh(stem)
        return old

    @contextmanager
    def branch(self, stem: str, start: str, shape: Shape) -> Iterator[None]:
        """A body on the side: afterwards ``self`` stands where it stood, and the branch's end has
        been handed to whoever asked in between (``settle`` and ``shape``).
        """
        self.settle()
        outer = (self._var, self.expr, self.shape)
        self._var = self.draft.fresh(stem)
        self.expr, self.shape = start, shape
        self.depth += 1
        yield
        self.depth -= 1
        self._var, self.expr, self.shape = outer

    def parameter(self, stem: str, sizes: str) -> str:
        """A trained tensor: its name in the forward."""
        name = self.draft.fresh(stem)
        call = self.draft.random.choice(["randn", "ones", "zeros", "rand"])
        self.init.append(f"{self.prefix}{name} = {self.draft.nn('Parameter')}(torch.{call}({sizes}))")
        return f"{self.prefix}{name}"

    def _close(self) -> None:
        """End the ``nn.Sequential`` that is being filled."""
        layers, self._sequence = self._sequence, None
        if not layers:
            return
        draft = self.draft
        name = draft.fresh(draft.random.choice(["net", "body", "features", "stage", "block"]))
        target = f"{self.prefix}{name}"
        self.init += draft.random.choice(_SEQUENCES)(draft, target, layers)
        self.expr = f"{target}({self.expr})"

    def sequence(self) -> list[str]:
        """The layers that wait; the body gives them away."""
        layers, self._sequence = self._sequence, None
        return layers or []


def _in_one_call(draft: Draft, target: str, layers: list[str]) -> list[str]:
    draft.styles.add("sequential")
    if len(layers) < 3 and draft.chance(0.5):
        return [f"{target} = {draft.nn('Sequential')}({', '.join(layers)})"]
    return [f"{target} = {draft.nn('Sequential')}(", *(f"    {layer}," for layer in layers), ")"]


def _from_list(draft: Draft, target: str, layers: list[str]) -> list[str]:
    draft.styles.add("layer list")
    lines, waiting = ["layers = []"], list(layers)
    while waiting:
        if len(waiting) > 1 and draft.chance(0.4):
            lines.append(f"layers += [{waiting.pop(0)}, {waiting.pop(0)}]")
        else:
            lines.append(f"layers.append({waiting.pop(0)})")
    return [*lines, f"{target} = {draft.nn('Sequential')}(*layers)"]


def _by_name(draft: Draft, target: str, layers: list[str]) -> list[str]:
    draft.styles.add("add_module")
    lines = [f"{target} = {draft.nn('Sequential')}()"]
    for number, layer in enumerate(layers):
        lines.append(
            f"{target}.append({layer})" if draft.chance(0.3) else f'{target}.add_module("part{number}", {layer})'
        )
    return lines


def _ordered(draft: Draft, target: str, layers: list[str]) -> list[str]:
    draft.styles.add("ordered dict")
    return [
        f"{target} = {draft.nn('Sequential')}(",
        "    OrderedDict(",
        "        [",
        *(f'            ("part{number}", {layer}),' for number, layer in enumerate(layers)),
        "        ]",
        "    )",
        ")",
    ]


_SEQUENCES: tuple[Callable[[Draft, str, list[str]], list[str]], ...] = (
    _in_one_call,
    _in_one_call,
    _in_one_call,
    _from_list,
    _by_name,
    _ordered,
)
