"""The engine's images: `images.image.ImageStore` on Docker's API."""

import posixpath
from collections.abc import Mapping
from typing import IO

import docker
import docker.errors
import docker.utils

from images.errors import ImageError, UnknownImage
from images.image import OnProgress, Progress, Wishes
from sandbox.docker_calls import engine_calls
from sandbox.engine_places import EnginePlace
from sandbox.errors import EngineUnavailable, SandboxError

LOCAL = "localhost/"
"""What Podman puts in front of the name of an image that came from no registry."""


class DockerImages:
    """All of them; nothing is asked before a call."""

    def __init__(self, client: docker.APIClient, place: EnginePlace) -> None:
        self._api = client
        self._place = place

    def find(self, reference: str, /) -> str | None:
        """The id behind a tag, digest or id, or None."""
        with engine_calls(self._place):
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
        with engine_calls(self._place):
            said = list(self._api.load_image(archive))  # to the end: a stream left half-read keeps its socket
        if errors := [line["error"] for line in said if "error" in line]:
            raise ImageError(f"the engine would not load the image: {errors[0]}")

    def pull(self, reference: str, on_progress: OnProgress, /) -> str:
        """Fetch an image from its registry."""
        repository, tag = docker.utils.parse_repository_tag(reference)
        errors = []
        try:
            with engine_calls(self._place):
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
        with engine_calls(self._place):
            found = [(tag, image["Id"]) for image in self._api.images() for tag in image["RepoTags"] or []]
        short = [(tag.removeprefix(LOCAL), id_) for tag, id_ in found]
        return {tag: id_ for tag, id_ in short if tag.startswith(prefix)}

    def wishes(self, image_id: str, /) -> Wishes:
        """What an image asks for where it runs. Raises UnknownImage if the engine does not hold it any more."""
        with engine_calls(self._place):
            try:
                found = self._api.inspect_image(image_id)["Config"]
            except docker.errors.ImageNotFound as error:
                raise UnknownImage(f"image {image_id} is not on the engine any more") from error
        variables = (one.partition("=") for one in found.get("Env") or [])
        environment = {name: value for name, mark, value in variables if mark}
        places = {posixpath.normpath("/" + place.lstrip("/")) for place in found.get("Volumes") or ()}
        return Wishes(environment, tuple(sorted(places)))


def _not_pulled(reference: str, reason: str) -> str:
    return f"image {reference!r} is not on the engine and could not be pulled: {reason.strip()}"
