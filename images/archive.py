"""A docker archive made by hand: one layer, a config with a fixed date, a manifest; so the id is ours to know."""

import hashlib
import io
import json
import tarfile
from datetime import UTC, datetime

from images.definition import Definition

_BLOCK = 512
_LAYER = "layer.tar"


def begin(archive: io.BufferedRandom) -> None:
    """Leave room for the layer's header and stand where the layer's bytes go."""
    archive.truncate(_BLOCK)
    archive.seek(_BLOCK)


def finish(archive: io.BufferedRandom, definition: Definition) -> str:
    """Complete the archive around the layer that was written after `begin`; return the image's id (`sha256:…`).

    Equal layers and equal definitions give equal archives and equal ids, on every machine.
    """
    size = archive.seek(0, io.SEEK_END) - _BLOCK
    archive.seek(0)
    archive.write(_header(_LAYER, size, definition.epoch))
    layer = hashlib.file_digest(archive, "sha256").hexdigest()
    config = _config(definition, layer)
    digest = hashlib.sha256(config).hexdigest()
    manifest = [{"Config": f"{digest}.json", "RepoTags": [definition.tag], "Layers": [_LAYER]}]
    _pad(archive)
    for name, data in ((f"{digest}.json", config), ("manifest.json", _canonical(manifest))):
        archive.write(_header(name, len(data), definition.epoch) + data)
        _pad(archive)
    archive.write(bytes(2 * _BLOCK))
    archive.seek(0)
    return f"sha256:{digest}"


def _config(definition: Definition, layer: str) -> bytes:
    created = datetime.fromtimestamp(definition.epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return _canonical(
        {
            "architecture": definition.architecture,
            "os": "linux",
            "created": created,
            "config": {
                "Env": [f"{key}={value}" for key, value in sorted(definition.environment.items())],
                "Cmd": ["/bin/bash"],
                "Labels": {"org.opencontainers.image.title": definition.tag},
            },
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer}"]},
            "history": [{"created": created, "created_by": f"paddock images build {definition.name}"}],
        }
    )


def _canonical(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def _header(name: str, size: int, epoch: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.size = size
    info.mtime = epoch
    return info.tobuf(tarfile.GNU_FORMAT)


def _pad(archive: io.BufferedRandom) -> None:
    archive.write(bytes(-archive.tell() % _BLOCK))
