"""The cluster's daemons: their order, their command lines and their configuration files. `node` starts them."""

from __future__ import annotations

import json
from pathlib import Path

from .debian import CNI_PLUGINS
from .images import PAUSE
from .layout import (
    API_PORT,
    DNS_PORT,
    DNS_SERVICE,
    ETCD_PEER_PORT,
    ETCD_PORT,
    NODE,
    NODE_ADDRESS,
    POD_RANGE,
    SERVICE_RANGE,
    Layout,
)

ETCD = f"http://127.0.0.1:{ETCD_PORT}"
Command = list[str | Path]


def commands(layout: Layout) -> dict[str, Command]:
    """Name -> command line, in the order of starting; the API server must answer before those after it start."""
    return {
        "etcd": _etcd(layout),
        "kube-apiserver": _api_server(layout),
        "kube-controller-manager": _controllers(layout),
        "kube-scheduler": _with_kubeconfig(layout, "kube-scheduler", "scheduler"),
        "containerd": ["containerd", "--config", layout.etc / "containerd.toml"],
        "kubelet": _kubelet(layout),
        "kube-proxy": [layout.bin / "kube-proxy", f"--config={layout.etc / 'kube-proxy.json'}"],
        "coredns": [layout.bin / "coredns", "-conf", layout.etc / "Corefile"],
    }


def write_configuration(layout: Layout) -> None:
    (layout.etc / "containerd.toml").write_text(_containerd_configuration(layout))
    (layout.etc / "kubelet.json").write_text(json.dumps(_kubelet_configuration(layout), indent=1))
    (layout.etc / "kube-proxy.json").write_text(json.dumps(_proxy_configuration(layout), indent=1))
    (layout.etc / "Corefile").write_text(_corefile(layout))


def _etcd(layout: Layout) -> Command:
    return [
        "etcd",
        f"--data-dir={layout.root / 'etcd'}",
        f"--listen-client-urls={ETCD}",
        f"--advertise-client-urls={ETCD}",
        f"--listen-peer-urls=http://127.0.0.1:{ETCD_PEER_PORT}",
        f"--initial-advertise-peer-urls=http://127.0.0.1:{ETCD_PEER_PORT}",
        f"--initial-cluster=default=http://127.0.0.1:{ETCD_PEER_PORT}",
        # A throw-away cluster need not outlive a power cut, and fsync is most of etcd's time on a slow disk.
        "--unsafe-no-fsync",
    ]


def _api_server(layout: Layout) -> Command:
    pki = layout.pki
    return [
        layout.bin / "kube-apiserver",
        f"--etcd-servers={ETCD}",
        f"--secure-port={API_PORT}",
        f"--advertise-address={NODE_ADDRESS}",
        f"--service-cluster-ip-range={SERVICE_RANGE}",
        f"--tls-cert-file={pki / 'apiserver.crt'}",
        f"--tls-private-key-file={pki / 'apiserver.key'}",
        f"--client-ca-file={pki / 'ca.crt'}",
        f"--token-auth-file={pki / 'people.csv'}",
        f"--service-account-key-file={pki / 'service-accounts.pub'}",
        f"--service-account-signing-key-file={pki / 'service-accounts.key'}",
        "--service-account-issuer=https://kubernetes.default.svc",
        "--authorization-mode=Node,RBAC",
        # On top of the default plugins, which include both admission webhooks, policies and pod security.
        "--enable-admission-plugins=NodeRestriction",
        "--allow-privileged=true",
        f"--kubelet-certificate-authority={pki / 'ca.crt'}",
        f"--kubelet-client-certificate={pki / 'admin.crt'}",
        f"--kubelet-client-key={pki / 'admin.key'}",
        # For exec and logs, by address: by default the node's name would have to resolve on this machine.
        "--kubelet-preferred-address-types=InternalIP",
    ]


