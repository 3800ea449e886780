"""The state of a server: open texts, what was found in them, and what runs showed."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from lsprotocol.types import (
    Diagnostic,
    MessageType,
    Position,
    PublishDiagnosticsParams,
    ShowMessageParams,
    TextDocumentContentChangeEvent,
)
from pygls.lsp.server import LanguageServer

import convlint
from convlint.integrations.lsp.code_actions import Changes
from convlint.integrations.lsp.diagnostics import READ, Pages, Shower, Shown, lines_from
from convlint.integrations.lsp.documents import Document, Documents
from convlint.integrations.lsp.linting import Judge
from convlint.integrations.lsp.positions import place
from convlint.integrations.lsp.protocol import Protocol
from convlint.integrations.lsp.run_facts import Facts

if TYPE_CHECKING:
    from pygls.server import ServerErrors

T = TypeVar("T")
DEBOUNCE = 0.05
"""Seconds without a keystroke after which a text is judged: less than between two of a fast typist's."""
REST = 0.5
"""Seconds without a keystroke after which the other open texts are judged that may lean on the one that changed."""


def _tidy() -> None:
    """Collect garbage while nobody waits: in the middle of a keystroke it took longer than all else. What the
    server itself is made of is looked through once.
    """
    gc.collect()
    if not gc.get_freeze_count():
        gc.freeze()


