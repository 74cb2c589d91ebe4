"""Images made for a test, without a registry: a few files and a configuration, as an engine loads them."""

import base64
import hashlib
import io
import json
import tarfile
from collections.abc import Mapping
from typing import Any

from images.image import Image
from sandbox.engine import Engine
from sandbox.toolbox import BUSYBOX, image_on

Files = Mapping[str, bytes | str | None]
"""Programs by absolute path; a text is where a link leads, bytes are an executable file, None is a fifo.

A path that ends with `/` is a folder, which needs nothing.
"""


def made(engine: Engine, name: str, files: Files, **config: Any) -> Image:
    """An image of these files and nothing else; equal input is an equal image."""
    layer = _tar({path.lstrip("/"): content for path, content in files.items()})
    facts = {
        "architecture": "amd64",
        "os": "linux",
        "created": "2026-01-01T00:00:00Z",
        "config": config,
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
    }
    text = json.dumps(facts, sort_keys=True).encode()
    id_ = hashlib.sha256(text).hexdigest()
    tag = f"paddock-test/{name}:{id_[:12]}"
    manifest = json.dumps([{"Config": f"{id_}.json", "RepoTags": [tag], "Layers": ["layer.tar"]}]).encode()
    engine.images.load(io.BytesIO(_tar({f"{id_}.json": text, "manifest.json": manifest, "layer.tar": layer})))
    return Image(name, f"sha256:{id_}")


def busybox(engine: Engine) -> bytes:
    """A program that needs nothing: no library, no file."""
    config = {"Image": image_on(engine, lambda _: None), "Entrypoint": [BUSYBOX, "base64", BUSYBOX]}
    # as text, for what a container prints is kept as such
    code, program = engine.run_to_end({**config, "HostConfig": {"NetworkMode": "none"}})
    assert code == 0
    return base64.b64decode(program)


def _tar(files: Files) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.mode = 0o755
            if name.endswith("/"):
                info.type = tarfile.DIRTYPE
                tar.addfile(info)
            elif isinstance(content, str):
                info.type, info.linkname = tarfile.SYMTYPE, content
                tar.addfile(info)
            elif content is None:
                info.type = tarfile.FIFOTYPE
                tar.addfile(info)
            else:
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()
