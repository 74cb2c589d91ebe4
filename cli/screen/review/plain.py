"""The review: change by change, a person says yes or no."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from cli.ask import Person
from cli.screen import safe
from cli.screen.diffs import LONGEST, show_diff
from cli.screen.terminal import Terminal
from cli.words import count
from sandbox.changes import Change

if TYPE_CHECKING:
    from cli.case import Case

ONE: Final = {"y": "yes", "n": "no", "q": "quit"}
SEVERAL: Final = {"y": "yes", "n": "no", "a": "all", "q": "quit"}


class Review:
    """Shows each change and collects what was approved. Whatever is not approved stays pending."""

    def __init__(self, case: "Case", terminal: Terminal, person: Person | None = None) -> None:
        from sandbox.gate.blobs import Blobs

        self._case = case
        self._terminal = terminal
        self._person = person or Person(terminal)
        self._blobs = Blobs(case.session.blobs)

    def ask(self, changes: Sequence[Change]) -> tuple[Change, ...]:
        """The approved ones; none after `quit`. `all` means this one and every one after it."""
        ordered = sorted(changes, key=self._risk)
        approved: list[Change] = []
        for number, change in enumerate(ordered):
            rest = ordered[number:]
            self._terminal.line()
            is_whole = show_diff(change, self._blobs, self._terminal, longest=LONGEST)
            match self._answer(change, rest, is_whole=is_whole):
                case "y":
                    approved.append(change)
                case "a":
                    if self._sure_of(rest[1:]):
                        return self._in_order(changes, [*approved, *rest])
                    approved.append(change)
                case "q":
                    self._terminal.line("nothing is applied")
                    return ()
                case _:
                    pass
        return self._in_order(changes, approved)

    def _answer(self, change: Change, rest: Sequence[Change], *, is_whole: bool) -> str:
        question = f"apply {safe.path(change.path)}?"
        if is_whole:
            return self._person.choose(question, SEVERAL if len(rest) > 1 else ONE, "n")
        typed = self._person.read(f"{question} It was not shown in full; type its name's last part to approve it: ")
        return "y" if typed == safe.path(change.path.rsplit(b"/", 1)[-1]) else "n"

    def _sure_of(self, unseen: Sequence[Change]) -> bool:
        """`all` covers changes nobody has looked at: where some deserve it, that is said and asked once more."""
        grave = [change for change in unseen if self._case.warnings(change)]
        if not grave:
            return True
        for change in grave:
            remarks = ", ".join(self._case.warnings(change))
            self._terminal.line(f"  {safe.path(change.path)}  {self._terminal.style(remarks, 'yellow')}")
        return self._person.confirm(f"apply {count(len(unseen), 'file')} unseen, these {len(grave)} among them?")

    def _risk(self, change: Change) -> tuple[bool, bool, bytes]:
        """A sort key: what a rule or an effect holds back comes first, then what has remarks, then by name."""
        return self._case.verdict(change).is_ordinary, not self._case.warnings(change), change.path

    @staticmethod
    def _in_order(changes: Sequence[Change], approved: Sequence[Change]) -> tuple[Change, ...]:
        wanted = {change.path for change in approved}
        return tuple(change for change in changes if change.path in wanted)
