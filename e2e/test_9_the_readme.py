"""README's "Install it on a cluster", followed word for word where nothing is installed, up to a masked row.

After `test_9_release.py`, whose last test takes the other tests' release away: one installation governs a cluster.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme

from e2e.collector import SYSTEM
from e2e.conftest import PRODUCT, SHOP, SHOP_IMAGE
from e2e.environment import ROOT, Environment, OwnCluster
from e2e.kubectl import Kubectl
from e2e.people.gateway import superuser
from e2e.shop import manifests

# The database that the section presupposes; all else of it is made by the section's own commands.
PHONE = """
ALTER TABLE customers ADD phone text;
UPDATE customers SET phone = '+44 20 7946 0991' WHERE id = 1;
"""
HOST = f"shop-db.{manifests.NAMESPACE}.svc"
# What is done there in place of two lines of the section, and in place of what a third has the nodes do:
# - `docker build` and `docker push`: even where a Docker engine is, there is no registry that it could push to and the
#   nodes pull from. The image, built as all others of these tests are, is on the nodes by the very name that the lines
#   give it, and a `docker` that takes these two lines, and no others, says that it did its work.
# - `image: postgres:17`: the nodes of our own cluster reach no registry. There, the shop's image, which has Debian's
#   psql, is on them by that name.
DOCKER = """#!/bin/sh
case "$*" in
    "build -t {image} ." | "push {image}") ;;
    *) echo "docker $*: the test stands in for no such line" >&2; exit 1 ;;
esac
"""
CLIENT_IMAGE = "docker.io/library/postgres:17"


@dataclass(frozen=True)
class Block:
    """One of the section's code blocks, with the text before it."""

    before: str
    language: str
    text: str

    @property
    def file(self) -> str:
        """As what a reader is told to save it: what is named last."""
        named: list[str] = re.findall(r"`([\w-]+\.yaml)`", self.before)
        return named[-1]

    def __str__(self) -> str:
        """What it is for, in short: the file, or the programs that it runs, line by line."""
        if self.language == "yaml":
            return f"yaml {self.file}"
        return " ".join(
            [self.language, *(re.findall(r"^\w+", self.text, re.MULTILINE) if self.language == "sh" else [])]
        )


def section() -> list[Block]:
    text = (ROOT / "README.md").read_text().partition("\n## Install it on a cluster\n")[2].partition("\n## ")[0]
    return [Block(*found) for found in re.findall(r"(.*?)^```(\w+)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)]


@dataclass(frozen=True)
class Reader:
    """Somebody in a checkout, with `penstock` on the PATH, a kubeconfig, and what they know of their database."""

    kubectl: Kubectl
    desk: Path
    password: str = "gate-password"

    def save(self, block: Block) -> None:
        (self.desk / block.file).write_text(block.text)

    def run(self, block: Block) -> str:
        """What its lines print."""
        environment = self.kubectl.environment()
        path = [str(self.desk / "bin"), str(Path(sys.executable).parent), environment["PATH"]]
        done = subprocess.run(
            ["bash", "-euxc", block.text], cwd=self.desk, capture_output=True, text=True, timeout=400, check=False,
            env={**environment, "PATH": os.pathsep.join(path), "PASSWORD": self.password},
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture
def reader(kubectl: Kubectl, tmp_path: Path) -> Iterator[Reader]:
    """On a cluster without Penstock and without the shop."""
    (tmp_path / "charts").symlink_to(ROOT / "charts")
    _clear_away(kubectl)
    _is_gone(kubectl)
    yield Reader(kubectl, tmp_path)
    if not os.environ.get("PENSTOCK_E2E_KEEP"):
        _clear_away(kubectl)


def _clear_away(kubectl: Kubectl) -> None:
    # The first process of a container that just sleeps waits for SIGKILL.
    kubectl("-n", manifests.NAMESPACE, "delete", "deployments", "--all", "--wait=false")
    kubectl("-n", manifests.NAMESPACE, "delete", "pods", "--all", "--grace-period=1")
    kubectl.helm("uninstall", "penstock", "--namespace", SYSTEM, "--ignore-not-found")
    kubectl("delete", "namespace", manifests.NAMESPACE, SYSTEM, "--ignore-not-found", "--wait=false")


def _is_gone(kubectl: Kubectl) -> None:
    kubectl("delete", "namespace", manifests.NAMESPACE, SYSTEM, "--ignore-not-found", "--wait=true", timeout=180)


def stand_in(environment: Environment, reader: Reader, install: Block) -> None:
    """The images by the section's names, and the `docker` of above."""
    (image,) = re.findall(r"^docker build -t (\S+) \.$", install.text, re.MULTILINE)
    environment.image(image, Path("Dockerfile"), PRODUCT)
    if isinstance(environment, OwnCluster):
        environment.image(CLIENT_IMAGE, Path("e2e/shop/Dockerfile"), SHOP)
    docker = reader.desk / "bin" / "docker"
    docker.parent.mkdir()
    docker.write_text(DOCKER.format(image=image))
    docker.chmod(0o755)


def test_who_follows_the_readme_reads_a_masked_row(environment: Environment, reader: Reader) -> None:
    blocks = section()
    assert [str(block) for block in blocks] == [
        "sh docker docker helm",
        "sh kubectl kubectl kubectl",
        "yaml shop.yaml",
        "yaml support.yaml",
        "sh penstock kubectl kubectl kubectl kubectl",
        "text",
    ]
    install, secrets, resources, workload, ask, answer = blocks
    stand_in(environment, reader, install)
    authority = trustme.CA()
    (reader.desk / "ca.crt").write_bytes(authority.cert_pem.bytes())

    reader.run(install)
    # Whose database is there already goes on at once, and control has to answer by then.
    reader.kubectl.wait("-n", SYSTEM, "--for=condition=Available", "deploy/penstock-control", seconds=1)
    reader.run(secrets)
    # Its namespace is there only now.
    setup = manifests.SETUP.read_text() + PHONE
    reader.kubectl.apply(*manifests.database_server(SHOP_IMAGE, authority.issue_cert(HOST), setup))
    reader.kubectl.rollout(manifests.NAMESPACE, "deploy/shop-db")
    reader.save(resources)
    reader.save(workload)
    printed = reader.run(ask)

    rows = printed[printed.index('deployment "support" successfully rolled out') :].splitlines()[1:]
    assert [row.rstrip() for row in rows if row.strip()] == answer.text.splitlines()
    (sql,) = re.findall(r'psql -c "([^"]+)"', ask.text)
    stored = superuser(reader.kubectl, sql, "shop").split("|")
    assert len(stored) == 3
    assert [value for value in stored if f"`{value}`" not in answer.before] == []
    assert [value for value in stored if value in answer.text] == []
