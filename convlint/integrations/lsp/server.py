"""The language server: open documents, their diagnostics, and the results of model runs."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeVar

from lsprotocol import types
from pygls.lsp.server import LanguageServer

import convlint
from convlint.integrations.lsp.code_actions import WorkspaceEdits
from convlint.integrations.lsp.diagnostics import STATIC, DiagnosticBuilder, FileDiagnostic, RulePages, lines_from
from convlint.integrations.lsp.documents import Document, Documents
from convlint.integrations.lsp.inlay_hints import KnownShapes
from convlint.integrations.lsp.linting import EditorLinter
from convlint.integrations.lsp.positions import place
from convlint.integrations.lsp.protocol import Protocol
from convlint.integrations.lsp.run_facts import RunFacts

if TYPE_CHECKING:
    from pygls.server import ServerErrors

T = TypeVar("T")
DEBOUNCE = 0.05  # seconds without a keystroke until a document is linted; fast typists need longer for the next one
IDLE = 0.5  # seconds without a keystroke until the other open documents are linted, which may import the changed one
LINTS_WITHOUT_COLLECTION = 10  # while the user types without a pause; a collection takes as long as linting a file


def _collect_garbage() -> None:
    """Collect garbage, which Python itself would do too late: what linting leaves is in cycles and young."""
    gc.collect()
    if not gc.get_freeze_count():
        gc.freeze()  # the objects of the server itself are examined only once


class ConvlintServer(LanguageServer):
    """The server of one editor: one thread lints documents, one after the other, and the event loop does the rest."""

    def __init__(self, baseline: str | None = None) -> None:
        super().__init__("convlint", convlint.__version__, protocol_cls=Protocol)
        self.baseline = baseline
        self.documents = Documents()
        self.rule_pages = RulePages()
        self.diagnostics = DiagnosticBuilder(self.documents, self.rule_pages)
        self.edits = WorkspaceEdits(self.documents)
        self.linter = EditorLinter(baseline)
        self.facts = RunFacts()
        self.inlay_hints = True
        self._running = asyncio.Lock()
        self._thread = ThreadPoolExecutor(1, "convlint-linting")
        self._static: dict[str, list[FileDiagnostic]] = {}  # by the path of the linted document
        self._from_runs: dict[tuple[str, str], list[FileDiagnostic]] = {}  # by project and target
        self._published: dict[str, list[tuple[types.Diagnostic, FileDiagnostic]]] = {}  # by the path of their file
        self._last_messages: dict[str, tuple[Sequence[str], list[types.Diagnostic]]] = {}
        self._linted_lines: dict[str, Sequence[str]] = {}  # the lines of a document when it was linted
        self._scheduled: dict[str, asyncio.Task[None]] = {}
        self._shapes: dict[str, tuple[Sequence[object], KnownShapes]] = {}  # of documents, and what they were made of
        self._lints = 0  # since garbage was collected
        self._idle_task: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[Any]] = set()

    def adapt(self) -> None:
        self.diagnostics.adapt(self.client_capabilities, self.workspace.position_codec)
        self.edits.adapt(self.client_capabilities)

    def set_options(self, options: object) -> bool:
        """Take the editor's options for this server, ``{"inlayHints": false}``, which may be under ``convlint``.

        Returns whether something changed.
        """
        own = options.get("convlint", options) if isinstance(options, dict) else None
        wanted = own.get("inlayHints") if isinstance(own, dict) else None
        if not isinstance(wanted, bool) or wanted == self.inlay_hints:
            return False
        self.inlay_hints = wanted
        return True

    def refresh_results(self) -> None:
        """Make the editor request code lenses and inlay hints again."""
        workspace = self.client_capabilities.workspace
        if workspace and workspace.code_lens and workspace.code_lens.refresh_support:
            self.start_task(self.workspace_code_lens_refresh_async(None))
        if workspace and workspace.inlay_hint and workspace.inlay_hint.refresh_support:
            self.start_task(self.workspace_inlay_hint_refresh_async(None))

    async def in_thread(self, work: Callable[[], T]) -> T:
        """Call ``work`` in the linting thread and return its result."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def start_task(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Start a task that ``close`` ends."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    @asynccontextmanager
    async def exclusive_run(self) -> AsyncIterator[None]:
        """Context of a long command: only one runs at a time, and ``close`` ends it."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            async with self._running:
                yield
        finally:
            self._tasks.discard(task)

    async def close(self) -> None:
        """End all tasks: linting, and runs with their processes."""
        tasks = [*self._tasks, *self._scheduled.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._thread.shutdown(wait=False, cancel_futures=True)
        self.rule_pages.close()

    def report_server_error(self, error: Exception, source: ServerErrors) -> None:
        """Report an internal error, unless the editor has shut the server down."""
        if not self.protocol._shutdown:  # noqa: SLF001 - as in exit_code
            super().report_server_error(error, source)

    def show(self, text: str, kind: types.MessageType = types.MessageType.Error) -> None:
        self.window_show_message(types.ShowMessageParams(kind, text))

    def buffers(self) -> dict[str, bytes]:
        """Return the present contents of all open documents, by path."""
        return {document.path: document.data for document in self.documents}

    def open_document(self, document: Document) -> None:
        self.documents.open(document)
        self._schedule(document)

    def change_document(
        self, uri: str, changes: Iterable[types.TextDocumentContentChangeEvent], version: int | None
    ) -> None:
        document = self.documents.by_uri(uri)
        if document is not None:
            document.change(changes, version, self.diagnostics.codec)
            self._schedule(document)

    def close_document(self, uri: str) -> None:
        document = self.documents.close(uri)
        if document is not None:
            self._unschedule(document)
            self._linted_lines.pop(document.path, None)
            self._shapes.pop(document.path, None)
            self._set_static_diagnostics(document.path, [])
            if document.path in self._published:  # diagnostics from other files and runs remain
                self.publish(document.path)
            self.start_task(self.in_thread(partial(self.linter.forget, document.path)))
            self.lint_all_after(0)

    def files_changed(self) -> None:
        """Lint all documents again, because files on disk or settings may have changed."""
        self.linter.forget_models()
        self.lint_all_after(0)

    def _schedule(self, document: Document) -> None:
        """Lint a document once the user pauses typing."""
        self._unschedule(document)
        self._scheduled[document.path] = asyncio.get_running_loop().create_task(self._lint_soon(document))

    def _unschedule(self, document: Document) -> None:
        if waiting := self._scheduled.pop(document.path, None):
            waiting.cancel()

    async def _lint_soon(self, document: Document) -> None:
        await asyncio.sleep(DEBOUNCE)
        await self.lint_document(document)
        self.lint_all_after(IDLE)

    def lint_all_after(self, seconds: float) -> None:
        """Lint all open documents after a delay; results of unchanged ones are cached."""
        if self._idle_task is not None:
            self._idle_task.cancel()
        self._idle_task = self.start_task(self._lint_all(seconds))

    async def _lint_all(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        for document in self.documents:
            await self.lint_document(document, force=True)
        await self._collect_garbage()

    async def _collect_garbage(self) -> None:
        self._lints = 0
        await self.in_thread(_collect_garbage)

    async def lint_document(self, document: Document, *, force: bool = False) -> None:
        """Lint a document and publish its diagnostics, unless that was done for the present text."""
        if self._linted_lines.get(document.path) is document.lines and not force:
            return
        lines, buffers = document.lines, self.buffers()
        open_lines = {each.path: each.lines for each in self.documents}
        result = await self.in_thread(lambda: self.linter.lint(document.path, buffers))
        if self.documents.by_path(document.path) is not document or document.lines is not lines:
            return  # the document changed meanwhile and will be linted again
        lines_of, home = lines_from(open_lines, self.documents), document.path
        build = self.diagnostics
        diagnostics = [build.finding(f, STATIC, lines_of, home) for f in result.findings]
        diagnostics += [build.problem(p, STATIC, lines_of, home) for p in result.problems]
        if any(f.code == "CVL901" for f in result.findings):
            # Those from before a syntax error still hold while the user types.
            diagnostics += [s for s in self._static.get(document.path, ()) if s.finding and s.finding.code != "CVL901"]
        self._linted_lines[document.path] = lines
        self._set_static_diagnostics(document.path, diagnostics)
        self._lints += 1
        if self._lints >= LINTS_WITHOUT_COLLECTION:
            await self._collect_garbage()

    def set_run_diagnostics(self, root: str, target: str, diagnostics: list[FileDiagnostic]) -> None:
        """Set the diagnostics of the last run of a model, and publish the files that they change."""
        before = self._from_runs.pop((root, target), [])
        if diagnostics:
            self._from_runs[root, target] = diagnostics
        for path in dict.fromkeys(each.path for each in (*before, *diagnostics)):
            self.publish(path)

    def _set_static_diagnostics(self, path: str, diagnostics: list[FileDiagnostic]) -> None:
        """Set the diagnostics from linting a document, and publish the files that they change."""
        before = self._static.pop(path, [])
        if diagnostics:
            self._static[path] = diagnostics
        for changed in dict.fromkeys([*(each.path for each in (*before, *diagnostics)), path]):
            self.publish(changed)

    def publish(self, path: str) -> None:
        """Publish the diagnostics of a file, equal ones once: from runs, from linting it, and from its importers."""
        document = self.documents.by_path(path)
        lines = self.documents.lines(path)
        from_importers = (found for other, found in self._static.items() if other != path)
        groups = [*self._from_runs.values(), self._static.get(path, []), *from_importers]
        published: dict[object, tuple[types.Diagnostic, FileDiagnostic]] = {}
        for each in chain.from_iterable(groups):
            diagnostic = each.moved_to(lines) if each.path == path else None
            if diagnostic is not None:
                start = diagnostic.range.start
                published.setdefault((diagnostic.code, start.line, start.character), (diagnostic, each))
        if not published and path not in self._published and document is None:
            return
        self._published[path] = list(published.values())
        message = [diagnostic for diagnostic, _ in published.values()]
        if self._last_messages.get(path) == (lines, message):
            return
        self._last_messages[path] = lines, message
        if not published and document is None:
            del self._published[path], self._last_messages[path]
        version = document.version if document and self.diagnostics.versions else None
        uri = self.documents.uri(path)
        self.text_document_publish_diagnostics(types.PublishDiagnosticsParams(uri, message, version))

    async def diagnostics_of(self, document: Document) -> list[tuple[types.Diagnostic, FileDiagnostic]]:
        """Return the published diagnostics of the present text of a document."""
        await self.lint_document(document)
        return list(self._published.get(document.path, ()))

    async def static_shapes(self, document: Document) -> KnownShapes:
        """Return the shapes that static analysis knows in a document, after the present text is linted; of the last
        text without a syntax error.
        """
        await asyncio.sleep(DEBOUNCE)
        await self.lint_document(document)
        lines, buffers = document.lines, self.buffers()
        made_of = (self.linter.generation, *(each.lines for each in self.documents))
        before, known = self._shapes.get(document.path, ((), KnownShapes(lines)))
        if len(before) == len(made_of) and all(one is other for one, other in zip(before, made_of, strict=True)):
            return known
        shapes = await self.in_thread(lambda: self.linter.shapes(document.path, buffers))
        known = KnownShapes(lines, shapes) if shapes is not None else known
        if self.documents.by_path(document.path) is document:
            self._shapes[document.path] = made_of, known
        return known

    def place_in(self, document: Document, position: types.Position) -> tuple[int, int]:
        return place(document.lines, position, self.diagnostics.codec)

    @property
    def exit_code(self) -> int:
        """0 if the editor requested a shutdown before it exited, as the protocol demands, else 1."""
        return 0 if self.protocol._shutdown else 1  # noqa: SLF001 - pygls has no public attribute
