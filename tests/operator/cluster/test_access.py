"""Where the API server is: in a pod, on a laptop, and when neither is so."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from penstock_operator.certificates.authority import build_authority, build_leaf
from penstock_operator.cluster.access import AccessError, find

AUTHORITY = build_authority(datetime.now(UTC), timedelta(days=1))
CA = AUTHORITY.certificate_pem.decode()


def kubeconfig(directory: Path, user: dict[str, Any], cluster: dict[str, Any] | None = None) -> dict[str, str]:
    document = {
        "current-context": "here",
        "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:6443/", **(cluster or {})}}],
        "users": [{"name": "u", "user": user}],
    }
    path = directory / "config"
    path.write_text(yaml.safe_dump(document))
    return {"KUBECONFIG": str(path)}


def encoded(pem: bytes) -> str:
    return base64.b64encode(pem).decode()


def test_in_a_pod_the_token_is_read_anew_each_time(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("one\n")
    (tmp_path / "ca.crt").write_text(CA)
    access = find({"KUBERNETES_SERVICE_HOST": "10.96.0.1", "KUBERNETES_SERVICE_PORT": "443"}, tmp_path)
    assert access.server == "https://10.96.0.1:443"
    assert access.bearer() == "one"
    (tmp_path / "token").write_text("two\n")
    assert access.bearer() == "two"
    assert access.tls().get_ca_certs()[0]["subject"]


def test_an_address_of_version_6_stands_in_brackets(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("t")
    (tmp_path / "ca.crt").write_text(CA)
    assert find({"KUBERNETES_SERVICE_HOST": "fd00::1"}, tmp_path).server == "https://[fd00::1]:443"


def test_a_kubeconfig_with_a_certificate_inline(tmp_path: Path) -> None:
    leaf = build_leaf(AUTHORITY, ["admin"], datetime.now(UTC), timedelta(hours=1))
    user = {"client-certificate-data": encoded(leaf.certificate_pem), "client-key-data": encoded(leaf.key_pem)}
    environment = kubeconfig(tmp_path, user, {"certificate-authority-data": encoded(CA.encode())})
    access = find(environment, tmp_path / "none")
    assert access.server == "https://127.0.0.1:6443"
    assert access.bearer() == ""
    assert access.tls()


def test_a_kubeconfig_with_files_beside_it(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text(CA)
    (tmp_path / "t").write_text("secret\n")
    access = find(kubeconfig(tmp_path, {"tokenFile": "t"}, {"certificate-authority": "ca.pem"}), tmp_path / "none")
    assert (access.ca, access.bearer()) == (CA, "secret")


@pytest.mark.parametrize("user", [{}, {"exec": {"command": "get-token"}}])
def test_credentials_that_people_fetch_are_not_for_programs(tmp_path: Path, user: dict[str, Any]) -> None:
    with pytest.raises(AccessError, match="neither a certificate nor a token"):
        find(kubeconfig(tmp_path, user), tmp_path / "none")


@pytest.mark.parametrize("text", ["", "a: b", "[", "current-context: x\ncontexts: []"])
def test_a_file_that_is_no_kubeconfig_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "config").write_text(text)
    with pytest.raises(AccessError, match="config: not a kubeconfig"):
        find({"KUBECONFIG": str(tmp_path / "config")}, tmp_path / "none")


def test_neither_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(AccessError, match="no Kubernetes API server"):
        find({"KUBECONFIG": str(tmp_path / "missing")}, tmp_path)
