"""The handlers of editor requests and notifications."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from functools import partial

from lsprotocol import types
from pygls.exceptions import JsonRpcException
from pygls.uris import to_fs_path

from convlint.integrations.lsp import code_actions, commands, hovers, inlay_hints, run_facts
from convlint.integrations.lsp.diagnostics import lines_from
from convlint.integrations.lsp.documents import Document, is_python
from convlint.integrations.lsp.positions import position, range_of
from convlint.integrations.lsp.server import ConvlintServer
from convlint.ir import Finding, Site
from convlint.source_text import edits
from convlint.support.errors import UsageError

_WATCHED = ("**/*.py", "**/pyproject.toml", "**/convlint.toml")


def create_server(baseline: str | None) -> ConvlintServer:
    """Create a server with all handlers and commands."""
    session = ConvlintServer(baseline)
    session.feature(types.INITIALIZE)(initialize)
    session.feature(types.INITIALIZED)(initialized)
    session.feature(types.SHUTDOWN)(shutdown)
    session.feature(types.TEXT_DOCUMENT_DID_OPEN)(did_open)
    session.feature(types.TEXT_DOCUMENT_DID_CHANGE)(did_change)
    session.feature(types.TEXT_DOCUMENT_DID_CLOSE)(did_close)
    session.feature(types.TEXT_DOCUMENT_DID_SAVE)(files_changed)
    session.feature(types.WORKSPACE_DID_CHANGE_WATCHED_FILES)(files_changed)
    session.feature(types.TEXT_DOCUMENT_HOVER)(hover)
    session.feature(types.TEXT_DOCUMENT_CODE_LENS)(code_lens)
    session.feature(types.TEXT_DOCUMENT_INLAY_HINT)(inlay_hint)
    session.feature(types.WORKSPACE_DID_CHANGE_CONFIGURATION)(settings_changed)
    quick, rewrite = types.CodeActionKind.QuickFix, types.CodeActionKind.RefactorRewrite
    can = types.CodeActionOptions(code_action_kinds=[quick, rewrite, code_actions.FIX_ALL_KIND])
    session.feature(types.TEXT_DOCUMENT_CODE_ACTION, can)(code_action)
    session.command(code_actions.RUN_COMMAND)(commands.run_models)
    session.command(code_actions.SUGGEST_COMMAND)(commands.suggest)
    return session


def initialize(ls: ConvlintServer, params: types.InitializeParams) -> None:
    folders = [folder.uri for folder in params.workspace_folders or []]
    root = to_fs_path(next(iter(folders), params.root_uri) or "")
    if root and os.path.isdir(root):
        os.chdir(root)  # paths are shown relative to it, as on the command line
    ls.set_options(params.initialization_options)
    ls.adapt()


async def initialized(ls: ConvlintServer, params: types.InitializedParams) -> None:
    """Register for changes of files on disk, if the editor supports that."""
    about = ls.client_capabilities.workspace
    watched = about and about.did_change_watched_files
    if watched and watched.dynamic_registration:
        options = types.DidChangeWatchedFilesRegistrationOptions(
            [types.FileSystemWatcher(glob_pattern=pattern) for pattern in _WATCHED]
        )
        method = types.WORKSPACE_DID_CHANGE_WATCHED_FILES
        registration = types.Registration(id="convlint.files", method=method, register_options=options)
        with suppress(JsonRpcException):  # without it, saving a document still lints all documents again
            await ls.client_register_capability_async(types.RegistrationParams([registration]))


async def shutdown(ls: ConvlintServer, params: None) -> None:
    await ls.close()


def did_open(ls: ConvlintServer, params: types.DidOpenTextDocumentParams) -> None:
    item = params.text_document
    if is_python(item.uri, str(item.language_id)):
        ls.open_document(Document(item.uri, item.text, item.version))


def did_change(ls: ConvlintServer, params: types.DidChangeTextDocumentParams) -> None:
    ls.change_document(params.text_document.uri, params.content_changes, params.text_document.version)


def did_close(ls: ConvlintServer, params: types.DidCloseTextDocumentParams) -> None:
    ls.close_document(params.text_document.uri)


def files_changed(ls: ConvlintServer, params: object) -> None:
    ls.files_changed()


def settings_changed(ls: ConvlintServer, params: types.DidChangeConfigurationParams) -> None:
    if ls.set_options(params.settings):
        ls.refresh_results()


async def hover(ls: ConvlintServer, params: types.HoverParams) -> types.Hover | None:
    document = ls.documents.by_uri(params.text_document.uri)
    if document is None:
        return None
    lines, place = document.lines, ls.place_in(document, params.position)
    line, column = place
    code = hovers.code_at(lines[line - 1], column) if line <= len(lines) else None
    if code is not None:
        site = Site(document.path, line, code[1], line, code[2])
        return _hover(ls, lines, site, [await ls.in_thread(partial(hovers.rules, [code[0]]))])
    shapes = await ls.static_shapes(document)
    modules = await ls.in_thread(partial(_modules, ls, document, shapes, *place))
    codes = [
        shown.finding.code
        for diagnostic, shown in await ls.diagnostics_of(document)
        if shown.finding is not None and diagnostic.range.start <= params.position <= diagnostic.range.end
    ]
    if lines is not document.lines or (modules is None and not codes):
        return None
    parts = [hovers.modules_table(modules)] if modules is not None else []
    if codes:
        parts.append(await ls.in_thread(partial(hovers.rules, codes)))
    return _hover(ls, lines, modules.site if modules is not None else None, parts)


def _modules(
    ls: ConvlintServer, document: Document, shapes: inlay_hints.KnownShapes, line: int, column: int
) -> run_facts.ModulesAtCall | None:
    """Return the modules that the call at a position built in the last run, or builds as static analysis knows."""
    path, lines = document.path, document.lines
    places = [(line, column), *hovers.assignments_at(document.text, line, column)]
    from_runs = (ls.facts.modules_at(path, lines, *place) for place in places)
    static = (hovers.static_modules_at(shapes, path, lines, *place) for place in places)
    return next((each for found in (from_runs, static) for each in found if each is not None), None)


def _hover(ls: ConvlintServer, lines: Sequence[str], site: Site | None, parts: Sequence[str]) -> types.Hover | None:
    text = "\n\n---\n\n".join(filter(None, parts))
    content = types.MarkupContent(types.MarkupKind.Markdown, text)
    place = None if site is None else range_of(lines, site, ls.diagnostics.codec)
    return types.Hover(content, place) if text else None


async def code_lens(ls: ConvlintServer, params: types.CodeLensParams) -> list[types.CodeLens]:
    document = ls.documents.by_uri(params.text_document.uri)
    if document is None:
        return []
    try:
        settings, targets = await ls.in_thread(partial(ls.linter.models_of, document.path))
    except UsageError:
        return []  # a diagnostic reports the error in the settings
    lenses = []
    for target in targets:
        line = run_facts.line_of(target, document.path, document.text) - 1
        place = types.Range(types.Position(line, 0), types.Position(line, 0))
        title = run_facts.lens(target.text, ls.facts.last_run(settings.root, target.text))
        command = types.Command(title, code_actions.RUN_COMMAND, arguments=[document.uri, target.text])
        lenses.append(types.CodeLens(place, command))
    return lenses


async def inlay_hint(ls: ConvlintServer, params: types.InlayHintParams) -> list[types.InlayHint]:
    document = ls.documents.by_uri(params.text_document.uri)
    if document is None or not ls.inlay_hints:
        return []
    shapes = await ls.static_shapes(document)
    lines = document.lines
    work = partial(inlay_hints.hints, document.path, document.text, shapes, ls.facts, ls.documents.lines)
    hints = []
    for site, label, tooltip in await ls.in_thread(work):
        place = position(lines, site.end_line, site.end_column, ls.diagnostics.codec)
        if params.range.start <= place <= params.range.end and lines is document.lines:
            content = types.MarkupContent(types.MarkupKind.Markdown, tooltip)
            kind = types.InlayHintKind.Type
            hints.append(types.InlayHint(place, label, kind, tooltip=content, padding_left=True))
    return hints


async def code_action(ls: ConvlintServer, params: types.CodeActionParams) -> list[types.CodeAction]:
    document = ls.documents.by_uri(params.text_document.uri)
    if document is None:
        return []
    only = [str(getattr(kind, "value", kind)) for kind in params.context.only or ()]
    actions: list[types.CodeAction] = []
    if code_actions.is_requested(only, types.CodeActionKind.QuickFix.value):
        published = await ls.diagnostics_of(document)
        here = [
            (shown.finding, diagnostic)
            for diagnostic, shown in published
            if shown.finding is not None
            and shown.is_current(document.lines)  # otherwise the document has a syntax error, to be fixed first
            and diagnostic.range.start <= params.range.end
            and params.range.start <= diagnostic.range.end
        ]
        actions += await _fixes(ls, document, here)
        actions += await _suppressions(ls, document, here)
    if code_actions.is_requested(only, types.CodeActionKind.RefactorRewrite.value):
        actions += await _suggestions(ls, document, params.range.start)
    if code_actions.is_requested(only, code_actions.FIX_ALL_KIND):
        actions += await _all_fixes(ls, document)
    return actions


Findings = Sequence[tuple[Finding, types.Diagnostic]]


async def _fixes(ls: ConvlintServer, document: Document, findings: Findings) -> list[types.CodeAction]:
    buffers, actions = ls.buffers(), []
    lines_of = lines_from({each.path: each.lines for each in ls.documents}, ls.documents)
    versions = {each.path: each.version for each in ls.documents}
    for finding, diagnostic in findings:
        for title, preferred, changes in code_actions.fixes(finding):
            if await ls.in_thread(partial(ls.linter.can_apply, changes, buffers)):
                edit = ls.edits.create(ls.diagnostics.edits(changes, lines_of), versions)
                actions.append(code_actions.quick_fix(title, diagnostic, edit, preferred=preferred))
    return actions


async def _suppressions(ls: ConvlintServer, document: Document, findings: Findings) -> list[types.CodeAction]:
    data, actions = document.data, []
    for finding, diagnostic in findings:
        silenced = await ls.in_thread(partial(ls.linter.with_noqa, finding, data))
        if silenced != data:
            edit = _replace_document(ls, document, silenced)
            actions.append(code_actions.quick_fix(f"Suppress {finding.code} with # noqa", diagnostic, edit))
    return actions


async def _suggestions(ls: ConvlintServer, document: Document, position: types.Position) -> Sequence[types.CodeAction]:
    """Return the search for cheaper layers, on a call that builds a layer of a configured model."""
    line, column = ls.place_in(document, position)
    try:
        _, targets = await ls.in_thread(partial(ls.linter.models_of, document.path))
    except UsageError:
        return []  # a diagnostic reports the error in the settings
    work = partial(ls.linter.layer_call_at, document.path, line, column, ls.buffers())
    if not targets or await ls.in_thread(work) is None:
        return []
    return [code_actions.suggest(target.text, document.uri, position) for target in targets]


async def _all_fixes(ls: ConvlintServer, document: Document) -> Sequence[types.CodeAction]:
    buffers = ls.buffers()
    try:
        data = await ls.in_thread(partial(ls.linter.fix_all, document.path, buffers))
    except (UsageError, edits.EditError):
        return []  # these errors are diagnostics already
    if data == buffers[document.path]:
        return []
    return [code_actions.fix_all(_replace_document(ls, document, data))]


def _replace_document(ls: ConvlintServer, document: Document, data: bytes) -> types.WorkspaceEdit:
    edit = code_actions.replacement(document, data, ls.diagnostics.codec)
    return ls.edits.create({document.path: [edit]}, {document.path: document.version})
