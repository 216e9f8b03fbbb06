"""In which order authorities and certificates replace each other, so that at no moment anybody is not trusted.

A new authority is announced first: it is in every bundle for an hour before it signs. The old one stays in the
bundle until it ends. Pure; the clock, the cluster and the logging are `reconciler.py`'s.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from penstock_operator.certificates.authority import (
    BACKDATED,
    KeyPair,
    build_authority,
    build_leaf,
    dns_names,
    is_due,
    is_signed_by,
)

# The kubelet brings a changed ConfigMap to running pods within about two minutes; the rest is for whoever was away.
ANNOUNCED = timedelta(hours=1)

Data = Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class Authorities:
    """Who signs, who will sign next, and who signed before and is trusted still."""

    signer: KeyPair
    next: KeyPair | None = None
    former: tuple[x509.Certificate, ...] = ()

    @classmethod
    def from_data(cls, data: Data) -> Self:
        """From the data of the Secret. Raises ValueError or KeyError."""
        following = KeyPair.from_pem(data["next.crt"], data["next.key"]) if data.get("next.crt") else None
        former = x509.load_pem_x509_certificates(data["former.crt"]) if data.get("former.crt") else []
        return cls(KeyPair.from_pem(data["ca.crt"], data["ca.key"]), following, tuple(former))

    def data(self) -> dict[str, bytes]:
        """For the Secret. Keys without a value are there too, so that applying it clears them."""
        return {
            "ca.crt": self.signer.certificate_pem,
            "ca.key": self.signer.key_pem,
            "next.crt": self.next.certificate_pem if self.next else b"",
            "next.key": self.next.key_pem if self.next else b"",
            "former.crt": _pem(self.former),
        }

    @property
    def bundle(self) -> bytes:
        """All that are to be trusted, the signer first."""
        following = (self.next.certificate,) if self.next else ()
        return _pem((self.signer.certificate, *following, *self.former))


def advanced(authorities: Authorities | None, now: datetime, life: timedelta) -> Authorities:
    """What the authorities should be now; the same if nothing is due."""
    if authorities is None or authorities.signer.certificate.not_valid_after_utc <= now:
        # Nothing to overlap with: the first one, or nobody was here to renew it in time.
        return Authorities(build_authority(now, life))
    former = tuple(one for one in authorities.former if one.not_valid_after_utc > now)
    authorities = replace(authorities, former=former)
    following = authorities.next
    if following is not None and now >= following.certificate.not_valid_before_utc + BACKDATED + ANNOUNCED:
        return Authorities(following, None, (authorities.signer.certificate, *former))
    if following is None and is_due(authorities.signer.certificate, now):
        return replace(authorities, next=build_authority(now, life))
    return authorities


def leaf_from_data(data: Data) -> KeyPair:
    """From the data of a Secret of type kubernetes.io/tls. Raises ValueError or KeyError."""
    return KeyPair.from_pem(data["tls.crt"], data["tls.key"])


def renewed_leaf(
    leaf: KeyPair | None, signer: KeyPair, names: Sequence[str], now: datetime, life: timedelta
) -> KeyPair:
    """The certificate that a server should have now: the one it has, unless that is due, of another signer or names."""
    if (
        leaf is not None
        and not is_due(leaf.certificate, now)
        and is_signed_by(leaf.certificate, signer.certificate)
        and dns_names(leaf.certificate) == list(names)
    ):
        return leaf
    return build_leaf(signer, names, now, life)


def _pem(certificates: Sequence[x509.Certificate]) -> bytes:
    return b"".join(one.public_bytes(serialization.Encoding.PEM) for one in certificates)
