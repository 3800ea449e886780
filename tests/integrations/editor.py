"""An editor for the tests of the language server: a real client, which keeps its texts in UTF-16 as editors do."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from lsprotocol import types
from lsprotocol.converters import get_converter
from pytest_lsp import LanguageClient, client_capabilities, make_test_lsp_client

COMMAND = (sys.executable, "-m", "convlint", "server")
MARK = "CONVLINT_TEST_OF"
"""A variable that every process has which a server started."""
_LINE_ENDS = re.compile("\r\n|\r|\n")
_CODECS = {"utf-8": ("utf-8", 1), "utf-16": ("utf-16-le", 2), "utf-32": ("utf-32-le", 4)}


def encoded_offset(text: str, place: types.Position, encoding: str) -> int:
    """The byte of an encoded text that a position stands for, as the protocol describes it."""
    codec, size = _CODECS[encoding]
    starts = [0, *(match.end() for match in _LINE_ENDS.finditer(text))]
    return len(text[: starts[place.line]].encode(codec)) + place.character * size


def edited(text: str, edits: Iterable[Any], encoding: str = "utf-16") -> str:
    """A text after edits, made on its encoded bytes from the last to the first."""
    codec, _ = _CODECS[encoding]
    for edit in sorted(edits, key=lambda e: (e.range.start.line, e.range.start.character))[::-1]:
        data = text.encode(codec)
        start = encoded_offset(text, edit.range.start, encoding)
        end = encoded_offset(text, edit.range.end, encoding)
        text = (data[:start] + edit.new_text.encode(codec) + data[end:]).decode(codec)
    return text


def underlined(text: str, diagnostic: types.Diagnostic, encoding: str = "utf-16") -> str:
    """The text that a diagnostic is about."""
    codec, _ = _CODECS[encoding]
    place = diagnostic.range
    start, end = (encoded_offset(text, p, encoding) for p in (place.start, place.end))
    return text.encode(codec)[start:end].decode(codec)


def _action(given: Any, _: type) -> types.Command | types.CodeAction:
    """An action that has a command is not one: lsprotocol 2025.0.0 takes it for one."""
    kind = types.Command if isinstance(given.get("command"), str) else types.CodeAction
    return get_converter().structure(given, kind)


class Editor:
    """An editor with a server, in a folder. ``answers`` says which button it presses for a message."""

    def __init__(self, folder: Path, encoding: str = "utf-16") -> None:
        self.folder = folder
        self.encoding = encoding
        self.texts: dict[str, str] = {}
        self.published: dict[str, types.PublishDiagnosticsParams] = {}
        self.asked: list[types.ShowMessageRequestParams] = []
        self.press: Callable[[Sequence[str]], str | None] = lambda titles: titles[0]
        self.registered: list[str] = []
        self.client: LanguageClient = make_test_lsp_client()
        self.client.protocol._converter.register_structure_hook(types.Command | types.CodeAction, _action)
        self._versions: dict[str, int] = {}
        self._changed = asyncio.Event()
        self._add_features()

    def _add_features(self) -> None:
        client = self.client
        del client.protocol.fm.features[types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS]

        @client.feature(types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)
        def published(params: types.PublishDiagnosticsParams) -> None:
            self.published[params.uri] = params
            self._changed.set()

        @client.feature(types.WINDOW_SHOW_MESSAGE_REQUEST)
        def asked(params: types.ShowMessageRequestParams) -> types.MessageActionItem | None:
            self.asked.append(params)
            title = self.press([action.title for action in params.actions or []])
            return None if title is None else types.MessageActionItem(title)

        @client.feature(types.WORKSPACE_APPLY_EDIT)
        def apply(params: types.ApplyWorkspaceEditParams) -> types.ApplyWorkspaceEditResult:
            done = self.apply(params.edit)
            self._changed.set()
            return types.ApplyWorkspaceEditResult(done)

        @client.feature(types.CLIENT_REGISTER_CAPABILITY)
        def register(params: types.RegistrationParams) -> None:
            self.registered += [one.method for one in params.registrations]

        @client.feature(types.WORKSPACE_CODE_LENS_REFRESH)
        def refresh(_: None) -> None:
            return None

    async def start(
        self, *options: str, client: str = "visual-studio-code", mark: str = "", **env: str
    ) -> types.InitializeResult:
        environment = {**os.environ, MARK: mark or str(self.folder), **env}
        await self.client.start_io(*COMMAND, *options, env=environment)
        capabilities = client_capabilities(client) if client else types.ClientCapabilities()
        if about := capabilities.text_document:
            assert about.publish_diagnostics is not None
            about.publish_diagnostics.version_support = True  # so that a test knows what it waits for
        general = capabilities.general or types.GeneralClientCapabilities()
        general.position_encodings = [self.encoding]
        capabilities.general = general
        folder = types.WorkspaceFolder(self.folder.as_uri(), "folder")
        params = types.InitializeParams(capabilities=capabilities, root_uri=folder.uri, workspace_folders=[folder])
        return await self.client.initialize_session(params)

    async def stop(self) -> int | None:
        """Say goodbye as the protocol wants it, and give the exit code."""
        await self.client.shutdown_session()
        server = self.client._server
        await self.client.stop()
        return server.returncode if server else None

    # what a user does

    def uri(self, name: str) -> str:
        return name if ":" in name else (self.folder / name).as_uri()

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
        return path

    def open(self, name: str, text: str | None = None, *, language: str = "python") -> str:
        """Open a file, or a text that stands for it and is not saved."""
        uri = self.uri(name)
        self.texts[uri] = (self.folder / name).read_bytes().decode() if text is None else text
        self._versions[uri] = 1
        item = types.TextDocumentItem(uri, language, 1, self.texts[uri])
        self.client.text_document_did_open(types.DidOpenTextDocumentParams(item))
        return self.texts[uri]

    def type(self, name: str, old: str, new: str) -> str:
        """Replace the only ``old`` in a text, in one change."""
        uri, text = self.uri(name), self.texts[self.uri(name)]
        assert text.count(old) == 1, f"{old!r} is there {text.count(old)} times"
        start = text.index(old)
        place = types.Range(self._place(text, start), self._place(text, start + len(old)))
        change = types.TextDocumentContentChangePartial(place, new)
        self._send(uri, [change], text[:start] + new + text[start + len(old) :])
        return self.texts[uri]

    def replace(self, name: str, text: str) -> None:
        """Replace the whole text."""
        change = types.TextDocumentContentChangeWholeDocument(text)
        self._send(self.uri(name), [change], text)

    def _send(self, uri: str, changes: Sequence[Any], text: str) -> None:
        self.texts[uri] = text
        self._versions[uri] += 1
        item = types.VersionedTextDocumentIdentifier(self._versions[uri], uri)
        params = types.DidChangeTextDocumentParams(item, list(changes))
        self.client.text_document_did_change(params)

    def _place(self, text: str, index: int) -> types.Position:
        ends = [match.end() for match in _LINE_ENDS.finditer(text, 0, index)]
        codec, size = _CODECS[self.encoding]
        line = text[ends[-1] if ends else 0 : index]
        return types.Position(len(ends), len(line.encode(codec)) // size)

    def close(self, name: str) -> None:
        item = types.TextDocumentIdentifier(self.uri(name))
        self.client.text_document_did_close(types.DidCloseTextDocumentParams(item))
        del self.texts[self.uri(name)]

    def save(self, name: str) -> None:
        """Write an open text to its file, and say so."""
        self.write(name, self.texts[self.uri(name)])
        item = types.TextDocumentIdentifier(self.uri(name))
        self.client.text_document_did_save(types.DidSaveTextDocumentParams(item))

    def changed_on_disk(self, *names: str) -> None:
        kind = types.FileChangeType.Changed
        events = [types.FileEvent(self.uri(name), kind) for name in names]
        params = types.DidChangeWatchedFilesParams(events)
        self.client.workspace_did_change_watched_files(params)

    def apply(self, edit: types.WorkspaceEdit) -> bool:
        """Make the changes of an edit as a user's editor does; none of them if a version is another by now."""
        changes = {uri: (None, list(edits)) for uri, edits in (edit.changes or {}).items()} | {
            one.text_document.uri: (one.text_document.version, list(one.edits)) for one in edit.document_changes or ()
        }
        if any(v is not None and v != self._versions[u] for u, (v, _) in changes.items()):
            return False
        for uri, (_, edits) in changes.items():
            text = edited(self.texts[uri], edits, self.encoding)
            self._send(uri, [types.TextDocumentContentChangeWholeDocument(text)], text)
        return True

    # what a user sees

    async def until(self, holds: Callable[[], bool], seconds: float = 30) -> None:
        """Wait until something holds of what the server has said."""

        async def wait() -> None:
            while not holds():
                self._changed.clear()
                try:
                    await asyncio.wait_for(self._changed.wait(), 0.1)
                except TimeoutError:
                    continue

        await asyncio.wait_for(wait(), seconds)

    def shown(self, name: str) -> list[types.Diagnostic]:
        """What is told of a file right now."""
        params = self.published.get(self.uri(name))
        return list(params.diagnostics) if params else []

    def codes(self, name: str) -> list[str]:
        return sorted(str(one.code) for one in self.shown(name))

    async def told(self, name: str) -> list[types.Diagnostic]:
        """What is told of a text once it has been judged as it is now."""
        uri = self.uri(name)
        await self.until(lambda: uri in self.published and self.published[uri].version == self._versions[uri])
        return self.shown(name)

    async def actions(self, name: str, place: types.Range | types.Position, *only: str) -> list[types.CodeAction]:
        if isinstance(place, types.Position):
            place = types.Range(place, place)
        context = types.CodeActionContext(diagnostics=self.shown(name), only=list(only) or None)
        item = types.TextDocumentIdentifier(self.uri(name))
        params = types.CodeActionParams(item, place, context)
        return list(await self.client.text_document_code_action_async(params) or [])

    async def hover(self, name: str, text: str, offset: int = 0) -> str | None:
        """What is shown over a text, which is there once."""
        item, place = types.TextDocumentIdentifier(self.uri(name)), self.place(name, text, offset)
        hover = await self.client.text_document_hover_async(types.HoverParams(item, place))
        return None if hover is None else hover.contents.value

    def place(self, name: str, text: str, offset: int = 0) -> types.Position:
        whole = self.texts[self.uri(name)]
        assert whole.count(text) == 1
        return self._place(whole, whole.index(text) + offset)

    async def lenses(self, name: str) -> list[types.CodeLens]:
        item = types.TextDocumentIdentifier(self.uri(name))
        params = types.CodeLensParams(item)
        return list(await self.client.text_document_code_lens_async(params) or [])

    async def command(self, command: str, *arguments: Any) -> Any:
        params = types.ExecuteCommandParams(command, list(arguments))
        return await self.client.workspace_execute_command_async(params)

    @property
    def messages(self) -> list[str]:
        return [message.message for message in self.client.messages]


def processes(mark: str) -> list[int]:
    """The processes that a server left or is running, itself included."""
    wanted, found = f"{MARK}={mark}".encode(), []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
                if state != "Z" and wanted in (entry / "environ").read_bytes().split(b"\0"):
                    found.append(int(entry.name))
            except OSError:
                continue  # it has ended, or is another user's
    return found


def kill(processes: Iterable[int]) -> None:
    for process in processes:
        os.kill(process, signal.SIGKILL)
