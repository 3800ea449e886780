"""How a program ends: it makes an input and calls what it built."""

from __future__ import annotations

from collections.abc import Sequence

from tests.programs.body import Shape
from tests.programs.text import Draft


def _tensor(draft: Draft, shape: Shape) -> str:
    made = draft.random.choice(["randn", "randn", "randn", "zeros", "ones", "rand"])
    batch, channels, *sizes = shape
    wide = draft.slot("input channels", channels, [channels + 1, channels * 2, 3])
    small = [1, 2, 3, sizes[0] + 1, sizes[0] * 2]
    first = draft.slot("input size", sizes[0], small)
    numbers = ", ".join([str(batch), wide, first, *map(str, sizes[1:])])
    return f"torch.{made}({draft.random.choice([numbers, f'({numbers})', numbers])})"


def _indented(lines: Sequence[str]) -> list[str]:
    return [f"    {line}" for line in lines]


def _wrapped(draft: Draft, lines: list[str], made: Shape) -> str:
    """The statements at module level, in a main block, in a function or in a test."""
    how = draft.random.choice(["module", "module", "main", "main function", "test", "no grad"])
    draft.styles.add(f"at {how}")
    if how == "main":
        return "\n".join(['if __name__ == "__main__":', *_indented(lines)])
    if how == "main function":
        head = ["def main():", *_indented(lines), "", "", 'if __name__ == "__main__":', "    main()"]
        return "\n".join(head)
    if how == "test":
        text = f"({', '.join(map(str, made))})"
        check = draft.random.choice([f"assert out.shape == {text}", "assert out is not None"])
        return "\n".join(["def test_forward():", *_indented([*lines, check])])
    if how == "no grad":
        return "\n".join(["with torch.no_grad():", *_indented(lines)])
    return "\n".join(lines)


def of_class(draft: Draft, name: str, arguments: Sequence[tuple[str, str]], shape: Shape, made: Shape) -> str:
    """Build a class and call it once."""
    keyword = draft.chance(0.4)
    given = ", ".join(f"{key}={value}" if keyword else value for key, value in arguments)
    call = f"{name}({given})"
    tensor = _tensor(draft, shape)
    front = ""
    if draft.chance(0.15):
        front = f"def build(**kwargs):\n    return {name}(**kwargs)\n\n\n"
        call = f"build({', '.join(f'{key}={value}' for key, value in arguments)})"
        draft.styles.add("factory")
    how = draft.random.randrange(4)
    if how == 0:
        lines = [f"out = {call}({tensor})"]
    elif how == 1:
        lines = [f"x = {tensor}", f"out = {call}(x)"]
    else:
        lines = [f"x = {tensor}", f"net = {call}"]
        draft.random.shuffle(lines)
        lines += ["net.train()"] if draft.chance(0.15) else []
        lines += [draft.random.choice(["out = net(x)", "out = net(x)", "out = net.forward(x)"])]
    lines += ["print(out.shape)"] if draft.chance(0.5) else []
    return front + _wrapped(draft, lines, made)


def of_value(draft: Draft, name: str, shape: Shape, made: Shape) -> str:
    """Call a model that stands in a variable of the module."""
    tensor = _tensor(draft, shape)
    lines = [f"x = {tensor}", f"out = {name}(x)"]
    if draft.chance(0.4):
        lines = [f"out = {name}({tensor})"]
    return _wrapped(draft, lines, made)


def of_script(
    draft: Draft, init: list[str], forward: list[str], last: str, shape: Shape, function: bool
) -> tuple[str, str]:
    """Layers in variables of the module, called one after the other or in a function."""
    start = _tensor(draft, shape)
    layers = [*draft.classes, "\n".join(init)]
    if function:
        body = ["def forward(x):", *_indented([*forward, f"return {last}"])]
        return "\n\n\n".join([*layers, "\n".join(body)]), f"out = forward({start})"
    tail = [f"x = {start}", *forward, f"print({last}.shape)"]
    return "\n\n\n".join(layers), "\n".join(tail)
