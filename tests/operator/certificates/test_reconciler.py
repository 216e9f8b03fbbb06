"""The release's Secrets and webhooks are made, left alone while they are right, and made right again."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from structlog.testing import capture_logs
from tests.operator.doubles import Cluster, Json

from penstock_operator.certificates.authority import dns_names
from penstock_operator.certificates.reconciler import Reconciler
from penstock_operator.cluster.api import ApiError
from penstock_operator.settings import GatewayCertificate, OperatorSettings

SECRETS = "/api/v1/namespaces/penstock-system/secrets"
HOOKS = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/penstock"
CONFIG_MAP = "/api/v1/namespaces/penstock-system/configmaps/penstock-ca"


class Clock:
    now = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


class Release:
    """A cluster after `helm install`, and its reconciler."""

    def __init__(self) -> None:
        self.cluster, self.clock = Cluster(), Clock()
        hook = {"name": "inject.penstock.dev", "clientConfig": {"service": {"name": "penstock-control"}}}
        self.cluster.objects[HOOKS] = {"kind": "MutatingWebhookConfiguration", "webhooks": [hook]}
        self.reconciler = Reconciler(self.cluster.api(), OperatorSettings(namespace="penstock-system"), self.clock)

    def data(self, name: str) -> dict[str, bytes]:
        secret: Json = self.cluster.objects[f"{SECRETS}/{name}"]
        return {key: base64.b64decode(value) for key, value in secret["data"].items()}

    @property
    def trusted(self) -> bytes:
        return base64.b64decode(self.cluster.objects[HOOKS]["webhooks"][0]["clientConfig"]["caBundle"])


@pytest.fixture
def release() -> Release:
    return Release()


async def test_everything_is_made_and_then_left_alone(release: Release) -> None:
    await release.reconciler.reconcile()
    written = release.cluster.writes()
    assert [path.rpartition("/")[2] for path in written] == [
        "penstock-authority",
        "penstock",
        "penstock-ca",
        "penstock-control-tls",
        "penstock-collector-tls",
        "penstock-mask-key",
        "penstock-viewer",
    ], "trust before what must be trusted"
    leaf = x509.load_pem_x509_certificate(release.data("penstock-control-tls")["tls.crt"])
    (authority,) = x509.load_pem_x509_certificates(release.trusted)
    leaf.verify_directly_issued_by(authority)
    assert authority.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert (
        release.cluster.objects[CONFIG_MAP]["data"]["ca.crt"].encode() == release.trusted == release.reconciler.bundle
    )
    hook = release.cluster.objects[HOOKS]["webhooks"][0]
    assert hook["clientConfig"]["service"] == {"name": "penstock-control"}, "nothing else of it is touched"
    assert set(release.reconciler.not_after) == {"authority", "penstock-control", "penstock-collector"}
    await release.reconciler.reconcile()
    assert release.cluster.writes() == []


async def test_servers_have_certificates_of_their_own(release: Release) -> None:
    await release.reconciler.reconcile()
    assert release.data("penstock-control-tls")["tls.key"] != release.data("penstock-collector-tls")["tls.key"]
    assert "ca.key" not in release.data("penstock-collector-tls")


async def test_what_is_undone_is_done_again(release: Release) -> None:
    await release.reconciler.reconcile()
    del release.cluster.objects[HOOKS]["webhooks"][0]["clientConfig"]["caBundle"]
    del release.cluster.objects[f"{SECRETS}/penstock-control-tls"]
    release.cluster.objects[f"{SECRETS}/penstock-collector-tls"]["data"] = {"tls.crt": "eA==", "tls.key": "eA=="}
    release.cluster.writes()
    await release.reconciler.reconcile()
    assert sorted(path.rpartition("/")[2] for path in release.cluster.writes()) == [
        "penstock",
        "penstock-collector-tls",
        "penstock-control-tls",
    ]


async def test_a_certificate_is_renewed_and_the_authority_later(release: Release) -> None:
    await release.reconciler.reconcile()
    first = release.data("penstock-control-tls")["tls.crt"]
    release.clock.now += timedelta(days=61)
    await release.reconciler.reconcile()
    assert release.data("penstock-control-tls")["tls.crt"] != first
    release.clock.now = Clock.now + timedelta(days=800)
    await release.reconciler.reconcile()
    assert len(x509.load_pem_x509_certificates(release.trusted)) == 2, "announced"
    release.clock.now += timedelta(hours=2)
    await release.reconciler.reconcile()
    assert release.data("penstock-authority")["next.crt"] == b""
    leaf = x509.load_pem_x509_certificate(release.data("penstock-control-tls")["tls.crt"])
    leaf.verify_directly_issued_by(x509.load_pem_x509_certificates(release.trusted)[0])


async def test_what_webhooks_are_told_to_trust_are_authorities_at_every_moment(release: Release) -> None:
    """Never the server's own certificate, which the next renewal would take out of use."""
    for _ in range(60):
        await release.reconciler.reconcile()
        trusted = x509.load_pem_x509_certificates(release.trusted)
        for one in trusted:
            assert one.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
        served = x509.load_pem_x509_certificate(release.data("penstock-control-tls")["tls.crt"])
        served.verify_directly_issued_by(next(one for one in trusted if one.subject == served.issuer))
        release.clock.now += timedelta(days=20)


