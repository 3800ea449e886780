"""The text of classes that replace a layer, with only those parameters that the calls of a file pass."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

LINE = 100  # characters of a line that is written into a user's file, if its own lines are no longer
LONG_LINE = 120

# The parameters of a class that replaces a convolution, in the order of torch.nn, and their defaults.
DEFAULTS = {
    "in_channels": "",
    "out_channels": "",
    "kernel_size": "",
    "stride": "1",
    "padding": "0",
    "dilation": "1",
    "bias": "True",
    "padding_mode": '"zeros"',
    "device": "None",
    "dtype": "None",
}
OUTPUT_PADDING = "output_padding"  # of transposed convolutions, which have another order
REQUIRED = ("in_channels", "out_channels", "kernel_size")
WINDOW = ("kernel_size", "stride", "padding", "dilation")
EVERY = frozenset(DEFAULTS)
TUPLES = "tuples"  # not a parameter, but an option of the text: sizes may be tuples or strings
STARRED = "starred"  # another option: calls pass ``*args``, in which ``groups`` would come before the bias
PAIRS = "pairs"  # not a parameter either: calls write sizes as tuples or strings, so that they are not annotated as int
ATTRIBUTES = ("in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation", "padding_mode")


def parameters_of(base: str) -> dict[str, str]:
    """The parameters of a class of torch.nn for convolutions, without ``groups``, and their defaults."""
    if "Transpose" not in base:
        return DEFAULTS
    names = [name for name in DEFAULTS if name != "dilation"]
    names[5:6] = [OUTPUT_PADDING, "bias", "dilation"]
    return {name: DEFAULTS.get(name, "0") for name in names}


def window(base: str, parameters: frozenset[str]) -> list[str]:
    """The arguments that pass the size, stride and padding of a kernel on; before them come the two of channels."""
    parameters |= {"kernel_size"}
    if "Transpose" not in base:
        return passing(WINDOW, parameters, after=2)
    return [*passing((*WINDOW[:3], OUTPUT_PADDING), parameters, after=2), *passing(("dilation",), parameters)]


def attribute(name: str) -> str:
    """The option for an attribute that other code reads from the layer."""
    return f".{name}"


def passing(names: Iterable[str], parameters: frozenset[str], *, after: int | None = None) -> list[str]:
    """Arguments that pass parameters on: by position while none is left out, then by keyword.

    ``after`` is the number of names before the first that can be passed by position; None: only by keyword.
    """
    arguments = []
    contiguous = after is not None
    for name in names:
        if name in parameters:
            arguments.append(name if contiguous else f"{name}={name}")
        else:
            contiguous = False
    return arguments


def call(head: str, arguments: Sequence[str], tail: str = ")", indent: int = 8) -> str:
    """``head`` with its arguments, on as few lines as possible, each as long as a line may be."""
    space = " " * indent
    line = f"{space}{head}{', '.join(arguments)}{tail}"
    if len(line) <= LINE:
        return f"{line}\n"
    return f"{space}{head}\n{filled(arguments, f'{space}    ', LINE)}\n{space}{tail}\n"


def filled(arguments: Sequence[str], indent: str, length: int) -> str:
    """Arguments in as few lines of at most this length as possible."""
    lines = [f"{indent}{arguments[0]}"]
    for number, argument in enumerate(arguments[1:], 2):
        longer = f"{lines[-1]}, {argument}"
        if len(longer) + (number < len(arguments)) <= length:
            lines[-1] = longer
        else:
            lines[-1] += ","
            lines.append(f"{indent}{argument}")
    return "\n".join(lines)


def line_length(lines: Iterable[str]) -> int:
    """The length that a new line of a file may have: more where its lines are longer."""
    longest = max((len(line.rstrip()) for line in lines), default=0)
    return LONG_LINE if longest > LINE else LINE


_WRAPPED = re.compile(r"^( *\S.*\()\n((?: +[^\n)].*\n)+?) +(\).*)$", re.MULTILINE)


def in_lines_of(length: int, text: str) -> str:
    """A text of ``call`` for a file with longer lines: what fits into one line is not divided."""

    def joined(match: re.Match[str]) -> str:
        head, inner, tail = match.groups()
        line = head + " ".join(inner.split()) + tail
        return line if len(line) <= length else match.group()

    return _WRAPPED.sub(joined, text)


def without_docstring(text: str) -> str:
    """The text of a class without its docstring, for files whose own classes have none."""
    return re.sub(r'^(class .*:\n) +""".*"""\n\n', r"\1", text)


_SIGNATURE = re.compile(r"^( *)def (\w+)\(\s*([^()]*?)\s*\):\n", re.MULTILINE)
_TYPES = {
    "bias": "bool",
    "padding_mode": "str",
    "conv": "nn.Module",
    "map_size": "tuple[int, int]",
}  # all others are numbers
_RETURNS = {"__init__": "None"}


def annotated(text: str) -> str:
    """The text of a class or function with types, for files whose own functions all have them."""

    def signature(match: re.Match[str]) -> str:
        space, name, parameters = match.groups()
        typed = [_with_type(each) for each in re.split(r",\s*", parameters) if each]
        return call(f"def {name}(", typed, f") -> {_RETURNS.get(name, 'nn.Module')}:", indent=len(space))

    return _SIGNATURE.sub(signature, text)


def _with_type(parameter: str) -> str:
    name, equals, default = parameter.partition("=")
    if name in ("self", "*"):
        return name
    return f"{name}: {_TYPES.get(name, 'int')}" + (f" = {default}" if equals else "")


def definition(name: str, about: str, parameters: Sequence[str], body: str) -> str:
    """A subclass of Sequential: its children are set in ``body`` in the order in which they run."""
    signature = call("def __init__(", ["self", *parameters], "):", indent=4)
    return f'class {name}(nn.Sequential):\n    """{about}"""\n\n{signature}        super().__init__()\n{body}'


def conv_parameters(parameters: frozenset[str], base: str = "Conv2d") -> list[str]:
    """The parameters of a class that replaces a convolution."""
    wanted = parameters | set(REQUIRED)
    known = parameters_of(base).items()
    written = [f"{name}={default}" if default else name for name, default in known if name in wanted]
    after = [text.partition("=")[0] in ("bias", "padding_mode", "device", "dtype") for text in written]
    if STARRED in parameters and any(after):
        written.insert(after.index(True), "*")
    return written


def attributes(parameters: frozenset[str], source: str) -> str:
    """Statements that set the attributes which other code reads; ``source`` is the child that has the window."""
    wanted = [name for name in ATTRIBUTES if attribute(name) in parameters]
    own = [name for name in wanted if name in ("in_channels", "out_channels")]
    rest = [name for name in wanted if name not in own]
    return "".join(
        [
            *(f"        self.{name} = {name}\n" for name in own),
            *(f"        self.{name} = self.{source}.{name}\n" for name in rest),
        ]
    )


def properties(parameters: frozenset[str], source: str) -> str:
    """Properties for the weight and bias that other code reads, of the child that has the bias."""
    wanted = [name for name in ("weight", "bias") if attribute(name) in parameters]
    template = "\n    @property\n    def {0}(self):\n        return self.{1}.{0}\n"
    return "".join(template.format(name, source) for name in wanted)


def of_layer(layer: str, parameters: frozenset[str], base: str = "Conv2d") -> list[str]:
    """The arguments for a class with these parameters, read from a convolution."""
    values = [f"{layer}.{name}" for name in REQUIRED]
    contiguous = True
    for name in list(parameters_of(base))[len(REQUIRED) : -2]:
        if name not in parameters:
            contiguous = False
            continue
        contiguous = contiguous and name != "bias"
        value = f"{layer}.bias is not None" if name == "bias" else f"{layer}.{name}"
        values.append(value if contiguous else f"{name}={value}")
    for name in ("device", "dtype"):
        values += [f"{name}={layer}.weight.{name}"] if name in parameters else []
    return values
