"""Settings that are no good are refused in a line that names them, before anything is served."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from penstock_agents.settings import TOKEN_VARIABLE, read
from penstock_sidecar.settings import SettingsError

GATE = {"host": "gate.example", "database": "shop"}
ISSUER = {"issuer": "https://login.example", "audience": "https://mcp.example/mcp", "kind": "person"}
EXCHANGE = {
    "tokenUrl": "https://login.example/token", "clientId": "mcp", "clientSecretFile": "secret", "audience": "penstock",
}  # fmt: skip
HTTP = {"url": "https://mcp.example/mcp", "issuer": ISSUER, "exchange": EXCHANGE}
WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "no gate": ({}, "gate: field required"),
    "a token in clear": ({"gate": {**GATE, "tls": "disable"}}, "in clear"),
    "a setting that there is not": ({"gate": GATE, "gates": 1}, "gates: extra inputs"),
    "a collector in clear": (
        {"gate": GATE, "collector": {"url": "http://audit.example", "tokenFile": "x"}}, "in clear",
    ),
    "limits that contradict": ({"gate": GATE, "limits": {"rows": 100, "mostRows": 10}}, "rows is more than mostRows"),
    "clients' tokens in clear": ({"gate": GATE, "http": {**HTTP, "listen": "0.0.0.0:8765"}}, "in clear"),
    "a resource in clear": ({"gate": GATE, "http": {**HTTP, "url": "http://mcp.example/mcp"}}, "https:// URL"),
    "a resource without a path": ({"gate": GATE, "http": {**HTTP, "url": "https://mcp.example/"}}, "with a path"),
    "the gate's own audience": (
        {"gate": GATE, "http": {**HTTP, "issuer": {**ISSUER, "audience": "penstock"}}}, "an audience of its own",
    ),
    "no target": (
        {"gate": GATE, "http": {**HTTP, "exchange": {**EXCHANGE, "resource": "urn:x"}}}, "audience or resource",
    ),
    "an exchange in clear": (
        {"gate": GATE, "http": {**HTTP, "exchange": {**EXCHANGE, "tokenUrl": "http://login.example"}}}, "https:// URL",
    ),
    "a token for many": ({"gate": GATE, "tokenFile": "x", "http": HTTP}, "each client's token is exchanged"),
}  # fmt: skip


def written(tmp_path: Path, values: Any) -> Path:
    path = tmp_path / "mcp.yaml"
    path.write_text(yaml.safe_dump(values))
    return path


@pytest.mark.parametrize(("values", "words"), WRONG.values(), ids=WRONG)
def test_what_is_no_good(tmp_path: Path, values: dict[str, Any], words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        read(written(tmp_path, values), {})


def test_paths_are_found_from_the_file_and_options_count_above_it(tmp_path: Path) -> None:
    settings = read(written(tmp_path, {"gate": {**GATE, "caFile": "ca.crt"}}), {"gate.host": "other", "readOnly": None})
    assert (settings.gate.host, settings.gate.ca_file, settings.read_only) == ("other", tmp_path / "ca.crt", False)


async def test_the_token_is_from_the_file_or_the_variable(tmp_path: Path) -> None:
    plain = written(tmp_path, {"gate": GATE})
    assert await read(plain, {}, {TOKEN_VARIABLE: "a.b.c"}).credential()() == "a.b.c"
    with pytest.raises(SettingsError, match="tokenFile"):
        read(plain, {}, {}).credential()
    (tmp_path / "token").write_text(" d.e.f\n")
    assert await read(written(tmp_path, {"gate": GATE, "tokenFile": "token"}), {}, {}).credential()() == "d.e.f"


@pytest.mark.parametrize("text", ["[]", "a: [", "1: 2"])
def test_a_file_that_is_none(tmp_path: Path, text: str) -> None:
    path = tmp_path / "mcp.yaml"
    path.write_text(text)
    with pytest.raises(SettingsError, match=r"mcp\.yaml"):
        read(path, {})
    with pytest.raises(SettingsError, match="No such file"):
        read(tmp_path / "none.yaml", {})
