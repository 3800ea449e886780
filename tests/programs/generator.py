"""Random small convolution programs as source text, valid or with one number changed, and what
PyTorch says of them.

A program grows step by step while the true shape of its tensor is tracked with plain integers, so
that a program without a change always runs.
"""

from __future__ import annotations

import contextlib
import io
import re
import tempfile
import traceback
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from hypothesis import strategies as st

from tests.programs import blocks as program_blocks
from tests.programs import loops as program_loops
from tests.programs import ops as program_ops
from tests.programs import structures as program_structures
from tests.programs import tails as program_tails
from tests.programs.blocks import Block
from tests.programs.body import Body, Shape
from tests.programs.text import Draft, rendered


@dataclass(frozen=True, slots=True)
class Program:
    """A file's text. ``line`` is the first line of the call in which a number was changed and
    ``mutation`` the kind of number, both empty for a program that must run.
    """

    source: str
    description: str
    line: int | None = None
    mutation: str = ""
    styles: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What PyTorch did: nothing, or an exception. ``lines`` are all lines of the program in its
    traceback, and ``built`` the lines on which the layer that failed was constructed.
    """

    error: str = ""
    message: str = ""
    lines: tuple[int, ...] = ()
    built: tuple[int, ...] = ()

    @property
    def ran(self) -> bool:
        return not self.error

    @property
    def is_decidable(self) -> bool:
        """Whether the exception is about shapes or channels, not about statistics of one value."""
        return not self.ran and "Expected more than 1" not in self.message


Step = Callable[[Body], bool]
_LAYERS: Sequence[Step] = (
    *[program_ops.conv] * 5,
    *[program_ops.norm] * 3,
    *[program_ops.activation] * 3,
    *[program_ops.pool] * 2,
    program_ops.depthwise,
    program_ops.transposed,
    program_ops.dropout,
    program_ops.adaptive_pool,
    program_ops.upsample,
    program_ops.pad,
    program_ops.shuffle_pixels,
    program_ops.glu,
)
_STRUCTURES: Sequence[Step] = (
    program_structures.residual,
    program_structures.residual,
    program_structures.projected,
    program_structures.branches,
    program_structures.branches,
    program_structures.halves,
    program_structures.gate,
    program_structures.channels_last,
    program_structures.channel_shuffle,
    program_structures.tokens,
    program_structures.sliced,
    program_structures.doubled,
    program_structures.scaled,
    program_structures.centred,
    program_structures.functional_conv,
    program_structures.skip,
    program_loops.config_list,
    program_loops.pairs,
    program_loops.module_list,
    program_loops.dense,
    program_loops.make_layer,
    program_loops.helper_conv,
    program_loops.partial_conv,
    program_loops.wrapper,
    program_loops.module_dict,
)
_VECTOR: Sequence[Step] = (
    program_ops.linear,
    program_ops.linear,
    program_ops.activation,
    program_ops.norm,
    program_ops.dropout,
    program_ops.unflatten,
)


def write(random: Random, mutated: bool | None = None) -> Program:
    """A random program; with ``mutated`` one number is changed, or surely none."""
    draft = Draft(random)
    shape = _input(random)
    text = _text(draft, shape)
    change = None
    if mutated or (mutated is None and draft.chance(0.6)):
        change = _change(draft, text)
    source, line = rendered(text, draft.slots, change)
    words = ", ".join(sorted(draft.styles))
    if change is None:
        return Program(source, f"valid: {words}", styles=frozenset(draft.styles))
    slot = draft.slots[change]
    what = f"{slot.kind}: {slot.text} -> {slot.wrong[0]}"
    return Program(source, f"{what} in {words}", line, slot.kind, frozenset(draft.styles))


def random_program(seed: int, mutated: bool | None = None) -> Program:
    return write(Random(seed), mutated)


def programs(mutated: bool | None = None) -> st.SearchStrategy[Program]:
    """The same as a strategy, so that hypothesis looks for a small one."""
    return st.randoms(use_true_random=False).map(lambda random: write(random, mutated))


def _input(random: Random) -> Shape:
    rank = random.choice([2, 2, 2, 2, 2, 2, 1, 3])
    batch = random.choice([1, 2, 2, 4])
    channels = random.choice([1, 3, 3, 3, 4, 8, 16])
    if rank == 1:
        return (batch, channels, random.choice([16, 32, 50, 64]))
    if rank == 3:
        return (batch, channels, *[random.choice([6, 8, 9])] * 3)
    side = random.choice([8, 12, 16, 20, 28, 32])
    return (batch, channels, side, side if random.random() < 0.85 else side + 4)


def _change(draft: Draft, text: str) -> int | None:
    """A slot that stands in the text, all kinds alike, with what is wrong there drawn anew."""
    used = sorted({int(number) for number in re.findall("\x01(\\d+)\x02", text)})
    kinds: dict[str, list[int]] = {}
    for number in used:
        if draft.slots[number].wrong:
            kinds.setdefault(draft.slots[number].kind, []).append(number)
    if not kinds:
        return None
    number = draft.random.choice(kinds[draft.random.choice(sorted(kinds))])
    slot = draft.slots[number]
    draft.slots[number] = type(slot)(slot.kind, slot.text, (draft.random.choice(slot.wrong),))
    return number


# --- the parts of a program


def _without_unused(draft: Draft, whole: str) -> str:
    """The text without classes that nobody calls: PyTorch never judges what is wrong in them."""
    for block in draft.classes:
        found = re.match(r"class (\w+)", block)
        if found and len(re.findall(rf"\b{found[1]}\b(?!\s*,\s*self)", whole)) == 1:
            whole = whole.replace(f"{block}\n\n\n", "")
    return whole


def _text(draft: Draft, shape: Shape) -> str:
    how = draft.random.choice(["class"] * 6 + ["parts"] * 2 + ["script", "sequential", "function"])
    draft.styles.add(how)
    blocks: list[Block] = []
    if how in {"class", "parts"}:
        body = Body(draft, shape, names=_names(draft, shape))
        _grow(body, blocks, nested=how == "parts")
        model = _class(draft, "Net", body)
        text = "\n\n\n".join([*draft.classes, model])
        tail = program_tails.of_class(draft, "Net", _arguments(draft, body.names), shape, body.shape)
    else:
        body = Body(draft, shape, prefix="", only_layers=how == "sequential")
        _grow(body, blocks)
        if how == "sequential":
            layers = body.sequence()
            made = [f"model = {draft.nn('Sequential')}(", *(f"    {x}," for x in layers), ")"]
            text = "\n\n\n".join([*draft.classes, "\n".join(made)])
            tail = program_tails.of_value(draft, "model", shape, body.shape)
        else:
            last = body.settle()
            text, tail = program_tails.of_script(draft, body.init, body.forward, last, shape, how == "function")
    whole = _without_unused(draft, f"{text}\n\n\n{tail}\n")
    return "\n".join(draft.imports(whole)) + "\n\n\n" + whole


def _grow(body: Body, blocks: list[Block], *, nested: bool = False) -> None:
    draft = body.draft
    for _ in range(draft.random.randrange(2, 9)):
        if not body.is_map:
            break
        if body.only_layers:
            step: Step = draft.random.choice(_LAYERS)
        elif draft.chance(0.3):
            step = draft.random.choice(_STRUCTURES)
        elif draft.chance(0.3):
            program_blocks.use(body, blocks)
            continue
        elif nested and draft.chance(0.5):
            _part(body, blocks)
            continue
        else:
            step = draft.random.choice(_LAYERS)
        step(body)
    if body.is_map and draft.chance(0.75):
        ends = (program_ops.pooled, program_ops.flat_linear, program_ops.flat_linear)
        draft.random.choice(ends)(body)
    if not body.is_map:
        for _ in range(draft.random.choice([0, 1, 2, 3])):
            step = draft.random.choice(_VECTOR if not body.is_map else _LAYERS[:14])
            step(body)
    if not body.is_map and draft.chance(0.6):
        program_ops.linear(body, draft.random.choice([2, 5, 10]))


def _names(draft: Draft, shape: Shape) -> Mapping[str, int]:
    """Constructor parameters of a model, and what they are worth."""
    names = {
        draft.random.choice(["in_channels", "in_ch", "channels"]): shape[1],
        draft.random.choice(["width", "base", "dim"]): draft.random.choice([4, 8, 16]),
        draft.random.choice(["num_classes", "out_dim", "hidden"]): draft.random.choice([10, 12, 24]),
    }
    kept = {name: value for name, value in names.items() if draft.chance(0.45)}
    if kept and draft.chance(0.15):
        draft.styles.add("dataclass")
        fields = [f"    {name}: int = {draft.count('default', n)}" for name, n in kept.items()]
        draft.classes.append("\n".join(["@dataclass", "class Config:", *fields]))
        return {f"config.{name}": value for name, value in kept.items()}
    if kept:
        draft.styles.add("parameters")
    return kept


def _arguments(draft: Draft, names: Mapping[str, int]) -> list[tuple[str, str]]:
    if any("." in name for name in names):
        return [("config", "Config()")]
    return [(name, draft.count("argument", value)) for name, value in names.items()]


def _part(body: Body, blocks: list[Block]) -> None:
    """A class of its own for the next few steps, built by this one."""
    draft = body.draft
    if body.depth:
        return
    names = {"in_channels": body.channels} if draft.chance(0.6) else {}
    if draft.chance(0.4):
        names["width"] = draft.random.choice(program_ops.WIDTHS)
    part = Body(draft, body.shape, names=names, strided=body.strided)
    for _ in range(draft.random.choice([1, 2, 3])):
        step: Step = draft.random.choice([*_LAYERS, *_STRUCTURES])
        if part.is_map:
            step(part)
    body.strided = part.strided
    name = draft.fresh(draft.random.choice(["Backbone", "Encoder", "Neck", "Stem"]))
    draft.classes.append(_class(draft, name, part, inherits=False))
    given = [body.width("argument", value) for value in names.values()]
    body.layer("part", f"{name}({', '.join(given)})", part.shape)
    draft.styles.add("parts")


def _class(draft: Draft, name: str, body: Body, *, inherits: bool = True) -> str:
    last = body.settle()
    parameters = dict.fromkeys(parameter.partition(".")[0] for parameter in body.names)
    given = "".join(f", {parameter}" for parameter in parameters)
    if name == "Net" and body.names and "config" not in parameters and draft.chance(0.5):
        given = "".join(f", {n}={draft.count('default', v)}" for n, v in body.names.items())
    parent = draft.nn("Module")
    init = [
        f"    def __init__(self{given}):",
        f"        {draft.random.choice(['super()', 'super()', f'super({name}, self)'])}.__init__()",
        *(f"        {line}" for line in body.init),
    ]
    methods = [f"    {line}".rstrip() for line in body.methods]
    forward = [
        f"    def forward(self, x{': torch.Tensor' if draft.chance(0.2) else ''}):",
        *(f"        {line}" for line in body.forward),
        f"        return {last}",
    ]
    if inherits and draft.chance(0.12):
        draft.styles.add("inheritance")
        init[1] = "        super().__init__()"
        base = [f"class Base({parent}):", *init, "", *methods]
        return "\n".join(base).rstrip() + "\n\n\n" + "\n".join([f"class {name}(Base):", *forward])
    return "\n".join([f"class {name}({parent}):", *init, "", *methods, *forward])


# --- PyTorch


def run_with_pytorch(program: Program, folder: str | None = None) -> Outcome:
    """Execute a program as a file of its own, its tests included."""
    import torch
    from torch import nn

    with contextlib.ExitStack() as stack:
        folder = folder or stack.enter_context(tempfile.TemporaryDirectory())
        file = str(Path(folder) / "program.py")
        Path(file).write_text(program.source, encoding="utf-8")
        code = compile(program.source, file, "exec")
        built: dict[int, tuple[int, ...]] = {}
        plain = nn.Module.__init__

        def noted(self: nn.Module, *args: Any, **kwargs: Any) -> None:
            frames = traceback.walk_stack(None)
            built[id(self)] = tuple(n for f, n in frames if f.f_code.co_filename == file)
            plain(self, *args, **kwargs)

        nn.Module.__init__ = noted  # type: ignore[method-assign]
        stack.callback(setattr, nn.Module, "__init__", plain)
        stack.enter_context(contextlib.redirect_stdout(io.StringIO()))
        stack.enter_context(warnings.catch_warnings(action="ignore"))
        torch.manual_seed(0)
        names: dict[str, Any] = {"__name__": "__main__", "__file__": file}
        try:
            exec(code, names)  # noqa: S102
            for name, value in list(names.items()):
                if name.startswith("test_"):
                    value()
        except AssertionError:
            return Outcome()  # of a test in the program: PyTorch has run it
        except Exception as error:  # noqa: BLE001  whatever PyTorch says
            return _outcome(error, file, built)
        return Outcome()


def _outcome(error: Exception, file: str, built: Mapping[int, tuple[int, ...]]) -> Outcome:
    from torch import nn

    lines, layer = [], None
    for frame, line in traceback.walk_tb(error.__traceback__):
        if frame.f_code.co_filename == file:
            lines.append(line)
        owner = frame.f_locals.get("self")
        if isinstance(owner, nn.Module) and type(owner).__module__.startswith("torch.nn."):
            layer = owner
    made = () if layer is None else built.get(id(layer), ())
    return Outcome(type(error).__name__, str(error), tuple(lines), made)
