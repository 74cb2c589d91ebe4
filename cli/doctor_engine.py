"""What `paddock doctor` says of the engine: versions, layers that protect the host, runtimes, known holes."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli.doctor_check import Check

if TYPE_CHECKING:
    from sandbox.engine import Engine
    from sandbox.engine_kind import Kind


def of_engine(facts: Mapping[str, Any], *, docs: Path | None, must_be_patched: bool) -> Iterator[Check]:
    """All that the engine says of itself; `docs` as in `holes`."""
    from sandbox.engine_kind import kind_of

    kind = kind_of(facts)
    yield Check("engine", "ok", f"{kind.name}, {facts.get('Driver')}, cgroup v{facts.get('CgroupVersion', '1')}")
    yield _limits(facts, kind)
    yield _layers(facts)
    yield _users(kind)
    yield _runtimes(facts)
    if kind.product == "Docker":
        yield from _holes(facts, docs, must_be_patched=must_be_patched)
    elif must_be_patched:
        yield Check("hole", "failed", f"whether {kind.name} has known holes is not known here", 1)
    else:
        yield Check("hole", "note", f"known holes are listed for Docker only: keep {kind.product} patched")


def _limits(facts: Mapping[str, Any], kind: "Kind") -> Check:
    """Without these the engine takes a limit and forgets it."""
    if kind.is_rootless and kind.unlimited:
        return Check("cgroup", "note", f"{kind.notice}; with control groups of version 2 and systemd they are")
    absent = [*kind.unlimited, *([] if facts.get("SwapLimit") else ["swap"])]
    if not absent:
        return Check("cgroup", "ok", "limits on memory, swap, processes and cores")
    what = " and ".join(absent)
    if absent == ["swap"]:
        return Check("cgroup", "note", "the kernel does not count swap: a sandbox can use more than its memory")
    return Check("cgroup", "failed", f"the kernel limits no {what}: boot it with the cgroup controllers for that", 1)


def _layers(facts: Mapping[str, Any]) -> Check:
    options = " ".join(facts.get("SecurityOptions") or ())
    found = [name for name, word in (("AppArmor", "name=apparmor"), ("SELinux", "name=selinux")) if word in options]
    if found:
        return Check("lsm", "ok", f"{found[0]} is on")
    return Check("lsm", "note", "neither AppArmor nor SELinux: one layer less between a sandbox and the kernel")


def _users(kind: "Kind") -> Check:
    if kind.remaps:
        return Check("users", "note", "user namespaces are remapped: workspaces are carried, not mounted")
    if kind.is_rootless:
        return Check("users", "ok", "rootless engine: root inside is you, without a right of root")
    return Check("users", "ok", "rootful engine, no user namespaces: root inside is root of the machine's kernel")


def _runtimes(facts: Mapping[str, Any]) -> Check:
    default = facts.get("DefaultRuntime", "runc")
    others = ", ".join(sorted(name for name in facts.get("Runtimes") or () if name != default and "." not in name))
    return Check("runtime", "ok", f"{default}, and with --runtime {others}" if others else str(default))


def _holes(facts: Mapping[str, Any], docs: Path | None, *, must_be_patched: bool) -> Iterator[Check]:
    from sandbox.advisories import holes, versions

    found = holes(facts, docs)
    for hole in found:
        if must_be_patched:
            yield Check("hole", "failed", hole.sentence, 1)
        else:
            yield Check("hole", "note", hole.sentence)
    if not found:
        known = ", ".join(f"{name} {version}" for name, version in versions(facts).items())
        yield Check("holes", "ok", f"none known of {known}")


def leftovers(engine: "Engine") -> Check:
    """What processes that died have left on the engine; what runs for a living one is no leftover."""
    dead = [one for one in (*engine.containers(), *engine.volumes()) if not one.owner.is_alive()]
    if dead:
        return Check(
            "left", "note", f"{len(dead)} containers or volumes of ended sessions: the next command sweeps them"
        )
    return Check("left", "ok", "nothing is left on the engine of sessions that ended")
