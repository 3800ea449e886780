"""Measure the latency of findings in an editor: ``python -m bench.server [--write]``.

A keystroke is sent to a server like an editor does, and the time until the diagnostics is measured: for ``convlint
server``, and for pylsp with flake8 as its only linter, in a separate environment. Both get the same files and the
same keystrokes, one server at a time.
"""

from __future__ import annotations

import argparse
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
import venv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from bench import sections
from bench.corpus import copied, versions
from bench.markdown import table

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "performance.md"
PACKAGES = ("python-lsp-server==1.15.0", "flake8==7.5.0")
FILES = (
    *("torchvision/models/densenet.py", "torchvision/models/inception.py"),
    *("torchvision/models/vgg.py", "timm/models/gcvit.py"),
)
"""Files of about 500 lines; the last contains the class that takes longest in timm."""
LONGEST = 60.0  # seconds to wait for a response
_SETTINGS = {
    "pylsp": {
        "plugins": {
            "flake8": {"enabled": True},
            **{name: {"enabled": False} for name in ("pycodestyle", "pyflakes", "mccabe")},
        }
    }
}
_CAPABILITIES = {"textDocument": {"publishDiagnostics": {"versionSupport": True}}}


class Server:
    """A language server, and a client with one open text."""

    def __init__(self, command: Sequence[str], folder: Path) -> None:
        found = os.pathsep.join([str(Path(command[0]).parent), os.environ["PATH"]])
        self._process = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, "PATH": found},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self._said: queue.Queue[tuple[float, dict[str, Any]]] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self._asked = 0
        uri = folder.as_uri()
        start = {"processId": os.getpid(), "rootUri": uri, "capabilities": _CAPABILITIES}
        self.ask("initialize", start)
        self.tell("initialized", {})
        self.tell("workspace/didChangeConfiguration", {"settings": _SETTINGS})

    def _read(self) -> None:
        stream = self._process.stdout
        assert stream is not None
        while line := stream.readline():
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
                while stream.readline().strip():
                    pass
                said = json.loads(stream.read(length))
                self._said.put((time.perf_counter(), said))

    def _send(self, message: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        self._process.stdin.flush()

    def tell(self, method: str, params: Any) -> None:
        self._send({"method": method, "params": params})

    def ask(self, method: str, params: Any) -> None:
        """Send a request and wait for the response."""
        self._asked += 1
        self._send({"id": self._asked, "method": method, "params": params})
        while True:
            _, said = self._said.get(timeout=LONGEST)
            if said.get("id") == self._asked and "method" not in said:
                return

    def diagnostics(self, uri: str) -> tuple[float, int]:
        """Return the time and the number of the next diagnostics of a file."""
        while True:
            when, said = self._said.get(timeout=LONGEST)
            params = said.get("params") or {}
            if said.get("method", "").endswith("publishDiagnostics") and params["uri"] == uri:
                return when, len(params["diagnostics"])

    def quiet(self, seconds: float) -> None:
        """Wait until the server is quiet."""
        while True:
            try:
                self._said.get(timeout=seconds)
            except queue.Empty:
                return

    def close(self) -> None:
        self.ask("shutdown", None)
        self.tell("exit", None)
        self._process.wait(LONGEST)
        self._reader.join(LONGEST)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()


def delays(command: Sequence[str], folder: Path, file: str, count: int) -> list[float]:
    """Return the seconds from each of ``count`` keystrokes to the diagnostics that follow it.

    The keystrokes type a number at the end of the file: the text always parses and always differs.
    """
    server = Server(command, folder)
    try:
        path = folder / file
        uri, text = path.as_uri(), path.read_text(encoding="utf-8")
        document = {"uri": uri, "languageId": "python", "version": 1, "text": f"{text}\nx = 1"}
        server.tell("textDocument/didOpen", {"textDocument": document})
        server.diagnostics(uri)
        found = []
        line = text.count("\n") + 1
        for typed in range(count):
            server.quiet(1.0)
            place = {"line": line, "character": len("x = 1") + typed}
            change = {"range": {"start": place, "end": place}, "text": str(typed % 10)}
            start = time.perf_counter()
            server.tell(
                "textDocument/didChange",
                {"textDocument": {"uri": uri, "version": typed + 2}, "contentChanges": [change]},
            )
            found.append(server.diagnostics(uri)[0] - start)
        return found
    finally:
        server.close()


@contextmanager
def pylsp() -> Iterator[list[str]]:
    """Provide the command of pylsp, in a separate environment."""
    with tempfile.TemporaryDirectory() as scratch:
        venv.create(scratch, with_pip=True)
        installed = Path(scratch, "bin")
        subprocess.run([installed / "pip", "install", "-q", *PACKAGES], check=True)
        yield [str(installed / "pylsp")]


SECTION = """## Editing

Written by `python -m bench.server --write`. Milliseconds from a keystroke to the diagnostics in the editor, over
{count} keystrokes in each of {files} files of {versions}: the median and the 90th percentile.
`convlint server` waits {debounce:.0f} ms for the next keystroke before it checks the file, pylsp 500 ms before it
calls flake8.

{table}
"""


def section(found: dict[str, dict[str, list[float]]], lines: dict[str, int], count: int) -> str:
    """Return the section of the page, from the seconds by file and server."""
    from convlint.integrations.lsp.server import DEBOUNCE

    servers = list(next(iter(found.values())))
    columns = ["file", ">lines", *(f">{name}{what}" for name in servers for what in ("", ", 90 %"))]
    rows = [
        [file, lines[file], *(cell for name in servers for cell in _cells(times[name]))]
        for file, times in found.items()
    ]
    return SECTION.format(
        count=count, files=len(found), versions=versions(), debounce=DEBOUNCE * 1000, table=table(columns, rows)
    )


def _cells(seconds: Sequence[float]) -> list[str]:
    nine_of_ten = quantiles(seconds, n=10)[-1] if len(seconds) > 1 else seconds[0]
    return [f"{median(seconds) * 1000:.0f}", f"{nine_of_ten * 1000:.0f}"]


def measure(commands: dict[str, Sequence[str]], files: Sequence[str], count: int) -> str:
    """Measure each server on each file, and return the section."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch, "sources")
        copied(folder)
        found = {
            file: {name: delays(command, folder, file, count) for name, command in commands.items()} for file in files
        }
        lines = {file: len((folder / file).read_text("utf-8").splitlines()) for file in files}
        return section(found, lines, count)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.server", description=__doc__)
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.relative_to(ROOT)}")
    parser.add_argument("--keystrokes", type=int, default=20)
    options = parser.parse_args()
    ours = [sys.executable, "-P", "-m", "convlint", "server"]
    with pylsp() as theirs:
        commands: dict[str, Sequence[str]] = {"convlint": ours, "pylsp with flake8": theirs}
        text = measure(commands, FILES, options.keystrokes)
    print(text)
    if options.write:
        sections.record(PAGE, text, "server")


if __name__ == "__main__":
    main()
