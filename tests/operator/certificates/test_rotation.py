"""Years of an authority in seconds: at each moment, whoever holds the bundle of a while ago trusts every server."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.x509.verification import PolicyBuilder, Store

from penstock_operator.certificates.rotation import ANNOUNCED, Authorities, advanced, leaf_from_data, renewed_leaf

NOW = datetime(2026, 1, 1, tzinfo=UTC)
DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
NAMES = ["penstock-control.penstock-system.svc"]


def trusts(bundle: bytes, leaf: x509.Certificate, now: datetime) -> None:
    store = Store(x509.load_pem_x509_certificates(bundle))
    PolicyBuilder().store(store).time(now).build_server_verifier(x509.DNSName(NAMES[0])).verify(leaf, [])


def test_the_first_authority_is_made_and_stays() -> None:
    first = advanced(None, NOW, 30 * DAY)
    assert first.next is None
    assert advanced(first, NOW + DAY, 30 * DAY) == first


def test_a_new_authority_is_announced_before_it_signs_and_the_old_stays_trusted() -> None:
    first = advanced(None, NOW, 30 * DAY)
    due = NOW + 21 * DAY
    announced = advanced(first, due, 30 * DAY)
    assert announced.signer == first.signer
    assert announced.next is not None
    assert announced.bundle.startswith(first.bundle)
    assert advanced(announced, due + ANNOUNCED - MINUTE, 30 * DAY) == announced
    signing = advanced(announced, due + ANNOUNCED, 30 * DAY)
    assert signing.signer == announced.next
    assert signing.former == (first.signer.certificate,)
    assert advanced(signing, NOW + 31 * DAY, 30 * DAY).former == (), "it ended"


def test_at_every_moment_a_bundle_of_half_an_hour_ago_trusts_the_servers_certificate() -> None:
    authorities, leaf, bundles = advanced(None, NOW, 12 * DAY), None, []
    now = NOW
    signers = set()
    while now < NOW + 40 * DAY:
        authorities = advanced(authorities, now, 12 * DAY)
        leaf = renewed_leaf(leaf, authorities.signer, NAMES, now, 3 * DAY)
        bundles.append(authorities.bundle)
        signers.add(authorities.signer.certificate.serial_number)
        trusts(bundles[-2:][0], leaf.certificate, now)
        now += 30 * MINUTE
    assert len(signers) >= 4


def test_an_authority_that_nobody_renewed_in_time_is_replaced_at_once() -> None:
    first = advanced(None, NOW, 10 * DAY)
    late = advanced(first, NOW + 11 * DAY, 10 * DAY)
    assert late.signer != first.signer
    assert late.former == ()


def test_the_secret_holds_it_all() -> None:
    announced = advanced(advanced(None, NOW, 30 * DAY), NOW + 21 * DAY, 30 * DAY)
    signing = advanced(announced, NOW + 22 * DAY, 30 * DAY)
    for authorities in (announced, signing):
        data = authorities.data()
        assert Authorities.from_data(data).data() == data
    with pytest.raises(KeyError):
        Authorities.from_data({})
    with pytest.raises(ValueError):
        Authorities.from_data({"ca.crt": b"x", "ca.key": b"y"})


def test_a_certificate_is_renewed_when_due_or_for_other_names_or_by_another_signer() -> None:
    signer = advanced(None, NOW, 300 * DAY).signer
    leaf = renewed_leaf(None, signer, NAMES, NOW, 90 * DAY)
    assert renewed_leaf(leaf, signer, NAMES, NOW + 59 * DAY, 90 * DAY) is leaf
    assert renewed_leaf(leaf, signer, NAMES, NOW + 61 * DAY, 90 * DAY) is not leaf
    assert renewed_leaf(leaf, signer, [*NAMES, "other"], NOW, 90 * DAY) is not leaf
    other = advanced(None, NOW, 300 * DAY).signer
    assert renewed_leaf(leaf, other, NAMES, NOW, 90 * DAY) is not leaf
    assert leaf_from_data({"tls.crt": leaf.certificate_pem, "tls.key": leaf.key_pem}).certificate == leaf.certificate
