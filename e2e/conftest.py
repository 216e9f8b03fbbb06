"""One installation on one cluster for all end-to-end tests: images, the chart by Helm, the shop and its workload.

What doesn't belong: assertions about Penstock; they are in the tests, which run in the order of their files.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import trustme
from xdist.scheduler import LoadScopeScheduling

from e2e.cluster.console import ClusterError
from e2e.collector import SYSTEM
from e2e.environment import ROOT, Environment, choose
from e2e.kubectl import Kubectl
from e2e.load.place import Load
from e2e.people.gateway import GATEWAY, NAME, SPACE, STOCK, Gateway, keys, policy, superuser
from e2e.people.issuer import Issuer
from e2e.shop import manifests

IMAGE = os.environ.get("PENSTOCK_E2E_IMAGE", "localhost/penstock:e2e")
SHOP_IMAGE = os.environ.get("PENSTOCK_E2E_SHOP_IMAGE", "localhost/penstock-shop:e2e")
PRODUCT = ("pyproject.toml", "hatch_build.py", "README.md", "LICENSE", "requirements/runtime.lock",
           "requirements/compiled.lock", "core", "entrance", "operator", "sidecar", "collector", "agents", "cli",
           "crds", ".ci/prune.py", ".dockerignore")  # fmt: skip
LOAD = pytest.StashKey[Load]()
SUMMARY = pytest.StashKey[str]()
UNDER_LOAD = "under load"
SHOP = ("requirements/shop.lock", "e2e/shop/server.py", "e2e/shop/client.py", "e2e/shop/load.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test that waits for pods needs more than a unit test's two minutes."""
    for item in items:
        item.add_marker(pytest.mark.timeout(600))


class Groups(LoadScopeScheduling):
    """What needs the cluster runs in order, in one process; what needs an API server of its own or none, in another."""

    def _split_scope(self, nodeid: str) -> str:
        return "cluster" if nodeid.partition("::")[0].count("/") == 1 else "apart"


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Groups:
    return Groups(config, log)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """What was measured under load, for the process that says so."""
    load, output = session.config.stash.get(LOAD, None), getattr(session.config, "workeroutput", None)
    if load is not None:
        if output is None:
            session.config.stash[SUMMARY] = load.summary()
        else:
            output[UNDER_LOAD] = load.summary()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    if UNDER_LOAD in getattr(node, "workeroutput", {}):
        node.config.stash[SUMMARY] = node.workeroutput[UNDER_LOAD]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """What was measured under load, also where all went well."""
    if SUMMARY in config.stash:
        terminalreporter.section(UNDER_LOAD)
        terminalreporter.write_line(config.stash[SUMMARY])


@pytest.fixture(scope="session")
def environment() -> Environment:
    return choose()


@pytest.fixture(scope="session")
def kubectl(environment: Environment) -> Kubectl:
    """A running cluster with the images in it."""
    try:
        kubeconfig = environment.up()
        environment.image(IMAGE, Path("Dockerfile"), PRODUCT)
        environment.image(SHOP_IMAGE, Path("e2e/shop/Dockerfile"), SHOP)
    except ClusterError as error:
        pytest.fail(str(error), pytrace=False)
    return Kubectl(kubeconfig, tuple(environment.programs()))


@pytest.fixture(scope="session")
def release(kubectl: Kubectl) -> Iterator[Kubectl]:
    """The chart, installed as a user would, from nothing."""
    for left in (manifests.NAMESPACE, SYSTEM):
        kubectl("delete", "namespace", left, "--ignore-not-found", "--wait=true", timeout=180)
    repository, _, tag = IMAGE.rpartition(":")
    kubectl.helm(
        "upgrade", "--install", "penstock", str(ROOT / "charts" / "penstock"),
        "--namespace", SYSTEM, "--create-namespace", "--wait", "--timeout", "4m",
        "--set", f"image.repository={repository}", "--set", f"image.tag={tag}",
        "--set-json", 'collector.kubernetesGroupRoles={"approver":["dba","staff"]}',
    )  # fmt: skip
    yield kubectl
    if not os.environ.get("PENSTOCK_E2E_KEEP"):
        kubectl("delete", "namespace", manifests.NAMESPACE, "--ignore-not-found", "--wait=true", timeout=180)
        kubectl.helm("uninstall", "penstock", "--namespace", SYSTEM, "--wait", "--ignore-not-found")


