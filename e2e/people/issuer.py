"""An issuer of tokens within the cluster, whose keys gates fetch by discovery, with an authority of its own.

What doesn't belong: whom its tokens name (the tests), and what its pod runs (`login.py`).
"""

from __future__ import annotations

import base64
import json
import time
from dataclasses import dataclass, field
from typing import Any

import jwt
import trustme
from cryptography.hazmat.primitives.asymmetric import ec

from e2e.environment import ROOT
from e2e.shop import manifests

NAME = "login"
AGENT = "support-bot"
_HOST = f"{NAME}.{manifests.NAMESPACE}.svc"
URL = f"https://{_HOST}"


@dataclass(frozen=True)
class Issuer:
    """Its keys, and the objects that it runs by."""

    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    authority: trustme.CA = field(default_factory=trustme.CA)

    def token(self, subject: str, *groups: str, **claims: Any) -> str:
        """A person's token, or with `act` that of an agent which acts for them."""
        usual = {"iss": URL, "aud": "penstock", "sub": subject, "groups": groups, "exp": int(time.time()) + 600}
        return jwt.encode(usual | claims, self.key, algorithm="ES256", headers={"kid": "one"})

    @property
    def settings(self) -> dict[str, Any]:
        """As gateways and sidecars have it."""
        return {
            "issuer": URL, "audience": "penstock", "kind": "person", "ca": self.authority.cert_pem.bytes().decode(),
            "delegation": {"agents": [AGENT]},
        }  # fmt: skip

    def objects(self, image: str) -> list[manifests.Object]:
        """A pod with a Service."""
        certificate = self.authority.issue_cert(_HOST)
        key = {**jwt.algorithms.ECAlgorithm.to_jwk(self.key.public_key(), as_dict=True), "kid": "one", "use": "sig"}
        secret = {
            "tls.crt": certificate.cert_chain_pems[0].bytes(), "tls.key": certificate.private_key_pem.bytes(),
        }  # fmt: skip
        told = {
            "login.py": (ROOT / "e2e" / "people" / "login.py").read_text(),
            "configuration": json.dumps({"issuer": URL, "jwks_uri": f"{URL}/keys"}),
            "keys": json.dumps({"keys": [key]}),
        }
        metadata = {"name": NAME, "namespace": manifests.NAMESPACE}
        return [
            {
                "apiVersion": "v1", "kind": "Secret", "metadata": metadata,
                "data": {name: base64.b64encode(value).decode() for name, value in secret.items()},
            },
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": told},
            {
                "apiVersion": "v1", "kind": "Service", "metadata": metadata,
                "spec": {"selector": {"app": NAME}, "ports": [{"port": 443, "targetPort": 8443}]},
            },
            _pod(image),
        ]  # fmt: skip


def _pod(image: str) -> manifests.Object:
    volumes = [
        {"name": "program", "configMap": {"name": NAME, "items": [{"key": "login.py", "path": "login.py"}]}},
        {"name": "told", "configMap": {"name": NAME, "items": [
            {"key": "configuration", "path": ".well-known/openid-configuration"}, {"key": "keys", "path": "keys"},
        ]}},
        {"name": "certificate", "secret": {"secretName": NAME}},
    ]  # fmt: skip
    container = {
        "name": "issuer",
        "image": image,
        "args": ["/program/login.py"],
        "readinessProbe": {"httpGet": {"path": "/keys", "port": 8443, "scheme": "HTTPS"}, "periodSeconds": 1},
        "securityContext": manifests.RESTRICTED,
        "volumeMounts": [{"name": one["name"], "mountPath": f"/{one['name']}", "readOnly": True} for one in volumes],
    }
    return {
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": NAME, "namespace": manifests.NAMESPACE, "labels": {"app": NAME}},
        "spec": {"containers": [container], "volumes": volumes, "terminationGracePeriodSeconds": 1},
    }  # fmt: skip
