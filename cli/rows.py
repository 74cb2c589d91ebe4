"""A change set for programs: the shape that docs/gate.md describes, the same for `status` and `diff`."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sandbox.changes import Change, Directory, File, Link, Node, Refused

if TYPE_CHECKING:
    from cli.case import Case
    from sandbox.gate.blobs import Blobs
    from sandbox.gate.preimages import Conflict
    from sandbox.gate.renames import Rename
    from sandbox.sessions import Session


def rows(case: "Case", changes: Sequence[Change] | None = None, *, with_hunks: bool = False) -> dict[str, Any]:
    """What waits (None: all pending), what is ignored and what can never leave."""
    from sandbox.gate.blobs import Blobs
    from sandbox.gate.renames import renames

    blobs = Blobs(case.session.blobs)
    asked = case.changes.pending if changes is None else changes
    moves = _moves(renames(asked, blobs))
    return {
        "changes": [row(case, change, blobs, with_hunks=with_hunks) | moves.get(change.path, {}) for change in asked],
        "ignored": [row(case, change, blobs) for change in case.changes.changes if change.ignored],
        "refused": refused(case),
    }


def refused(case: "Case") -> list[dict[str, Any]]:
    """What can never leave, each with the reason and the number of entries it stands for."""
    return [{**reasoned(one), "count": one.count} for one in case.changes.refused]


def reasoned(one: "Conflict | Refused") -> dict[str, str]:
    """A path, and why nothing became of it."""
    return {**name(one.path), "reason": one.reason}


def row(case: "Case", change: Change, blobs: "Blobs", *, with_hunks: bool = False) -> dict[str, Any]:
    """One change. `added` and `removed` are lines, null where there are none to count."""
    from sandbox.gate.diff import counts

    counted = counts(change, blobs)
    added, removed = counted or (None, None)
    return {
        **name(change.path),
        "kind": change.kind,
        "before": node(change.before),
        "after": node(change.after),
        "added": added,
        "removed": removed,
        "ignored": change.ignored,
        "moved": change.moved,
        "merged": change.settles is not None,
        **judged(case, change),
        **({"hunks": hunks(case.session, change, blobs)} if with_hunks else {}),
        **({"causes": causes(case.session, change.path)} if with_hunks else {}),
    }


def judged(case: "Case", change: Change) -> dict[str, Any]:
    """What the rules and the effects say. `rule` is null where none decided."""
    verdict = case.verdict(change)
    rule = verdict.rule
    return {
        "effects": [{"effect": one.effect.value, "reason": one.reason} for one in verdict.effects],
        "verdict": {
            "decision": verdict.decision,
            "ordinary": verdict.is_ordinary,
            "reason": verdict.reason,
            "rule": rule and {"text": rule.text, "where": rule.where},
        },
    }


def name(path: bytes, key: str = "path") -> dict[str, str]:
    """A path as text; one that is not UTF-8 has U+FFFD in it, and its bytes beside it."""
    try:
        return {key: path.decode()}
    except UnicodeDecodeError:
        return {key: path.decode("utf-8", "replace"), f"{key}_hex": path.hex()}


def node(found: Node | None) -> Mapping[str, Any] | None:
    """One side of a change; null where there is nothing."""
    match found:
        case None:
            return None
        case File(digest, size, executable):
            return {"type": "file", "sha256": digest, "size": size, "mode": "755" if executable else "644"}
        case Link(target):
            return {"type": "link", **name(target, "target")}
        case Directory():
            return {"type": "folder"}


def hunks(session: "Session", change: Change, blobs: "Blobs") -> list[dict[str, Any]]:
    """The hunks as `paddock apply --hunks` numbers them: first line and count of both sides, and the calls behind."""
    from sandbox.gate.provenance import why

    return [
        {
            "number": number,
            "old": [one.old_start, one.old_count],
            "new": [one.new_start, one.new_count],
            "causes": [cause.call for cause in behind],
        }
        for number, (one, behind) in enumerate(why(session, change, blobs), start=1)
    ]


def causes(session: "Session", path: bytes) -> list[dict[str, Any]]:
    """Whose doing a path is, oldest first. `summary` is the model's own text."""
    from sandbox.gate.provenance import causes as causes_of

    return [
        {
            "call": one.call,
            "tool": one.tool,
            "summary": one.summary,
            "agent": one.agent,
            "at": one.at and one.at.isoformat(),
            "manner": one.manner,
        }
        for one in causes_of(session, path)
    ]


def _moves(found: "Iterable[Rename]") -> dict[bytes, dict[str, Any]]:
    """What a rename says of the two paths it is about."""
    moves: dict[bytes, dict[str, Any]] = {}
    for one in found:
        moves[one.after_path] = {"renamed_from": {**name(one.before_path), "similarity": one.similarity}}
        moves[one.before_path] = {"renamed_to": {**name(one.after_path), "similarity": one.similarity}}
    return moves