@dataclass(frozen=True)
class Workload:
    """A Deployment of the shop, and what runs in its application's container."""

    kubectl: Kubectl
    name: str

    def run(self, driver: str, sql: str, *arguments: str) -> dict[str, Any]:
        """One statement by that driver, as `client.py` prints it."""
        output = self.exec("python3", "/shop/client.py", "run", driver, sql, *arguments)
        result: dict[str, Any] = json.loads(output)
        return result

    def exec(self, *command: str) -> str:
        return self.kubectl("-n", manifests.NAMESPACE, "exec", f"deploy/{self.name}", "-c", "app", "--", *command)

    def pod(self) -> dict[str, Any]:
        """The newest pod that is not on its way out."""
        pods = self.kubectl.get("-n", manifests.NAMESPACE, "pods", "-l", f"app={self.name}")["items"]
        alive = [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]
        newest: dict[str, Any] = max(alive, key=lambda pod: str(pod["metadata"]["creationTimestamp"]))
        return newest


@pytest.fixture(scope="session")
def shop(release: Kubectl) -> Kubectl:
    """The namespace with a database (TLS, verified in full), its Database resource and the policy of `web`."""
    authority = trustme.CA()
    certificate = authority.issue_cert(f"shop-db.{manifests.NAMESPACE}.svc")
    release.apply(
        manifests.NAMESPACE_OBJECT,
        manifests.secret("shop-db", username=b"gate", password=b"gate-password"),
        manifests.secret("shop-db-ca", **{"ca.crt": authority.cert_pem.bytes()}),
        manifests.service_account("web"),
        *manifests.database_server(SHOP_IMAGE, certificate, manifests.SETUP.read_text()),
    )
    release.rollout(manifests.NAMESPACE, "deploy/shop-db")
    release.apply(manifests.database(), manifests.policy())
    for resource in ("database/shop", "databaseaccesspolicy/web"):
        release.wait("-n", manifests.NAMESPACE, "--for=condition=Accepted", resource, seconds=60)
    return release


@pytest.fixture(scope="session")
def web(shop: Kubectl) -> Workload:
    """The annotated workload. Nothing in it but the annotations knows of Penstock."""
    shop.apply(manifests.deployment(SHOP_IMAGE, "web", manifests.INJECT))
    shop.rollout(manifests.NAMESPACE, "deploy/web")
    return Workload(shop, "web")


@pytest.fixture(scope="session")
def gateway(shop: Kubectl, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """The chart's gateway for people, which goes with its namespace; pods that are made from now on know the issuer."""
    superuser(shop, STOCK)
    issuer = Issuer()
    database = manifests.database(dbname="stock", credentialsSecretRef={"name": "stock-db"}, classification=[])
    database["metadata"]["name"] = "stock"
    shop.apply(
        manifests.secret("stock-db", username=b"stock_gate", password=b"stock-password"),
        {
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "issuer-keys", "namespace": SPACE},
            "data": {"keys.json": json.dumps(keys())},
        },
        *issuer.objects(SHOP_IMAGE),
        database,
        policy("people-shop", "shop", masks=[{"tags": ["pii.email"], "with": {"email": {}}}]),
        policy("people-stock", "stock"),
    )  # fmt: skip
    issuers = [*GATEWAY["issuers"], issuer.settings]
    values = {"gateways": [{**GATEWAY, "issuers": issuers}], "sidecar.issuers": [issuer.settings]}
    shop.helm(
        "upgrade", "penstock", str(ROOT / "charts" / "penstock"), "--namespace", SYSTEM, "--reuse-values", "--wait",
        "--timeout", "4m", *(f"--set-json={name}={json.dumps(value)}" for name, value in values.items()),
    )  # fmt: skip
    shop.rollout(SPACE, f"deploy/{NAME}")
    shop.wait("-n", SPACE, "--for=condition=Ready", "pod/login")
    ca_file = tmp_path_factory.mktemp("gateway") / "ca.crt"
    ca_file.write_text(shop("-n", SPACE, "get", "cm", "penstock-ca", "-o", 'go-template={{index .data "ca.crt"}}'))
    address = str(shop.get("-n", SPACE, "service", NAME)["spec"]["clusterIP"])
    yield Gateway(shop, address, ca_file, issuer)
    # A namespace looks again what is left after half of the time that its pods may take, which is long for a gateway's.
    shop("-n", SPACE, "delete", f"deploy/{NAME}", "--ignore-not-found", "--cascade=foreground", "--wait=true")


@pytest.fixture(scope="session")
def load(shop: Kubectl, pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Load]:
    """An application under steady load from now on, until the last of its tests ends it."""
    made = pytestconfig.stash[LOAD] = Load(shop, SHOP_IMAGE, tmp_path_factory.mktemp("load"))
    made.start()
    yield made
    made.clear_away()
