"""`kubectl penstock`: people decide by their own credentials, and are told in one line why they may not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from e2e.approvals.api_server import ApiServer
from e2e.approvals.conftest import Making, decision, patch
from penstock_core.approvals.standing import written

Plugin = Callable[..., subprocess.CompletedProcess[str]]
NARROW = {"deletes": {"verbs": ["delete"], "tables": ["public.orders"], "estimatedRows": 1200.0}}


@pytest.fixture
def kubectl(server: ApiServer) -> Plugin:
    """kubectl itself, which finds the plugin on the PATH."""

    def run(*arguments: str, user: str = "bea", **environment: str) -> subprocess.CompletedProcess[str]:
        settings = {
            **os.environ,
            "PATH": os.pathsep.join([str(server.bin), str(Path(sys.executable).parent), os.environ["PATH"]]),
            "KUBECONFIG": str(server.kubeconfig(user)),
            "HOME": str(server.directory),
        }
        return subprocess.run(
            ["kubectl", "penstock", *arguments],
            capture_output=True, text=True, timeout=60, check=False, env=settings | environment,
        )  # fmt: skip

    return run


def name_of(path: str) -> str:
    return path.rpartition("/")[2]


def test_what_waits_is_listed_shown_and_approved(kubectl: Plugin, server: ApiServer, make: Making) -> None:
    path = make(effect=NARROW["deletes"], statement={"sql": "DELETE FROM orders\nWHERE id = 1 \u202e\x1b[2J"})
    name = name_of(path)
    listed = kubectl("requests", "-n", "shop")
    assert listed.returncode == 0, listed.stderr
    assert f"{name}  waiting  agent:bot for person:ada@shop.example for person:Cem" in listed.stdout
    assert f"kubectl penstock approve -n shop {name}" in listed.stdout
    shown = kubectl("show", name, "-n", "shop")
    assert "  | DELETE FROM orders\n  | WHERE id = 1 \\u202e\\u001b[2J" in shown.stdout
    assert "about 1,200 rows" in shown.stdout
    approved = kubectl("approve", name, "-n", "shop", "--comment", "as agreed")
    assert approved.returncode == 0, approved.stderr
    assert approved.stdout.startswith(f"{name} approved: agent:bot for person:ada@shop.example")
    with server.client("bea") as bea:
        status = bea.get(path).json()["status"]
    assert (status["decision"], status["decidedBy"], status["comment"]) == ("approved", "bea", "as agreed")
    again = kubectl("deny", name, "-n", "shop", "--comment", "no")
    assert (again.returncode, again.stderr) == (2, f"Error: the request {name} was approved by bea\n")
    assert name not in kubectl("requests", "-n", "shop").stdout
    found = [json.loads(line) for line in kubectl("requests", "-A", "--standing", "all", "--json").stdout.splitlines()]
    assert next(one for one in found if one["name"] == name)["standing"] == "approved"


@pytest.mark.parametrize(
    ("user", "words"),
    [
        (
            "ada@shop.example",
            "ada@shop.example may not decide: they asked for it, or the agent that asked acts for them",
        ),
        ("oidc:bot", "oidc:bot may not decide: they asked for it, or the agent that asked acts for them"),
        ("eve", "eve may not decide: they are in none of the approvers' groups (dba, owners)"),
    ],
)
def test_who_may_not_is_told_why_in_one_line(
    kubectl: Plugin, server: ApiServer, make: Making, user: str, words: str
) -> None:
    """What this program does not know of (a prefix of names), the API server says."""
    path = make()
    for arguments in (["approve"], ["deny", "--comment", "no"]):
        done = kubectl(*arguments, name_of(path), "-n", "shop", user=user)
        assert (done.returncode, done.stderr) == (2, f"Error: {words}\n")
    with server.client("bea") as bea:
        assert "status" not in bea.get(path).json()


def test_each_failure_is_one_line(kubectl: Plugin, server: ApiServer, make: Making, tmp_path: Path) -> None:
    expired = make(expiresAt=written(datetime.now(UTC) - timedelta(seconds=5)))
    cases: list[tuple[list[str], dict[str, Any], str]] = [
        (["approve", name_of(expired), "-n", "shop"], {}, "expired at"),
        (["show", "r-none", "-n", "shop"], {}, 'accessrequests.penstock.dev "r-none" not found'),
        (["show", "../x"], {}, "a request's name is like"),
        (["deny", name_of(make()), "-n", "shop"], {}, "Missing option '--comment'"),
        (["deny", name_of(make()), "-n", "shop", "--comment", " "], {}, "a denial needs a comment"),
        (["approve", name_of(make()), "-n", "shop", "--comment", "\x1b[2J"], {}, "characters that do not show"),
        (["requests"], {"KUBECONFIG": str(tmp_path / "none")}, "no kubeconfig that can be used"),
        (["requests", "--context", "none"], {}, "no kubeconfig that can be used"),
        (["requests"], {"KUBECONFIG": str(server.kubeconfig("nobody"))}, "Unauthorized"),
    ]
    (tmp_path / "away").write_text(server.kubeconfig("bea").read_text().replace(str(server.port), "1"))
    cases.append((["requests"], {"KUBECONFIG": str(tmp_path / "away")}, "the API server can't be reached"))
    for arguments, environment, words in cases:
        done = kubectl(*arguments, **environment)
        assert done.returncode == 2, done.stdout
        assert words in done.stderr.splitlines()[-1], done.stderr
        assert "Traceback" not in done.stderr


def test_the_namespace_is_the_contexts(kubectl: Plugin, server: ApiServer, make: Making, tmp_path: Path) -> None:
    name = name_of(make())
    config = json.loads(server.kubeconfig("bea").read_text())
    assert name not in kubectl("requests").stdout
    config["contexts"][0]["context"]["namespace"] = "shop"
    (tmp_path / "config").write_text(json.dumps(config))
    assert name in kubectl("requests", KUBECONFIG=str(tmp_path / "config")).stdout


def test_a_decision_is_of_what_was_read(server: ApiServer, make: Making) -> None:
    """As the plugin writes it: bound to the version of the object, of which the cluster gives no other one."""
    path = make()
    with server.client("bea") as bea:
        seen = bea.get(path).json()["metadata"]
        old = {"metadata": {"resourceVersion": str(int(seen["resourceVersion"]) - 1)}} | decision("bea")
        assert patch(bea, f"{path}/status", old).status_code == 409
        right = {"metadata": {"resourceVersion": seen["resourceVersion"]}} | decision("bea")
        assert patch(bea, f"{path}/status", right).status_code == 200


def test_the_rest_of_the_command_is_there(kubectl: Plugin) -> None:
    shown = kubectl("--help").stdout
    assert "Usage: kubectl penstock" in shown
    for name in ("approve", "deny", "requests", "show", "validate", "check"):
        assert f"\n  {name} " in shown
