"""The Chromium of this machine, driven by Playwright: a page, what is done on it, and what it complained of."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright import sync_api as playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")


class BrowserMissingError(Exception):
    """There is no Chromium here."""


def executable() -> str | None:
    """The Chromium of this machine: ``$CHROMIUM``, or what is on the path; None where there is none."""
    named = os.environ.get("CHROMIUM")
    found = [named] if named else [shutil.which(name) for name in NAMES]
    return next((path for path in found if path), None)


@contextmanager
def chromium() -> Iterator[Browser]:
    """A headless Chromium. Raises BrowserMissingError where there is none."""
    program = executable()
    if program is None:
        raise BrowserMissingError("no Chromium here: apt-get install chromium, or set CHROMIUM to one")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program)
        try:
            yield Browser(browser)
        finally:
            browser.close()


class Browser:
    """One browser process."""

    def __init__(self, browser: playwright.Browser) -> None:
        self._browser = browser

    @property
    def version(self) -> str:
        return self._browser.version

    @contextmanager
    def page(self, file: Path, *, width: int = 1280, height: int = 800, dark: bool = False) -> Iterator[Page]:
        """A page with a file in it, loaded and painted, in a profile of its own; ``dark`` is what the user prefers."""
        size = playwright.ViewportSize(width=width, height=height)
        with self._browser.new_context(viewport=size, color_scheme="dark" if dark else "light") as context:
            page = Page(context.new_page())
            page.open(file)
            yield page


class Page:
    """A page in the browser."""

    def __init__(self, page: playwright.Page) -> None:
        self._page = page
        self._complaints: list[str] = []
        self.requests: list[str] = []
        """The addresses of all that the page loaded, itself first."""
        self.dialogs: list[str] = []
        page.on("console", lambda said: self._complaints.append(said.text))
        page.on("pageerror", lambda error: self._complaints.append(str(error)))
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("dialog", self._dismiss)

    def _dismiss(self, dialog: playwright.Dialog) -> None:
        self.dialogs.append(dialog.message)
        dialog.dismiss()

    def open(self, file: Path) -> None:
        """Load a file, and wait until it is painted."""
        self._page.goto(file.resolve().as_uri())
        self.value(
            "new Promise(painted => new PerformanceObserver(painted)"
            ".observe({type: 'paint', buffered: true})).then(() => null)"
        )

    def value(self, expression: str) -> Any:
        """What a JavaScript expression gives, as JSON; a promise is waited for."""
        return self._page.evaluate(expression)

    def settled(self) -> None:
        """Wait until what was asked of the page is painted."""
        self.value("new Promise(r => requestAnimationFrame(() => requestAnimationFrame(() => r(1))))")

    def click(self, selector: str) -> None:
        """Click into the middle of the first such element, as a mouse does; fails where something lies over it."""
        self._page.click(selector)
        self.settled()

    def press(self, *keys: str) -> None:
        """Press keys one after another: ``Tab``, ``ArrowDown``, ``Enter``, or a letter."""
        for key in keys:
            self._page.keyboard.press(key)
        self.settled()

    def screenshot(self, file: Path) -> None:
        self.settled()
        self._page.screenshot(path=file)

    def complaints(self) -> list[str]:
        """What the page wrote to the console, and exceptions that nobody caught."""
        self.settled()
        return self._complaints
