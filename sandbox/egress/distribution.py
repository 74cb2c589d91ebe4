"""The distribution's mirrors, for profiles that can install packages: those that this machine's own apt has."""

import urllib.parse
from dataclasses import dataclass

from images import definition, mirror
from sandbox.egress.hosts import is_pattern


@dataclass(frozen=True)
class Distribution:
    """`hosts` are patterns of the mirrors; `sources` is what apt inside reads, empty for an image that has its own."""

    hosts: tuple[str, ...] = ()
    sources: str = ""


def distribution(image: str) -> Distribution:
    """What this machine's apt knows, for an image of that name; nothing where it is no Debian."""
    own = definition.load(image if image in definition.known() else "base")
    lines = mirror.sources(own.suite, own.components)
    urls = [urllib.parse.urlsplit(word) for word in lines.split() if "://" in word]
    hosts = [
        f"{url.hostname}:{url.port}" if url.port else str(url.hostname)
        for url in urls
        if is_pattern(url.hostname or "")
    ]
    return Distribution(tuple(dict.fromkeys(hosts)), lines if image == own.name else "")
