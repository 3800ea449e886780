"""The constructor arguments with which a class is tried: unequal and equal widths that divide each other, and options.

A number of channels of the class gets one of a few values; everything else keeps its default or gets a usual value.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterator, Sequence
from itertools import islice

from convlint.analysis.width_names import is_width_name
from convlint.latent import constructor_code
from convlint.static.domain.objects import Class, Function
from convlint.static.domain.values import UNKNOWN, Library, Value
from convlint.static.exploration.argument_variants import compared_with
from convlint.static.program.parse import positional
from convlint.support.dataclass import dataclass

UNIT = 64
"""The smallest width: usual numbers of groups, heads and reduction ratios divide it."""

DIFFERENT = (1, 5, 7, 11, 13, 17)
DESCENDING = (8, 4, 2, 1, 2, 4)
EQUAL = (1, 1, 1, 1, 1, 1)
MORE_PATTERNS = ((4, 1, 2, 1, 4, 2), (1, 4, 4, 1, 4, 4))
SAME_ENDS = (1, 1, 2, 4, 2, 4)
INDIVISIBLE = (3, 1, 2, 5, 3, 1)
LAST_PATTERNS = (INDIVISIBLE, (1, 2, 4, 8, 16, 32), (2, 1, 1, 2, 1, 1), (2, 2, 1, 1, 4, 4))
"""Multiples of the unit for the widths of a class, in the order of its parameters: those that show most defects, those
that a class may require, and others for the verification of a repair. A block that adds its input needs the same
width at both ends, and only then shows what is wrong in between.
"""

_OPTIONAL_WIDTH = 16 * UNIT  # no other width of the first patterns

Arguments = dict[str, Value]


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a constructor, and its default: the class of ``_Required`` if it has none."""

    name: str
    annotation: str
    default: Value
    is_required: bool


def _parameters(cls: Class) -> list[Parameter]:
    """The parameters of the constructor of a class, without ``self``."""
    init = cls.lookup("__init__")
    if type(init) is not Function:
        return []
    given = init.node.args
    found = []
    for argument in [*positional(given)[1:], *given.kwonlyargs]:
        annotation = "" if argument.annotation is None else ast.unparse(argument.annotation)
        required = argument.arg not in init.defaults
        found.append(Parameter(argument.arg, annotation, init.defaults.get(argument.arg), required))
    return found


