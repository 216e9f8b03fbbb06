"""The release through its life, after all else: another volume, a backup, a rollback, and what uninstalling leaves."""

from __future__ import annotations

import re
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from e2e.collector import SYSTEM
from e2e.environment import ROOT
from e2e.kubectl import CommandError, Kubectl, eventually

OURS = "app.kubernetes.io/name=penstock"
# What refuses pods that are to have a gate once nobody is there to give them one.
KEPT = ("penstock-pods", "penstock-bindings", "penstock-namespaces")
GUARD = (
    "validatingadmissionpolicy.admissionregistration.k8s.io",
    "validatingadmissionpolicybinding.admissionregistration.k8s.io",
)


def upgrade(release: Kubectl, *values: str) -> None:
    chart = str(ROOT / "charts" / "penstock")
    release.helm("upgrade", "penstock", chart, "--namespace", SYSTEM, "--reuse-values", "--wait", *values)


def kinds(release: Kubectl) -> set[str]:
    """All kinds of objects of which the cluster can list some."""
    listed = release("api-resources", "--verbs=list", "-o", "name").split()
    return set(listed) - {"events", "events.events.k8s.io", "componentstatuses"}


def labelled(release: Kubectl, label: str) -> set[str]:
    """What there is with a label, as KIND/NAME."""
    found = release("get", ",".join(sorted(kinds(release))), "--all-namespaces", "-l", label, "-o", "name")
    return set(found.split())


def policies(release: Kubectl) -> str:
    return release("get", "networkpolicies", "--all-namespaces", "-l", OURS, "-o", "name")


def test_another_size_of_the_volume_is_refused_in_words(release: Kubectl) -> None:
    words = r"collector\.persistence\.size: the volume was made with 10Gi, and the values say 20Gi"
    with pytest.raises(CommandError, match=words):
        upgrade(release, "--set", "collector.persistence.size=20Gi")
    # The same, said in other words.
    upgrade(release, "--set", "collector.persistence.size=10240Mi")
    # As the page says, but for the volume itself, which this cluster can't make larger.
    release("-n", SYSTEM, "delete", "statefulset", "penstock-collector", "--cascade=orphan")
    before = release.get("-n", SYSTEM, "pod", "penstock-collector-0")["metadata"]["uid"]
    # Its gateways take their time to end, and are needed no more.
    upgrade(release, "--set", "collector.persistence.size=20Gi", "--set-json", "gateways=[]")
    assert release.get("-n", SYSTEM, "pod", "penstock-collector-0")["metadata"]["uid"] == before


def test_the_pages_backup_is_a_record(release: Kubectl, tmp_path: Path) -> None:
    page = (ROOT / "docs" / "operate.md").read_text()
    (script,) = re.findall(r"```sh\n(kubectl [^`]*VACUUM.*?)```", page, re.DOTALL)
    subprocess.run(["bash", "-ec", script], cwd=tmp_path, env=release.environment(), check=True, timeout=120)
    (copy,) = tmp_path.glob("audit-*.db")
    with closing(sqlite3.connect(copy)) as record:
        assert record.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert record.execute("SELECT count(*) FROM sqlite_master WHERE type = 'table'").fetchone() > (5,)
    assert "penstock-mask-key" in (tmp_path / "penstock-secrets.yaml").read_text()


def test_a_rollback_takes_back_what_the_chart_made(release: Kubectl) -> None:
    (revision,) = re.findall(r"REVISION: (\d+)", release.helm("status", "penstock", "--namespace", SYSTEM))
    assert policies(release) == ""
    upgrade(release, "--set", "networkPolicy.enabled=true")
    assert policies(release).count("networkpolicy") >= 3
    release.helm("rollback", "penstock", revision, "--namespace", SYSTEM, "--wait")
    assert policies(release) == ""


def test_an_upgrade_that_fails_leaves_nothing(release: Kubectl) -> None:
    changes = ("--set", "networkPolicy.enabled=true", "--set", "control.priorityClassName=none-such")
    with pytest.raises(CommandError, match="UPGRADE FAILED"):
        upgrade(release, "--atomic", "--timeout", "10s", *changes)
    assert policies(release) == ""


def test_uninstalling_leaves_what_the_notes_say(release: Kubectl) -> None:
    upgrade(release, "--set", "networkPolicy.enabled=true")
    release.helm("uninstall", "penstock", "--namespace", SYSTEM, "--wait")
    left = eventually(lambda: labelled(release, OURS), lambda left: not any(one.startswith("pod/") for one in left), 60)
    assert {one.partition("/")[0] for one in left} <= {
        "customresourcedefinition.apiextensions.k8s.io",
        "persistentvolumeclaim",
        "secret",
        "configmap",
        *GUARD,
    }
    assert {one for one in left if one.startswith(GUARD)} == {f"{kind}/{name}" for kind in GUARD for name in KEPT}
    made = labelled(release, "app.kubernetes.io/managed-by=penstock-operator")
    assert {one.partition("/")[0] for one in made} == {"secret", "configmap"}
    assert {one for one in left if one.startswith(("secret", "configmap"))} <= made
    assert "secret/penstock-mask-key" in made
    assert len([one for one in left if one.startswith("customresourcedefinition")]) == 3
    # What was made without a label of ours would not be found by it.
    rest = release("get", "all,ingress,networkpolicy,pdb,role,rolebinding,serviceaccount", "-n", SYSTEM, "-o", "name")
    assert [one for one in rest.split() if "penstock" in one] == []
