"""``convlint rule``: print the page of a rule, or the list of all rules."""

from __future__ import annotations

import sys

from convlint.docsgen import rule_pages
from convlint.outputs.parts.terminal import terminal
from convlint.pipelines.requests import RuleRequest
from convlint.support.errors import UsageError

_MOST_COLUMNS = 100  # longer lines are hard to read
_STYLES = {  # readable on black and on white
    **dict.fromkeys(("markdown.h1", "markdown.h2"), "bold"),
    **dict.fromkeys(("markdown.code", "markdown.link", "markdown.link_url"), "cyan"),
}


def run(request: RuleRequest, _: object = None) -> int:
    """Print rules, and return the exit code. Raises UsageError for a rule that does not exist."""
    width, _ = terminal(sys.stdout)
    try:
        if request.code:
            text = rule_pages.page(request.code, request.output_format)
        else:
            text = rule_pages.listing(request.output_format, width)
    except rule_pages.UnknownRuleError as error:
        raise UsageError(str(error)) from None
    if width is not None and request.code and request.output_format == "text":
        print_markdown(text, width)
    else:
        print(text.rstrip("\n"))
    return 0


def print_markdown(text: str, width: int) -> None:
    """Print Markdown with headings, lists and colored code on a terminal."""
    from rich.console import Console
    from rich.markdown import Markdown
    from rich.theme import Theme

    console = Console(width=min(width, _MOST_COLUMNS), theme=Theme(_STYLES))
    console.print(Markdown(text, code_theme="ansi_dark", hyperlinks=False, justify="left"))
