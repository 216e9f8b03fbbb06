"""Where the end-to-end tests run: the cluster that KUBECONFIG names, kind where Docker is, else one of our own.

    python -m e2e.environment up | down

What doesn't belong: what is installed into the cluster (`conftest.py`), the recipe of our own cluster (`cluster/`).
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from abc import ABC, abstractmethod
from pathlib import Path

from e2e.cluster import images, node, pki
from e2e.cluster.console import ClusterError, say
from e2e.cluster.debian import widen_path
from e2e.cluster.layout import Layout, default_directory

ROOT = Path(__file__).resolve().parents[1]
KIND_NAME = "penstock-e2e"
# What the node image of kind is made for; the newest that the oldest supported chart (kubeVersion) allows is fine.
PUBLIC_BASE = "python:3.13-slim-bookworm"


class Environment(ABC):
    """A cluster, and a way to bring images into it."""

    @abstractmethod
    def up(self) -> Path:
        """Start the cluster where it does not run, and return its kubeconfig. Raises ClusterError."""

    @abstractmethod
    def down(self) -> None:
        """Stop what `up` started."""

    @abstractmethod
    def image(self, name: str, dockerfile: Path, include: tuple[str, ...], root: Path = ROOT) -> None:
        """Build an image from those parts of a checkout and bring it into the cluster. Raises ClusterError."""

    def programs(self) -> list[Path]:
        """Directories in which kubectl and helm are found, before PATH."""
        return []

    def bearer_tokens(self) -> dict[str, str]:
        """People (bea in the group dba, eve in staff) whom the API server knows by a bearer token, where it does."""
        return {}


class OwnCluster(Environment):
    """The single-node cluster that `e2e/cluster` starts without Docker."""

    def __init__(self) -> None:
        self._layout = Layout(default_directory().absolute())
        widen_path()

    def up(self) -> Path:
        node.up(self._layout)
        return self._layout.kubeconfig

    def down(self) -> None:
        node.down(self._layout)

    def image(self, name: str, dockerfile: Path, include: tuple[str, ...], root: Path = ROOT) -> None:
        archive = images.build(images.Image(name, root / dockerfile, root, include=include))
        node.import_image(self._layout, name, archive)

    def programs(self) -> list[Path]:
        return [self._layout.bin]

    def bearer_tokens(self) -> dict[str, str]:
        return pki.bearer_tokens(self._layout)


class Kind(Environment):
    """A kind cluster, kept by pytest-kind, for machines with a Docker engine."""

    def __init__(self) -> None:
        # Only here: importing it costs time and it writes a directory where it is asked to.
        from pytest_kind import KindCluster  # noqa: PLC0415

        self._cluster = KindCluster(KIND_NAME, kubeconfig=ROOT / ".pytest-kind" / KIND_NAME / "kubeconfig")

    def up(self) -> Path:
        self._cluster.create()
        return Path(self._cluster.kubeconfig_path)

    def down(self) -> None:
        self._cluster.delete()

    def image(self, name: str, dockerfile: Path, include: tuple[str, ...], root: Path = ROOT) -> None:
        command: list[str | Path] = [
            "docker",
            "build",
            "-t",
            name,
            "-f",
            root / dockerfile,
            "--build-arg",
            f"BASE_IMAGE={PUBLIC_BASE}",
        ]
        subprocess.run([*command, root], check=True)
        self._cluster.load_docker_image(name)


class GivenCluster(Environment):
    """The cluster that KUBECONFIG names; its nodes must be able to pull the images, which somebody else builds."""

    def up(self) -> Path:
        kubeconfig = Path(os.environ["KUBECONFIG"])
        if not kubeconfig.is_file():
            raise ClusterError(f"KUBECONFIG names {kubeconfig}, which is not a file")
        return kubeconfig

    def down(self) -> None:
        """Nothing: it is not ours."""

    def image(self, name: str, dockerfile: Path, include: tuple[str, ...], root: Path = ROOT) -> None:
        """Nothing: the images are where PENSTOCK_E2E_IMAGE and PENSTOCK_E2E_SHOP_IMAGE say."""


def choose() -> Environment:
    """The environment for this machine; see the module's first line."""
    if os.environ.get("KUBECONFIG"):
        return GivenCluster()
    if shutil.which("docker") and _answers(["docker", "info"]):
        return Kind()
    return OwnCluster()


def _answers(command: list[str]) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m e2e.environment", description=__doc__)
    parser.add_argument("what", choices=["up", "down"])
    arguments = parser.parse_args()
    environment = choose()
    say(f"the end-to-end tests run on: {type(environment).__name__}")
    try:
        environment.up() if arguments.what == "up" else environment.down()
    except ClusterError as error:
        say(f"error: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
