"""A pod's DELETE is held, approved by somebody else, with kubectl or on the collector's page, and runs once.

The rest is in e2e/approvals/.
"""

from __future__ import annotations

import base64
import json
import os
import re
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from e2e.collector import SYSTEM
from e2e.conftest import Workload
from e2e.environment import Environment
from e2e.kubectl import Kubectl, eventually
from e2e.shop import manifests
from penstock_cli.demo.loopback import free_port

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


@pytest.fixture
def approvers(web: Workload) -> Iterator[None]:
    """The groups dba and staff may see and decide requests, and ask for access."""
    bindings = {"e2e-approvers": "penstock-approver", "e2e-requesters": "penstock-requester"}
    for name, role in bindings.items():
        web.kubectl(
            "-n", manifests.NAMESPACE, "create", "rolebinding", name, f"--clusterrole={role}", "--group=dba",
            "--group=staff",
        )  # fmt: skip
    yield
    for name in bindings:
        web.kubectl("-n", manifests.NAMESPACE, "delete", "rolebinding", name)


@pytest.fixture
def page(web: Workload, tmp_path: Path) -> Iterator[tuple[str, ssl.SSLContext]]:
    """The collector's pages through `kubectl port-forward`, and whom to trust there."""
    certificate = web.kubectl(
        "-n", SYSTEM, "get", "configmap", "penstock-ca", "-o", 'go-template={{index .data "ca.crt"}}'
    )
    port = free_port()
    forward = subprocess.Popen(
        ["kubectl", "-n", SYSTEM, "port-forward", "svc/penstock-collector", f"{port}:8080"],
        env=web.kubectl.environment(),
        stdout=subprocess.DEVNULL,
    )
    try:
        eventually(lambda: _listens(port), bool, seconds=15, what="the port")
        yield f"https://localhost:{port}", ssl.create_default_context(cadata=certificate)
    finally:
        forward.terminate()
        forward.wait()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Person:
    """Somebody with a browser, at the collector's page."""

    def __init__(self, page: tuple[str, ssl.SSLContext]) -> None:
        self.http = httpx2.Client(base_url=page[0], verify=page[1], trust_env=False, timeout=30)

    def send(self, path: str, **fields: str) -> httpx2.Response:
        return self.http.post(path, data=fields, headers={"sec-fetch-site": "same-origin"})

    def decide(self, name: str, word: str = "approved", uid: str = "") -> httpx2.Response:
        path = f"/requests/on-cluster/{manifests.NAMESPACE}/{name}"
        step = self.http.get(path, params={"decide": word}).text
        given = uid or step.partition('name="uid" value="')[2].partition('"')[0]
        return self.send(path, decision=word, comment="on the page", uid=given)


def said(answer: httpx2.Response) -> str:
    return answer.text.replace("&#39;", "'").partition('role="alert">')[2].partition("</p>")[0] or answer.text


@pytest.fixture
def tokens(environment: Environment, web: Workload) -> dict[str, str]:
    """People's bearer tokens; where the cluster knows nobody by such, e2e/approvals/test_page.py is what tests it."""
    found = environment.bearer_tokens()
    if not found:
        pytest.skip("this cluster knows no people by bearer tokens")
    return found


def test_a_delete_is_approved_on_the_page_and_runs_once(
    web: Workload, tokens: dict[str, str], approvers: None, page: tuple[str, ssl.SSLContext]
) -> None:
    kubectl, delete = web.kubectl, "DELETE FROM orders WHERE item = 'held on the page'"
    for _ in range(2):
        web.run("psycopg-simple", "INSERT INTO orders (item) VALUES ('held on the page')")
    kubectl.apply(manifests.policy(approvals=APPROVALS))
    bea, eve, machine = Person(page), Person(page), Person(page)
    try:
        held = eventually(
            lambda: web.run("psycopg-extended", delete),
            lambda seen: bool(NAME.search(seen.get("error", ""))),
            what="the statement held",
        )
        (name,) = set(NAME.findall(held["error"]))
        # What asked has an account, and is nobody who signs in.
        account = kubectl("-n", manifests.NAMESPACE, "create", "token", "web").strip()
        assert "That token is not a person’s." in said(machine.send("/login", token=account))
        for person, who in ((bea, "bea"), (eve, "eve")):
            assert person.send("/login", token=tokens[who]).status_code == 303
        eventually(lambda: bea.http.get("/requests").text, lambda text: f"/{name}" in text, what="the list")
        shown = bea.http.get(f"/requests/{name}", follow_redirects=True).text
        assert "held on the page" in shown
        assert "the API server knows you as <b>bea</b>" in shown
        uid = kubectl.get("-n", manifests.NAMESPACE, "accessrequest", name)["metadata"]["uid"]
        refused = eve.decide(name, uid=uid)
        assert said(refused) == "Not done: eve may not decide: they are in none of the approvers' groups (dba)."
        answer = bea.decide(name)
        assert answer.status_code == 303, said(answer)
        assert web.run("psycopg-extended", delete)["status"].startswith("DELETE ")
        again = web.run("psycopg-extended", delete)
        assert NAME.findall(again["error"]) != [name]
        status = kubectl.get("-n", manifests.NAMESPACE, "accessrequest", name)["status"]
        assert (status["decidedBy"], status["comment"], bool(status["consumedAt"])) == ("bea", "on the page", True)
    finally:
        kubectl.apply(manifests.policy())
        for person in (bea, eve, machine):
            person.http.close()


def test_nobody_approves_what_they_asked_for_themselves(
    web: Workload, tokens: dict[str, str], approvers: None, page: tuple[str, ssl.SSLContext]
) -> None:
    """Here, access for a time: bea asks the API server for it in her own name, and is in the approvers' group."""
    ends = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    principal = {"kind": "person", "subject": "bea", "issuer": "https://login.example"}
    access = {"policy": "web", "policyDigest": "0" * 64, "approvers": ["dba"], "duration": "1h"}
    name = f"r-own-{int(time.time())}"
    asked = {
        "apiVersion": "penstock.dev/v1alpha1", "kind": "AccessRequest",
        "metadata": {"name": name, "namespace": manifests.NAMESPACE},
        "spec": {
            "databaseRef": {"name": "shop"}, "access": access, "requester": {"principal": principal},
            "reason": "a try", "expiresAt": ends, "nonce": "0" * 32,
        },
    }  # fmt: skip
    config = json.loads(web.kubectl("config", "view", "--raw", "--flatten", "--minify", "-o", "json"))
    cluster = config["clusters"][0]["cluster"]
    trust = ssl.create_default_context(cadata=base64.b64decode(cluster["certificate-authority-data"]).decode())
    made = httpx2.post(
        f"{cluster['server']}/apis/penstock.dev/v1alpha1/namespaces/{manifests.NAMESPACE}/accessrequests",
        json=asked, headers={"authorization": f"Bearer {tokens['bea']}"}, verify=trust, trust_env=False,
    )  # fmt: skip
    assert made.status_code == 201, made.text
    bea = Person(page)
    try:
        assert bea.send("/login", token=tokens["bea"]).status_code == 303
        answer = bea.decide(name, uid=made.json()["metadata"]["uid"])
        assert (answer.status_code, said(answer)) == (
            403, "Not done: bea may not decide: they asked for it, or the agent that asked acts for them.",
        )  # fmt: skip
        assert "decision" not in web.kubectl.get("-n", manifests.NAMESPACE, "accessrequest", name).get("status", {})
    finally:
        bea.http.close()