class ArgumentSpace:
    """All arguments with which a class is tried.

    ``widths`` are the names of parameters that layers use as widths, and ``built`` the places of calls that built a
    layer in symbolic executions.
    """

    def __init__(self, cls: Class, widths: Collection[str], built: Collection[constructor_code.Place]) -> None:
        self.parameters = _parameters(cls)
        init = cls.lookup("__init__")
        self._init = init if type(init) is Function else None
        code = ast.Pass() if self._init is None else self._init.node
        self._tested = constructor_code.tested(code)
        self._asserted = constructor_code.asserted(code)
        self._has_order = constructor_code.has_order(code)
        self._listed = constructor_code.listed(code)
        self._scaling = constructor_code.scaling(code)
        self._compared = {} if self._init is None else compared_with(self._init, int)
        self._known = widths
        self._deciding = constructor_code.deciding_on(code, built)
        self.widths = [p for p in self.parameters if self._is_width(p)]
        self.width_lists = [p for p in self.parameters if self._is_width_list(p)]

    def parameter(self, name: str) -> Parameter:
        """The parameter of that name."""
        return next(parameter for parameter in self.parameters if parameter.name == name)

    @property
    def can_vary(self) -> bool:
        """True if there are widths to choose, or ratios of widths."""
        return bool(self.widths or self.width_lists or self.other_ratios)

    @property
    def second_patterns(self) -> tuple[tuple[int, ...], ...]:
        """The patterns that show what different, rising widths do not: for equal ones a class may add its input."""
        if len(self.widths) + 2 * len(self.width_lists) < 2:
            return (DESCENDING,)
        return (EQUAL, DESCENDING) if self._has_order else (EQUAL,)

    def base(self) -> Arguments:
        """The arguments that are not widths: defaults, and usual values for parameters without one."""
        widths = {p.name for p in (*self.widths, *self.width_lists)}
        return {p.name: _usual(p) for p in self.parameters if p.name not in widths}

    def with_pattern(self, pattern: Sequence[int], unit: int = UNIT) -> Arguments:
        """The arguments with widths in the proportions of ``pattern``."""
        chosen = self.base()
        factors = [*pattern, *pattern, *pattern]
        for parameter, factor in zip(self.widths, factors, strict=False):
            chosen[parameter.name] = factor * unit
        for parameter in self.width_lists:
            is_known = type(parameter.default) in (list, tuple)
            length = len(parameter.default) if is_known else self._listed[parameter.name]
            values = [factor * unit for factor in islice(factors, length)]
            chosen[parameter.name] = tuple(values) if type(parameter.default) is tuple else values
        return chosen

    @property
    def has_inner_width(self) -> bool:
        """True if the constructor has a width that neither the input nor the output of the class is named after."""
        return self._init is not None and constructor_code.has_inner_name(self._init.node)

    @property
    def optional_widths(self) -> set[str]:
        """Widths that the constructor chooses if they are None."""
        return {
            parameter.name
            for parameter in self.parameters
            if not parameter.is_required and parameter.default is None and parameter.name in self._tested
            if _WIDTHS.search(parameter.name) and not _COUNTS.search(parameter.name)
        }

    @property
    def other_ratios(self) -> Arguments:
        """Arguments for which the ratios that scale widths are not those of the defaults: these may hide a mistake."""
        return {
            parameter.name: parameter.default * (2 if parameter.default >= 1 else 0.5)
            for parameter in self.parameters
            if type(parameter.default) is float and parameter.default > 0 and parameter.name in self._scaling
            if not _NOT_RATIOS.search(parameter.name)
        }

    @property
    def other_numbers(self) -> Arguments:
        """Other ratios, and one more for those that are integers, of which symbolic executions prove more."""
        return self.other_ratios | {
            parameter.name: parameter.default + 1
            for parameter in self.parameters
            if type(parameter.default) is int and parameter.default > 1 and parameter.name in self._scaling
            if _RATIO.search(parameter.name)
        }

    def options(self) -> Iterator[Arguments]:
        """Other values of arguments that conditions of the constructor test: flags, strides and absent widths, and what
        they compare a number with. Then other ratios. Those that may build what no execution built come first.
        """
        found = list(self._options())
        yield from sorted(found, key=self._deciding.isdisjoint)

    def building_options(self) -> list[Arguments]:
        """Options that may build layers that no symbolic execution built."""
        return [option for option in self._options() if not self._deciding.isdisjoint(option)]

    def _options(self) -> Iterator[Arguments]:
        yield from self.stand_ins()
        yield from self._flags()
        for parameter in self.parameters:
            if parameter not in self.widths and "stride" not in parameter.name:
                others = self._compared.get(parameter.name, [])
                yield from ({parameter.name: value} for value in others if value != _usual(parameter))
        if self.other_numbers:
            yield self.other_numbers

    def _flags(self) -> Iterator[Arguments]:
        for parameter in self.parameters:
            default = parameter.default
            if parameter.name not in self._tested or parameter.is_required:
                continue
            if type(default) is bool:
                yield {parameter.name: not default}
            elif parameter.name in self.optional_widths or (default == 0 and is_width_name(parameter.name)):
                yield {parameter.name: _OPTIONAL_WIDTH}
            elif default == 1 and "stride" in parameter.name:
                yield {parameter.name: 2}

    def doubled(self, names: Collection[str]) -> Arguments:
        """Return twice the values of parameters that are not varied: counts, ratios, and widths of one channel."""
        return {
            name: 2 * value
            for name, value in self.base().items()
            if name in names and type(value) is int
            if value > 1 or (value == 1 and _WIDTHS.search(name))
        }

    @property
    def doubled_factors(self) -> Arguments:
        """Twice the values of the counts by which the constructor multiplies or divides."""
        return self.doubled(self._scaling)

    def stand_ins(self) -> Iterator[Arguments]:
        """Modules for parameters that take one, such as ``downsample``."""
        for parameter in self.parameters:
            if parameter.default is None and not parameter.is_required and _MODULE.search(parameter.name):
                yield {parameter.name: Library("a module")}

    @property
    def neutral_ratios(self) -> Arguments:
        """Arguments for which all ratios of widths are 1: a class that mistakes one width for another may then work."""
        return {
            parameter.name: 1
            for parameter in self.parameters
            if _RATIO.search(parameter.name) and (parameter.is_required or type(parameter.default) in (int, float))
            if not _NOT_NUMBERS.search(parameter.annotation.replace("float", ""))
        }

    def _is_width(self, parameter: Parameter) -> bool:
        name, default = parameter.name, parameter.default
        if _COUNTS.search(name):
            return False
        if parameter.is_required:
            is_list = parameter.name in self._listed or _is_list(parameter)
            if _NOT_NUMBERS.search(parameter.annotation) or (is_list and not _may_be_number(parameter)):
                return False
            return name in self._known or is_width_name(name)
        if type(default) is not int or not (name in self._known or is_width_name(name)):
            return False
        if name in self._asserted:
            return True
        return default > _LARGEST_COUNT or _INPUT.search(name) is not None

    def _is_width_list(self, parameter: Parameter) -> bool:
        default = parameter.default
        if _COUNTS.search(parameter.name) or parameter in self.widths:
            return False
        if not parameter.is_required:
            is_list = type(default) in (list, tuple) and len(default) > 1
            return is_list and all(type(n) is int and n > _LARGEST_COUNT for n in default)
        return parameter.name in self._listed and _WIDTHS.search(parameter.name) is not None


