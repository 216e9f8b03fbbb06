"""Where a cluster keeps its things, and the addresses it uses. Constants and paths; nothing here does anything."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

# Root's own place, on a disk: overlayfs wants one, and /tmp may be small or in memory.
DEFAULT_DIRECTORY = Path("/var/lib/penstock-cluster")

NODE = "node1"
NODE_ADDRESS = "10.88.0.1"
POD_RANGE = "10.88.0.0/16"
SERVICE_RANGE = "10.96.0.0/16"
API_SERVICE = "10.96.0.1"
DNS_SERVICE = "10.96.0.10"
API_PORT = 6443
KUBELET_PORT = 10250
DNS_PORT = 1053
# Not 2379 and 2380: Debian's etcd-server starts an etcd of its own there when it is installed.
ETCD_PORT, ETCD_PEER_PORT = 23790, 23800
NFT_TABLE = "penstock-cluster"


def default_directory() -> Path:
    return Path(os.environ.get("PENSTOCK_CLUSTER") or DEFAULT_DIRECTORY)


@dataclass(frozen=True)
class Layout:
    """The directory of one cluster."""

    root: Path

    @property
    def marker(self) -> Path:
        """Shows that the directory is a cluster's, and may be removed with all it holds."""
        return self.root / "penstock-cluster"

    @property
    def kubeconfig(self) -> Path:
        return self.root / "admin.kubeconfig"

    @property
    def pki(self) -> Path:
        return self.root / "pki"

    @property
    def bin(self) -> Path:
        return self.root / "bin"

    @property
    def etc(self) -> Path:
        return self.root / "etc"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def run(self) -> Path:
        return self.root / "run"

    @property
    def containerd_socket(self) -> Path:
        return self.run / "containerd.sock"

    @property
    def imported(self) -> Path:
        """One file for each image that was imported, holding its key."""
        return self.root / "images"

    def create(self) -> None:
        for path in (self.pki, self.bin, self.etc, self.logs, self.run, self.imported):
            path.mkdir(parents=True, exist_ok=True)
        self.pki.chmod(0o700)
        self.marker.touch()
