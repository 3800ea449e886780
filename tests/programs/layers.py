"""Constructor calls of layers as text, and the sizes that they make."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tests.programs.text import Draft

Sizes = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Window:
    """What a convolution or a pooling slides: numbers for every dimension."""

    kernel: Sizes
    stride: Sizes
    padding: Sizes
    dilation: Sizes

    def over(self, sizes: Sizes) -> Sizes | None:
        """The sizes that come out; None where the kernel does not fit."""
        made = [
            (i + 2 * p - d * (k - 1) - 1) // s + 1
            for i, k, s, p, d in zip(sizes, self.kernel, self.stride, self.padding, self.dilation, strict=True)
        ]
        reach = [
            i + 2 * p - d * (k - 1) for i, k, p, d in zip(sizes, self.kernel, self.padding, self.dilation, strict=True)
        ]
        return tuple(made) if min(reach) > 0 else None

    def transposed(self, sizes: Sizes, extra: int) -> Sizes:
        return tuple(
            (i - 1) * s - 2 * p + d * (k - 1) + extra + 1
            for i, k, s, p, d in zip(sizes, self.kernel, self.stride, self.padding, self.dilation, strict=True)
        )


def window(draft: Draft, rank: int, sizes: Sizes) -> tuple[Window, Sizes]:
    """A random window that fits, mostly one that keeps or halves the sizes."""
    random = draft.random
    while True:
        kernel = [random.choice([1, 1, 2, 3, 3, 3, 3, 4, 5, 7])] * rank
        dilation = [random.choice([1, 1, 1, 1, 2, 3])] * rank
        stride = [random.choice([1, 1, 1, 2, 2, 3])] * rank
        padding = [random.choice([0, dilation[0] * (kernel[0] - 1) // 2])] * rank
        if rank > 1 and draft.chance(0.15):
            odd = random.randrange(rank)
            kernel[odd], padding[odd], dilation[odd] = 1, 0, 1
        if rank > 1 and draft.chance(0.1):
            stride[random.randrange(rank)] = 1
        found = Window(tuple(kernel), tuple(stride), tuple(padding), tuple(dilation))
        made = found.over(sizes)
        if made is not None and min(made) > 0:
            return found, made


def sizes_text(draft: Draft, kind: str, sizes: Sizes, wrong: Sequence[int], word: str = "") -> str:
    """``3`` or ``(3, 3)``; the first number may be made wrong, a lone one with ``word`` too."""
    if len(set(sizes)) == 1 and (len(sizes) == 1 or draft.chance(0.85)):
        return draft.slot(kind, sizes[0], [*wrong, word] if word else wrong)
    rest = ", ".join(map(str, sizes[1:]))
    return f"({draft.slot(kind, sizes[0], wrong)}, {rest})"


def conv_call(
    draft: Draft,
    name: str,
    into: str,
    out: str,
    shape: Window,
    *,
    groups: str | None = None,
    bias: bool = True,
    same: bool = False,
    extra: str = "",
) -> str:
    """A constructor call of a convolution; ``into``, ``out`` and ``groups`` are texts."""
    random = draft.random
    big = [shape.kernel[0] + 40, shape.kernel[0] + 40, shape.kernel[0] + 1, shape.kernel[0] + 2, 0]
    kernel = sizes_text(draft, "kernel", shape.kernel, big)
    keywords = []
    if draft.chance(0.15):
        keywords += [f"in_channels={into}", f"out_channels={out}", f"kernel_size={kernel}"]
        random.shuffle(keywords)
        positional = []
    else:
        positional = [into, out, kernel if draft.chance(0.6) else f"kernel_size={kernel}"]
    strided, padded = set(shape.stride) != {1}, set(shape.padding) != {0}
    stride = sizes_text(draft, "stride", shape.stride, [0, shape.stride[0] + 1])
    wrong = [-1, shape.padding[0] + 1, shape.padding[0] + 3]
    word = '"same"' if strided and "Transpose" not in name else ""
    padding = sizes_text(draft, "padding", shape.padding, wrong, word)
    in_order = bool(positional) and "=" not in positional[-1] and draft.chance(0.4)
    if same:
        text = draft.slot("padding", '"same"', ['"sane"', "3", "-1"])
        keywords.append(f"padding={text}")
    elif in_order and padded:
        positional += [stride, padding]
    else:
        keywords += [f"stride={stride}"] if strided else []
        keywords += [f"padding={padding}"] if padded else []
    if set(shape.dilation) != {1}:
        wrong = [0, shape.dilation[0] + 30]
        keywords.append(f"dilation={sizes_text(draft, 'dilation', shape.dilation, wrong)}")
    if groups is not None:
        keywords.append(f"groups={groups}")
    if not bias:
        keywords.append("bias=False")
    if extra:
        keywords.append(extra)
    return f"{draft.nn(name)}({', '.join([*positional, *keywords])})"


ACTIVATIONS = ("ReLU", "ReLU6", "GELU", "SiLU", "LeakyReLU", "ELU", "Tanh", "Sigmoid", "Hardswish")
FUNCTIONAL = ("relu", "gelu", "silu", "leaky_relu", "elu", "softplus", "hardswish", "mish")


def activation_layer(draft: Draft) -> str:
    name = draft.random.choice(ACTIVATIONS)
    inplace = name in {"ReLU", "ReLU6"} and draft.chance(0.4)
    arguments = "inplace=True" if inplace else "0.1" if name == "LeakyReLU" else ""
    return f"{draft.nn(name)}({arguments})"


def activated(draft: Draft, expr: str) -> str:
    """An expression with a functional activation around it."""
    how = draft.random.randrange(4)
    if how == 0:
        return f"torch.{draft.random.choice(['relu', 'tanh', 'sigmoid'])}({expr})"
    if how == 1:
        return f"{expr}.{draft.random.choice(['relu()', 'tanh()', 'sigmoid()', 'clamp(min=0)'])}"
    if how == 2 and draft.chance(0.3):
        return f"{draft.functional('leaky_relu')}({expr}, negative_slope=0.2)"
    return f"{draft.functional(draft.random.choice(FUNCTIONAL))}({expr})"
