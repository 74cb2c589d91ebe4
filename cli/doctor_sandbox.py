"""What `paddock doctor` says of the sandbox: which is chosen here, and whether it holds when it is tried."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from cli import exits
from cli.doctor_check import Check, Verdict

if TYPE_CHECKING:
    from images.image import Image
    from runtime.sandbox_choice import Chosen
    from sandbox.choice import Choice, Machine
    from sandbox.engine import Engine


def chosen_here(folder: Path, machine: "Machine | None") -> "tuple[Chosen | None, Check]":
    """What settings choose for the current folder, on an engine's machine, None for this one."""
    from cli import rules
    from runtime.permissions.errors import PermissionsError
    from runtime.sandbox_choice import Flags, chosen
    from sandbox.limits import size
    from sandbox.profile import profile_of

    try:
        found = chosen(folder, rules.files(), Flags(), machine=machine)
    except PermissionsError as error:
        return None, Check("profile", "failed", str(error), exits.USAGE)
    profile = profile_of(found.choice)
    limits = f"{size(profile.memory)} of memory, {profile.processes} processes, {profile.cpus:g} cores"
    network = "a proxy for listed hosts" if profile.has_proxy else "no network"
    notices = "".join(f"; {notice}" for notice in found.notices)
    return found, Check("profile", "note" if notices else "ok", f"{profile.name}, {limits}, {network}{notices}")


def tried(choice: "Choice", image: "Image", engine: "Engine", state: Path) -> Iterator[Check]:
    """A sandbox of this choice, started, tried and thrown away."""
    from cli import stored
    from cli.signals import run_async
    from images.errors import ImageError
    from sandbox.errors import SandboxError
    from sandbox.selfcheck import selfcheck
    from sandbox.sessions import Sessions

    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="doctor-", dir=state) as folder:
        try:
            findings = run_async(lambda _: selfcheck(engine, image, Path(folder), choice))
        except TimeoutError:
            yield Check("sandbox", "failed", "none answered in time", 1)
            return
        except (SandboxError, ImageError) as error:
            yield Check("sandbox", "failed", f"none starts: {error}", 1)
            return
        finally:
            for session in Sessions(Path(folder) / "state").all():
                stored.remove(session)  # what root made in it, nobody else can delete
    for finding in findings:
        is_fine = finding.holds or finding.is_announced
        verdict: Verdict = "ok" if finding.holds else "note" if finding.is_announced else "failed"
        yield Check(finding.name, verdict, finding.text, 0 if is_fine else 1)