def _controllers(layout: Layout) -> Command:
    return [
        *_with_kubeconfig(layout, "kube-controller-manager", "controllers"),
        "--use-service-account-credentials=true",
        f"--service-account-private-key-file={layout.pki / 'service-accounts.key'}",
        f"--root-ca-file={layout.pki / 'ca.crt'}",
        f"--cluster-signing-cert-file={layout.pki / 'ca.crt'}",
        f"--cluster-signing-key-file={layout.pki / 'ca.key'}",
    ]


def _with_kubeconfig(layout: Layout, component: str, user: str) -> Command:
    return [layout.bin / component, f"--kubeconfig={layout.pki / f'{user}.kubeconfig'}", "--leader-elect=false"]


def _kubelet(layout: Layout) -> Command:
    return [
        layout.bin / "kubelet",
        f"--config={layout.etc / 'kubelet.json'}",
        f"--kubeconfig={layout.pki / 'kubelet.kubeconfig'}",
        f"--root-dir={layout.root / 'kubelet'}",
        f"--hostname-override={NODE}",
        f"--node-ip={NODE_ADDRESS}",
    ]


def _containerd_configuration(layout: Layout) -> str:
    # restrict_oom_score_adj: where root is itself confined it may not lower its OOM score; without this setting no pod
    # sandbox starts there, and runc's message does not say why.
    # netns_mounts_under_state_dir: so that all mounts are under the cluster's own directory, and `down` finds them.
    return f"""\
version = 2
root = "{layout.root / "containerd"}"
state = "{layout.run / "containerd"}"
[grpc]
  address = "{layout.containerd_socket}"
[plugins."io.containerd.internal.v1.opt"]
  path = "{layout.root / "opt"}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE}"
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{CNI_PLUGINS}"
    conf_dir = "{layout.etc / "cni"}"
"""


def _kubelet_configuration(layout: Layout) -> dict[str, object]:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(layout.pki / "ca.crt")},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": str(layout.pki / "kubelet.crt"),
        "tlsPrivateKeyFile": str(layout.pki / "kubelet.key"),
        "containerRuntimeEndpoint": f"unix://{layout.containerd_socket}",
        "clusterDNS": [DNS_SERVICE],
        "clusterDomain": "cluster.local",
        # Pods must not depend on the machine's resolver; there is nothing outside the cluster to resolve.
        "resolvConf": "/dev/null",
        # Works with and without systemd, and with both versions of control groups.
        "cgroupDriver": "cgroupfs",
        "failCgroupV1": False,
        "failSwapOn": False,
        "podLogsDir": str(layout.logs / "pods"),
        "volumePluginDir": str(layout.root / "volume-plugins"),
        # The machine's disk may be fuller than a real node's would: never evict for it, never delete images, which
        # could not be pulled again.
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "0%", "imagefs.available": "0%"},
        "imageGCHighThresholdPercent": 100,
        "localStorageCapacityIsolation": False,
        # By default a changed Secret or ConfigMap takes over a minute to reach a pod: too long for a test.
        "syncFrequency": "5s",
        # And what was killed twice stays down for ten seconds and more.
        "crashLoopBackOff": {"maxContainerRestartPeriod": "2s"},
        "serializeImagePulls": False,
        # Chains in the machine's iptables that nothing here uses, and that nobody would remove.
        "makeIPTablesUtilChains": False,
    }


def _proxy_configuration(layout: Layout) -> dict[str, object]:
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "clientConnection": {"kubeconfig": str(layout.pki / "proxy.kubeconfig")},
        "mode": "nftables",
        "clusterCIDR": POD_RANGE,
        "hostnameOverride": NODE,
        # Leave the machine's own connection tracking limits as they are.
        "conntrack": {"maxPerCore": 0, "min": 0},
    }


def _corefile(layout: Layout) -> str:
    return f"""\
.:{DNS_PORT} {{
  bind {NODE_ADDRESS}
  errors
  cache 5
  kubernetes cluster.local {{
    kubeconfig {layout.kubeconfig} penstock
  }}
}}
"""
