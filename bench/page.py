"""Measure the report page in a real browser: ``python -m bench.page [--write]``.

For ResNet-152 and for a model of 1,000 layers, it measures the size of the page, the times until headless Chromium
first paints it and until it is completely drawn, the number of elements, and the times to open every box of the graph
and to sort the table. Results are medians of several loads, each in a new profile.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from torch import nn

import convlint
from bench import sections
from bench.browser import Browser, Page, chromium
from bench.markdown import table
from bench.thousand_layers import Thousand
from bench.zoo_models import Entry, build
from convlint.ir import Report
from convlint.outputs import html_

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "performance.md"
PICTURE = ROOT / "docs" / "images" / "report-page.png"
PICTURED = "fixtures/mobilefacenet.py:MobileFaceNet"
LOADS = 5
MODELS: dict[str, tuple[Callable[[], nn.Module], tuple[int, int, int]]] = {
    "resnet152": (lambda: build(Entry("torchvision/resnet152", 60_192_808, (3, 224, 224))), (3, 224, 224)),
    "1,000 layers": (Thousand, (3, 32, 32)),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Loaded:
    """One load of a page. Times are milliseconds from the start of its navigation, or of an action."""

    first_paint: float
    drawn: float
    elements: int
    opened: float
    elements_opened: int
    sorted: float


def report(name: str) -> Report:
    """Return the report of one of ``MODELS``."""
    make, shape = MODELS[name]
    return convlint.check(make(), input=shape)


def load(browser: Browser, file: Path) -> Loaded:
    """Open a page once, and use it."""
    with browser.page(file) as page:
        return Loaded(
            first_paint=page.value("performance.getEntriesByName('first-contentful-paint')[0].startTime"),
            drawn=page.value("performance.getEntriesByName('convlint-drawn')[0].startTime"),
            elements=_elements(page),
            opened=_took(page, "#graph .segmented button:last-child"),
            elements_opened=_elements(page),
            sorted=_took(page, "#layers thead th:nth-child(8) button"),
        )


def _elements(page: Page) -> int:
    found: int = page.value("document.querySelectorAll('*').length")
    return found


def _took(page: Page, selector: str) -> float:
    """Return the milliseconds from a click until the change is painted."""
    took: float = page.value(
        f"""new Promise((done) => {{
            const start = performance.now();
            document.querySelector({selector!r}).click();
            requestAnimationFrame(() => setTimeout(() => done(performance.now() - start)));
        }})"""
    )
    return took


def measure(browser: Browser, text: str, loads: int = LOADS) -> Loaded:
    """Return the medians of several loads of a page."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "report.html"
        file.write_text(text, encoding="ascii")
        found = [load(browser, file) for _ in range(loads)]
    return Loaded(*(median(getattr(one, name) for one in found) for name in Loaded.__dataclass_fields__))


def page(rows: Iterator[tuple[str, Report, int, Loaded]], version: str) -> str:
    """Return the section of the page in docs/."""
    cells = [
        (
            name,
            f"{len(of.models[0].layers):,}",
            f"{size / 1e6:.2f}",
            f"{one.first_paint:.0f}",
            f"{one.drawn:.0f}",
            f"{one.elements:,}",
            f"{one.opened:.0f}",
            f"{one.elements_opened:,}",
            f"{one.sorted:.0f}",
        )
        for name, of, size, one in rows
    ]
    columns = [
        *("model", ">layers", ">MB", ">first paint ms", ">drawn ms", ">elements"),
        *(">open all ms", ">elements after", ">sort ms"),
    ]
    return f"""## The report page

Written by `python -m bench.page --write`: pages of `--output-format html` in headless {version} at 1280x800,
medians of {LOADS} loads from a file. *First paint* is the first contentful paint after the start of the
navigation, *drawn* the end of the page's script; *open all* opens every box of the graph, *sort* sorts
the table of layers.

{table(columns, cells)}
"""


def picture(browser: Browser, file: Path) -> None:
    """Write the image of docs/report-page.md: the graph of a fixture, with the details of a failing layer."""
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "report.html"
        page.write_text(html_.render(convlint.check(PICTURED)), encoding="ascii")
        with browser.page(page, width=1200, height=760) as shown:
            shown.click("#graph [aria-label='Zoom out']")
            shown.value("[...document.querySelectorAll('#findings .modules button')][0].click()")
            shown.value("document.getElementById('graph').scrollIntoView({behavior: 'instant'})")
            shown.screenshot(file)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help=f"write a section of {PAGE.name}, and {PICTURE.name}")
    asked = parser.parse_args()
    with chromium() as browser:
        version = f"Chromium {browser.version}"
        rows = []
        for name in MODELS:
            of = report(name)
            text = html_.render(of)
            rows.append((name, of, len(text), measure(browser, text)))
        if asked.write:
            picture(browser, PICTURE)
    text = page(iter(rows), version)
    print(text)
    if asked.write:
        sections.record(PAGE, text, "page")


if __name__ == "__main__":
    main()
