"""Other names of a file that is replaced: hard links, whose change time moves when one of their names goes.

To the session that is no edit by the user. Only the facts say so, so they are compared right before the apply and right
after it, and taken over where nothing but the change time differs.
"""

import os
import stat
from collections.abc import Mapping

from sandbox.gate.host import facts_at
from sandbox.gate.manifest import Manifest, Renewal

Siblings = Mapping[bytes, os.stat_result]
"""The facts of untouched paths that share their file with one that is about to be replaced or removed."""


def siblings(root: int, manifest: Manifest, replaced: Mapping[bytes, os.stat_result]) -> Siblings:
    """The other names of these files, as far as the session knows them and the user has left them alone."""
    found: dict[bytes, os.stat_result] = {}
    for facts in replaced.values():
        if facts.st_nlink < 2 or not stat.S_ISREG(facts.st_mode):
            continue
        for path in manifest.names_of(facts):
            now = None if path in replaced else facts_at(root, path)
            if now is not None and manifest.matches(path, now):
                found[path] = now
    return found


def renew_siblings(root: int, manifest: Manifest, before: Siblings) -> None:
    """Take over the facts of those that are as they were, but for their change time and number of names."""
    renewals: dict[bytes, Renewal] = {}
    for path, facts in before.items():
        now = facts_at(root, path)
        if now is not None and _kept(facts) == _kept(now):
            renewals[path] = Renewal(now, manifest.base(path), manifest.settled(path))
    manifest.renew(renewals)


def _kept(facts: os.stat_result) -> tuple[int, ...]:
    return (facts.st_dev, facts.st_ino, facts.st_mode, facts.st_size, facts.st_mtime_ns)
