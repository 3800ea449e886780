"""Names, paths and messages of a checked file are text in every format: no command of a CI system, no escape code, no
markup.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from lxml import etree
from markdown_it import MarkdownIt

from convlint.ir import Edit, Fix, Problem, Related, Repair, Report, Site, Witness
from convlint.outputs import formats, renderer
from convlint.outputs.parts.columns import TableOptions
from convlint.outputs.suggestions import markdown as suggested_markdown
from convlint.outputs.suggestions import text as suggested_text
from convlint.outputs.text import render as render_text
from convlint.source_text.texts import SourceTexts
from tests.outputs import reports

PIECES = (
    "::error::", "::add-mask::", "##[error]", "##vso[task.complete]", "##teamcity[x]", "\x1b[31m", "\x1b]0;t\x07",
    "\x9b2J", "\n", "\r\n", "\r", "\x0b", "\x85", "\u2028", "\u202e", "\x00", "\ufeff", "\xa0", " ", "\t", "`", "``",
    "]]>", "<!--", "<script>alert(1)</script>", "<img src=x onerror=y>", "</details>", "&lt;", "[a](http://b)",
    "![a](http://b)", "http://a.b", "@user", "#1", "|", "*a*", "_b_", "~~c~~", "# d", "- e", "> f", "1. g", "---",
    "\\", "%0A", '"', "'", "é", "😀", "\udcff", "x",
)  # fmt: skip
TEXTS = st.lists(st.sampled_from(PIECES), min_size=1, max_size=5).map("".join)
OWN_COMMANDS = {"error", "warning", "notice"}


def _report(text: str) -> Report:
    """A report with this text in each of its places."""
    site = Site(text, 1, 1, 1, 4, text)
    edit = Edit(site, text)
    made = (
        reports.LATENT.with_(message=text, site=site, module=text, target=text, instances=(text, f"{text}2"),
                             related=(Related(text, site), Related(text, site)),
                             witness=Witness(text, (text,), text, text),
                             fix=Fix(text, "safe", (edit,))),
        reports.LATENT.with_(message=f"about `{text}`", site=None, target=text, fix=None, related=()),
        reports.REPAIRED.with_(message=text, site=site, repairs=(Repair(text, (edit,), "run", text),
                                                                Repair(text, (edit,), None, text))),
    )  # fmt: skip
    layers = tuple(replace(row, name=text, kind=text, site=site) for row in reports.MODEL.layers)
    model = replace(reports.MODEL, target=text, layers=layers, inputs=(text,))
    problems = (Problem("crash", text, text, 3, text), Problem("crash", text, target=text))
    return Report(
        made, (model,), problems, texts=SourceTexts({text: f"{text}\n{text}\n".encode(errors="surrogatepass")})
    )


def _outputs(report: Report) -> Iterator[tuple[str, str]]:
    for name in formats():
        yield name, renderer(name)(report)
    yield "text", render_text(report, table=TableOptions(flat=True), width=60)
    yield "colored", render_text(report, table=TableOptions(), color=True)
    yield "text", suggested_text.render(report, explain=True)
    yield "markdown", suggested_markdown.render(report, explain=True)


def _commands(text: str) -> list[str]:
    """The commands that a runner executes."""
    found = [line.strip() for line in re.split(r"[\r\n]+", text) if _unpainted(line).lstrip().startswith("::")]
    return [*found, *re.findall(r"##[\w.-]*\[", text)]


def _unpainted(text: str) -> str:
    return re.sub(r"\x1b\[[\d;]*m", "", text)


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _strings(item)


MARKUP = {
    "link_open", "image", "html_inline", "html_block", "heading_open", "hr", "blockquote_open", "ordered_list_open",
    "em_open", "strong_open", "s_open", "fence", "table_open",
}  # fmt: skip


def _markup(text: str) -> set[str]:
    tokens = MarkdownIt("gfm-like", {"html": True, "linkify": False}).parse(text)
    return {token.type for each in tokens for token in (each, *(each.children or ()))} & MARKUP


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(TEXTS)
@example("::error::x")
@example("\n ::error::x##[error]y\x1b[31m`<img>`]]>")
@example("`[a](http://b)` [a](http://b) ![a](http://b) <img src=x> @user")
def test_text_of_a_checked_file_stays_text(text: str) -> None:
    for name, output in _outputs(_report(text)):
        commands = _commands(output)
        if name == "github":  # its own commands: a runner reads no other in their lines
            own = re.findall(r"^::(\w+)", output, re.MULTILINE)
            assert (len(own), set(own) - OWN_COMMANDS) == (5, set())
            commands = _commands(re.sub(r"(?m)^::.*", "", output))
        assert not commands, name
        shown = _unpainted(output) if name == "colored" else output
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e]", shown), name
        if name in ("json", "gitlab", "sarif", "rdjson"):
            json.loads(output)
            assert output.isascii()
        if name == "junit":
            assert {each.tag for each in etree.fromstring(output.encode()).iter()} <= {
                "testsuites", "testsuite", "testcase", "failure", "error", "system-out"}  # fmt: skip


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(TEXTS)
@example("[a](http://b) ![a](http://b) <img src=x> @user `")
def test_comments_of_reviewdog_have_no_markup_of_a_checked_file(text: str) -> None:
    for diagnostic in json.loads(renderer("rdjson")(_report(text)))["diagnostics"]:
        for line in diagnostic["message"].split("\n"):
            assert not _markup(line), line
            assert not re.search(r"(?<![`\w])@\w", re.sub(r"`[^`]*`", "", line))


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(TEXTS)
@example("[a](http://b)")
def test_messages_of_sarif_link_to_related_locations_only(text: str) -> None:
    run = json.loads(renderer("sarif")(_report(text)))["runs"][0]
    for result in run["results"]:
        targets = re.findall(r"(?<!\\)\[(?:[^\[\]\\]|\\.)*\]\(([^)]*)\)", result["message"]["text"])
        assert targets == [str(n) for n, _ in enumerate(result.get("relatedLocations", ()), start=1)]
