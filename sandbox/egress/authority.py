"""The authority that a sandbox trusts for its connections: of this process alone, with a key that is in no file.

Inside a TLS connection nothing can be told of a request but the host it goes to. So the proxy ends the connection and
makes another one, and shows the sandbox a certificate of its own. Outside that sandbox nothing trusts it.
"""

import datetime as dt
import os
import ssl
import sys
from collections.abc import Callable

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

VALID = dt.timedelta(days=90)
SKEW = dt.timedelta(days=1)
MOST_KEPT = 64  # hosts; below a pattern names can be invented without end


class Authority:
    """Makes a certificate for each host that is asked for."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._hosts_key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Paddock, for this sandbox only")])
        self._own = self._certificate(self._name, self._key.public_key(), _of_an_authority(self._key.public_key()))
        self._contexts: dict[str, ssl.SSLContext] = {}

    @property
    def certificate(self) -> str:
        """Its own certificate, as PEM."""
        return self._own.public_bytes(serialization.Encoding.PEM).decode()

    def context(self, host: str) -> ssl.SSLContext:
        """How to be this host for the sandbox: HTTP/1.1 only, and only for who asks for this very name."""
        found = self._contexts.pop(host, None) or self._context(host)
        self._contexts[host] = found  # the last one asked for is the last to go
        if len(self._contexts) > MOST_KEPT:
            del self._contexts[next(iter(self._contexts))]
        return found

    def _context(self, host: str) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["http/1.1"])
        context.sni_callback = _only(host)
        context.sslobject_class = _Greeted
        key = self._hosts_key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        with open(os.memfd_create("certificate"), "wb+") as file:  # the library reads a file, and nothing else
            file.write(key + self._for_host(host).public_bytes(serialization.Encoding.PEM))
            file.flush()
            context.load_cert_chain(f"/proc/self/fd/{file.fileno()}")
        return context

    def _for_host(self, host: str) -> x509.Certificate:
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host[:64])])
        return self._certificate(
            name,
            self._hosts_key.public_key(),
            [
                (x509.SubjectAlternativeName([x509.DNSName(host)]), False),
                (x509.BasicConstraints(ca=False, path_length=None), True),
                (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
                (x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), False),
            ],
        )

    def _certificate(
        self, name: x509.Name, key: ec.EllipticCurvePublicKey, extensions: list[tuple[x509.ExtensionType, bool]]
    ) -> x509.Certificate:
        now = dt.datetime.now(dt.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - SKEW)
            .not_valid_after(now + VALID)
        )
        for extension, is_critical in extensions:
            builder = builder.add_extension(extension, is_critical)
        return builder.sign(self._key, hashes.SHA256())


def _of_an_authority(key: ec.EllipticCurvePublicKey) -> list[tuple[x509.ExtensionType, bool]]:
    """What RFC 5280 asks of one, for Python 3.13 and others look closely."""
    signs = x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )
    return [
        (x509.BasicConstraints(ca=True, path_length=0), True),
        (signs, True),
        (x509.SubjectKeyIdentifier.from_public_key(key), False),
    ]


class _Greeted(ssl.SSLObject):
    """A greeting that names what is no name is refused, and not complained of on our own terminal in its words."""

    def do_handshake(self) -> None:
        """As ever; what the library cannot raise through OpenSSL it would print."""
        before, sys.unraisablehook = sys.unraisablehook, lambda _: None
        try:
            super().do_handshake()
        finally:
            sys.unraisablehook = before


def _only(host: str) -> Callable[[ssl.SSLObject, str | None, ssl.SSLContext], int | None]:
    """Refuse a client that names another host than the one it told the proxy, or none."""

    def check(_connection: ssl.SSLObject, name: str | None, _context: ssl.SSLContext) -> int | None:
        return (
            None
            if name is not None and name.lower().removesuffix(".") == host
            else ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
        )

    return check
