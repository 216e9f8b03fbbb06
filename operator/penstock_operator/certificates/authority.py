"""Makes authorities and certificates, and tells when one is due for renewal. The time is an argument.

What doesn't belong: where they are kept, and in which order they replace each other (`rotation.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address
from typing import Self

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

# Clocks of nodes differ a little.
BACKDATED = timedelta(minutes=5)
# Where `kubectl port-forward` ends. Nobody but our own programs trusts the authority.
_LOOPBACK = (x509.IPAddress(ip_address("127.0.0.1")), x509.IPAddress(ip_address("::1")))


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A certificate and its private key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @classmethod
    def from_pem(cls, certificate: bytes, key: bytes) -> Self:
        """Raises ValueError if either can't be read or they don't belong together."""
        private = serialization.load_pem_private_key(key, None)
        leaf = x509.load_pem_x509_certificate(certificate)
        if not isinstance(private, ec.EllipticCurvePrivateKey):
            raise ValueError("the key is not one of an elliptic curve")
        if leaf.public_key() != private.public_key():
            raise ValueError("the certificate is not for this key")
        return cls(leaf, private)

    @property
    def certificate_pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        return self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )


def build_authority(now: datetime, life: timedelta) -> KeyPair:
    """A new authority, which may sign certificates of servers and nothing else."""
    key = ec.generate_private_key(ec.SECP256R1())
    # Made at another time, it has another name, so that chains of old and new can't be mixed up.
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Penstock {now:%Y-%m-%dT%H:%M:%SZ}")])
    certificate = (
        _base(name, name, key.public_key(), now, life)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .sign(key, hashes.SHA256())
    )
    return KeyPair(certificate, key)


def build_leaf(authority: KeyPair, names: Sequence[str], now: datetime, life: timedelta) -> KeyPair:
    """A server's certificate for the DNS names; it never outlives its authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:64])])
    life = min(life, authority.certificate.not_valid_after_utc - now)
    certificate = (
        _base(subject, authority.certificate.subject, key.public_key(), now, life)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([*map(x509.DNSName, names), *_LOOPBACK]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key()), critical=False)
        .sign(authority.key, hashes.SHA256())
    )
    return KeyPair(certificate, key)


def is_due(certificate: x509.Certificate, now: datetime) -> bool:
    """Whether two thirds of its life are over."""
    start, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    return now >= start + (end - start) * 2 / 3


def is_signed_by(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    """Whether that very authority made it; the name alone proves nothing."""
    try:
        certificate.verify_directly_issued_by(authority)
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True


def dns_names(certificate: x509.Certificate) -> list[str]:
    """The names that it is for, in order."""
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return []
    return extension.value.get_values_for_type(x509.DNSName)


def service_names(service: str, namespace: str, cluster_domain: str) -> list[str]:
    """The names by which a Service is called."""
    short = f"{service}.{namespace}.svc"
    return [short, f"{short}.{cluster_domain}", f"{service}.{namespace}", service, "localhost"]


def _base(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime, life: timedelta
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + life)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
