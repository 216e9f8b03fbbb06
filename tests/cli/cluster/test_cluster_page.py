"""docs/kubectl.md: each command there is run, and prints what stands there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import yaml
from tests.cli.cluster.conftest import Desk
from tests.cli.cluster.test_injection import workload

from penstock_cli.kubectl import _CLUSTER

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "kubectl.md").read_text()
BLOCKS = re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL)


def told(text: str) -> list[str]:
    """Lines, whatever the width of columns."""
    return [" ".join(line.split()) for line in text.splitlines() if line.strip()]


def test_each_command_prints_what_stands_there(desk: Desk, catalog: Path) -> None:
    (desk.directory / "web.yaml").write_text(yaml.safe_dump(workload(database="shpo")))
    commands = [part for block in BLOCKS for part in block.split("$ kubectl penstock ")[1:]]
    assert len(commands) >= 10
    for part in commands:
        line, _, printed = part.partition("\n")
        result = desk.run(*shlex.split(line))
        assert told(result.stdout) == told(printed), line


def test_each_command_stands_there() -> None:
    assert [name for name in _CLUSTER if f"kubectl penstock {name}" not in PAGE and f"`{name} " not in PAGE] == []
