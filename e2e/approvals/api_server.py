"""An API server with its etcd and nothing else, no node, no controllers, no root: for what it alone decides.

Started in seconds from the programs that `e2e.cluster` builds. What doesn't belong: what is asked of it.
"""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx2
import trustme
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from e2e.cluster import binaries
from e2e.cluster.console import ClusterError
from penstock_cli.demo.loopback import free_port

# The API server's own name for whoever may do anything.
MASTERS = "system:masters"
_PATIENCE_SECONDS = 120
Json = dict[str, Any]


class ApiServer:
    """One that runs. Its users are those of the file of tokens; whoever is in system:masters may be anybody."""

    def __init__(self, directory: Path, users: Mapping[str, Sequence[str]]) -> None:
        """`users`: name → groups. The name is the token, too. `admin` is there already."""
        self.directory = directory
        self.users: dict[str, Sequence[str]] = {"admin": [MASTERS], **users}
        self.port, self._etcd_port = free_port(), free_port()
        self.url = f"https://127.0.0.1:{self.port}"
        self._authority = trustme.CA()
        self.ca_file = directory / "ca.crt"
        self._processes: list[subprocess.Popen[bytes]] = []
        built = {program.name: program for program in binaries.programs()}
        kube = binaries.build(built["kube"])
        self.bin = directory / "bin"
        self.bin.mkdir(parents=True)
        for name in ("kube-apiserver", "kubectl"):
            (self.bin / name).symlink_to(kube)
        (self.bin / "helm").symlink_to(binaries.build(built["helm"]))

    def start(self) -> None:
        """Raises ClusterError."""
        self._write_keys()
        self._run("etcd", _etcd(self.directory, self._etcd_port))
        self.start_api_server()

    def start_api_server(self) -> None:
        """Also once more, after `stop_api_server`."""
        process = self._run("kube-apiserver", self._command())
        end = time.monotonic() + _PATIENCE_SECONDS
        with self.client("admin") as admin:
            while not _is_ready(admin):
                if process.poll() is not None or time.monotonic() > end:
                    log = (self.directory / "kube-apiserver.log").read_text(errors="replace")
                    raise ClusterError(f"kube-apiserver does not answer; the end of its log:\n{log[-2000:]}")
                time.sleep(0.2)

    def stop_api_server(self) -> None:
        self._end(self._processes.pop())

    def stop(self) -> None:
        while self._processes:
            self._end(self._processes.pop())

    def client(self, user: str, **headers: str) -> httpx2.Client:
        """Requests as that user, who may come as somebody else by the headers of impersonation."""
        return httpx2.Client(
            base_url=self.url,
            headers={"Authorization": f"Bearer {user}", "Accept": "application/json", **headers},
            verify=ssl.create_default_context(cafile=str(self.ca_file)),
            trust_env=False,
            timeout=30,
        )

    def kubeconfig(self, user: str, token: str = "") -> Path:
        """A kubeconfig for that user, with their token or another one."""
        # A colon would be two files to KUBECONFIG.
        path = self.directory / f"{user.replace(':', '-')}.kubeconfig"
        config: Json = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "it", "cluster": {"server": self.url, "certificate-authority": str(self.ca_file)}}],
            "users": [{"name": user, "user": {"token": token or user}}],
            "contexts": [{"name": "it", "context": {"cluster": "it", "user": user}}],
            "current-context": "it",
        }
        path.write_text(json.dumps(config))
        path.chmod(0o600)
        return path

    def run(
        self, program: str, *arguments: str, user: str = "admin", stdin: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """kubectl or helm as that user."""
        environment = {**os.environ, "KUBECONFIG": str(self.kubeconfig(user)), "HOME": str(self.directory)}
        return subprocess.run(
            [self.bin / program, *arguments],
            input=stdin, capture_output=True, text=True, timeout=60, check=False, env=environment,
        )  # fmt: skip

    def _write_keys(self) -> None:
        self._authority.cert_pem.write_to_path(self.ca_file)
        pair = self._authority.issue_cert("127.0.0.1", "localhost")
        pair.private_key_pem.write_to_path(self.directory / "server.key")
        pair.cert_chain_pems[0].write_to_path(self.directory / "server.crt")
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        (self.directory / "accounts.key").write_bytes(private)
        lines = [f'{name},{name},u-{name},"{",".join(groups)}"' for name, groups in self.users.items()]
        (self.directory / "tokens.csv").write_text("\n".join(lines) + "\n")

    def _command(self) -> list[str | Path]:
        key = self.directory / "accounts.key"
        return [
            self.bin / "kube-apiserver",
            f"--etcd-servers=http://127.0.0.1:{self._etcd_port}",
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            f"--secure-port={self.port}",
            f"--tls-cert-file={self.directory / 'server.crt'}",
            f"--tls-private-key-file={self.directory / 'server.key'}",
            f"--token-auth-file={self.directory / 'tokens.csv'}",
            f"--service-account-key-file={key}",
            f"--service-account-signing-key-file={key}",
            "--service-account-issuer=https://kubernetes.default.svc",
            "--service-cluster-ip-range=10.97.0.0/24",
            "--authorization-mode=RBAC",
            # Pods are objects here; nobody makes the ServiceAccount `default` and its kind.
            "--disable-admission-plugins=ServiceAccount",
        ]

    def _run(self, name: str, command: Sequence[str | Path]) -> subprocess.Popen[bytes]:
        with (self.directory / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(command, cwd=self.directory, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self._processes.append(process)
        return process

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _etcd(directory: Path, port: int) -> list[str | Path]:
    peer = f"http://127.0.0.1:{free_port()}"
    client = f"http://127.0.0.1:{port}"
    return [
        "etcd",
        f"--data-dir={directory / 'etcd'}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
        "--unsafe-no-fsync",
    ]


def _is_ready(admin: httpx2.Client) -> bool:
    try:
        return admin.get("/readyz").status_code == 200
    except httpx2.TransportError:
        return False