async def test_two_operators_at_once_come_to_one_authority_and_leave_it_alone(release: Release) -> None:
    """The chart has one. Where a second is started by mistake, neither undoes what the other did for ever."""
    settings = OperatorSettings(namespace="penstock-system")
    both = [release.reconciler, Reconciler(release.cluster.api(), settings, release.clock)]
    await asyncio.gather(*(one.reconcile() for one in both))
    for _ in range(2):
        for one in both:
            await one.reconcile()
    release.cluster.writes()
    for one in both:
        await one.reconcile()
        assert one.bundle == release.trusted
    assert release.cluster.writes() == []
    served = x509.load_pem_x509_certificate(release.data("penstock-control-tls")["tls.crt"])
    served.verify_directly_issued_by(x509.load_pem_x509_certificates(release.trusted)[0])


async def test_an_authority_that_can_not_be_read_is_made_anew(release: Release) -> None:
    await release.reconciler.reconcile()
    before = release.trusted
    release.cluster.objects[f"{SECRETS}/penstock-authority"]["data"]["ca.key"] = "eA=="
    await release.reconciler.reconcile()
    assert release.trusted != before


async def test_the_mask_key_and_the_viewers_token_are_made_once(release: Release) -> None:
    await release.reconciler.reconcile()
    key, viewer = release.data("penstock-mask-key"), release.data("penstock-viewer")
    assert len(key["key"]) == 32
    assert viewer["tokens"].decode() == f"{hashlib.sha256(viewer['token']).hexdigest()} viewer\n"
    await release.reconciler.reconcile()
    assert release.data("penstock-mask-key") == key


async def test_another_operators_key_of_the_same_moment_stays(release: Release) -> None:
    await release.reconciler.reconcile()
    key = release.data("penstock-mask-key")
    # It was not there when we looked, and is when we write.
    late = Reconciler(release.cluster.api(), OperatorSettings(namespace="penstock-system"), release.clock)
    await late._once("penstock-mask-key-2", lambda: {"key": b"a" * 32})
    release.cluster.objects[f"{SECRETS}/penstock-mask-key-2"]["data"] = {"key": "Yg=="}
    with pytest.raises(ApiError, match="conflict"):
        await late._write(("penstock-system", "penstock-mask-key-2"), {"key": b"c"}, manager="other", force=False)
    assert release.data("penstock-mask-key") == key


async def test_a_webhook_that_is_not_there_is_no_failure(release: Release) -> None:
    del release.cluster.objects[HOOKS]
    await release.reconciler.reconcile()
    assert HOOKS not in release.cluster.objects


async def test_an_api_server_that_refuses_is_told(release: Release) -> None:
    release.cluster.refusing[f"{SECRETS}/penstock-authority"] = 403
    with pytest.raises(ApiError, match="refused"):
        await release.reconciler.reconcile()


GATEWAYS = (
    GatewayCertificate(namespace="shop", service="penstock-gateway-people", names=("db.example", "*.db.example")),
    GatewayCertificate(namespace="sales", service="penstock-gateway-bi"),
)


def with_gateways(release: Release) -> Reconciler:
    settings = OperatorSettings(namespace="penstock-system", gateways=GATEWAYS)
    return Reconciler(release.cluster.api(), settings, release.clock)


def gateway_leaf(release: Release, namespace: str, name: str) -> x509.Certificate:
    secret = release.cluster.objects[f"/api/v1/namespaces/{namespace}/secrets/{name}"]
    assert secret["type"] == "kubernetes.io/tls"
    return x509.load_pem_x509_certificate(base64.b64decode(secret["data"]["tls.crt"]))


async def test_gateways_have_certificates_in_their_own_namespaces(release: Release) -> None:
    reconciler = with_gateways(release)
    await reconciler.reconcile()
    people = gateway_leaf(release, "shop", "penstock-gateway-people-tls")
    assert dns_names(people) == [
        "penstock-gateway-people.shop.svc", "penstock-gateway-people.shop.svc.cluster.local",
        "penstock-gateway-people.shop", "penstock-gateway-people", "localhost", "db.example", "*.db.example",
    ]  # fmt: skip
    people.verify_directly_issued_by(x509.load_pem_x509_certificates(reconciler.bundle)[0])
    assert "sales/penstock-gateway-bi" in reconciler.not_after
    release.cluster.writes()
    await reconciler.reconcile()
    assert release.cluster.writes() == []
    release.clock.now += timedelta(days=61)
    await reconciler.reconcile()
    assert gateway_leaf(release, "shop", "penstock-gateway-people-tls") != people


@pytest.mark.parametrize("status", [403, 500])
async def test_a_gateway_whose_namespace_is_gone_keeps_nobody_from_theirs(release: Release, status: int) -> None:
    release.cluster.refusing["/api/v1/namespaces/shop/secrets/penstock-gateway-people-tls"] = status
    reconciler = with_gateways(release)
    with capture_logs() as logged:
        await reconciler.reconcile()
    assert dns_names(gateway_leaf(release, "sales", "penstock-gateway-bi-tls"))[0] == "penstock-gateway-bi.sales.svc"
    (told,) = [line for line in logged if line["log_level"] == "warning" and "secret" in line]
    assert told["secret"] == "shop/penstock-gateway-people-tls"
    assert set(reconciler.not_after) == {
        "authority", "penstock-control", "penstock-collector", "sales/penstock-gateway-bi",
    }  # fmt: skip
