"""What is told of each pod's gate, and that what nobody knows is called unknown."""

from __future__ import annotations

import json
from typing import Any

import yaml
from tests.cli.cluster.conftest import DIGEST, Desk, metrics, metrics_of, pod

from penstock_cli.cluster.gates import figures, samples


def told(desk: Desk, *options: str) -> dict[str, dict[str, Any]]:
    result = desk.run("status", "-o", "json", *options)
    assert result.exit_code == 0
    return {one["pod"]: one for one in json.loads(result.stdout)}


def test_each_gate_has_a_row(desk: Desk) -> None:
    found = told(desk)
    assert found["support-agent-1"] == {
        "namespace": "shop", "pod": "support-agent-1", "database": "shop", "gate": "ready", "version": "0.1.0",
        "policy": "7, current", "policyGeneration": 7, "latestGeneration": 7, "latestDigest": DIGEST,
        "suspended": None, "trouble": [],
        "policyAge": "4s", "reachable": True, "sessions": 2, "idle": "0s", "spool": 0, "lostStatements": None,
    }  # fmt: skip
    # Its metrics are not there.
    other = found["support-agent-2"]
    assert (other["gate"], other["policy"], other["reachable"], other["spool"]) == ("not ready", None, None, None)
    assert other["idle"] is None, "nor does an older gate say it"


def test_a_pod_with_several_databases_has_a_row_for_each(desk: Desk) -> None:
    desk.api.put("pods", pod("both", "shop, billing"), group="/api/v1")
    more = metrics(7) + 'penstock_policy_generation{database="billing"} 3\n'
    desk.api.texts[metrics_of("both")] = more + 'penstock_database_reachable{database="billing"} 0\n'
    result = desk.run("status", "-o", "json")
    found = [one for one in json.loads(result.stdout) if one["pod"] == "both"]
    assert [(one["database"], one["policy"], one["reachable"]) for one in found] == [
        ("shop", "7, current", True),
        ("billing", "3", False),
    ]


def test_people_read_a_table_and_programs_the_same_in_yaml(desk: Desk) -> None:
    heading, first, second = desk.run("status").stdout.splitlines()
    assert heading.split() == [
        "NAMESPACE", "POD", "DATABASE", "GATE", "POLICY", "AGE", "REACHABLE", "SESSIONS", "IDLE", "SPOOL", "TROUBLE",
    ]  # fmt: skip
    assert first.split() == ["shop", "support-agent-1", "shop", "ready", "7,", "current", "4s", "yes", "2", "0s", "0"]
    assert second.split()[-6:] == ["unknown"] * 6
    assert yaml.safe_load(desk.run("status", "-o", "yaml").stdout) == list(told(desk).values())


def test_an_old_policy_a_database_that_is_away_and_a_full_spool_show(desk: Desk) -> None:
    desk.api.texts[metrics_of("support-agent-1")] = metrics(6, reachable=0, spool=512)
    one = told(desk)["support-agent-1"]
    assert (one["policy"], one["reachable"], one["spool"]) == ("6, not 7", False, 512)
    desk.api.texts[metrics_of("support-agent-1")] = metrics(-1, reachable=-1)
    one = told(desk)["support-agent-1"]
    assert (one["policy"], one["reachable"]) == ("none yet", None)


def test_a_suspended_database_shows_at_each_of_its_pods(desk: Desk) -> None:
    desk.run("suspend", "database", "shop", "--reason", "INC-77")
    found = told(desk)
    assert found["support-agent-1"]["policy"] == "suspended: INC-77 (7, current)"
    assert found["support-agent-2"]["policy"] == "suspended: INC-77"


def test_whatever_is_not_so_of_the_database_shows(desk: Desk) -> None:
    (database,) = desk.api.listed("databases")
    database["status"]["conditions"] = [
        {"type": "Accepted", "status": "True", "reason": "Accepted"},
        {"type": "Connected", "status": "False", "reason": "PasswordRefused"},
        {"type": "Enforced", "status": "Unknown", "reason": "NoReport"},
    ]
    assert told(desk)["support-agent-1"]["trouble"] == [
        "Connected False: PasswordRefused",
        "Enforced Unknown: NoReport",
    ]
    assert "Connected False: PasswordRefused, Enforced Unknown: NoReport" in desk.run("status").stdout


def test_a_gate_that_does_not_run_says_why(desk: Desk) -> None:
    waiting = pod("w", state={"waiting": {"reason": "CreateContainerConfigError"}})
    ended = pod("e", state={"terminated": {"reason": "OOMKilled"}})
    new = pod("n")
    new["status"] = {"phase": "Pending"}
    bare = pod("b")
    bare["status"]["initContainerStatuses"][0]["name"] = "other"
    desk.api.put("pods", waiting, ended, new, bare, pod("r", restartCount=3), group="/api/v1")
    found = {name: one["gate"] for name, one in told(desk).items()}
    assert (found["w"], found["e"]) == ("waiting: CreateContainerConfigError", "terminated: OOMKilled")
    assert (found["n"], found["b"], found["r"]) == ("not started", "missing", "ready, 3 restarts")


def test_who_may_read_pods_alone_still_sees_them(desk: Desk) -> None:
    desk.api.forbidden = (metrics_of("support-agent-1"), "/apis/penstock.dev")
    one = told(desk)["support-agent-1"]
    assert (one["gate"], one["policy"], one["latestGeneration"]) == ("ready", None, None)


def test_pods_without_a_gate_are_not_there(desk: Desk) -> None:
    desk.api.objects.clear()
    assert desk.run("status").stdout == "no pod has a gate\n"


def test_all_namespaces(desk: Desk) -> None:
    other = pod("payroll")
    other["metadata"]["namespace"] = "people"
    desk.api.put("pods", other, group="/api/v1")
    assert "payroll" not in told(desk)
    assert told(desk, "-A")["payroll"]["namespace"] == "people"


def test_a_gateway_has_a_row_for_each_of_its_databases(desk: Desk) -> None:
    gateway = pod("penstock-gateway-people-1")
    gateway["metadata"] |= {"labels": {"penstock.dev/gateway": "people"}, "annotations": {}}
    gateway["spec"] = {"containers": [{"name": "penstock-proxy", "ports": [{"name": "health", "containerPort": 9187}]}]}
    gateway["status"]["containerStatuses"] = gateway["status"].pop("initContainerStatuses")
    desk.api.put("pods", gateway, group="/api/v1")
    (alone,) = [one for one in json.loads(desk.run("status", "-o", "json").stdout) if "gateway" in one["pod"]]
    assert (alone["database"], alone["gate"], alone["policy"]) == (None, "ready", None)
    desk.api.texts[metrics_of("penstock-gateway-people-1")] = metrics(7) + (
        'penstock_policy_generation{database="till"} 3\npenstock_database_sessions{database="till"} 5\n'
    )
    rows = [one for one in json.loads(desk.run("status", "-o", "json").stdout) if "gateway" in one["pod"]]
    assert [(one["database"], one["policy"], one["sessions"]) for one in rows] == [
        ("shop", "7, current", 2),
        ("till", "3", 5),
    ]


def test_figures_of_other_databases_and_of_somebody_else_are_none() -> None:
    assert figures(samples('penstock_policy_generation{database="till"} 3\n'), "shop") == {}
    assert samples("<html>what?</html>") == []
