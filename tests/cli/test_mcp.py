"""`penstock mcp`: what it prints for clients' configurations, and what it refuses before it serves."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client


def penstock(*arguments: str, token: str | None = None) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PENSTOCK_")}
    if token is not None:
        environment["PENSTOCK_MCP_TOKEN"] = token
    return subprocess.run(
        [sys.executable, "-m", "penstock_cli", "mcp", *arguments],
        env=environment, capture_output=True, text=True, timeout=60, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip


def test_the_lines_for_a_client_hold_the_options_and_no_token(tmp_path: Path) -> None:
    (tmp_path / "agent.token").write_text("secret")
    options = [
        "--gate",
        "localhost:6432",
        "--database",
        "shop",
        "--no-tls",
        "--token-file",
        str(tmp_path / "agent.token"),
    ]
    done = penstock(*options, "config", "--name", "shop", token="also-secret")
    server = json.loads(done.stdout)["mcpServers"]["shop"]
    assert server["args"] == ["mcp", *options[:4], "--no-tls", "--token-file", str(tmp_path / "agent.token")]
    assert "secret" not in done.stdout


async def test_a_client_starts_the_server_by_these_lines(tmp_path: Path) -> None:
    done = penstock(
        "--gate", "localhost:9", "--database", "shop", "--no-tls", "--token-file", str(tmp_path / "t"), "config"
    )
    server = json.loads(done.stdout)["mcpServers"]["penstock"]
    parameters = StdioServerParameters(command=sys.executable, args=["-m", "penstock_cli", *server["args"]])
    with (tmp_path / "log").open("w") as log:
        async with Client(stdio_client(parameters, errlog=log)) as client:
            result = await client.call_tool("query", {"sql": "SELECT 1"})
    assert result.is_error
    assert result.structured_content["failure"]["message"].startswith("the file with the token")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "gate: field required"),
        (["--gate", "gate.example:6432", "--database", "shop"], "tokenFile: give a file"),
        (["--gate", "gate.example:6432", "--database", "shop", "--no-tls"], "in clear"),
        (["--gate", "gate.example:x", "--database", "shop"], "gate.port"),
        (["--config", "nowhere.yaml"], "nowhere.yaml: No such file"),
    ],
)
def test_what_is_refused_at_once(arguments: list[str], words: str) -> None:
    done = penstock(*arguments)
    assert done.returncode == 1
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert all(line.startswith("penstock mcp: ") for line in done.stderr.splitlines())
