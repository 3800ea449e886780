"""Text in which the runners of CI systems find no commands.

They read the logs of a step: GitHub executes lines that begin with ``::``, and like Azure (``##vso[``) and TeamCity
(``##teamcity[``) whatever follows ``##[`` anywhere in a line. A name or message of a checked file may contain these.
"""

from __future__ import annotations

import re

# Compiled with the first text that may hold a command: few do.
_AT_START = r"(?m)^((?:[^\S\n]|\x1b\[[\d;]*m)*):(?=:)"
_ANYWHERE = r"##(?=[\w.-]*\[)"


def without_commands(text: str) -> str:
    r"""Lines of text without commands: ``\x3a:error::`` and ``# #[error]``."""
    if "::" in text:
        text = re.sub(_AT_START, r"\1\\x3a", text)
    return re.sub(_ANYWHERE, "# #", text) if "##" in text else text


def json_without_commands(text: str) -> str:
    """The text of a JSON document without commands; it has the same meaning."""
    return re.sub(_ANYWHERE, r"#\\u0023", text) if "##" in text else text


def xml_without_commands(text: str) -> str:
    """The text of an XML document without commands; it has the same meaning."""
    if "::" in text:
        text = re.sub(_AT_START, r"\1&#58;", text)
    return re.sub(_ANYWHERE, "#&#35;", text) if "##" in text else text
