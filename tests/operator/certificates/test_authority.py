"""Authorities and certificates as a TLS client sees them, at times of our choosing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from penstock_operator.certificates.authority import (
    KeyPair,
    build_authority,
    build_leaf,
    is_due,
    is_signed_by,
    service_names,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
NAMES = service_names("penstock-control", "penstock-system", "cluster.local")


def verified(leaf: KeyPair, authority: KeyPair, name: str, now: datetime = NOW) -> None:
    policy = PolicyBuilder().store(Store([authority.certificate])).time(now)
    policy.build_server_verifier(x509.DNSName(name)).verify(leaf.certificate, [])


def test_a_strict_client_trusts_the_leaf_for_all_its_names() -> None:
    authority = build_authority(NOW, 30 * DAY)
    leaf = build_leaf(authority, NAMES, NOW, DAY)
    for name in ("penstock-control.penstock-system.svc", "penstock-control.penstock-system.svc.cluster.local"):
        verified(leaf, authority, name)
    with pytest.raises(VerificationError):
        verified(leaf, authority, "penstock-collector.penstock-system.svc")
    with pytest.raises(VerificationError):
        verified(leaf, build_authority(NOW, DAY), NAMES[0])
    with pytest.raises(VerificationError):
        verified(leaf, authority, NAMES[0], NOW + 2 * DAY)


def test_a_leaf_does_not_outlive_its_authority() -> None:
    authority = build_authority(NOW, 10 * DAY)
    assert build_leaf(authority, NAMES, NOW, 90 * DAY).certificate.not_valid_after_utc == NOW + 10 * DAY


def test_renewal_is_due_after_two_thirds() -> None:
    certificate = build_authority(NOW, 30 * DAY).certificate
    assert not is_due(certificate, NOW)
    assert not is_due(certificate, NOW + 19 * DAY)
    assert is_due(certificate, NOW + 20 * DAY)
    assert is_due(certificate, NOW + 31 * DAY)


def test_signatures_are_checked_not_names() -> None:
    one, other = build_authority(NOW, DAY), build_authority(NOW, DAY)
    assert one.certificate.subject == other.certificate.subject
    leaf = build_leaf(one, NAMES, NOW, DAY).certificate
    assert is_signed_by(leaf, one.certificate)
    assert not is_signed_by(leaf, other.certificate)


def test_pem_there_and_back_and_mismatches_refused() -> None:
    one, other = build_authority(NOW, DAY), build_authority(NOW, DAY)
    assert KeyPair.from_pem(one.certificate_pem, one.key_pem).certificate == one.certificate
    with pytest.raises(ValueError, match="not for this key"):
        KeyPair.from_pem(one.certificate_pem, other.key_pem)
    with pytest.raises(ValueError):
        KeyPair.from_pem(b"-----", one.key_pem)
