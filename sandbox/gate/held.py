"""What has to wait because something else does: a part of a change set that can be applied by itself."""

from collections.abc import Collection

from sandbox.changes import Change, Directory, File, Link
from sandbox.gate.folders import above


def independent(wanted: Collection[Change], every: Collection[Change]) -> list[Change]:
    """Those of the wanted changes that do not wait for one of `every` that is not wanted."""
    going = {change.path for change in wanted}
    held = held_with(every, {change.path for change in every} - going)
    return [change for change in wanted if change.path not in held]


def held_with(changes: Collection[Change], held: Collection[bytes]) -> frozenset[bytes]:
    """The paths among `changes` that cannot be applied while those in `held` are not.

    A folder does not go while something in it stays, and nothing comes into what is not a folder yet.
    """
    by_path = {change.path: change for change in changes}
    waiting = [by_path[path] for path in held if path in by_path]
    full = {folder for change in waiting if change.before is not None for folder in above(change.path)}
    blocked = {
        change.path
        for change in waiting
        if isinstance(change.before, File | Link) and isinstance(change.after, Directory)
    }
    return frozenset(
        change.path
        for change in changes
        if change.path not in held
        and (
            (change.path in full and not isinstance(change.after, Directory))
            or any(folder in blocked for folder in above(change.path))
        )
    )
