"""The two halves of a rename: two changes, of which the one follows the other as far as one key may decide both."""

from cli.screen import safe
from cli.screen.review.state import ACCEPTED, OPEN, REJECTED, Item, State, is_going


def follow(before: State, after: State, item: Item) -> State:
    """The state with the other half where the one that was just decided went.

    Accepting and taking back go for both, and rejecting the new name keeps the old one. Rejecting the old name leaves
    the new one: then the file is there twice. What takes a decision of its own follows nothing.
    """
    other = _other(after, item)
    was, now = before.choice(item.path), after.choice(item.path)
    if other is None or was == now:
        return after
    there = after.choice(other.path)
    if is_going(now):
        may = there == OPEN and other.is_ordinary and other.path in after.whole
        return after.with_choice(other.path, ACCEPTED) if may else after
    if now == OPEN:
        return after.with_choice(other.path, OPEN) if there in (ACCEPTED, REJECTED) and there == was else after
    keeps = now == REJECTED and item.change.after is not None and there in (OPEN, ACCEPTED)
    return after.with_choice(other.path, REJECTED) if keeps else after


def said(before: State, after: State, item: Item) -> str:
    """What to say about the other half; empty if nothing is remarkable. Safe to show."""
    other = _other(after, item)
    now = after.choice(item.path)
    if other is None or before.choice(item.path) == now:
        return ""
    name = f"{safe.path(other.path)}, its {'old' if other.change.after is None else 'new'} name,"
    there = after.choice(other.path)
    if there != before.choice(other.path):
        return (
            f"renamed: {name} is {'accepted' if is_going(there) else 'rejected' if there == REJECTED else 'open'} too"
        )
    if is_going(now) == is_going(there):
        return ""
    if is_going(now):
        rest = "is not accepted: it takes a decision of its own"
    else:
        rest = "is still deleted" if other.change.after is None else "is still accepted: the file is there twice"
    return f"renamed: {name} {rest}"


def _other(state: State, item: Item) -> Item | None:
    return None if item.renamed is None else state.items.get(item.renamed.other)
