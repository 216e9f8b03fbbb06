"""The cluster's certificates, made with openssl, each kubeconfig, and tokens of people, for as long as it lives."""

from __future__ import annotations

import csv
import json
import secrets
from pathlib import Path

from .console import run
from .layout import API_PORT, API_SERVICE, NODE, NODE_ADDRESS, Layout

DAYS = "365"
API_NAMES = ["kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"]
API_ALTERNATIVES = ",".join(
    [*(f"DNS:{name}" for name in [*API_NAMES, "localhost"]), "IP:127.0.0.1", f"IP:{API_SERVICE}", f"IP:{NODE_ADDRESS}"]
)
# Certificate -> subject and alternative names. Kubernetes reads user and groups from CN and O.
CERTIFICATES = {
    "apiserver": ("/CN=kube-apiserver", API_ALTERNATIVES),
    "kubelet": (f"/O=system:nodes/CN=system:node:{NODE}", f"DNS:{NODE},IP:{NODE_ADDRESS}"),
    "admin": ("/O=system:masters/CN=admin", ""),
    "controllers": ("/CN=system:kube-controller-manager", ""),
    "scheduler": ("/CN=system:kube-scheduler", ""),
    "proxy": ("/CN=system:kube-proxy", ""),
}

# People who have a bearer token, with their groups.
PEOPLE = {"bea": ("dba",), "eve": ("staff",)}


def create_pki(layout: Layout) -> None:
    """All keys and certificates, once; and a kubeconfig for each that is a client."""
    done = layout.pki / "done"
    if done.exists():
        return
    authority: list[str | Path] = ["-keyout", layout.pki / "ca.key", "-out", layout.pki / "ca.crt"]
    run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", *authority, "-days", DAYS, "-subj", "/CN=test-ca"])
    for name, (subject, alternatives) in CERTIFICATES.items():
        sign(layout, layout.pki / name, subject, alternatives)
    run(["openssl", "genrsa", "-out", layout.pki / "service-accounts.key", "2048"])
    public: list[str | Path] = ["-pubout", "-out", layout.pki / "service-accounts.pub"]
    run(["openssl", "rsa", "-in", layout.pki / "service-accounts.key", *public])
    for name in ("kubelet", "controllers", "scheduler", "proxy"):
        _kubeconfig(layout, name, layout.pki / f"{name}.kubeconfig")
    _kubeconfig(layout, "admin", layout.kubeconfig)
    with _people(layout).open("w") as file:
        csv.writer(file).writerows(
            (secrets.token_urlsafe(32), name, f"uid-{name}", ",".join(groups)) for name, groups in PEOPLE.items()
        )
    done.touch()


def bearer_tokens(layout: Layout) -> dict[str, str]:
    """Whom the API server knows by a bearer token: name -> token."""
    if not _people(layout).exists():
        return {}
    with _people(layout).open() as file:
        return {name: token for token, name, *_ in csv.reader(file)}


def _people(layout: Layout) -> Path:
    return layout.pki / "people.csv"


def sign(layout: Layout, stem: Path, subject: str, alternatives: str) -> None:
    """A key and a certificate of the cluster's authority, for servers and clients: `stem`.key and `stem`.crt."""
    key, request, extensions = stem.with_suffix(".key"), stem.with_suffix(".csr"), stem.with_suffix(".ext")
    run(["openssl", "req", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", request, "-subj", subject])
    names = f"subjectAltName={alternatives}\n" if alternatives else ""
    extensions.write_text(f"{names}extendedKeyUsage=serverAuth,clientAuth\n")
    authority: list[str | Path] = ["-CA", layout.pki / "ca.crt", "-CAkey", layout.pki / "ca.key", "-CAcreateserial"]
    result: list[str | Path] = ["-out", stem.with_suffix(".crt"), "-days", DAYS, "-extfile", extensions]
    run(["openssl", "x509", "-req", "-in", request, *authority, *result])


def _kubeconfig(layout: Layout, name: str, target: Path) -> None:
    # JSON is YAML, and needs no library. Paths, not contents: the keys never leave the machine.
    server = {"server": f"https://127.0.0.1:{API_PORT}", "certificate-authority": str(layout.pki / "ca.crt")}
    user = {"client-certificate": f"{layout.pki / name}.crt", "client-key": f"{layout.pki / name}.key"}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "penstock", "cluster": server}],
        "users": [{"name": name, "user": user}],
        "contexts": [{"name": "penstock", "context": {"cluster": "penstock", "user": name}}],
        "current-context": "penstock",
    }
    target.write_text(json.dumps(config, indent=1))
    target.chmod(0o600)
