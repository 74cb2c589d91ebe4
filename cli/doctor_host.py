"""What `paddock doctor` says of this machine: disk, key, and the file system of the checkout it stands in."""

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from cli.doctor_check import Check, Verdict
from cli.environment import Environment

if TYPE_CHECKING:
    from sandbox.gate.syscalls import Renames

GIB = 1024**3
LITTLE_SPACE = 2 * GIB


def disk(state: Path) -> Check:
    """Whether sessions can be kept."""
    folder = next(one for one in (state, *state.parents) if one.exists())
    if not os.access(folder, os.W_OK):
        return Check("state", "missing", f"{folder} is not writable: set XDG_STATE_HOME to a folder that is", 1)
    free = shutil.disk_usage(folder).free
    verdict: Verdict = "ok" if free >= LITTLE_SPACE else "note"
    return Check("state", verdict, f"{state}, {free / GIB:.0f} GiB free")


def key(environment: Environment) -> Check:
    """Whether there is a model to ask."""
    if environment.has_key:
        return Check("model", "ok", f"credentials for {environment.provider} are set")
    return Check("model", "note", "ANTHROPIC_API_KEY is not set: only `paddock demo` and `run --script` have a model")


def checkout(folder: Path) -> Check:
    """What an apply can rely on where we stand; tried in a folder of ours that is removed at once."""
    from sandbox.checkout import checked
    from sandbox.errors import CheckoutRefused

    try:
        real = checked(folder)
        with tempfile.TemporaryDirectory(prefix=".paddock-doctor-", dir=real) as place:
            return _file_system(Path(place))
    except CheckoutRefused as error:
        return Check("checkout", "note", f"not looked at: {error}")
    except OSError as error:
        return Check(
            "checkout", "note", f"{folder} cannot be written ({error.strerror}), so nothing can be applied here"
        )


def of_renames(renames: "Renames") -> str:
    """What an apply does on such a file system."""
    if renames.exchange:
        return "swaps files in one step"
    if renames.are_enough:
        return "cannot swap files: an apply looks twice instead"
    return "cannot rename without overwriting, so nothing can be applied here: `paddock diff --patch` is the way"


def _file_system(place: Path) -> Check:
    from sandbox.gate.syscalls import probe

    folder = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
    try:
        renames = probe(folder)
    finally:
        os.close(folder)
    said = [of_renames(renames)]
    (place / "Caf\u00e9").touch()
    if (place / "cAF\u00e9").exists():
        said.append("does not tell case apart")
    if (place / "Cafe\u0301").exists():
        said.append("does not tell Unicode forms apart")
    is_plain = renames.exchange and len(said) == 1
    return Check("checkout", "ok" if is_plain else "note", f"the file system here {', '.join(said)}")
