"""The node's address, and the traces that a cluster leaves in the machine's network. Pods' links are CNI's business.

Pods hang on point-to-point links (CNI's ptp plugin), not on a bridge: so all their traffic is routed through the
machine's network stack, where kube-proxy's rules see it, answers included. With a bridge, an answer from one pod to
another takes a short cut past the rules unless the kernel has br_netfilter, and Service addresses fail now and then.
"""

from __future__ import annotations

import json
import socket
from pathlib import Path

from .console import ClusterError, run, succeeds
from .layout import API_PORT, ETCD_PORT, KUBELET_PORT, NFT_TABLE, NODE_ADDRESS, POD_RANGE, Layout

PORTS = {API_PORT: "the API server", ETCD_PORT: "etcd", KUBELET_PORT: "the kubelet"}


def require_free_ports() -> None:
    """Another cluster on the machine shows here, rather than as a daemon that ends for no clear reason."""
    for port, user in PORTS.items():
        with socket.socket() as probe:
            probe.settimeout(1)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                raise ClusterError(f"port {port} is taken, and {user} needs it: is another cluster running here?")


def set_up(layout: Layout) -> None:
    """Everything here may be done twice."""
    if not _address_is_set():
        # On the loopback device: an address of the machine's own, whatever other devices come and go.
        run(["ip", "address", "add", f"{NODE_ADDRESS}/32", "dev", "lo"])
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
    # One table of our own for leaving the machine, rather than CNI's ipMasq: that writes rules for each pod into
    # iptables, which stay behind when a pod is not torn down in peace.
    run(["nft", "-f", "-"], stdin=_masquerade())
    (layout.etc / "cni").mkdir(exist_ok=True)
    plugin = {
        "type": "ptp",
        "ipMasq": False,
        "ipam": {
            "type": "host-local",
            "dataDir": str(layout.run / "ipam"),
            "ranges": [[{"subnet": POD_RANGE}]],
            "routes": [{"dst": "0.0.0.0/0"}],
        },
    }
    network = {"cniVersion": "1.0.0", "name": "pods", "plugins": [plugin]}
    (layout.etc / "cni" / "10-pods.conflist").write_text(json.dumps(network))


def tear_down() -> None:
    """Removes the address and the rules, ours and kube-proxy's. The links of pods went with the pods."""
    if _address_is_set():
        run(["ip", "address", "del", f"{NODE_ADDRESS}/32", "dev", "lo"])
    for table in (f"ip {NFT_TABLE}", "ip kube-proxy", "ip6 kube-proxy"):
        if succeeds(["nft", "list", "table", *table.split()]):
            run(["nft", "delete", "table", *table.split()])


def _address_is_set() -> bool:
    return f" {NODE_ADDRESS}/32 " in run(["ip", "-oneline", "address", "show", "dev", "lo"])


def _masquerade() -> str:
    # The empty first declaration makes the delete succeed on the first run: the whole is one transaction.
    return f"""
        table ip {NFT_TABLE} {{ }}
        delete table ip {NFT_TABLE}
        table ip {NFT_TABLE} {{
            chain postrouting {{
                type nat hook postrouting priority srcnat;
                ip saddr {POD_RANGE} ip daddr != {POD_RANGE} masquerade
            }}
        }}
    """
