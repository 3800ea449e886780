"""What the server can do, as an editor asks for it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from functools import partial

from lsprotocol import types
from pygls.exceptions import JsonRpcException
from pygls.uris import to_fs_path

from convlint.integrations.lsp import code_actions, commands, run_facts
from convlint.integrations.lsp.diagnostics import lines_from
from convlint.integrations.lsp.documents import Document, is_python
from convlint.integrations.lsp.positions import range_of
from convlint.integrations.lsp.session import Session
from convlint.ir import Finding
from convlint.source_text import edits
from convlint.support.errors import UsageError

_WATCHED = ("**/*.py", "**/pyproject.toml", "**/convlint.toml")


def server(baseline: str | None) -> Session:
    """A server with all that it can do."""
    session = Session(baseline)
    session.feature(types.INITIALIZE)(initialize)
    session.feature(types.INITIALIZED)(initialized)
    session.feature(types.SHUTDOWN)(shutdown)
    session.feature(types.TEXT_DOCUMENT_DID_OPEN)(did_open)
    session.feature(types.TEXT_DOCUMENT_DID_CHANGE)(did_change)
    session.feature(types.TEXT_DOCUMENT_DID_CLOSE)(did_close)
    session.feature(types.TEXT_DOCUMENT_DID_SAVE)(did_save)
    session.feature(types.WORKSPACE_DID_CHANGE_WATCHED_FILES)(did_change_watched_files)
    session.feature(types.TEXT_DOCUMENT_HOVER)(hover)
    session.feature(types.TEXT_DOCUMENT_CODE_LENS)(code_lens)
    kinds: list[types.CodeActionKind | str] = [
        types.CodeActionKind.QuickFix,
        types.CodeActionKind.RefactorRewrite,
        code_actions.OURS_ALL,
    ]
    can = types.CodeActionOptions(code_action_kinds=kinds)
    session.feature(types.TEXT_DOCUMENT_CODE_ACTION, can)(code_action)
    session.command(code_actions.RUN)(commands.run_models)
    session.command(code_actions.SUGGEST)(commands.suggest)
    return session


# --- beginning and end


def initialize(ls: Session, params: types.InitializeParams) -> None:
    folders = [folder.uri for folder in params.workspace_folders or []]
    root = to_fs_path(next(iter(folders), params.root_uri) or "")
    if root and os.path.isdir(root):
        os.chdir(root)  # as where the command line is used: paths are shown relative to it
    ls.adapt()


async def initialized(ls: Session, params: types.InitializedParams) -> None:
    """Ask to be told of files that change on the disk, where the editor can do that."""
    about = ls.client_capabilities.workspace
    watched = about and about.did_change_watched_files
    if watched and watched.dynamic_registration:
        options = types.DidChangeWatchedFilesRegistrationOptions(
            [types.FileSystemWatcher(glob_pattern=pattern) for pattern in _WATCHED]
        )
        method = types.WORKSPACE_DID_CHANGE_WATCHED_FILES
        registration = types.Registration(
            id="convlint.files", method=method, register_options=options
        )
        with suppress(
            JsonRpcException
        ):  # it cannot after all: saved files are looked at anew all the same
            await ls.client_register_capability_async(types.RegistrationParams([registration]))


async def shutdown(ls: Session, params: None) -> None:
    await ls.close()


# --- texts


def did_open(ls: Session, params: types.DidOpenTextDocumentParams) -> None:
    item = params.text_document
    if is_python(item.uri, str(item.language_id)):
        ls.opened(Document(item.uri, item.text, item.version))


def did_change(ls: Session, params: types.DidChangeTextDocumentParams) -> None:
    item = params.text_document
    ls.changed(item.uri, params.content_changes, item.version)


def did_close(ls: Session, params: types.DidCloseTextDocumentParams) -> None:
    ls.closed(params.text_document.uri)


def did_save(ls: Session, params: types.DidSaveTextDocumentParams) -> None:
    ls.look_again()


def did_change_watched_files(ls: Session, params: types.DidChangeWatchedFilesParams) -> None:
    ls.look_again()


# --- what is asked of a place


async def hover(ls: Session, params: types.HoverParams) -> types.Hover | None:
    document = ls.documents.of(params.text_document.uri)
    if document is None:
        return None
    text, split, place = document.text, document.lines, ls.place_in(document, params.position)
    here = ls.facts.at(document.path, split, *place)
    if here is None:
        built = await ls.in_thread(partial(run_facts.named_at, text, *place))
        found = (ls.facts.at(document.path, split, *one) for one in built)
        here = next((one for one in found if one is not None), None)
    if here is None:
        return None
    shown = types.MarkupContent(types.MarkupKind.Markdown, run_facts.hover(here))
    return types.Hover(shown, range_of(split, here.site, ls.shower.codec))


async def code_lens(ls: Session, params: types.CodeLensParams) -> list[types.CodeLens]:
    document = ls.documents.of(params.text_document.uri)
    if document is None:
        return []
    try:
        settings, targets = await ls.in_thread(partial(ls.judge.models_of, document.path))
    except UsageError:
        return []  # the settings are told of as a diagnostic
    found = []
    for target in targets:
        line = run_facts.line_of(target, document.path, document.text) - 1
        place = types.Range(types.Position(line, 0), types.Position(line, 0))
        title = run_facts.lens(target.text, ls.facts.of(settings.root, target.text))
        command = types.Command(title, code_actions.RUN, arguments=[document.uri, target.text])
        found.append(types.CodeLens(place, command))
    return found


async def code_action(ls: Session, params: types.CodeActionParams) -> list[types.CodeAction]:
    document = ls.documents.of(params.text_document.uri)
    if document is None:
        return []
    only = [str(getattr(kind, "value", kind)) for kind in params.context.only or ()]
    found: list[types.CodeAction] = []
    if code_actions.wants(only, types.CodeActionKind.QuickFix.value):
        told = await ls.told_at(document)
        here = [
            (shown.finding, diagnostic)
            for diagnostic, shown in told
            if shown.finding is not None
            and shown.holds(document.lines)  # if not, the text cannot be parsed: first things first
            and _touches(diagnostic.range, params.range)
        ]
        found += await _fixes(ls, document, here)
        found += await _silences(ls, document, here)
    if code_actions.wants(only, types.CodeActionKind.RefactorRewrite.value):
        found += await _suggestions(ls, document, params.range.start)
    if code_actions.wants(only, code_actions.OURS_ALL):
        found += await _all_fixes(ls, document)
    return found


def _touches(one: types.Range, other: types.Range) -> bool:
    return (one.start.line, one.start.character) <= (other.end.line, other.end.character) and (
        other.start.line,
        other.start.character,
    ) <= (one.end.line, one.end.character)


Told = Sequence[tuple[Finding, types.Diagnostic]]


async def _fixes(ls: Session, document: Document, told: Told) -> list[types.CodeAction]:
    """The fixes of findings that can be made in the texts as they are."""
    buffers, found = ls.buffers(), []
    lines_of = lines_from({one.path: one.lines for one in ls.documents}, ls.documents)
    versions = {one.path: one.version for one in ls.documents}
    for finding, diagnostic in told:
        fix = finding.fix
        if fix is None or fix.applicability == "display":
            continue
        if await ls.in_thread(partial(ls.judge.can_be_made, finding, buffers)):
            edit = ls.changes.of(ls.shower.edits(fix.edits, lines_of), versions)
            found.append(code_actions.fix(finding.code, fix, diagnostic, edit))
    return found


async def _silences(ls: Session, document: Document, told: Told) -> list[types.CodeAction]:
    """The comments that silence findings, where there can be one."""
    data, found = document.data, []
    for finding, diagnostic in told:
        silenced = await ls.in_thread(partial(ls.judge.silenced, finding, data))
        if silenced != data:
            edit = _replacing(ls, document, silenced)
            found.append(code_actions.silence(finding.code, diagnostic, edit))
    return found


async def _suggestions(
    ls: Session, document: Document, position: types.Position
) -> Sequence[types.CodeAction]:
    """The search for something cheaper, on a call that builds a layer of a configured model."""
    line, column = ls.place_in(document, position)
    try:
        _, targets = await ls.in_thread(partial(ls.judge.models_of, document.path))
        if not targets:
            return []
    except UsageError:
        return []  # the settings are told of as a diagnostic
    buffers = ls.buffers()
    work = partial(ls.judge.layer_call_at, document.path, line, column, buffers)
    if await ls.in_thread(work) is None:
        return []
    return [code_actions.suggest(target.text, document.uri, position) for target in targets]


async def _all_fixes(ls: Session, document: Document) -> Sequence[types.CodeAction]:
    buffers = ls.buffers()
    try:
        data = await ls.in_thread(partial(ls.judge.fixed, document.path, buffers))
    except (UsageError, edits.EditError):
        return []  # the settings are told of as a diagnostic, and so is a text that cannot be read
    if data == buffers[document.path]:
        return []
    return [code_actions.fix_all(_replacing(ls, document, data))]


def _replacing(ls: Session, document: Document, data: bytes) -> types.WorkspaceEdit:
    edit = code_actions.replaced(document, data, ls.shower.codec)
    return ls.changes.of({document.path: [edit]}, {document.path: document.version})
