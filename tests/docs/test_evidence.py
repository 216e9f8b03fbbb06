"""docs/evidence.md: it has the tables and criteria that there are, and its commands work as they stand."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.cli.conftest import Desk, desk
from tests.cli.test_audit_verify import signed

from penstock_core.evidence.criteria import CRITERIA
from penstock_core.evidence.tables import TABLES

__all__ = ["desk", "signed"]

PAGE = (Path(__file__).parents[2] / "docs" / "evidence.md").read_text()


def test_it_has_all_tables_and_criteria() -> None:
    assert re.findall(r"^\| `([a-z-]+)\.csv` \|", PAGE, re.MULTILINE) == list(TABLES)
    told = re.findall(r"^\| (CC?\d\.\d): (.*) \| (.*) \|$", PAGE, re.MULTILINE)
    of_code = [
        (one.code, one.about[0].lower() + one.about[1:], ", ".join(f"`{name}`" for name in one.tables))
        for one in CRITERIA
    ]
    assert told == of_code


@pytest.mark.usefixtures("signed")
def test_its_commands_work(desk: Desk, tmp_path: Path) -> None:
    first, signing, checking = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "key.pub").rename(tmp_path / "checkpoint.pub")
    environment = {
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "HOME": str(tmp_path),
        "PENSTOCK_COLLECTOR_URL": desk.running.url, "PENSTOCK_COLLECTOR_TOKEN_FILE": str(desk.directory / "token"),
    }  # fmt: skip
    # The folder of the first one must not be there for the second.
    for script in (first, "rm -r evidence-2026-q3\n" + signing, checking):
        done = subprocess.run(
            ["bash", "-ec", script], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
    assert "Signature Verified Successfully" in done.stdout
    assert done.stdout.splitlines()[-1] == "intact"
