"""re: regular expressions on texts that are known, if they take little time."""

from __future__ import annotations

import re
from re import _constants as constants  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]

from convlint.static.domain.values import UNKNOWN, Value
from convlint.static.interpreter.call import Call
from convlint.static.interpreter.pymodel.native import NativeFunction

_LONGEST = 200  # characters of a pattern and of a text
_MOST_REPEATS = 4
_REPEATS = (constants.MAX_REPEAT, constants.MIN_REPEAT)


def _is_quick(pattern: str) -> bool:
    """Return whether a pattern has few repeats, and none in another: such a search takes no exponential time."""
    try:
        parsed = parser.parse(pattern)
    except re.error:
        return False
    count, pending = 0, [(parsed, False)]
    while pending:
        part, is_repeated = pending.pop()
        for item in part:
            is_repeat = item[0] in _REPEATS
            count += is_repeat
            if (is_repeat and is_repeated) or item[0] is constants.GROUPREF:
                return False
            inner = item[1] if type(item[1]) is tuple else ()
            lists = [each for sub in inner for each in (sub if type(sub) is list else [sub])]
            pending += [(each, is_repeated or is_repeat) for each in lists if type(each) is parser.SubPattern]
    return count <= _MOST_REPEATS


def _of_texts(name: str, texts: int) -> NativeFunction:
    """Return a function of so many texts, the first of which is a pattern."""

    def native(call: Call) -> Value:
        args = call.args
        if call.kwargs or len(args) != texts or not all(type(each) is str and len(each) <= _LONGEST for each in args):
            return UNKNOWN
        if not _is_quick(args[0]):
            return UNKNOWN
        result = getattr(re, name)(*args)
        return list(result) if type(result) is list else result

    return native


FUNCTIONS: dict[str, NativeFunction] = {
    **{f"re.{name}": _of_texts(name, 2) for name in ("match", "search", "fullmatch", "split", "findall")},
    "re.sub": _of_texts("sub", 3),
}
CONSTANTS: dict[str, float] = {}
