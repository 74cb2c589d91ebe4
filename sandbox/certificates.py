"""What an engine that speaks TLS is known by, and we by it: the files that Docker's own command line takes for this."""

import os
import ssl
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Certificates:
    """Paths of files that can be used. Without an `authority` the public ones count; `own` is ours, and its key."""

    authority: str | None
    own: tuple[str, str] | None

    @classmethod
    def of(cls, folder: Path, *, needs_authority: bool) -> "Certificates":
        """Those of a folder: `ca.pem`, `cert.pem`, `key.pem`. Raises ValueError for what is missing or of no use."""
        authority, certificate, key = (folder / name for name in ("ca.pem", "cert.pem", "key.pem"))
        has_authority = needs_authority or authority.exists()
        has_own = certificate.exists() or key.exists()
        context = ssl.create_default_context()
        for path, is_wanted in ((authority, has_authority), (certificate, has_own), (key, has_own)):
            if is_wanted and not os.access(path, os.R_OK):
                raise ValueError(f"{path} is missing, or you may not read it")
        try:
            if has_authority:
                context.load_verify_locations(authority)
        except (OSError, ValueError) as error:
            raise ValueError(f"{authority} holds no certificate") from error
        try:
            if has_own:
                context.load_cert_chain(certificate, key, password=_no_password)
        except (OSError, ValueError) as error:
            raise ValueError(f"{certificate} and {key} are no pair, or the key has a password") from error
        return cls(str(authority) if has_authority else None, (str(certificate), str(key)) if has_own else None)


def _no_password() -> str:
    """The library would ask for it on the terminal, behind the screen."""
    return ""
