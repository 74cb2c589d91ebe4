"""Where packages come from: the host's own apt configuration, read when it is needed and never written down."""

import re
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

_KEYRINGS = (
    Path("/usr/share/keyrings/debian-archive-keyring.gpg"),
    Path("/usr/share/keyrings/debian-archive-keyring.pgp"),
)
_POCKETS = ("", "-updates", "-security")


@dataclass(frozen=True)
class Source:
    """One line of apt's sources: packages of a release under an address, vouched for by a key (empty: apt's own)."""

    address: str
    release: str
    signed_by: str

    def line(self, components: Sequence[str]) -> str:
        """The line as apt's one-line format has it."""
        options = f"[signed-by={self.signed_by}] " if self.signed_by else ""
        return f"deb {options}{self.address} {self.release} {' '.join(components)}"


def sources(suite: str, components: Sequence[str]) -> str:
    """A sources.list for `suite` from the host's mirrors, or "" where the host is no Debian.

    The host may run another release than the image: a Debian mirror holds them all, so only the name is exchanged.
    """
    release = codename(_read("/etc/os-release"))
    if not release:
        return ""
    targets = _ask("apt-get", "indextargets", "Created-By: Packages")
    found = dict.fromkeys(translate(parse(targets), release, suite))
    return "".join(f"{source.line(components)}\n" for source in found)


def settings() -> list[str]:
    """How the host's apt reaches its mirrors (proxy, CA bundle, timeouts), as options for another apt."""
    dump = _ask("apt-config", "dump", "--format", '%F "%v";%n', "Acquire::http", "Acquire::https", "Acquire::ftp")
    return [line for line in dump.splitlines() if not line.endswith(' "";')]


def parse(targets: str) -> Iterator[Source]:
    """What `apt-get indextargets` lists, as far as it is Debian's main archive."""
    for stanza in targets.split("\n\n"):
        fields = dict(re.findall(r"^([\w-]+): ?(.*)$", stanza, re.MULTILINE))
        foreign = fields.get("Origin", "Debian") != "Debian"
        address = fields.get("Repo-URI", "")
        if foreign or fields.get("Component") != "main" or not address or address.startswith(("cdrom:", "file:")):
            continue
        yield Source(address, fields.get("Release", ""), _signed_by(fields.get("Sourcesentry", "")))


def translate(found: Iterator[Source], release: str, suite: str) -> Iterator[Source]:
    """The sources of the host's `release` and of its updates, as those of `suite`; all others are left out."""
    for source in found:
        for pocket in _POCKETS:
            if source.release == f"{release}{pocket}":
                yield Source(source.address, f"{suite}{pocket}", source.signed_by)


def _signed_by(entry: str) -> str:
    """The key file that the entry `file:number` names, else Debian's own where it is installed."""
    path, _, number = entry.rpartition(":")
    text = _read(path)
    if path.endswith(".sources"):
        named = re.findall(r"^Signed-By:\s*(/\S+)", text, re.MULTILINE | re.IGNORECASE)
    else:
        line = text.splitlines()[int(number) - 1 : int(number)] if number.isdigit() else []
        named = re.findall(r"signed-by=(/[^\s\]]+)", "".join(line))
    keys = [*named, *(str(keyring) for keyring in _KEYRINGS if keyring.exists())]
    return keys[0] if keys else ""


def codename(os_release: str) -> str:
    """The name of the Debian release that an os-release file describes; "" for any other system."""
    fields = dict(re.findall(r'^(\w+)="?([^"\n]*)"?$', os_release, re.MULTILINE))
    return fields.get("VERSION_CODENAME", "") if fields.get("ID") == "debian" else ""


def _read(path: str) -> str:
    try:
        return Path(path).read_text(errors="replace")
    except OSError:
        return ""


def _ask(*argv: str) -> str:
    """What a program of apt says; nothing where there is no apt: then the builder's own default mirror serves."""
    try:
        return subprocess.run(argv, capture_output=True, text=True, check=False).stdout
    except FileNotFoundError:
        return ""
