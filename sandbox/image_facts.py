"""What must be known of an image before a sandbox can run on it; asked once per image, then remembered."""

from pathlib import Path

import pydantic

from images.errors import ImageError
from images.image import Image, ImageStore
from sandbox.errors import StateError
from sandbox.sessions import make_private, read_record, write_record

OLDEST_PYTHON = (3, 8)
QUESTION = """
import json, sys
def text(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(1000000)
    except OSError:
        return ""
print(json.dumps({"python": sys.version_info[:2], "passwd": text("/etc/passwd"), "group": text("/etc/group")}))
"""


class ImageFacts(pydantic.BaseModel):
    """An image's own accounts and the version of its Python."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    python: tuple[int, int]
    passwd: str
    group: str


def image_facts(image: Image, store: ImageStore, folder: Path) -> ImageFacts:
    """The facts of an image, from `folder` or, the first time, from a throw-away container without network or mounts.

    Raises: ImageError if no Python of 3.8 or newer answers, which the guest needs.
    """
    path = folder / f"{image.id.removeprefix('sha256:')}.json"
    try:
        return read_record(path, ImageFacts)
    except StateError:
        pass  # not asked yet, or damaged: asking again mends both
    answer = b"".join(store.run_once(image.id, ["python3", "-I", "-S", "-c", QUESTION]))
    try:
        facts = ImageFacts.model_validate_json(answer)
    except pydantic.ValidationError as error:
        raise ImageError(f"image {image.name!r} has no working python3, which the sandbox needs") from error
    if facts.python < OLDEST_PYTHON:
        version = ".".join(map(str, facts.python))
        raise ImageError(f"image {image.name!r} has Python {version}; the sandbox needs 3.8 or newer")
    make_private(folder)
    write_record(path, facts)
    return facts
