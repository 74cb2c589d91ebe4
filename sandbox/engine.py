"""The engine: everything we ask of Docker, in one thin file. All calls block; callers move them to a worker thread.

`docker cp`, `put_archive` and `get_archive` are banned (CVE-2026-41567 and its family): bytes travel over the attached
stream only. Nor does a tool run by `exec`: docker-py loses its output under load (docker-py #3332), and it costs 60 ms.
What differs from one engine to the other is decided in `engine_kind` and `podman`.
"""

import contextlib
import functools
import os
import socket
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import docker
import docker.errors

from images.errors import UnknownImage
from sandbox import podman, stopping
from sandbox.choice import Machine
from sandbox.docker_calls import connected, engine_calls, is_conflict, our_own
from sandbox.docker_images import DockerImages
from sandbox.engine_kind import Kind, kind_of
from sandbox.engine_places import MACHINES, EnginePlace, none_answers, places
from sandbox.errors import EngineUnavailable, NameTaken, SandboxError, SandboxLost
from sandbox.labels import LABEL, SHARED_LABEL, Owned, owned
from sandbox.podman import Volume
from sandbox.present import Present, Usage
from sandbox.profile import machine_of

OLDEST_API = (1, 41)  # Engine 20.10: private cgroup namespaces, the last thing we need that came late
SECONDS = 60
RECENT = 3
REMOVALS = PAUSES = 5
NOT_STILL = "what runs inside could not be held still to be looked at: try again"
PASSING = ("directory not empty", "container state improper")
"""Why a removal fails and the next does not: Docker has just noted there that memory ran out; Podman is ending it."""


