"""The engine: everything we ask of Docker, in one thin file. All calls block; callers move them to a worker thread.

`docker cp`, `put_archive` and `get_archive` are banned (CVE-2026-41567 and its family): bytes travel over the attached
stream only. `exec` is not used either: docker-py loses its output under load (docker-py #3332), and it costs 60 ms.
"""

import contextlib
import os
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any

import docker
import docker.errors
import docker.utils
import requests.exceptions

from images.errors import ImageError, UnknownImage
from images.image import OnProgress, Progress, Wishes
from sandbox.errors import EngineUnavailable, NameTaken, SandboxError, SandboxLost, Unmountable
from sandbox.labels import LABEL, SHARED_LABEL, Owned, owned

OLDEST_API = (1, 41)  # Engine 20.10: private cgroup namespaces, the last thing we need that came late
SECONDS = 60
RECENT = 3
CANNOT_MOUNT = ("failed to mount local volume", "error while mounting volume", "mounting volume")
"""What engines say when a container's volume cannot be mounted: Docker's, and Podman's."""
REMOVALS = 5


@dataclass(frozen=True)
class Present:
    """A container of ours, its state in the engine's own word, and when it was made, in seconds since 1970."""

    owned: Owned
    status: str
    created: int


@dataclass(frozen=True)
class Usage:
    """What a container uses: bytes of memory, without cached files, and processes with their threads."""

    memory: int
    processes: int


