"""The release as it is installed, replaced, taken back and removed while an application queries; and its node.

What doesn't belong: what must not happen meanwhile (the tests).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from e2e.collector import SYSTEM
from e2e.environment import ROOT
from e2e.kubectl import Kubectl
from e2e.load import objects
from e2e.load.place import SPACE, Load

CHART = ROOT / "charts" / "penstock"
PROGRAMS = "app.kubernetes.io/component in (control, operator, collector)"


@dataclass(frozen=True)
class Version:
    """A chart with its image, and how people call them."""

    name: str
    chart: Path
    image: str


@dataclass(frozen=True)
class Release:
    """By Helm, with the values that it had when the tests began."""

    kubectl: Kubectl
    values: Path

    @classmethod
    def of(cls, kubectl: Kubectl, directory: Path) -> Release:
        values = directory / "values.json"
        values.write_text(kubectl.helm("get", "values", "penstock", "--namespace", SYSTEM, "--output", "json"))
        return cls(kubectl, values)

    def put(self, version: Version) -> None:
        """Installed, or upgraded, as docs/operate.md says; until it is ready."""
        repository, _, tag = version.image.rpartition(":")
        self.kubectl.helm(
            "upgrade", "--install", "penstock", str(version.chart), "--namespace", SYSTEM, "--wait", "--timeout", "4m",
            "--values", str(self.values), "--set", f"image.repository={repository}", "--set", f"image.tag={tag}",
        )  # fmt: skip

    def roll_back(self) -> None:
        self.kubectl.helm("rollback", "penstock", "--namespace", SYSTEM, "--wait")

    def uninstall(self) -> None:
        self.kubectl.helm("uninstall", "penstock", "--namespace", SYSTEM, "--wait")
        self.kubectl(
            "-n", SYSTEM, "wait", "--for=delete", "pod", "-l", PROGRAMS, "--timeout=120s",
            timeout=130,
        )  # fmt: skip

    def images(self) -> set[str]:
        """What the programs run."""
        found = self.kubectl.get("-n", SYSTEM, "pods", "-l", PROGRAMS)["items"]
        alive = [one for one in found if "deletionTimestamp" not in one["metadata"]]
        return {container["image"] for one in alive for container in one["spec"]["containers"]}


BUDGET = {
    "apiVersion": "policy/v1",
    "kind": "PodDisruptionBudget",
    "metadata": {"name": objects.NAME, "namespace": SPACE},
    "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": objects.NAME}}},
}


@contextmanager
def cordoned(load: Load) -> Iterator[str]:
    """The node of the programs, on which no pod begins."""
    node = str(load.pods("control")[0]["spec"]["nodeName"])
    load.kubectl("cordon", node)
    try:
        yield node
    finally:
        load.kubectl("uncordon", node)


def drain(load: Load, node: str, selector: str, seconds: int) -> set[str]:
    """What kubectl evicts within that time; raises CommandError if that is not all."""
    done = load.kubectl(
        "drain", node, f"--pod-selector={selector}", "--delete-emptydir-data", "--ignore-daemonsets", "--force",
        f"--timeout={seconds}s", timeout=seconds + 60,
    )  # fmt: skip
    return set(re.findall(r"pod/(\S+) evicted", done))
