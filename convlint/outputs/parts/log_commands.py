"""Text in which the runners of CI systems find no commands.

They read the logs of a step: GitHub executes lines that begin with ``::``, and like Azure (``##vso[``) and TeamCity
(``##teamcity[``) whatever follows ``##[`` anywhere in a line. A name or message of a checked file may contain these.
"""

from __future__ import annotations

import re

_AT_START = re.compile(r"^((?:[^\S\n]|\x1b\[[\d;]*m)*):(?=:)", re.MULTILINE)
_ANYWHERE = re.compile(r"##(?=[\w.-]*\[)")


def without_commands(text: str) -> str:
    r"""Lines of text without commands: ``\x3a:error::`` and ``# #[error]``."""
    if "::" in text:
        text = _AT_START.sub(r"\1\\x3a", text)
    return _ANYWHERE.sub("# #", text) if "##" in text else text


def json_without_commands(text: str) -> str:
    """The text of a JSON document without commands; it has the same meaning."""
    return _ANYWHERE.sub(r"#\\u0023", text) if "##" in text else text


def xml_without_commands(text: str) -> str:
    """The text of an XML document without commands; it has the same meaning."""
    if "::" in text:
        text = _AT_START.sub(r"\1&#58;", text)
    return _ANYWHERE.sub("#&#35;", text) if "##" in text else text