_INPUT = re.compile(r"^in_?(c|ch|chs|chans|channels|planes|dim|features)$")
_LARGEST_COUNT = 7  # numbers up to this are depths, strides, kernels and factors
_RATIO = re.compile(r"expan|ratio|mult|factor")
_NOT_RATIOS = re.compile(r"drop|eps|momentum|slope|init|std|temp|prob|rate$|lr")
_MODULE = re.compile(r"downsample|shortcut|skip|identity")
_COUNTS = re.compile(
    r"head|group|num_(?!\w*(features|channels|filters|classes|planes|chs))|(?<!hidden_)size|kernel|stride|resolution|block|layers|depth|levels?$|radius|ratio|expan|factor|mult|scale|times"
)
NOT_WIDTHS = re.compile(r"kernel|stride|dilation|pad|group|head|bias|eps|^n$|depth|ratio")
"""Names of numbers that do not count channels."""
_NOT_NUMBERS = re.compile("str|Module|Callable|Type|Tensor|type|bool|float|Dict|dict")
_PAIR = re.compile(r"^[Tt]uple\[int, int\]$")
_WIDTHS = re.compile(r"dim|chan|width|planes|filters|feat|embed|hidden|chs|nc$|mid|inner|inp$|oup$|^c_|_c$|out|bottle")


def _is_list(parameter: Parameter) -> bool:
    return re.search(r"List|Tuple|Sequence|list|tuple", parameter.annotation) is not None


def _may_be_number(parameter: Parameter) -> bool:
    """Return whether an annotation says that a parameter is an integer or something else."""
    pending = [ast.parse(parameter.annotation or "None", mode="eval").body]
    while pending:
        match pending.pop():
            case ast.Name(id="int"):
                return True
            case ast.BinOp(left=left, op=ast.BitOr(), right=right):
                pending += [left, right]
            case ast.Subscript(value=ast.Name(id="Union") | ast.Attribute(attr="Union"), slice=ast.Tuple(elts=kinds)):
                pending += kinds
    return False


_USUAL = (
    (re.compile(r"kernel|ksize|^ks?$|^k_"), 3),
    (re.compile(r"pad|^p$"), 1),
    (re.compile(r"stride|dilation|group|^s$|^d$|^g$"), 1),
    (re.compile(r"head_?dim|key_?dim|dim_?head"), 32),
    (re.compile(r"window|resolution|feat_size|input_size"), 8),
    (
        re.compile(
            r"heads|depth|levels?$|radius|layers|blocks|rep(eat|s)|num_|_num$|^n$|expan|scale|mult|factor|times"
        ),
        2,
    ),
    (re.compile(r"ratio|reduction|squeeze|div"), 4),
)


def _usual(parameter: Parameter) -> Value:
    """The default of a parameter, or a usual value for one without a default."""
    if not parameter.is_required:
        return parameter.default
    annotation = parameter.annotation
    if "bool" in annotation:
        return True
    number = usual_number(parameter.name)
    if number is not None and _PAIR.search(annotation):
        return (number, number)
    if number is None or _NOT_NUMBERS.search(annotation.replace("float", "")) or _is_list(parameter):
        return UNKNOWN
    return number


def usual_number(name: str) -> int | None:
    """A usual value for a parameter with the name of a count, a ratio or a size of a kernel."""
    return next((value for pattern, value in _USUAL if pattern.search(name)), None)
