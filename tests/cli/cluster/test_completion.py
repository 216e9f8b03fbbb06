"""What kubectl is told when somebody presses Tab: in its own form, with names from the cluster where one is there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.cli.cluster.conftest import Desk

PROGRAM = Path(sys.executable).parent / "kubectl_complete-penstock"


def completed(*words: str) -> list[str]:
    """What the program prints that kubectl finds on the PATH."""
    told = subprocess.run([PROGRAM, *words], capture_output=True, text=True, check=True, timeout=60)
    assert told.stderr == ""
    return told.stdout.splitlines()


def test_commands_and_options_are_completed() -> None:
    *commands, end = completed("")
    names = [line.partition("\t")[0] for line in commands]
    assert {"status", "suspend", "resume", "inject", "explain", "check", "logs", "approve", "audit"} <= set(names)
    assert end == ":4"
    assert completed("suspend", "") == ["database", "identity", "all", ":4"]
    assert completed("status", "--out")[0].startswith("--output\t")
    assert completed("status", "-o", "") == ["table", "json", "yaml", ":4"]


def test_files_are_the_shells_own() -> None:
    assert completed("inject", "-f", "") == [":0"]


def test_names_come_from_the_cluster_and_nothing_is_told_without_one(desk: Desk) -> None:
    where = ("--kubeconfig", str(desk.api.kubeconfig))
    assert completed("suspend", *where, "database", "") == ["shop", ":4"]
    assert completed("logs", *where, "support-agent-") == ["support-agent-1", "support-agent-2", ":4"]
    desk.api.forbidden = ("/",)
    assert completed("suspend", *where, "database", "") == [":4"]
    assert completed("logs", "--kubeconfig", "/nowhere", "") == [":4"]
