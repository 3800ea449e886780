"""Drive the Chromium of this machine with Playwright: open a page, use it, and collect its errors."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright import sync_api as playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")


class BrowserMissingError(Exception):
    """Chromium is not installed on this machine."""


def executable() -> str | None:
    """Return the path of Chromium: ``$CHROMIUM``, or the one on PATH; None if not found."""
    named = os.environ.get("CHROMIUM")
    found = [named] if named else [shutil.which(name) for name in NAMES]
    return next((path for path in found if path), None)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start a headless Chromium. Raises BrowserMissingError if it is not installed."""
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
        """Open a page with a file, loaded and painted, in a new profile; ``dark`` is the preferred color scheme."""
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
        """Return the addresses of everything the page loaded, its own first."""
        self.dialogs: list[str] = []
        page.on("console", lambda said: self._complaints.append(said.text))
        page.on("pageerror", lambda error: self._complaints.append(str(error)))
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("dialog", self._dismiss)

    def _dismiss(self, dialog: playwright.Dialog) -> None:
        self.dialogs.append(dialog.message)
        dialog.dismiss()

    def open(self, file: Path) -> None:
        """Load a file and wait until it is painted."""
        self._page.goto(file.resolve().as_uri())
        self.value(
            "new Promise(painted => new PerformanceObserver(painted)"
            ".observe({type: 'paint', buffered: true})).then(() => null)"
        )

    def value(self, expression: str) -> Any:
        """Return the value of a JavaScript expression from JSON, after awaiting a promise."""
        return self._page.evaluate(expression)

    def wait_for(self, expression: str) -> None:
        """Wait until a JavaScript expression is true. Raises TimeoutError after half a minute."""
        # Playwright's own waiting evaluates text inside the page, which the page's security policy refuses.
        end = time.monotonic() + 30
        while not self.value(f"!!({expression})"):
            if time.monotonic() > end:
                raise TimeoutError(f"not true after 30 s: {expression}")
            self._page.wait_for_timeout(20)

    def settled(self) -> None:
        """Wait until the page is painted."""
        self.value("new Promise(r => requestAnimationFrame(() => requestAnimationFrame(() => r(1))))")

    def click(self, selector: str) -> None:
        """Click the middle of the first matching element like a mouse. Raises an error if another element covers
        it.
        """
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
        """Return console messages and uncaught exceptions of the page."""
        self.settled()
        return self._complaints
