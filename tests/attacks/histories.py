"""Random histories of a user, an agent and a gate that is killed now and then, checked against what must always hold.

Every line a user writes holds a word of its own, and the agent never takes one of these away by itself. So a word that
is gone after a step of the gate, which nobody decided, is a lost edit of the user's.
"""

import os
import random
import re
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sandbox.changes import Change, File, Node
from sandbox.errors import SandboxError
from sandbox.gate import decisions
from sandbox.gate.apply import Applied, Conflicts
from sandbox.gate.approval import Approval
from sandbox.gate.bases import Bases
from sandbox.gate.discard import discard_paths
from sandbox.gate.host import node_at, opened, opened_checkout
from sandbox.gate.hunks import hunks_of, with_hunks
from sandbox.gate.manifest import Manifest
from sandbox.gate.syscalls import exchange
from sandbox.gate.undo import last_apply, undo
from tests.attacks.actors import Actors

PATHS = ("a", "b", "d/c", "d/e")
LINES = 12

Step = tuple[str, str, int]
"""What happens, where, and a number that says how."""

KINDS = {
    "user edits": 6, "user deletes": 1, "user makes executable": 1, "user touches": 1,
    "agent reads": 3, "agent edits": 8, "agent deletes": 1, "agent makes executable": 1,
    "gate learns": 4, "gate looks": 2, "gate applies": 5, "gate is killed": 3,
    "person decides": 3, "person takes hunks": 4, "person undoes": 1, "person discards": 1,
}  # fmt: skip


def history(seed: int, length: int = 24) -> tuple[Step, ...]:
    """A random one."""
    chance = random.Random(seed)
    kinds, weights = list(KINDS), list(KINDS.values())
    return tuple(
        (chance.choices(kinds, weights)[0], chance.choice(PATHS), chance.randrange(1 << 20)) for _ in range(length)
    )


