"""The documentation is true: what it shows is what comes out, its links lead somewhere, and the site builds."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import lxml.html
import pytest

from bench import blocks, prose, site_hook
from convlint.docsgen import rule_pages
from convlint.rewriting.kinds import kinds
from convlint.rules.registry import rules

ROOT = Path(__file__).parents[2]
PAGES = [page for page in prose.pages() if not page.is_relative_to(blocks.GENERATED)]
SHOWN = {"", "text", "diff", "lua"}
"""Languages of blocks that are only shown; Lua is run by Neovim in test_server.py."""

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)


@pytest.mark.slow
@each_page
def test_what_a_page_shows_is_what_comes_out(page: Path) -> None:
    outcomes = blocks.played(page)
    assert not [problem for outcome in outcomes for problem in outcome.problems]
    stale = [outcome.block.place for outcome in outcomes if outcome.stale]
    assert not stale, "run `python -m bench.blocks --write`"


@each_page
def test_a_block_is_run_or_says_why_not(page: Path) -> None:
    for block in prose.blocks(page):
        run = block.language in blocks.SHELL | blocks.PYTHON | blocks.READ.keys()
        assert run or block.language in SHOWN, f"{block.place}: neither run nor only shown"
        assert run or not block.text.startswith("$ "), f"{block.place}: a console block"
        skip = block.options.skip
        reasons = [skip] if isinstance(skip, str) and skip else dict(skip or ()).values()
        assert all(len(reason.split()) > 2 for reason in reasons), f"{block.place}: why is that?"
        for command in (*dict(() if isinstance(skip, str) else skip), *block.options.endless):
            lines = block.text.splitlines()
            assert any(line.removeprefix("$ ").startswith(command) for line in lines), block.place


@each_page
def test_measured_figures_name_their_revision(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for command in re.finditer(r"(?i)written\s+by\s+`python -m bench\.(?!house\b)[^`]+`", text):
        section = text[command.end() :].partition("<!-- end of")[0]
        assert re.search(r"Measured (at|before) revision [0-9a-f]{7}", section), command[0]


def test_the_examples_of_the_rules_are_those_that_are_run_elsewhere() -> None:
    run = {
        text.rstrip()
        for rule in rules().values()
        for example in (*rule.bad, *rule.good)
        for text in (example.source, rule_pages.fixed(example) or "")
    }
    helpers = {"\n\n".join(helper.text for helper in kind.helpers(kind.example)).rstrip() for kind in kinds().values()}
    for page in blocks.GENERATED.glob("*.md"):
        for block in prose.blocks(page):
            assert block.text.rstrip() in run | helpers, block.place


@pytest.mark.parametrize("page", prose.pages(), ids=lambda page: page.stem)
def test_a_link_leads_to_a_file_and_a_heading_of_it(page: Path) -> None:
    for link in filter(prose.relative, prose.links(page.read_text(encoding="utf-8"))):
        path, _, anchor = unquote(link).partition("#")
        target = page.parent / path if path else page
        assert target.exists(), f"{page.name} links to {link}"
        if anchor and target.suffix == ".md":
            assert anchor in prose.anchors(target.read_text(encoding="utf-8")), link


# The site


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the site, from a build in which a warning is an error."""
    folder = tmp_path_factory.mktemp("site")
    build = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(build, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


class _Loaded(HTMLParser):
    """What a browser loads for a page by itself, and where its links lead."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.loaded: set[str] = set()
        self.links: set[str] = set()
        self.ids: set[str] = set()
        self.feed(file.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.ids |= {found["id"] or ""} if "id" in found else set()
        if tag == "a":
            self.links.add(found.get("href") or "")
        elif address := found.get("src") or (tag == "link" and found.get("href")):
            self.loaded.add(str(address))


def test_the_site_has_every_page(site: Path) -> None:
    docs = {page.relative_to(ROOT / "docs") for page in (ROOT / "docs").rglob("*.md")}
    named = {Path("index.md"), Path("contributing.md"), Path("changelog.md")}
    built = {page.relative_to(site).with_suffix(".md") for page in site.rglob("*.html")}
    assert docs | named == built - {Path("404.md")}


def test_the_site_is_the_same_text(site: Path) -> None:
    assert "convlint is a linter" in (site / "index.html").read_text(encoding="utf-8")
    assert "Add a rule in ten minutes" in (site / "contributing.html").read_text(encoding="utf-8")
    assert not [page for page in site.rglob("*.html") if "<!-- blocks" in page.read_text("utf-8")]


PARTS = ("h1", "h2", "h3", "p", "ol", "ul", "li", "table", "tr", "td", "pre", "strong", "em", "img")


@pytest.mark.slow
def test_a_page_of_the_site_is_made_of_what_a_code_forge_shows(site: Path) -> None:
    """mkdocs and code forges differ on Markdown: on the indentation of lists, and on what ends a paragraph."""
    for page in prose.pages():
        name = site_hook.address(page.relative_to(ROOT).as_posix())
        article = lxml.html.parse(site / name.replace(".md", ".html")).find(".//article")
        forge = lxml.html.fromstring(prose.MARKDOWN.render(page.read_text(encoding="utf-8")))
        shown = [Counter(part.tag for part in tree.iter(*PARTS)) for tree in (article, forge)]
        assert shown[0] == shown[1], page.name


def test_the_site_loads_nothing_from_the_network(site: Path) -> None:
    for page in site.rglob("*.html"):
        assert not {address for address in _Loaded(page).loaded if "//" in address}, page
    for sheet in site.rglob("*.css"):
        text = sheet.read_text(encoding="utf-8")
        assert "@import" not in text
        assert "url(http" not in text


def test_a_link_of_the_site_leads_to_a_page_and_a_heading_of_it(site: Path) -> None:
    read = {page.resolve(): _Loaded(page) for page in site.rglob("*.html")}
    for page, facts in read.items():
        if page.name == "404.html":
            continue  # its links are those of a server that has the site at its root
        for link in filter(prose.relative, facts.links):
            path, _, anchor = unquote(link).partition("#")
            target = (page.parent / path).resolve() if path else page
            assert target.exists(), f"{page.name} links to {link}"
            assert not anchor or target not in read or anchor in read[target].ids, (page, link)


# What runs the blocks

Page = Callable[[str], Path]


@pytest.fixture
def page(tmp_path: Path) -> Page:
    """Writes a page of a text in which three ' stand for three backticks."""

    def write(text: str) -> Path:
        file = tmp_path / "page.md"
        file.write_text(text.replace("'''", "```"), encoding="utf-8")
        blocks.played.cache_clear()
        return file

    return write


def problems(page: Path) -> list[str]:
    return [problem for outcome in blocks.played(page) for problem in outcome.problems]


def test_a_wrong_output_is_stale_and_is_written(page: Page) -> None:
    file = page("One\n\n'''console\n$ echo 1; echo 2\n3\n$ echo 4\n'''\n\n- Two\n\n  '''console\n  $ echo 5\n  '''\n")
    outcomes = blocks.played(file)
    assert [outcome.stale for outcome in outcomes] == [True, True]
    text = blocks.written(file, outcomes)
    assert "$ echo 1; echo 2\n1\n2\n$ echo 4\n4\n```" in text
    assert text.endswith("  $ echo 5\n  5\n  ```\n")
    assert not any(outcome.stale for outcome in blocks.played(page(text)))


def test_what_varies_is_not_stale_and_is_written_afresh(page: Page) -> None:
    file = page("<!-- blocks varies = ['[0-9]+ ms'] -->\n'''console\n$ echo it took 5 ms\nit took 7 ms\n'''\n")
    (outcome,) = blocks.played(file)
    assert not outcome.stale
    assert blocks.written(file, [outcome]) == file.read_text()
    assert "\nit took 5 ms\n" in blocks.written(file, [outcome], afresh=True)


def test_an_exit_code_that_nobody_expects_is_a_problem(page: Page) -> None:
    assert "`exit 3` exits with 3" in problems(page("'''sh\nexit 3\n'''"))[0]
    assert not problems(page("<!-- blocks exit = 3 -->\n'''sh\nexit 3\n'''"))
    assert not problems(page("<!-- blocks exit = [0, 3] -->\n'''sh\nexit 3\nexit 0\n'''"))
    assert problems(page("<!-- blocks exit = 3 -->\n'''sh\nexit 0\n'''"))


def test_python_is_run(page: Page) -> None:
    assert "division by zero" in problems(page("'''python\n1 / 0\n'''"))[0]
    assert not problems(page("<!-- blocks before = 'x = 1' -->\n'''python\n1 / x\n'''"))


@pytest.mark.parametrize("language", ["python", "toml", "yaml", "json"])
def test_what_does_not_parse_is_a_problem(page: Page, language: str) -> None:
    assert f"this is no {language}" in problems(page(f"'''{language}\n[1, \n'''"))[0]


def test_a_block_can_be_a_file_that_later_ones_read(page: Page) -> None:
    saved = "<!-- blocks save = 'a/b.py' -->\n'''python\nprint(1 / 0)\n'''\n"
    assert not problems(page(f"{saved}'''console\n$ cat a/b.py\nprint(1 / 0)\n'''"))
    assert not blocks.played(page(f"{saved}'''console\n$ cat a/b.py\nprint(1 / 0)\n'''"))[1].stale


def test_alternatives_find_what_the_first_one_found(page: Page) -> None:
    commands = "'''sh\nrm net.py\ntest -f net.py\n'''"
    assert not problems(page(f"<!-- blocks alternatives = true -->\n{commands}"))
    assert "`test -f net.py` exits with 1" in problems(page(commands))[0]


def test_what_is_skipped_is_left_as_it_stands(page: Page) -> None:
    file = page("<!-- blocks skip = { 'pip' = 'it installs' } -->\n'''console\n$ pip x\nDone\n$ echo 1\n1\n'''")
    (outcome,) = blocks.played(file)
    assert not outcome.stale
    assert not outcome.problems


def test_what_never_ends_is_interrupted(page: Page) -> None:
    text = "<!-- blocks endless = ['yes'] -->\n'''sh\nyes\n'''"
    assert not problems(page(text))


def test_a_console_block_begins_with_a_command(page: Page) -> None:
    assert "begins with `$ `" in problems(page("'''console\nconvlint check\n'''"))[0]


def test_an_option_that_does_not_exist_is_named(page: Page) -> None:
    with pytest.raises(prose.PageError, match=r"page\.md:2: a block has no option 'exits'"):
        prose.blocks(page("<!-- blocks exits = 1 -->\n'''sh\n'''"))
    with pytest.raises(prose.PageError, match=r"page\.md:2: the options of the block are no TOML"):
        prose.blocks(page("<!-- blocks exit: 1 -->\n'''sh\n'''"))


def test_the_command_says_what_is_stale_and_writes_it(page: Page) -> None:
    def run(*options: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "bench.blocks", *options, str(file)]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    file = page("'''console\n$ echo 1\n'''\n")
    first = run()
    assert first.returncode == 1
    assert "page.md:1: stale" in first.stdout
    assert "wrote " in run("--write").stdout
    assert file.read_text() == "```console\n$ echo 1\n1\n```\n"
    assert (run().returncode, run().stdout) == (0, "")
