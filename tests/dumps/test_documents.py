"""docs/dumps.md, followed word for word: its policy in a gate, its commands in a shell, over TLS with verification."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import yaml
from tests.conformance import stage
from tests.dumps.stand import stand

from penstock_cli.demo.postgres import EmbeddedPostgres
from penstock_core.resources import check, load

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "dumps.md").read_text()


def test_the_page_fills_a_test_environment(postgres15: EmbeddedPostgres, open_directory: Path) -> None:
    (policy,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    (commands,) = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
    (gate,) = re.findall(r"^GATE='(.*)'$", PAGE, re.MULTILINE)
    database, _ = stage.resources(postgres15, "shop")
    text = yaml.safe_dump(database | {"metadata": {"name": "shop", "namespace": "shop"}}) + f"---\n{policy}"
    assert check(load(text, "dumps.md")) == []
    changes = {
        "namespace": "shop", "database": "shop", "tls": {"selfSigned": True, "names": ["localhost"]},
        "identity": {"workload": {"namespace": "shop", "serviceAccount": "test-data"}},
    }  # fmt: skip
    directory = open_directory / "dumps-page"
    resources = list(yaml.safe_load_all(text))
    with stand(postgres15, directory, resources=resources, changes=changes) as shop:
        work = directory / "work"
        work.mkdir()
        (work / "token").write_text("made-up")
        (work / "tls.crt").write_bytes((directory / "gate" / "tls.crt").read_bytes())
        assert "gate.example:6432" in gate
        done = subprocess.run(
            ["bash", "-ex"], input=commands, capture_output=True, text=True, check=False, timeout=100, cwd=work,
            env={
                **stage.inherited(), "GATE": gate.replace("gate.example:6432", f"localhost:{shop.gate}"),
                "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "PGHOST": "127.0.0.1",
                "PGPORT": str(postgres15.port), "PGUSER": "postgres", "PGPASSWORD": postgres15.password,
            },
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        query = "SELECT count(*) FROM shop.logins JOIN shop.customers USING (email) WHERE name = '***'"
        assert postgres15.psql(query, "shop_test") == "50\n"
        rows = subprocess.run(
            [postgres15.bin / "pg_restore", "-f", "-", "-a", "-t", "customers", "-t", "badges", work / "shop.dump"],
            capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip
    assert "COPY shop.badges" in rows
    assert "secret" not in rows