class Engine:
    """A connection to one Docker engine. `connect` makes it; nothing is asked before."""

    def __init__(self, client: docker.APIClient, place: EnginePlace | None = None) -> None:
        self.place = place or EnginePlace(MACHINES, "Docker")
        self._api = client
        self._volumes: dict[str, Sequence[Volume]] = {}

    @classmethod
    def connect(cls, variables: Mapping[str, str] | None = None) -> "Engine":
        """Find the engine that the environment names (DOCKER_HOST …), or else the first that answers.

        `variables` are the environment's own if None. Raises EngineUnavailable.
        """
        found, tried = None, []
        for place in places(os.environ if variables is None else variables):
            try:
                found = cls(connected(place, SECONDS), place)
                break
            except EngineUnavailable as error:
                tried.append((place, str(error)))
        if found is None:
            raise EngineUnavailable(none_answers(tried))
        if tuple(int(part) for part in found.api_version.split(".")) < OLDEST_API:
            raise EngineUnavailable(f"the engine speaks API {found.api_version}; Docker 20.10 or newer is needed")
        return found

    @property
    def api_version(self) -> str:
        """The version of the API that is spoken with it."""
        return str(self._api.api_version)

    @property
    def images(self) -> DockerImages:
        """The engine's images."""
        return DockerImages(self._api, self.place)

    @functools.cached_property
    def kind(self) -> Kind:
        """Which engine it is, and what that changes; asked once. Raises EngineUnavailable."""
        return kind_of(self.known, self.place.address)

    @functools.cached_property
    def known(self) -> Mapping[str, Any]:
        """Its facts, asked once: a start waits for them, and they take it longer than all its other questions."""
        return self.facts()

    @property
    def machine(self) -> Machine | None:
        """The machine it runs on, None if that is this one. Raises EngineUnavailable."""
        return machine_of(self.known)

    def facts(self) -> Mapping[str, Any]:
        """What the engine says of itself now (`docker info` and `docker version`). Raises EngineUnavailable."""
        with self._calls():
            return {**self._api.info(), "Version": self._api.version()}

    def create(self, name: str, config: Mapping[str, Any]) -> str:
        """Make a container from the Engine API's own JSON; returns its id. Without a name it gets any.

        Raises NameTaken, SandboxError.
        """
        if self.kind.product == "Docker":
            return self._create(name, config)
        config, own = podman.with_volumes(config)
        try:
            with self._calls(), podman.spelled(config) as spelled:
                for one in own:
                    self._api.create_volume(one.name, labels=dict(one.labels), driver_opts=dict(one.options))
                container = self._create(name, spelled)
        except BaseException:
            self._remove_volumes(own)
            raise
        self._volumes[container] = own
        return container

    def _create(self, name: str, config: Mapping[str, Any]) -> str:
        with self._calls():
            try:
                made: str = self._api.create_container_from_config(dict(config), name or None)["Id"]
            except docker.errors.ImageNotFound as error:
                raise UnknownImage(f"image {config['Image']} is not on the engine any more") from error
            except docker.errors.APIError as error:
                if is_conflict(error):
                    raise NameTaken(f"the engine has a container {name} already") from error
                raise
            return made

    def attach(self, container: str) -> socket.socket:
        """The container's stdin and stdout as one socket, taken before it starts so that no byte can be missed.

        The socket is ours alone: closing it ends the container's stdin.
        """
        with self._calls():
            params = {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1}
            return our_own(self._api.attach_socket(container, params=params))

    def start(self, container: str) -> None:
        """Start a created container. Raises SandboxError with the engine's reason."""
        with self._calls():
            self._api.start(container)

    def run_to_end(self, config: Mapping[str, Any], *, name: str = "", seconds: int = SECONDS) -> tuple[int, bytes]:
        """Run a throw-away container; its exit code and what it printed. Nothing of it is left.

        Raises: NameTaken, SandboxError.
        """
        container = self.create(name, config)
        try:
            with self._calls():
                self._api.start(container)
                code = int(self._api.wait(container, timeout=seconds)["StatusCode"])
                return code, self._api.logs(container, stdout=True, stderr=True)
        finally:
            self.remove(container)

    def pause(self, container: str) -> None:
        """Freeze every process of the container; where the engine cannot, every one but the guest is stopped."""
        if not self.kind.pauses:
            self._inside(container, stopping.HOLD)
            return
        with self._calls():
            for _ in range(PAUSES):
                try:
                    self._api.pause(container)
                except docker.errors.APIError as error:
                    if "already paused" in str(error.explanation):
                        # Nobody else pauses (sandbox.pausing): a busy engine heard of the pause before after its end,
                        # and believes in it still.
                        self._api.unpause(container)
                    elif "unable to freeze" not in str(error.explanation):  # runc gives up on a crowd
                        raise
                else:
                    return
        raise SandboxError(NOT_STILL)

    def unpause(self, container: str) -> None:
        """Let them run on."""
        if not self.kind.pauses:
            self._inside(container, stopping.RELEASE)
            return
        with self._calls():
            self._api.unpause(container)

    def _inside(self, container: str, script: str) -> None:
        """Run a program of ours in a container that has the toolbox, to its end. Raises SandboxError if it fails."""
        with self._calls():
            made = self._api.exec_create(container, stopping.argv(script), user="0:0", workdir="/")
            self._api.exec_start(made["Id"])
            code = self._api.exec_inspect(made["Id"])["ExitCode"]
        if code != 0:
            raise SandboxError(NOT_STILL)

    def ran_out_of_memory(self, container: str) -> bool:
        """Whether that happened in a container within the last seconds, also if it is gone by now."""
        since, until = f"{time.time() - RECENT:.3f}", f"{time.time() + 0.3:.3f}"  # what has just happened is on its way
        filters = {"container": container, "event": "oom"}
        with self._calls():
            events = self._api.events(since, until, filters)  # type: ignore[call-overload] # stubs know no fractions
            return bool(list(events))

    def inspect(self, container: str) -> Mapping[str, Any] | None:
        """What the engine holds about a container, or None if there is none."""
        with self._calls():
            try:
                found: Mapping[str, Any] = self._api.inspect_container(container)
            except docker.errors.NotFound:
                return None
            return found

    def remove(self, container: str) -> bool:
        """Kill and remove a container with its own volumes; False if it was gone already."""
        try:
            return self._remove(container)
        finally:
            self._remove_volumes(self._volumes.pop(container, ()))

    def _remove(self, container: str) -> bool:
        with self._calls():
            for attempt in range(REMOVALS):
                try:
                    self._api.remove_container(container, v=True, force=True)
                    break
                except docker.errors.NotFound:
                    return False  # engines may list for ever what they removed while they were busy
                except docker.errors.APIError as error:
                    if is_conflict(error):
                        break  # its removal is already in progress
                    if not any(one in str(error.explanation) for one in PASSING) or attempt == REMOVALS - 1:
                        raise
                    time.sleep(0.1)
        self.wait_gone(container)
        return True

    def _remove_volumes(self, volumes: Sequence[Volume]) -> None:
        for one in volumes:
            self.remove_volume(one.name)

    def wait_gone(self, container: str) -> None:
        """Return when the container has been removed."""
        with self._calls(), contextlib.suppress(docker.errors.NotFound):
            self._api.wait(container, timeout=SECONDS, condition="removed")

    def containers(self) -> Sequence[Owned]:
        """Every container with our label, running or not."""
        return [one.owned for one in self.present()]

    def present(self) -> Sequence[Present]:
        """The same, with what the engine's list says of each."""
        with self._calls():
            found = self._api.containers(all=True, filters={"label": LABEL})
        return [Present(owned(one["Id"], one["Labels"]), one["State"], one["Created"]) for one in found]

    def usage(self, container: str) -> Usage:
        """What a container uses now. Raises SandboxLost if it is gone."""
        with self._calls():
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
        with self._calls():
            found = self._api.volumes(filters={"label": LABEL})["Volumes"] or []
        return [owned(one["Name"], one["Labels"]) for one in found]

    def make_volume(self, name: str, labels: Mapping[str, str]) -> None:
        """Make a volume of that name; one that is there stays as it is."""
        with self._calls():
            self._api.create_volume(name, labels=dict(labels))

    def shared_volumes(self, *, unused: bool = False) -> Mapping[str, str]:
        """All volumes that no session owns, by name, and when each was made, in ISO 8601; or the `unused` ones.

        Unused is what no container has.
        """
        filters: dict[str, Any] = {"label": SHARED_LABEL} | ({"dangling": True} if unused else {})
        with self._calls():
            found = self._api.volumes(filters=filters)["Volumes"] or []
        return {one["Name"]: str(one.get("CreatedAt", "")) for one in found}

    def remove_volume(self, name: str) -> None:
        """Remove a volume; one that is gone is fine, one in use stays."""
        with self._calls(), contextlib.suppress(docker.errors.NotFound):
            try:
                self._api.remove_volume(name)
            except docker.errors.APIError as error:
                if not is_conflict(error):
                    raise

    def _calls(self) -> AbstractContextManager[None]:
        return engine_calls(self.place)
