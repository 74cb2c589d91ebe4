"""Keys and tokens in text: a small set of forms that are hardly ever anything else, each with its reason.

What it finds deserves a look; what it does not find is not thereby free of secrets. Nothing is hidden on purpose from
a person by it: whoever wants to smuggle a key out of a sandbox writes it backwards.
"""

import re
from collections.abc import Callable
from typing import Final

_FORMS: Final = tuple(
    (begin, re.compile(form), name)
    for begin, form, name in (
        (b"PRIVATE KEY", rb"-----BEGIN [A-Z0-9 ]*PRIVATE KEY( BLOCK)?-----", "a private key"),
        (b"AKIA", rb"\bAKIA[0-9A-Z]{16}\b", "an AWS access key"),
        (b"ASIA", rb"\bASIA[0-9A-Z]{16}\b", "an AWS access key"),
        (b"gh", rb"\bgh[opusr]_[A-Za-z0-9]{36,}\b", "a GitHub token"),
        (b"github_pat_", rb"\bgithub_pat_[A-Za-z0-9_]{22,}\b", "a GitHub token"),
        (b"glpat-", rb"\bglpat-[A-Za-z0-9_-]{20,}", "a GitLab token"),
        (b"xox", rb"\bxox[abeoprs]-[A-Za-z0-9-]{10,}", "a Slack token"),
        (b"sk-", rb"\bsk-(ant-|proj-)?[A-Za-z0-9_-]{32,}", "a key of a model's service"),
        (b"AIza", rb"\bAIza[0-9A-Za-z_-]{35}", "a Google key"),
        (b"_live_", rb"\b[sr]k_live_[0-9A-Za-z]{20,}", "a Stripe key"),
        (b"npm_", rb"\bnpm_[A-Za-z0-9]{36}\b", "an npm token"),
        (b"pypi-", rb"\bpypi-AgEIcHlwaS5vcmc[A-Za-z0-9_-]{40,}", "a PyPI token"),
    )
)
"""Bytes that every text of a form holds (to search those first makes a large file cheap), the form, its name."""


def secret_in(text: bytes, before: Callable[[], bytes]) -> str:
    """Why `text` looks as if it held a secret that `before()` does not hold, or the empty string.

    A key that only moved within the file is no news; one more private key has the same first line as the others.
    """
    old: bytes | None = None
    for begin, form, name in _FORMS:
        if begin not in text:
            continue
        for found in form.finditer(text):
            old = before() if old is None else old
            if text.count(found[0]) > old.count(found[0]):
                return f"it adds what looks like {name}"
    return ""


def without_secrets(text: bytes) -> bytes:
    """The same with every key and token of these forms taken out; of a private key only its first line is known."""
    for begin, form, _ in _FORMS:
        if begin in text:
            text = form.sub(b"hidden", text)
    return text
