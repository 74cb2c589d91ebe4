"""The border to Docker's own library: what it and its transport raise becomes ours."""

import contextlib
from collections.abc import Iterator

import docker
import docker.errors
import requests
import requests.exceptions

from sandbox.engine_places import NEXT, EnginePlace
from sandbox.errors import EngineUnavailable, SandboxError, SandboxLost, Unmountable

CANNOT_MOUNT = ("failed to mount local volume", "error while mounting volume", "mounting volume")
"""What engines say when a container's volume cannot be mounted: Docker's, and Podman's."""


@contextlib.contextmanager
def engine_calls(where: str) -> Iterator[None]:
    """While the block runs, what it raises becomes ours; `where` is the engine's address."""
    try:
        yield
    except (requests.exceptions.ConnectionError, requests.exceptions.Timeout) as error:
        raise EngineUnavailable(f"no engine at {where}: {_reason(str(error))}. {NEXT}") from error
    except docker.errors.NotFound as error:
        raise SandboxLost(f"the engine no longer has it: {error.explanation}") from error
    except docker.errors.APIError as error:
        raise _translated(error) from error


def is_conflict(error: docker.errors.APIError) -> bool:
    """Whether something is in the way: a name that is taken, a removal under way, a container that uses a volume."""
    has_said = error.response is not None and error.response.status_code == requests.codes.conflict
    return has_said or "is already in use" in str(error.explanation)  # Podman's word for a name


def _translated(error: docker.errors.APIError) -> SandboxError:
    reason = str(error.explanation or error).strip()
    if "no space left" in reason:
        return SandboxError(f"the engine's disk is full: {reason}")
    if any(words in reason for words in CANNOT_MOUNT):
        return Unmountable(f"the engine cannot mount the workspace: {reason}")
    if "not running" in reason:  # it ended between being found and being asked
        return SandboxLost(f"the sandbox has ended: {reason}")
    return SandboxError(f"the engine refused: {reason}")


def connected(place: EnginePlace, seconds: int) -> docker.APIClient:
    """A connection that has been answered, with time for each call. Raises EngineUnavailable with the reason alone."""
    if reason := place.refusal or place.absence:
        raise EngineUnavailable(reason)
    try:
        return docker.APIClient(base_url=place.address, version="auto", timeout=seconds)
    except docker.errors.DockerException as error:
        raise EngineUnavailable(_reason(str(error))) from error


def _reason(said: str) -> str:
    """Why an engine cannot be reached."""
    return "permission denied" if "Permission denied" in said else "nothing answers"