class Engine:
    """A connection to one Docker engine. `connect` makes it; nothing is asked before."""

    def __init__(self, client: docker.APIClient) -> None:
        self._api = client

    @classmethod
    def connect(cls) -> "Engine":
        """Find the engine the environment names (DOCKER_HOST …), or the local one. Raises EngineUnavailable."""
        try:
            with _engine_calls():
                client = docker.APIClient(version="auto", timeout=SECONDS, **docker.utils.kwargs_from_env())
        except docker.errors.DockerException as error:
            raise EngineUnavailable(_no_engine(error)) from error
        engine = cls(client)
        if tuple(int(part) for part in client.api_version.split(".")) < OLDEST_API:
            raise EngineUnavailable(f"the engine speaks API {client.api_version}; Docker 20.10 or newer is needed")
        return engine

    @property
    def images(self) -> "DockerImages":
        """The engine's images."""
        return DockerImages(self._api)

    def facts(self) -> Mapping[str, Any]:
        """What the engine says of itself (`docker info` and `docker version`). Raises EngineUnavailable."""
        with _engine_calls():
            return {**self._api.info(), "Version": self._api.version()}

    def create(self, name: str, config: Mapping[str, Any]) -> str:
        """Make a container from the Engine API's own JSON; returns its id. Without a name it gets any.

        Raises NameTaken, SandboxError.
        """
        with _engine_calls():
            try:
                made: str = self._api.create_container_from_config(dict(config), name or None)["Id"]
            except docker.errors.ImageNotFound as error:
                raise UnknownImage(f"image {config['Image']} is not on the engine any more") from error
            except docker.errors.APIError as error:
                if _is_conflict(error):
                    raise NameTaken(f"the engine has a container {name} already") from error
                raise
            return made

    def attach(self, container: str) -> socket.socket:
        """The container's stdin and stdout as one socket, taken before it starts so that no byte can be missed.

        The socket is ours alone (a duplicate): closing it ends the container's stdin.
        """
        with _engine_calls():
            raw = self._api.attach_socket(container, params={"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1})
            ours = socket.socket(fileno=os.dup(raw.fileno()))
            inner = getattr(raw, "_sock", raw)  # closing a SocketIO leaves the socket below it open
            raw.close()
            inner.close()
            return ours

    def start(self, container: str) -> None:
        """Start a created container. Raises SandboxError with the engine's reason."""
        with _engine_calls():
            self._api.start(container)

    def run_to_end(self, config: Mapping[str, Any], *, name: str = "", seconds: int = SECONDS) -> tuple[int, bytes]:
        """Run a throw-away container; its exit code and what it printed. Nothing of it is left.

        Raises: NameTaken, SandboxError.
        """
        container = self.create(name, config)
        try:
            with _engine_calls():
                self._api.start(container)
                code = int(self._api.wait(container, timeout=seconds)["StatusCode"])
                return code, self._api.logs(container, stdout=True, stderr=True)
        finally:
            self.remove(container)

    def pause(self, container: str) -> None:
        """Freeze every process of the container."""
        with _engine_calls():
            self._api.pause(container)

    def unpause(self, container: str) -> None:
        """Let them run on."""
        with _engine_calls():
            self._api.unpause(container)

    def ran_out_of_memory(self, container: str) -> bool:
        """Whether that happened in a container within the last seconds, also if it is gone by now."""
        since, until = f"{time.time() - RECENT:.3f}", f"{time.time() + 0.3:.3f}"  # what has just happened is on its way
        filters = {"container": container, "event": "oom"}
        with _engine_calls():
            events = self._api.events(since, until, filters)  # type: ignore[call-overload] # stubs know no fractions
            return bool(list(events))

    def inspect(self, container: str) -> Mapping[str, Any] | None:
        """What the engine holds about a container, or None if there is none."""
        with _engine_calls():
            try:
                found: Mapping[str, Any] = self._api.inspect_container(container)
            except docker.errors.NotFound:
                return None
            return found

    def remove(self, container: str) -> bool:
        """Kill and remove a container with its anonymous volumes; False if it was gone already."""
        with _engine_calls():
            for attempt in range(REMOVALS):
                try:
                    self._api.remove_container(container, v=True, force=True)
                    break
                except docker.errors.NotFound:
                    return False  # engines may list for ever what they removed while they were busy
                except docker.errors.APIError as error:
                    if _is_conflict(error):
                        break  # its removal is already in progress
                    if "directory not empty" not in str(error.explanation) or attempt == REMOVALS - 1:
                        raise  # not empty: the engine has just noted there that memory ran out
        self.wait_gone(container)
        return True

    def wait_gone(self, container: str) -> None:
        """Return when the container has been removed."""
        with _engine_calls():
            try:
                self._api.wait(container, timeout=SECONDS, condition="removed")
            except docker.errors.NotFound:
                return

    def containers(self) -> Sequence[Owned]:
        """Every container with our label, running or not."""
        with _engine_calls():
            found = self._api.containers(all=True, filters={"label": LABEL})
        return [owned(one["Id"], one["Labels"]) for one in found]

    def present(self) -> Sequence[Present]:
        """The same, with what the engine's list says of each."""
        with _engine_calls():
            found = self._api.containers(all=True, filters={"label": LABEL})
        return [Present(owned(one["Id"], one["Labels"]), one["State"], one["Created"]) for one in found]

    def usage(self, container: str) -> Usage:
        """What a container uses now. Raises SandboxLost if it is gone."""
        with _engine_calls():
            try:
                facts = self._api.stats(container, stream=False, one_shot=True)
            except ValueError as error:  # an empty answer: it ended just then
                raise SandboxLost("the container has ended") from error
        memory = facts.get("memory_stats", {})
        detail = memory.get("stats", {})
        cache = detail.get("total_inactive_file", detail.get("inactive_file", 0))  # it would be given up at once
        return Usage(max(0, memory.get("usage", 0) - cache), facts.get("pids_stats", {}).get("current", 0))

    def volumes(self) -> Sequence[Owned]:
        """Every volume with our label."""
        with _engine_calls():
            found = self._api.volumes(filters={"label": LABEL})["Volumes"] or []
        return [owned(one["Name"], one["Labels"]) for one in found]

    def make_volume(self, name: str, labels: Mapping[str, str]) -> None:
        """Make a volume of that name; one that is there stays as it is."""
        with _engine_calls():
            self._api.create_volume(name, labels=dict(labels))

    def shared_volumes(self, *, unused: bool = False) -> Mapping[str, str]:
        """All volumes that no session owns, by name, and when each was made, in ISO 8601; or the `unused` ones.

        Unused is what no container has.
        """
        filters: dict[str, Any] = {"label": SHARED_LABEL} | ({"dangling": True} if unused else {})
        with _engine_calls():
            found = self._api.volumes(filters=filters)["Volumes"] or []
        return {one["Name"]: str(one.get("CreatedAt", "")) for one in found}

    def remove_volume(self, name: str) -> None:
        """Remove a volume; one that is gone is fine, one in use stays."""
        with _engine_calls(), contextlib.suppress(docker.errors.NotFound):
            try:
                self._api.remove_volume(name)
            except docker.errors.APIError as error:
                if not _is_conflict(error):
                    raise


class DockerImages:
    """The engine's images: `images.image.ImageStore` on Docker."""

    def __init__(self, client: docker.APIClient) -> None:
        self._api = client

    def find(self, reference: str, /) -> str | None:
        """The id behind a tag, digest or id, or None."""
        with _engine_calls():
            try:
                found: str = self._api.inspect_image(reference)["Id"]
            except docker.errors.ImageNotFound:
                return None
            except docker.errors.APIError as error:
                if error.is_client_error():
                    raise UnknownImage(f"{reference!r} is not an image name: {error.explanation}") from error
                raise
            return found

    def load(self, archive: IO[bytes], /) -> None:
        """Take in a docker archive."""
        with _engine_calls():
            said = list(self._api.load_image(archive))  # to the end: a stream left half-read keeps its socket
        if errors := [line["error"] for line in said if "error" in line]:
            raise ImageError(f"the engine would not load the image: {errors[0]}")

    def pull(self, reference: str, on_progress: OnProgress, /) -> str:
        """Fetch an image from its registry."""
        repository, tag = docker.utils.parse_repository_tag(reference)
        errors = []
        try:
            with _engine_calls():
                for line in self._api.pull(repository, tag or "latest", stream=True, decode=True):
                    if "error" in line:
                        errors.append(line["error"])
                    detail = line.get("progressDetail") or {}
                    step = f"{line.get('status', '')} {line.get('id', '')}".strip()
                    on_progress(Progress(step, detail.get("current", 0), detail.get("total", 0), "bytes"))
        except EngineUnavailable:
            raise
        except SandboxError as error:
            raise UnknownImage(_not_pulled(reference, str(error))) from error
        found = self.find(reference)
        if errors or found is None:
            raise UnknownImage(_not_pulled(reference, (errors or ["the engine does not hold it afterwards"])[0]))
        return found

    def tags(self, prefix: str, /) -> Mapping[str, str]:
        """Every tag that starts with `prefix`."""
        with _engine_calls():
            return {
                tag: image["Id"]
                for image in self._api.images()
                for tag in image["RepoTags"] or []
                if tag.startswith(prefix)
            }

    def wishes(self, image_id: str, /) -> Wishes:
        """What an image asks for where it runs. Raises UnknownImage if the engine does not hold it any more."""
        with _engine_calls():
            try:
                found = self._api.inspect_image(image_id)["Config"]
            except docker.errors.ImageNotFound as error:
                raise UnknownImage(f"image {image_id} is not on the engine any more") from error
        variables = (one.partition("=") for one in found.get("Env") or [])
        environment = {name: value for name, mark, value in variables if mark}
        return Wishes(environment, tuple(found.get("Volumes") or ()))


@contextlib.contextmanager
def _engine_calls() -> Iterator[None]:
    """The border: what docker-py and requests raise becomes ours."""
    try:
        yield
    except (requests.exceptions.ConnectionError, requests.exceptions.Timeout) as error:
        raise EngineUnavailable(_no_engine(error)) from error
    except docker.errors.NotFound as error:
        raise SandboxLost(f"the engine no longer has it: {error.explanation}") from error
    except docker.errors.APIError as error:
        raise _translated(error) from error


def _is_conflict(error: docker.errors.APIError) -> bool:
    return error.response is not None and error.response.status_code == requests.codes.conflict


def _translated(error: docker.errors.APIError) -> SandboxError:
    reason = str(error.explanation or error).strip()
    if "no space left" in reason:
        return SandboxError(f"the engine's disk is full: {reason}")
    if any(words in reason for words in CANNOT_MOUNT):
        return Unmountable(f"the engine cannot mount the workspace: {reason}")
    if "not running" in reason:  # it ended between being found and being asked
        return SandboxLost(f"the sandbox has ended: {reason}")
    return SandboxError(f"the engine refused: {reason}")


def _no_engine(error: Exception) -> str:
    where = os.environ.get("DOCKER_HOST", "")
    reason = "permission denied" if "Permission denied" in str(error) else "nothing answers"
    return (
        f"no Docker engine{f' at {where}' if where else ''}: {reason}. "
        "`paddock doctor --fix` installs and starts one; nothing was run on the host instead"
    )


def _not_pulled(reference: str, reason: str) -> str:
    return f"image {reference!r} is not on the engine and could not be pulled: {reason.strip()}"
