"""A whole review at the screen, from the case to what was decided, with the editor in between."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread

from cli.case import Case
from cli.screen import safe
from cli.screen.review.app import ReviewApp
from cli.screen.review.badges import badges
from cli.screen.review.decided import Decided, decided
from cli.screen.review.driver import TerminalDriver, put_back
from cli.screen.review.halves import follow
from cli.screen.review.halves import said as halves_said
from cli.screen.review.state import Edited, Item, Refusal, Renamed, State, amend
from cli.screen.review.subject import Apply, Edit, Interrupted, Outcome, Subject
from sandbox.changes import Change, File
from sandbox.errors import SandboxError, StateError
from sandbox.gate.blobs import Blobs

if TYPE_CHECKING:
    from sandbox.gate.diff import Hunk
    from sandbox.gate.provenance import Cause


async def hold(case: Case, changes: Sequence[Change]) -> Decided:
    """Let a person decide about these changes; nothing is decided if they leave. Raises KeyboardInterrupt on Ctrl-C."""
    from cli import environment

    said = environment.read()
    subject = await anyio.to_thread.run_sync(subject_of, case, changes)
    state = State({item.path: item for item in subject.items})
    at, note = b"", ""
    while True:
        app = ReviewApp(subject, state, driver=TerminalDriver, at=at, note=note)
        with put_back(has_color=said.color is not False):
            outcome = await shown(app)
        if app.failure is not None:
            raise app.failure
        state = app.state
        match outcome:
            case Apply():
                return await anyio.to_thread.run_sync(decided, state, subject.blobs)
            case Interrupted():
                raise KeyboardInterrupt
            case Edit(item):
                at = item.path
                state, note = await anyio.to_thread.run_sync(
                    amended, state, item, Editor(subject.blobs, said.editor, case.session.path)
                )
            case _:
                return Decided()


async def shown(app: ReviewApp) -> Outcome | None:
    """Run the screen to its end, with colours for its code."""
    async with anyio.create_task_group() as group:
        group.start_soon(app.colours.work)
        outcome = await app.run_async()
        group.cancel_scope.cancel()
    return outcome


def subject_of(case: Case, changes: Sequence[Change]) -> Subject:
    """What the screen shows of a case. Raises SettingsError."""
    from runtime.said import last_words

    blobs = Blobs(case.session.blobs)
    is_all = list(changes) == list(case.changes.pending)
    halves = _halves(changes, blobs)
    items = [item_of(case, change, halves.get(change.path)) for change in changes]
    if is_all:
        items += [item_of(case, change) for change in case.changes.changes if change.ignored]

    def why(change: Change) -> "Sequence[tuple[Hunk, tuple[Cause, ...]]]":
        from sandbox.gate import provenance

        return provenance.why(case.session, change, blobs)

    return Subject(
        title=safe.line(f"session {case.short} · {case.checkout}"),
        items=items,
        blobs=blobs,
        summary=last_words(case.session.transcript),
        why=why,
        too_much=case.mass_deletion,
        refused=case.changes.refused if is_all else (),
    )


def _halves(changes: Sequence[Change], blobs: Blobs) -> dict[bytes, Renamed]:
    """What is probably one file under another name, for both of its names."""
    from sandbox.gate.renames import renames

    before = {change.path: change.before for change in changes}
    try:
        found = renames(changes, blobs)
    except StateError:  # a content is damaged: said where that change is shown
        return {}
    old = {one.before_path: Renamed(one.after_path, one.similarity) for one in found}
    new = {one.after_path: Renamed(one.before_path, one.similarity, before[one.before_path]) for one in found}
    return {**old, **new}


def item_of(case: Case, change: Change, renamed: Renamed | None = None) -> Item:
    """A change with what the rules and effects say of it."""
    verdict = case.verdict(change)
    denied = verdict.reason if verdict.decision == "deny" else ""
    asks = verdict.reason if verdict.decision == "ask" and verdict.rule is not None else ""
    words = badges(change, verdict.effects, denied=denied, asks=asks, is_renamed=renamed is not None)
    return Item(change, words, denied, not verdict.is_ordinary, renamed)


@dataclass(frozen=True)
class Editor:
    """How a text is opened: the command, and the private folder where its copy lies meanwhile."""

    blobs: Blobs
    command: str
    folder: Path


def amended(state: State, item: Item, editor: Editor) -> tuple[State, str]:
    """The state with the user's own text in place of the sandbox's, and what to say about it."""
    from cli.editor import edited
    from cli.screen.conflicts import has_markers
    from sandbox.gate import decisions

    choice = state.choice(item.path)
    now = choice.change if isinstance(choice, Edited) else item.change
    try:
        text = _text(now, editor.blobs)
        found = edited(text, item.path, editor.command, editor.folder)
        if found is None:
            return state, f"nothing was changed: {editor.command or 'the editor'} could not be run, or it failed"
        if found == text:
            return state, "nothing was changed"
        if item.is_conflict and has_markers(found):
            return state, "there are conflict markers left in the text: edit it again, or choose something else"
        become = amend(state, item.path, decisions.edited(item.change, found, editor.blobs))
    except SandboxError as error:
        return state, str(error)
    if isinstance(become, Refusal):
        return state, become.reason
    become = follow(state, become, item)
    said = "edited by you, and accepted" if found else "emptied by you, and accepted: the file will be empty"
    return become, " · ".join(part for part in (said, halves_said(state, become, item)) if part)


def _text(change: Change, blobs: Blobs) -> bytes:
    """What is opened: the text as it would be applied; of a conflict, both sides with markers."""
    from sandbox.gate import decisions

    if change.moved:
        return decisions.both(change, blobs).text
    match change.after or change.before:
        case File(digest):
            return blobs.read(digest)
        case _:
            raise StateError("only the text of a file can be edited")