@dataclass
class World(Actors):
    """Where a history is played; `play` raises AssertionError if it does not hold."""

    allowed: list[Change] = field(default_factory=list)
    """What was approved in this step."""

    def begin(self) -> None:
        """The checkout as every history finds it."""
        for path in PATHS:
            file = self.gate.checkout / path
            file.parent.mkdir(exist_ok=True)
            file.write_text("".join(f"{path} {number}\n" for number in range(LINES)))
        self.gate.begin()

    def play(self, steps: Sequence[Step]) -> None:
        """All steps, each checked."""
        acts: Mapping[str, Callable[[str, int], None]] = {
            kind: getattr(self, "_" + kind.replace(" ", "_")) for kind in KINDS
        }
        for kind, path, number in steps:
            self.gate.manifest = Manifest.load(self.gate.session.manifest)
            self.allowed = []
            before, words = self.nodes(), self.users_words()
            acts[kind](path, number)
            if kind.startswith("user"):
                continue
            self._check(before, self.nodes())
            if not kind.startswith("person"):
                lost = words - self.users_words()
                assert not lost, f"the user's {sorted(lost)} went with {kind!r}"

    def nodes(self) -> dict[bytes, Node]:
        """What stands in the checkout."""
        found: dict[bytes, Node] = {}
        with opened_checkout(self.gate.checkout) as root:
            for folder in (b"", b"d"):
                try:
                    with opened(root, folder) as directory:
                        for name in map(os.fsencode, os.listdir(directory)):
                            path = folder + b"/" + name if folder else name
                            node = node_at(directory, name)[0]
                            if isinstance(node, File):
                                found[path] = node
                except FileNotFoundError:
                    pass
        return found

    def users_words(self) -> set[str]:
        """Every word of the user's that stands in the checkout."""
        return {
            word
            for file in self.gate.checkout.rglob("*")
            if file.is_file()
            for word in re.findall(r"user-\d+", file.read_text())
        }

    def _check(self, before: Mapping[bytes, Node], after: Mapping[bytes, Node]) -> None:
        """I1, I2, I5: what changed was approved for just what stood there. I7: nothing else did."""
        assert not list(self.gate.checkout.glob(".paddock-txn*")), "a journal was left behind"
        allowed = {change.path: change for change in self.allowed}
        for path in {*before, *after}:
            was, now = before.get(path), after.get(path)
            if was == now:
                continue
            change = allowed.get(path)
            assert change is not None, f"{path!r} changed, and nobody approved that"
            assert now == change.after, f"{path!r} is not what was approved"
            assert was == change.before, f"{path!r} replaced what nobody had looked at"

    # the gate

    def _gate_learns(self, path: str, _: int) -> None:
        Bases(self.gate.session).learn([path.encode()])

    def _gate_looks(self, _: str, __: int) -> None:
        self.gate.collect()

    def _gate_applies(self, path: str, number: int) -> None:
        """With a save by the user in the middle of it, now and then."""
        changes = self.gate.collect()
        chosen = [change for change in changes.changes if number % 3 or not change.moved]
        saves = [path] if number % 5 == 0 else []

        def swap(*names: Any) -> None:
            while saves and names[1] == saves[0].rpartition("/")[2].encode():
                words, before = self.users_words(), self.nodes()
                self._user_edits(saves.pop(), number)
                kept.append((before, self.nodes(), words))
            exchange(*names)

        kept: list[Any] = []
        before = self.nodes()
        result = self._apply(decisions.approval(changes, chosen, "tester"), changes, swap)
        if kept:  # the user's save is his own, not the gate's
            saved = {p for p, node in kept[0][1].items() if kept[0][0].get(p) != node}
            assert all(self.nodes().get(p) == kept[0][1][p] for p in saved), "a save in between was not handed back"
            self.allowed = [one for one in self.allowed if one.path not in saved]
            self.allowed += [Change(p, before.get(p), kept[0][1][p]) for p in saved]
            assert isinstance(result, Applied)
            assert {one.path for one in result.kept} == saved

    def _gate_is_killed(self, _: str, number: int) -> None:
        """At some call of an apply, and perhaps of the recovery: then all of it is there or nothing (I3, I4)."""
        changes = self.gate.collect()
        chosen = [change for change in changes.changes if not change.moved]
        if not chosen:
            return
        approval = decisions.approval(changes, chosen, "tester")
        self.allowed = chosen
        before = self.nodes()
        _die_at(number % 97, lambda: self._apply(approval, changes))
        if number % 4 == 0:
            _die_at(number % 53, self.gate.recover)
        self.gate.recover()
        assert self.gate.recover() is None, "a recovery left something to recover"
        after = self.nodes()
        files = [change for change in chosen if isinstance(change.after, File | None)]
        states = {after.get(change.path) == change.after for change in files if change.after != change.before}
        assert len(states) <= 1, "an apply is in place by half"
        if states == {False}:
            assert after == before, "an apply that was not committed changed something"
        self.gate.manifest = Manifest.load(self.gate.session.manifest)

    def _apply(self, approval: Approval, changes: Any, swap: Any = None) -> Applied | Conflicts:
        self.allowed += [change for change in approval.changes if not change.moved]
        result = self.gate.apply(approval, change_set=changes, swap=swap)
        assert isinstance(result, Applied | Conflicts)
        after = self.nodes()
        if isinstance(result, Conflicts):
            self.allowed = []
        else:  # I8: what is reported is what is there
            told = {change.path: change for change in approval.changes}
            assert all(after.get(path) == told[path].after for path in result.paths)
            assert {*result.paths, *(one.path for one in result.kept)} == set(told)
        return result

    # a person at the gate

    def _person_decides(self, _: str, number: int) -> None:
        changes = self.gate.collect()
        conflicts = [change for change in changes.changes if change.moved]
        if not conflicts:
            return
        change = conflicts[number % len(conflicts)]
        try:
            match number % 4:
                case 0:
                    decisions.mine(self.gate.manifest, [change])
                    assert change.path not in {one.path for one in self.gate.collect().changes}
                    return
                case 1:
                    decided = decisions.theirs(change)
                case 2:
                    decided = decisions.markers(change, self.gate.blobs)
                case _:
                    decided = decisions.edited(change, decisions.both(change, self.gate.blobs).text, self.gate.blobs)
        except SandboxError:
            return
        self._apply(decisions.approval(changes, [decided], "tester"), changes)

    def _person_takes_hunks(self, _: str, number: int) -> None:
        """Some hunks are no decision about the user's edits: none may go."""
        words = self.users_words()
        changes = self.gate.collect()
        plain = [one for one in changes.changes if not one.moved and len(hunks_of(one, self.gate.blobs)) > 1]
        if not plain:
            return
        change = plain[number % len(plain)]
        count = len(hunks_of(change, self.gate.blobs))
        part = with_hunks(change, [1 + number % count], self.gate.blobs)
        self._apply(decisions.approval(changes, [part], "tester"), changes)
        assert words <= self.users_words()

    def _person_undoes(self, _: str, __: int) -> None:
        plan = last_apply(self.gate.checkout, [self.gate.session])
        if plan is not None:
            self.allowed = list(plan.changes)
            undo(plan, checkout=self.gate.checkout, by="tester")

    def _person_discards(self, path: str, _: int) -> None:
        discard_paths(self.gate.session, self.gate.checkout, [path.encode()])


def _die_at(count: int, act: Callable[[], object]) -> None:
    """Do it in a process that is gone, as if by kill -9, at its so many-th call that Python knows of."""
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return
    left = [count]

    def count_down(event: str, _: object) -> None:
        if event.startswith(("os.", "open")):
            left[0] -= 1
            if left[0] < 0:
                os.kill(os.getpid(), signal.SIGKILL)

    try:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(30)  # a lock that another thread held when this process was made would hold for ever
        sys.addaudithook(count_down)
        act()
    finally:
        os._exit(0)
