"""`kubectl penstock` on a real cluster: how gates stand, what admission would say, and the kill switch.

Requests for approval are in e2e/approvals/.
"""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from e2e.collector import penstock as by_viewer
from e2e.collector import search
from e2e.conftest import SHOP_IMAGE, Workload
from e2e.kubectl import CommandError, Kubectl, eventually
from e2e.shop import manifests
from e2e.test_2_workload import watching
from e2e.test_3_audit import collector, viewer
from e2e.test_5_approvals import penstock

# Whoever takes a fixture has to have its name.
__all__ = ["collector", "viewer"]

SECONDS = 2.0
SELECT = "SELECT count(*) FROM orders"
WEB = f"sa:{manifests.NAMESPACE}/web"


@pytest.fixture
def admin(web: Workload) -> Path:
    """The kubeconfig of who installed the cluster."""
    return Path(web.kubectl.environment()["KUBECONFIG"])


def said(kubectl: Kubectl, who: Path, *arguments: str) -> list[dict[str, Any]]:
    done = penstock(kubectl, who, *arguments, "-n", manifests.NAMESPACE, "-o", "json")
    assert done.stdout, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def row(web: Workload, who: Path) -> dict[str, Any]:
    name = web.pod()["metadata"]["name"]
    return next(one for one in said(web.kubectl, who, "status") if one["pod"] == name)


def test_each_gate_tells_how_it_stands(web: Workload, admin: Path) -> None:
    web.run("psycopg-simple", SELECT)
    found = eventually(lambda: row(web, admin), lambda one: one["policy"].endswith(", current"), what="the gate")
    assert (found["gate"], found["database"], found["reachable"]) == ("ready", "shop", True)
    assert isinstance(found["spool"], int)
    assert re.fullmatch("[0-9a-f]{64}", found["latestDigest"])
    logged = penstock(web.kubectl, admin, "logs", web.pod()["metadata"]["name"], "-n", manifests.NAMESPACE)
    assert "policy in force" in logged.stdout, logged.stderr


def test_what_admission_would_say_is_what_it_says(web: Workload, admin: Path, tmp_path: Path) -> None:
    pod = manifests.pod(SHOP_IMAGE, "tried", manifests.INJECT)
    (tmp_path / "pod.yaml").write_text(yaml.safe_dump(pod))
    (found,) = said(web.kubectl, admin, "inject", "-f", str(tmp_path / "pod.yaml"))
    assert found["admission"] == "injected"
    wrong = manifests.pod(SHOP_IMAGE, "tried", {**manifests.INJECT, "penstock.dev/database": "shpo"})
    (tmp_path / "pod.yaml").write_text(yaml.safe_dump(wrong))
    (found,) = said(web.kubectl, admin, "inject", "-f", str(tmp_path / "pod.yaml"))
    with pytest.raises(CommandError) as told:
        web.kubectl.apply(wrong)
    assert found["message"] in str(told.value)


