"""Builds a definition without a registry: Debian's packages → one layer → a docker archive → the engine."""

import contextlib
import fcntl
import io
import os
import re
import subprocess
import tempfile
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

from images import archive, mirror
from images.definition import Definition
from images.errors import BuildFailed
from images.image import ImageStore, OnProgress, Progress
from images.progress import LOADING, BuildProgress

_LAST_LINES = 12
# Packages' scripts run with it: the way to the network goes along, keys and tokens do not.
_PASSED_ON = re.compile(r"PATH|HOME|USER|LOGNAME|TMPDIR|\w+_proxy", re.IGNORECASE)
_PATIENCE = 30.0  # seconds mmdebstrap gets to remove its half-made root before it is killed


def ensured(definition: Definition, store: ImageStore, on_progress: OnProgress, cache: Path | None = None) -> str:
    """The image's id, built if the engine does not hold it. Raises as `build` does."""
    found = store.find(definition.tag)
    if found is not None:
        return found
    with alone(definition, cache, on_progress):
        # Whoever built while we waited has built for us too.
        return store.find(definition.tag) or build(definition, store, on_progress, cache)


def build(definition: Definition, store: ImageStore, on_progress: OnProgress, cache: Path | None = None) -> str:
    """Build, load and tag the image; return its id.

    The archive is a nameless file in `cache` (None: the system's temporary folder), so that nothing half-made can
    outlive us, however we end. Raises BuildFailed, or ImageError from the store.
    """
    with _translated(definition, cache), tempfile.TemporaryFile(dir=_made(cache)) as file:
        archive.begin(file)
        _bootstrap(definition, file, on_progress)
        id_ = archive.finish(file, definition)
        on_progress(LOADING)
        if store.find(id_) is None or store.find(definition.tag) != id_:
            store.load(file)
    # An engine that keeps images by their manifest gives another id than the config's: then the tag is the way.
    found = store.find(id_) or store.find(definition.tag)
    if found is None:
        raise BuildFailed(f"the engine took image {definition.name!r} but does not hold it; look at the engine's log")
    on_progress(Progress("ready", 100, 100, "%"))
    return found


@contextlib.contextmanager
def alone(definition: Definition, cache: Path | None, on_progress: OnProgress) -> Iterator[None]:
    """Let one process at a time build a definition; the others wait here. Without `cache` nobody waits."""
    if cache is None:
        yield
        return
    with _translated(definition, cache):
        lock = f"{_made(cache)}/{definition.name}-{definition.digest[:12]}.lock"
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            on_progress(Progress(f"another process is building {definition.name!r}; waiting for it"))
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def command(definition: Definition, reach: Sequence[str], *, mirrored: bool) -> list[str]:
    """The mmdebstrap call: `reach` is how apt gets to the mirror; `mirrored` says sources.list comes on stdin."""
    return [
        "mmdebstrap",
        "--verbose",
        "--format=tar",
        f"--variant={definition.variant}",
        f"--architectures={definition.architecture}",
        f"--components={','.join(definition.components)}",
        f"--include={','.join(definition.packages)}",
        "--dpkgopt=force-unsafe-io",
        '--aptopt=Acquire::Retries "3";',
        *(f"--aptopt={option}" for option in reach),
        f"--{'customize' if definition.variant == 'apt' else 'extract'}-hook={definition.finish}",
        definition.suite,
        "-",
        *(["-"] if mirrored else []),
    ]


def _bootstrap(definition: Definition, layer: io.BufferedRandom, on_progress: OnProgress) -> None:
    """Run mmdebstrap; its tarball goes straight to where `layer` stands, its talk becomes progress."""
    sources = mirror.sources(definition.suite, definition.components)
    argv = command(definition, mirror.settings(), mirrored=bool(sources))
    progress = BuildProgress()
    on_progress(progress.now())
    last: deque[str] = deque(maxlen=_LAST_LINES)
    with tempfile.TemporaryFile() as listed, _laid_out(definition.files) as files:
        listed.write(sources.encode())
        listed.seek(0)
        settings = {"SOURCE_DATE_EPOCH": str(definition.epoch), "FILES": files}
        with _running(argv, listed, layer, settings) as process:
            for raw in process.stderr or ():
                line = _printable(raw)
                last.append(line)
                if now := progress.read(line):
                    on_progress(now)
    if process.returncode:
        raise BuildFailed(_failure(definition.name, process.returncode, list(last)))


@contextlib.contextmanager
def _running(
    argv: list[str], sources: IO[bytes], output: io.BufferedRandom, settings: Mapping[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    """mmdebstrap, asked to stop and awaited if we leave early: it then removes its own half-made root."""
    environment = {key: value for key, value in os.environ.items() if _PASSED_ON.fullmatch(key)}
    environment |= {
        **settings,
        "LC_ALL": "C",
        "PATH": f"{environment.get('PATH', os.defpath)}:/usr/sbin:/sbin",  # where chroot is; not on everyone's PATH
    }
    try:
        process = subprocess.Popen(argv, stdin=sources, stdout=output, stderr=subprocess.PIPE, env=environment, cwd="/")
    except FileNotFoundError as error:
        raise BuildFailed("mmdebstrap is needed to build images: `paddock doctor --fix` installs it") from error
    with process:
        try:
            yield process
        except BaseException:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.communicate(timeout=_PATIENCE)
            process.kill()
            raise


@contextlib.contextmanager
def _laid_out(files: Mapping[str, str]) -> Iterator[str]:
    """The definition's own files in a folder that the builder can read, in a user namespace too."""
    with tempfile.TemporaryDirectory() as folder:
        for name, text in files.items():
            path = Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
        for path in (Path(folder), *Path(folder).rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
        yield folder


@contextlib.contextmanager
def _translated(definition: Definition, cache: Path | None) -> Iterator[None]:
    """The border to the disk: a full or forbidden folder becomes a build that failed, and is named."""
    try:
        yield
    except OSError as error:
        where = cache or tempfile.gettempdir()
        raise BuildFailed(f"image {definition.name!r} was not built: {error.strerror or error} ({where})") from error


def _made(cache: Path | None) -> Path | None:
    if cache is not None:
        cache.mkdir(mode=0o700, parents=True, exist_ok=True)
    return cache


def _failure(name: str, status: int, last: list[str]) -> str:
    """The sentence and the lines that matter: those that call themselves errors, else simply the last ones."""
    errors = [line for line in last if re.match(r"(E|Err):|dpkg: error", line)]
    lines = "\n".join(f"  {line}" for line in errors or last)
    # Some systems keep user namespaces from ordinary users. An image is everybody's on the engine: root may build it.
    hint = f"\nbuild it as root: sudo paddock images build {name}" if "chroot mode" in lines else ""
    return f"image {name!r} was not built: mmdebstrap ended with status {status}\n{lines}{hint}"


def _printable(raw: bytes) -> str:
    """A line as a terminal may see it: what a package prints is not ours to trust."""
    text = raw.decode(errors="replace").strip().rpartition("\r")[2]  # of a line drawn over itself, the last state
    return "".join(char if char.isprintable() else " " for char in text)