class Session(LanguageServer):
    """One editor's server. Texts are judged in one thread, one after the other; all else happens in the loop."""

    def __init__(self, baseline: str | None = None) -> None:
        super().__init__("convlint", convlint.__version__, protocol_cls=Protocol)
        self.baseline = baseline
        self.documents = Documents()
        self.pages = Pages()
        self.shower = Shower(self.documents, self.pages)
        self.changes = Changes(self.documents)
        self.judge = Judge(baseline)
        self.facts = Facts()
        self._running = asyncio.Lock()
        self._thread = ThreadPoolExecutor(1, "judging")
        self._read: dict[str, list[Shown]] = {}  # by the path of the text that was judged
        self._ran: dict[tuple[str, str], list[Shown]] = {}  # by project and target
        self._told: dict[str, list[tuple[Diagnostic, Shown]]] = {}  # by the path that it is told of
        self._sent: dict[str, tuple[Sequence[str], list[Diagnostic]]] = {}
        self._judged: dict[str, Sequence[str]] = {}  # the lines that a text had when it was judged
        self._awaited: dict[str, asyncio.Task[None]] = {}
        self._resting: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[Any]] = set()

    def adapt(self) -> None:
        """Speak as the editor understands it."""
        self.shower.adapt(self.client_capabilities, self.workspace.position_codec)
        self.changes.adapt(self.client_capabilities)

    async def in_thread(self, work: Callable[[], T]) -> T:
        """What ``work`` gives, called in the thread in which texts are judged."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def start(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Let something go on beside everything else."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """Context of a command that takes long: there is one at a time, and ``close`` ends it."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            async with self._running:
                yield
        finally:
            self._tasks.discard(task)

    async def close(self) -> None:
        """End everything that is going on: judging, and runs with their processes."""
        tasks = [*self._tasks, *self._awaited.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._thread.shutdown(wait=False, cancel_futures=True)
        self.pages.close()

    def report_server_error(self, error: Exception, source: ServerErrors) -> None:
        """Tell of a mistake of ours, unless nobody listens any more."""
        if not self.protocol._shutdown:  # noqa: SLF001 - as below
            super().report_server_error(error, source)

    def tell(self, text: str, kind: MessageType = MessageType.Error) -> None:
        """Show a message to the user."""
        self.window_show_message(ShowMessageParams(kind, text))

    # --- texts

    def buffers(self) -> dict[str, bytes]:
        """The contents of all open texts as they are now."""
        return {document.path: document.data for document in self.documents}

    def opened(self, document: Document) -> None:
        self.documents.open(document)
        self._await(document)

    def changed(
        self, uri: str, changes: Iterable[TextDocumentContentChangeEvent], version: int | None
    ) -> None:
        document = self.documents.of(uri)
        if document is not None:
            document.change(changes, version, self.shower.codec)
            self._await(document)

    def closed(self, uri: str) -> None:
        document = self.documents.close(uri)
        if document is not None:
            if waiting := self._awaited.pop(document.path, None):
                waiting.cancel()
            self._judged.pop(document.path, None)
            self._put(self._read, document.path, [])
            if (
                document.path in self._told
            ):  # its place in the editor is gone, what others found there is not
                self.publish(document.path)
            self.rest(0)

    def look_again(self) -> None:
        """Files on the disk or settings may have changed: judge all texts that lean on them."""
        self.judge.look_again()
        self.rest(0)

    def _await(self, document: Document) -> None:
        """Judge a text when nothing was typed for a moment."""
        if waiting := self._awaited.pop(document.path, None):
            waiting.cancel()
        task = asyncio.get_running_loop().create_task(self._judge_soon(document))
        self._awaited[document.path] = task

    async def _judge_soon(self, document: Document) -> None:
        await asyncio.sleep(DEBOUNCE)
        await self.judge_now(document)
        self.rest(REST)

    def rest(self, seconds: float) -> None:
        """Judge all open texts when so many seconds have passed; where nothing changed, that is known already."""
        if self._resting is not None:
            self._resting.cancel()
        self._resting = self.start(self._judge_all(seconds))

    async def _judge_all(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        for document in self.documents:
            await self.judge_now(document, anew=True)
        await self.in_thread(_tidy)

    async def judge_now(self, document: Document, *, anew: bool = False) -> None:
        """Judge a text as it is now, and tell what was found, unless that is told already."""
        if self._judged.get(document.path) is document.lines and not anew:
            return
        lines, buffers = document.lines, self.buffers()
        open_lines = {one.path: one.lines for one in self.documents}
        judged = await self.in_thread(lambda: self.judge.judge(document.path, buffers))
        if self.documents.at(document.path) is not document or document.lines is not lines:
            return  # typed on meanwhile: it is judged again
        lines_of, home = lines_from(open_lines, self.documents), document.path
        show = self.shower
        shown = [show.finding(f, READ, lines_of, home) for f in judged.findings]
        shown += [show.problem(p, READ, lines_of, home) for p in judged.problems]
        if any(f.code == "CVL901" for f in judged.findings):
            shown += self._before_mistake(document.path)
        self._judged[document.path] = lines
        self._put(self._read, document.path, shown)

    def _before_mistake(self, path: str) -> list[Shown]:
        """What was found before the text could not be parsed any more: nobody has mended it since."""
        return [s for s in self._read.get(path, ()) if s.finding and s.finding.code != "CVL901"]

    # --- what is told

    def put_run(self, root: str, target: str, shown: list[Shown]) -> None:
        """What the last run of a model found."""
        self._put(self._ran, (root, target), shown)

    def _put(self, kept: dict[Any, list[Shown]], key: Any, shown: list[Shown]) -> None:
        before = kept.pop(key, [])
        if shown:
            kept[key] = shown
        paths = dict.fromkeys(one.path for one in (*before, *shown))
        if isinstance(key, str):
            paths[key] = None
        for path in paths:
            self.publish(path)

    def publish(self, path: str) -> None:
        """Tell what is known of a file: what runs found, what was read in it, and what its importers show of it.
        What several say of one place is told once.
        """
        document = self.documents.at(path)
        lines = self.documents.lines(path)
        own = self._read.get(path, [])
        every = [*self._ran.values(), own, *(s for of, s in self._read.items() if of != path)]
        told: dict[object, tuple[Diagnostic, Shown]] = {}
        for one in (one for some in every for one in some if one.path == path):
            diagnostic = one.now(lines)
            if diagnostic is not None:
                start = diagnostic.range.start
                told.setdefault((diagnostic.code, start.line, start.character), (diagnostic, one))
        if told or path in self._told or document is not None:
            self._told[path] = list(told.values())
            found = [diagnostic for diagnostic, _ in told.values()]
            if self._sent.get(path) == (lines, found):
                return
            self._sent[path] = lines, found
            version = document.version if document and self.shower.versions else None
            uri = self.documents.uri(path)
            self.text_document_publish_diagnostics(PublishDiagnosticsParams(uri, found, version))

    async def told_at(self, document: Document) -> list[tuple[Diagnostic, Shown]]:
        """What is told of a text as it is now."""
        await self.judge_now(document)
        return list(self._told.get(document.path, ()))

    def place_in(self, document: Document, position: Position) -> tuple[int, int]:
        """The line and column of an editor's position."""
        return place(document.lines, position, self.shower.codec)

    @property
    def exit_code(self) -> int:
        """0 where the editor asked to shut down before it left, as the protocol wants it."""
        return 0 if self.protocol._shutdown else 1  # noqa: SLF001 - pygls ends the process itself, and loses it