@contextmanager
def forwarded(kubectl: Kubectl) -> Iterator[str]:
    """The database as somebody reaches it who may: through `kubectl port-forward`."""
    command = ["kubectl", "-n", manifests.NAMESPACE, "port-forward", "deploy/shop-db", ":5432"]
    with subprocess.Popen(command, env=kubectl.environment(), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            port = process.stdout.readline().split(" -> ")[0].rpartition(":")[2]
            yield f"postgresql://gate:gate-password@127.0.0.1:{port}/shop?sslmode=require"
        finally:
            process.terminate()


def test_policies_and_statements_are_judged_by_the_live_catalog(web: Workload, admin: Path) -> None:
    name = web.pod()["metadata"]["name"]
    # One for each command: kubectl gives the forwarding up where a connection ends in another way than it expects.
    with forwarded(web.kubectl) as url:
        (found,) = said(web.kubectl, admin, "explain", name, "SELECT email FROM customers", "--url", url)
    assert (found["identity"], found["decision"]) == (WEB, "rewrite")
    assert [one["column"] for one in found["masked"]] == ["public.customers.email"]
    web.kubectl.apply(manifests.policy(masks=[{"columns": ["public.customers.emial"], "with": {"redact": {}}}]))
    try:
        with forwarded(web.kubectl) as url:
            told = said(web.kubectl, admin, "check", "--url", url, "--database", "shop")
    finally:
        web.kubectl.apply(manifests.policy())
    assert any(one["finding"] == "names nothing" and "emial" in one["what"] for one in told)
    assert any(one["finding"] == "not masked" and "payments.card_number" in one["what"] for one in told)


def ended(web: Workload, who: Path, *switch: str) -> tuple[dict[str, Any], float]:
    """The last words of an open session once the switch is thrown, and how long after it they came."""
    with watching(web, SELECT) as lines:
        assert "rows" in json.loads(lines.readline())
        done = penstock(web.kubectl, who, "suspend", *switch, "--reason", "INC-77", "-n", manifests.NAMESPACE)
        thrown = time.time()
        assert done.returncode == 0, done.stderr
        last: dict[str, Any] = next(one for one in map(json.loads, lines) if "error" in one)
    print(f"the session ended {last['time'] - thrown:.3f} s after kubectl")
    return last, last["time"] - thrown


def test_a_suspended_database_has_no_session_until_it_is_resumed(
    web: Workload, admin: Path, viewer: dict[str, str]
) -> None:
    words = "the database shop is suspended: INC-77 (by "
    try:
        last, seconds = ended(web, admin, "database", "shop")
        assert (last["sqlstate"], seconds < SECONDS) == ("57P01", True), (last, seconds)
        assert words in last["error"]
        assert words in web.run("psycopg-simple", SELECT)["error"]
        shown = eventually(
            lambda: web.kubectl.get("-n", manifests.NAMESPACE, "database", "shop")["status"]["conditions"],
            lambda seen: any(one["type"] == "Ready" and one["reason"] == "Suspended" for one in seen),
            what="the condition",
        )
        assert any("INC-77" in one["message"] for one in shown)
        assert row(web, admin)["policy"].startswith("suspended: INC-77")
    finally:
        penstock(web.kubectl, admin, "resume", "database", "shop", "-n", manifests.NAMESPACE)
    eventually(lambda: web.run("psycopg-simple", SELECT), lambda seen: "rows" in seen, what="sessions that may begin")
    asked = ("audit", "logins", "--outcome", "refused", "--json")
    eventually(
        lambda: by_viewer(viewer, *asked).stdout, lambda told: words in told, what="the refused login in the trail"
    )
    assert search(viewer, "orders")


def test_a_suspended_identity_has_no_session_and_others_have(web: Workload, admin: Path) -> None:
    try:
        last, seconds = ended(web, admin, "identity", WEB)
        assert (last["sqlstate"], seconds < SECONDS) == ("28000", True), (last, seconds)
        assert re.search(r"access is revoked \(policy suspended-\w+-shop\): INC-77 \(by ", last["error"])
        # Of another service account, nothing is said of it.
        (rows,) = said(web.kubectl, admin, "explain", WEB, "--database", "shop")[:1]
        assert rows["mode"] == "revoke"
        assert [one["mode"] for one in said(web.kubectl, admin, "explain", f"{WEB}2", "--database", "shop")] == []
    finally:
        penstock(web.kubectl, admin, "resume", "identity", WEB, "-n", manifests.NAMESPACE)
    eventually(lambda: web.run("psycopg-simple", SELECT), lambda seen: "rows" in seen, what="sessions that may begin")


def test_nobody_suspends_in_the_name_of_another(web: Workload) -> None:
    with pytest.raises(CommandError, match=r"suspended.by: must be .*, whose request this is"):
        web.kubectl.apply(manifests.database(suspended={"reason": "INC-77", "by": "somebody"}))
