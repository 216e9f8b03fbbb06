"""A pod's DELETE is held, approved by somebody else with kubectl, and runs once. The rest is in e2e/approvals/."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from e2e.conftest import Workload
from e2e.kubectl import Kubectl, eventually
from e2e.shop import manifests

APPROVALS = [{"name": "deletes", "when": "statement.verb == 'delete'", "approvers": {"groups": ["dba"]}}]
DELETE = "DELETE FROM orders WHERE item = 'held'"
NAME = re.compile(r"r-[0-9a-z]{4}-[0-9a-z]{4}")


def kubeconfig(kubectl: Kubectl, directory: Path, user: str, *groups: str) -> Path:
    """Of a person whom the cluster knows by a client certificate that it signed."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    names = [x509.NameAttribute(NameOID.COMMON_NAME, user)]
    names += [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups]
    signing = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(names)).sign(key, hashes.SHA256())
    asked = f"e2e-{user}"
    kubectl("delete", "csr", asked, "--ignore-not-found")
    kubectl.apply({
        "apiVersion": "certificates.k8s.io/v1",
        "kind": "CertificateSigningRequest",
        "metadata": {"name": asked},
        "spec": {
            "request": base64.b64encode(signing.public_bytes(serialization.Encoding.PEM)).decode(),
            "signerName": "kubernetes.io/kube-apiserver-client",
            "usages": ["client auth"],
        },
    })  # fmt: skip
    kubectl("certificate", "approve", asked)
    status = eventually(
        lambda: kubectl.get("csr", asked)["status"], lambda seen: "certificate" in seen, what="the certificate"
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    config: dict[str, Any] = json.loads(kubectl("config", "view", "--raw", "--flatten", "--minify", "-o", "json"))
    credentials = {
        "client-certificate-data": status["certificate"], "client-key-data": base64.b64encode(private).decode(),
    }  # fmt: skip
    config["users"] = [{"name": user, "user": credentials}]
    config["contexts"][0]["context"] = {**config["contexts"][0]["context"], "user": user, "namespace": "shop"}
    path = directory / user
    path.write_text(json.dumps(config))
    return path


def penstock(kubectl: Kubectl, who: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`kubectl penstock` as that person."""
    settings = kubectl.environment() | {"KUBECONFIG": str(who)}
    settings["PATH"] += f"{os.pathsep}{Path(sys.executable).parent}"
    return subprocess.run(
        ["kubectl", "penstock", *arguments], capture_output=True, text=True, timeout=60, check=False, env=settings
    )


def test_a_delete_waits_for_somebody_else_and_runs_once(web: Workload, tmp_path: Path) -> None:
    kubectl = web.kubectl
    bea, eve = (kubeconfig(kubectl, tmp_path, *who) for who in (("bea", "dba"), ("eve", "staff")))
    kubectl(
        "-n", manifests.NAMESPACE, "create", "rolebinding", "e2e-approvers", "--clusterrole=penstock-approver",
        "--group=dba", "--group=staff",
    )  # fmt: skip
    for _ in range(2):
        web.run("psycopg-simple", "INSERT INTO orders (item) VALUES ('held')")
    kubectl.apply(manifests.policy(approvals=APPROVALS))
    try:
        held = eventually(
            lambda: web.run("psycopg-extended", DELETE),
            lambda seen: bool(NAME.search(seen.get("error", ""))),
            what="the statement held",
        )
        (name,) = set(NAME.findall(held["error"]))
        assert "dba" in held["error"]
        listed = penstock(kubectl, bea, "requests")
        assert f"{name}  waiting  sa:shop/web" in listed.stdout, listed.stderr
        assert "  | DELETE FROM orders WHERE item = 'held'" in penstock(kubectl, bea, "show", name).stdout
        refused = penstock(kubectl, eve, "approve", name)
        assert refused.stderr == "Error: eve may not decide: they are in none of the approvers' groups (dba)\n"
        approved = penstock(kubectl, bea, "approve", name, "--comment", "go on")
        assert approved.returncode == 0, approved.stderr
        assert web.run("psycopg-extended", DELETE)["status"].startswith("DELETE ")
        again = web.run("psycopg-extended", DELETE)
        assert NAME.findall(again["error"]) != [name]
        status = kubectl.get("-n", manifests.NAMESPACE, "accessrequest", name)["status"]
        assert (status["decidedBy"], status["comment"], bool(status["consumedAt"])) == ("bea", "go on", True)
        with pytest.raises(AssertionError, match="only penstock-control deletes requests"):
            kubectl("-n", manifests.NAMESPACE, "delete", "accessrequest", name)
    finally:
        kubectl.apply(manifests.policy())
        kubectl("-n", manifests.NAMESPACE, "delete", "rolebinding", "e2e-approvers")
