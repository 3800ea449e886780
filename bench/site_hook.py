"""Extend mkdocs: pages at the root of the repository, links to its files, and a navigation with all rules.

README.md, CONTRIBUTING.md and CHANGELOG.md become pages of the site. A link to any other file outside docs/ copies
that file into the site. Links are therefore written relative to the repository, and a broken link fails the build.
"""

from __future__ import annotations

import posixpath
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

sys.path.insert(0, str(Path(__file__).parent.parent))  # mkdocs loads this file by its path

from bench import prose

AT_THE_ROOT = {"README.md": "index.md", "CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}
"""Pages of the repository, and their names in the site."""


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Add every page in docs/rules to the entry `Rules` of the navigation, and every page that no other entry
    names to `Guides`.
    """
    docs = prose.ROOT / "docs"
    rules = sorted(f"rules/{path.name}" for path in (docs / "rules").glob("CVL*.md"))
    named = set(_pages(config.nav))
    others = sorted(path.name for path in docs.glob("*.md") if path.name not in named)
    filled = {"Rules": ["rules/index.md", *rules], "Guides": others}
    for entry in config.nav or []:
        entry.update({title: pages for title, pages in filled.items() if title in entry})
    return config


def _pages(nav: Any) -> Iterator[str]:
    """Yield the pages in a navigation."""
    if isinstance(nav, str):
        yield nav
    for entry in nav.values() if isinstance(nav, dict) else nav if isinstance(nav, list) else ():
        yield from _pages(entry)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages at the root, and the files that any page links to."""
    for name, page in AT_THE_ROOT.items():
        files.append(File.generated(config, page, abs_src_path=str(prose.ROOT / name)))
    for path in prose.pages():
        for link in prose.links(path.read_text(encoding="utf-8")):
            source = _source(path.relative_to(prose.ROOT).as_posix(), link)
            file = prose.ROOT / source
            if file.is_file() and files.get_file_from_path(address(source)) is None:
                files.append(File.generated(config, address(source), abs_src_path=str(file)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG001
    """Convert the links of a page to those of the site, and remove the comments with options of blocks."""
    name = {v: k for k, v in AT_THE_ROOT.items()}.get(page.file.src_uri)
    here = name or f"docs/{page.file.src_uri}"

    def moved(link: str) -> str:
        source = _source(here, link)
        if not source:
            return link
        path = posixpath.relpath(address(source), posixpath.dirname(page.file.src_uri) or ".")
        return path + link[len(link.partition("#")[0]) :]

    return prose.linked(prose.COMMENT.sub("", markdown), moved)


def _source(page: str, link: str) -> str:
    """Return the file of the repository that a link of a page points to, or nothing for other links."""
    path = link.partition("#")[0]
    if not path or not prose.relative(link):
        return ""
    return posixpath.normpath(posixpath.join(posixpath.dirname(page), path))


def address(source: str) -> str:
    """Return the path of a repository file in the site."""
    if source in AT_THE_ROOT:
        return AT_THE_ROOT[source]
    inside = source.removeprefix("docs/")
    return inside if inside != source else f"repository/{source}"
