"""Where the API server is and how we prove ourselves: the pod's service account, or a kubeconfig on a laptop.

What doesn't belong: requests (`api.py`). Of a kubeconfig only the current context counts, with a client certificate
or a token; programs that fetch credentials (`exec`) are for people's tools.
"""

from __future__ import annotations

import base64
import os
import ssl
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


class AccessError(Exception):
    """The API server can't be found; the message says what is missing."""


@dataclass(frozen=True, slots=True)
class Access:
    """The API server's address, its CA, and our credentials. A token is read again each time, as it is rotated."""

    server: str
    ca: str
    token_file: Path | None = None
    token: str = ""
    certificate: str = ""
    key: str = ""

    def bearer(self) -> str:
        """The token to present, or "" with a client certificate. Raises OSError when the file is gone."""
        return self.token_file.read_text().strip() if self.token_file is not None else self.token

    def tls(self) -> ssl.SSLContext:
        """A context that trusts the cluster's CA alone and holds our certificate, if we have one."""
        context = ssl.create_default_context(cadata=self.ca or None)
        if self.certificate:
            # Python loads a chain from files only; it has read them when this returns.
            with tempfile.NamedTemporaryFile("w", suffix=".pem") as both:
                both.write(f"{self.certificate}\n{self.key}\n")
                both.flush()
                context.load_cert_chain(both.name)
        return context


def find(environment: Mapping[str, str] = os.environ, service_account: Path = SERVICE_ACCOUNT) -> Access:
    """In a pod its service account, else the kubeconfig (KUBECONFIG or ~/.kube/config). Raises AccessError."""
    host, port = environment.get("KUBERNETES_SERVICE_HOST"), environment.get("KUBERNETES_SERVICE_PORT", "443")
    token, ca = service_account / "token", service_account / "ca.crt"
    if host and token.exists() and ca.exists():
        host = f"[{host}]" if ":" in host else host
        return Access(f"https://{host}:{port}", ca.read_text(), token_file=token)
    path = Path(environment.get("KUBECONFIG", "").split(os.pathsep)[0] or Path.home() / ".kube" / "config")
    if not path.exists():
        raise AccessError(
            f"no Kubernetes API server: this is not a pod with a service account, and {path} is not there"
        )
    try:
        return from_kubeconfig(yaml.safe_load(path.read_text()), path.parent)
    except (yaml.YAMLError, KeyError, TypeError, ValueError) as problem:
        raise AccessError(f"{path}: not a kubeconfig with a usable current context ({problem!r})") from problem


def from_kubeconfig(document: Mapping[str, Any], directory: Path) -> Access:
    """What the current context leads to. Raises KeyError, TypeError or ValueError."""
    context = _named(document, "contexts", document["current-context"])["context"]
    cluster = _named(document, "clusters", context["cluster"])["cluster"]
    user = _named(document, "users", context["user"])["user"]
    token_file = directory / user["tokenFile"] if user.get("tokenFile") else None
    certificate = _content(user, "client-certificate", directory)
    if not (certificate or token_file or user.get("token")):
        raise ValueError(f"user {context['user']} has neither a certificate nor a token")
    return Access(
        cluster["server"].rstrip("/"),
        _content(cluster, "certificate-authority", directory),
        token_file,
        user.get("token", ""),
        certificate,
        _content(user, "client-key", directory),
    )


def _named(document: Mapping[str, Any], kind: str, name: str) -> Mapping[str, Any]:
    for entry in document[kind]:
        if entry["name"] == name:
            found: Mapping[str, Any] = entry
            return found
    raise ValueError(f"it has no {kind} entry {name}")


def _content(holder: Mapping[str, Any], key: str, directory: Path) -> str:
    data = holder.get(f"{key}-data")
    if data:
        return base64.b64decode(data).decode()
    return (directory / holder[key]).read_text() if holder.get(key) else ""
