"""Many identities before one gate: tokens of an issuer of our own, a policy for each identity, its resources as files.

How many tables there are, and what is measured, is `scale.py`'s.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jwt
import yaml
from cryptography.hazmat.primitives.asymmetric import ec

from bench.stage import USER

ISSUER = "https://issuer.example"
# Nothing is masked for it, so that nothing it does has to wait for anybody.
BYSTANDER = "bystander"
# Makes tables.
BUILDER = "builder"
# Acts for anybody.
AGENT = "agent"
# Whose deletes wait until the approver said yes, and the group by which the approver may.
ERASER = "eraser"
APPROVER = "approver"
_APPROVERS = "dba"
# What the trail calls the gate.
_GATE = "crowd"
_ACCOUNT = {"apiVersion": "penstock.dev/v1alpha1"}


@dataclass(slots=True)
class Crowd:
    """The identities of one gate, each with a policy that differs from all others."""

    directory: Path
    server_port: int
    dbname: str
    identities: int
    stream_token: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    approver_token: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    _key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    @property
    def names(self) -> list[str]:
        """Those for whom something is masked."""
        return [f"person{number}" for number in range(self.identities)]

    def prepare(self, port: int, health: int, sink: int, password: str) -> None:
        """Write what the gate is started with."""
        directory = self.directory
        directory.mkdir()
        (directory / "credentials").mkdir(mode=0o700)
        for name, text in (("username", USER), ("password", password)):
            (directory / "credentials" / name).write_text(text)
        (directory / "mask.key").write_text(base64.b64encode(secrets.token_bytes(32)).decode())
        public = json.loads(jwt.get_algorithm_by_name("ES256").to_jwk(self._key.public_key()))
        (directory / "jwks.json").write_text(json.dumps({"keys": [{**public, "kid": "bench", "use": "sig"}]}))
        self.write_resources()
        (directory / "stream.token").write_text(self.stream_token)
        issuer = {
            "issuer": ISSUER, "audience": "penstock", "kind": "person", "jwksFile": "jwks.json",
            "delegation": {"agents": [AGENT]},
        }  # fmt: skip
        configuration = {
            "listen": f"127.0.0.1:{port}", "health": f"127.0.0.1:{health}", "name": _GATE, "namespace": "bench",
            "database": "bench", "resources": ["resources.yaml"], "maskKeyFile": "mask.key",
            "credentialsDir": "credentials", "identity": {"issuers": [issuer], "required": True},
            "spool": {"path": "spool"}, "graceSeconds": 3, "tls": {"selfSigned": True, "required": False},
            "collector": {"url": f"http://127.0.0.1:{sink}", "tokenFile": "stream.token"},
        }  # fmt: skip
        (directory / "proxy.yaml").write_text(yaml.safe_dump(configuration))

    def write_resources(self, note: str = "") -> None:
        """The resources; another `note` makes files that differ and mean the same."""
        database = {
            "host": "127.0.0.1", "port": self.server_port, "dbname": self.dbname, "tls": {"mode": "disable"},
            "credentialsSecretRef": {"name": "bench"},
            "classification": [{"columns": ["*.*.email"], "tag": "pii.email"}],
        }  # fmt: skip
        resources = [_resource("Database", "bench", database)]
        for name in (BYSTANDER, BUILDER, AGENT, ERASER, *self.names):
            policy: dict[str, Any] = {
                "databaseRef": {"name": "bench"},
                "subjects": [{"identity": {"kind": "agent" if name == AGENT else "person", "subject": name}}],
                "allow": ["select", "insert", "update", "delete", "create", "alter", "drop"],
            }
            if name in self.names:
                policy["masks"] = [{"tags": ["pii.email"], "with": {"email": {}}}]
            if name == ERASER:
                policy["approvals"] = [
                    {
                        "name": "deletes", "when": "statement.verb == 'delete'", "wait": "1m",
                        "approvers": {"groups": [_APPROVERS]},
                    }
                ]  # fmt: skip
            resources.append(_resource("DatabaseAccessPolicy", name, policy))
        text = yaml.safe_dump_all(resources)
        (self.directory / "resources.yaml").write_text(f"# {note}\n{text}" if note else text)

    def write_collector_tokens(self, directory: Path) -> tuple[Path, Path]:
        """What a collector knows this gate and the approver by: its files of stream tokens and of viewer tokens."""
        streams, viewers = directory / "stream-tokens", directory / "viewer-tokens"
        streams.write_text(f"{_digest(self.stream_token)} {_GATE}\n")
        viewers.write_text(f"{_digest(self.approver_token)} {APPROVER} groups={_APPROVERS}\n")
        return streams, viewers

    def token(self, name: str, **more: Any) -> str:
        """What that identity proves itself with; `more` are further claims."""
        claims = {"iss": ISSUER, "aud": "penstock", "sub": name, "exp": int(time.time()) + 3600, **more}
        return jwt.encode(claims, self._key, algorithm="ES256", headers={"kid": "bench"})


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _resource(kind: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {**_ACCOUNT, "kind": kind, "metadata": {"name": name, "namespace": "bench"}, "spec": spec}
