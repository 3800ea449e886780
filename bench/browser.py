"""A headless Chromium that is driven over pipes with the DevTools protocol: no further package is needed."""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
TIMEOUT = 60.0  # seconds for an answer


class BrowserError(Exception):
    """The browser said no, or nothing."""


def executable() -> str | None:
    """The Chromium of this machine: ``$CHROMIUM``, or what is on the path; None where there is none."""
    named = os.environ.get("CHROMIUM")
    found = [named] if named else [shutil.which(name) for name in NAMES]
    return next((path for path in found if path), None)


class Browser:
    """One browser process, and commands to it."""

    def __init__(self, process: subprocess.Popen[bytes], requests: int, answers: int) -> None:
        self._process = process
        self._requests, self._answers = requests, answers
        self._unread = b""
        self._count = 0
        self.events: list[dict[str, Any]] = []

    def send(self, method: str, session: str | None = None, **params: Any) -> dict[str, Any]:
        """What the browser answers to a command. Raises BrowserError."""
        self._count += 1
        message = {"id": self._count, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        os.write(self._requests, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + TIMEOUT
        while True:
            answer = self._next(deadline, method)
            if answer.get("id") == self._count:
                if "error" in answer:
                    raise BrowserError(f"{method}: {answer['error']['message']}")
                result: dict[str, Any] = answer["result"]
                return result
            self.events.append(answer)

    def _next(self, deadline: float, waiting_for: str) -> dict[str, Any]:
        while b"\0" not in self._unread:
            ready, _, _ = select.select(
                [self._answers], [], [], max(deadline - time.monotonic(), 0)
            )
            data = os.read(self._answers, 2**20) if ready else b""
            if not data:
                raise BrowserError(f"no answer to {waiting_for} within {TIMEOUT:.0f} s")
            self._unread += data
        line, _, self._unread = self._unread.partition(b"\0")
        found: dict[str, Any] = json.loads(line)
        return found

    @contextmanager
    def page(
        self, file: Path, *, width: int = 1280, height: int = 800, dark: bool = False
    ) -> Iterator[Page]:
        """A page with a file in it, loaded and drawn, in a profile of its own; ``dark`` is what the user prefers."""
        context = self.send("Target.createBrowserContext")["browserContextId"]
        target = self.send("Target.createTarget", url="about:blank", browserContextId=context)
        session = self.send("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        page = Page(self, session["sessionId"])
        self.events.clear()
        for domain in ("Page", "Runtime", "Log", "Network"):
            page.send(f"{domain}.enable")
        page.resize(width, height)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        page.send("Emulation.setEmulatedMedia", features=[scheme])
        page.send("Page.navigate", url=file.resolve().as_uri())
        page.wait(
            "document.readyState === 'complete' && performance.getEntriesByType('paint').length > 0"
        )
        yield page
        self.send("Target.disposeBrowserContext", browserContextId=context)


class Page:
    """A page in the browser."""

    def __init__(self, browser: Browser, session: str) -> None:
        self._browser, self._session = browser, session

    def send(self, method: str, **params: Any) -> dict[str, Any]:
        return self._browser.send(method, self._session, **params)

    def resize(self, width: int, height: int) -> None:
        self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )

    def value(self, expression: str) -> Any:
        """What a JavaScript expression gives, as JSON; a promise is waited for. Raises BrowserError."""
        answer = self.send(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in answer:
            raise BrowserError(
                str(answer["exceptionDetails"].get("exception", {}).get("description"))
            )
        return answer["result"].get("value")

    def wait(self, expression: str) -> None:
        """Wait until an expression is true. Raises BrowserError."""
        deadline = time.monotonic() + TIMEOUT
        while not self.value(expression):
            if time.monotonic() > deadline:
                raise BrowserError(f"still not so after {TIMEOUT:.0f} s: {expression}")
            time.sleep(0.02)

    def settled(self) -> None:
        """Wait until what was asked of the page is painted."""
        self.value(
            "new Promise(r => requestAnimationFrame(() => requestAnimationFrame(() => r(1))))"
        )

    def click(self, selector: str) -> None:
        """Click into the middle of an element, as a mouse does. Raises BrowserError where something else lies there."""
        where = self.value(
            f"""(() => {{
                const found = document.querySelector({json.dumps(selector)});
                if (!found) return null;
                found.scrollIntoView({{ block: "center", inline: "center", behavior: "instant" }});
                const {{ left, top, width, height }} = found.getBoundingClientRect();
                const [x, y] = [left + width / 2, top + height / 2];
                const hit = document.elementFromPoint(x, y);
                return found.contains(hit) || hit?.contains(found) ? [x, y] : null;
            }})()"""
        )
        if where is None:
            raise BrowserError(f"nothing to click at {selector}")
        for kind in ("mousePressed", "mouseReleased"):
            x, y = where
            self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)
        self.settled()

    def press(self, *keys: str) -> None:
        """Press keys one after another: ``Tab``, ``ArrowDown``, ``Enter``, or a letter."""
        for key in keys:
            code, text = _KEYS.get(key, (0, key))
            more = {"text": text} if text else {}
            known = {"key": " " if key == "Space" else key, "windowsVirtualKeyCode": code}
            self.send("Input.dispatchKeyEvent", type="keyDown", **known, **more)
            self.send("Input.dispatchKeyEvent", type="keyUp", **known)
        self.settled()

    def screenshot(self, file: Path) -> None:
        self.settled()
        data = self.send("Page.captureScreenshot", format="png")["data"]
        file.write_bytes(base64.b64decode(data))

    def complaints(self) -> list[str]:
        """Errors and warnings that the page wrote to the console, and exceptions that nobody caught."""
        self.settled()
        found = []
        for event in self._browser.events:
            params = event.get("params", {})
            if event.get("method") == "Runtime.exceptionThrown":
                found.append(
                    str(params["exceptionDetails"].get("exception", {}).get("description"))
                )
            elif event.get("method") == "Log.entryAdded":
                found.append(str(params["entry"]["text"]))
            elif event.get("method") == "Runtime.consoleAPICalled":
                found.append(str(params["args"]))
        return found

    def requests(self) -> list[str]:
        """The addresses of all that the page loaded, itself first."""
        events = [e for e in self._browser.events if e.get("method") == "Network.requestWillBeSent"]
        return [str(event["params"]["request"]["url"]) for event in events]


_KEYS = {
    "Tab": (9, ""),
    "Enter": (13, "\r"),
    "Escape": (27, ""),
    "Space": (32, " "),
    "End": (35, ""),
    "Home": (36, ""),
    "ArrowLeft": (37, ""),
    "ArrowUp": (38, ""),
    "ArrowRight": (39, ""),
    "ArrowDown": (40, ""),
}
"""Virtual key codes, and the text that a key types."""


@contextmanager
def chromium() -> Iterator[Browser]:
    """A headless Chromium. Raises BrowserError where there is none."""
    program = executable()
    if program is None:
        raise BrowserError("no Chromium here: apt-get install chromium, or set CHROMIUM to one")
    command_read, requests = os.pipe()
    answers, answer_write = os.pipe()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        options = ["--headless=new", "--remote-debugging-pipe", "--no-first-run", "--disable-gpu"]
        options += ["--disable-dev-shm-usage", "--hide-scrollbars", f"--user-data-dir={profile}"]
        if os.geteuid() == 0:
            options.append("--no-sandbox")  # Chromium refuses to be root with one
        # Chromium reads commands from descriptor 3 and answers on 4.
        shell = f'exec "$0" "$@" 3<&{command_read} 4>&{answer_write}'
        process = subprocess.Popen(
            ["/bin/bash", "-c", shell, program, *options],
            pass_fds=(command_read, answer_write),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(command_read)
        os.close(answer_write)
        try:
            browser = Browser(process, requests, answers)
            browser.send("Browser.getVersion")
            yield browser
            browser.send("Browser.close")
        finally:
            os.close(requests)
            os.close(answers)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
