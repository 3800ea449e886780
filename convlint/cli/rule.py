"""``convlint rule``: print the page of a rule, or the list of all rules."""

from __future__ import annotations

from convlint.docsgen import rule_pages
from convlint.pipelines.requests import RuleRequest
from convlint.support.errors import UsageError


def run(request: RuleRequest, _: object = None) -> int:
    """Print rules, and return the exit code. Raises UsageError for a rule that does not exist."""
    try:
        if request.code:
            text = rule_pages.page(request.code, request.output_format)
        else:
            text = rule_pages.listing(request.output_format)
    except rule_pages.UnknownRuleError as error:
        raise UsageError(str(error)) from None
    print(text.rstrip("\n"))
    return 0
