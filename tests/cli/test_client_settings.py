"""What a person's own file may say, and where it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from penstock_cli import client_settings
from penstock_cli.client_settings import directory
from penstock_cli.failures import Unusable


def test_where_it_is() -> None:
    assert directory({"PENSTOCK_CONFIG_DIR": "/own", "XDG_CONFIG_HOME": "/x"}) == Path("/own")
    assert directory({"XDG_CONFIG_HOME": "/x", "HOME": "/home/ada"}) == Path("/x/penstock")
    assert directory({"HOME": "/home/ada"}) == Path("/home/ada/.config/penstock")


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PENSTOCK_CONFIG_DIR", str(tmp_path))
    return tmp_path / "config.yaml"


def test_what_it_says(file: Path) -> None:
    assert client_settings.read() == client_settings.ClientSettings()
    file.write_text("")
    assert client_settings.read() == client_settings.ClientSettings()
    file.write_text(
        "login: {issuer: 'https://login.example', clientId: penstock-cli, token: id}\n"
        "gates:\n"
        "  - {host: gate.example, port: 6432, caFile: gate.crt, databases: [shop]}\n"
        "  - {host: 127.0.0.1, tls: disable, databases: [laptop]}\n"
    )
    settings = client_settings.read()
    assert settings.login is not None
    assert (settings.login.client_id, settings.login.scope) == ("penstock-cli", "openid offline_access")
    gate = settings.gate_of("shop")
    assert (gate.place, gate.tls) == ("gate.example:6432", "verify-full")
    assert client_settings.file_within(gate.ca_file) == file.parent / "gate.crt"
    assert settings.gate_of("laptop").port == 5432


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: [", "not YAML"),
        ("\x00", "not YAML"),
        ("[]", "Input should be"),
        ("gates: {}", "gates: Input should be"),
        ("gates: [{host: g, prot: 5}]", "gates.0.prot: Extra inputs"),
        ("gates: [{host: g, port: 0}]", "gates.0.port: "),
        ("gates: [{host: gate.example, tls: disable}]", "the token would cross the network in clear"),
        ("gates: [{host: g, tls: require}]", "gates.0.tls: "),
        ("login: {clientId: c}", "login.issuer: Field required"),
        ("login: {issuer: 'http://x', clientId: c}", "must be an https:// URL"),
        ("login: {issuer: 'https://x', clientId: c, password: secret}", "login.password: Extra inputs"),
    ],
)
def test_what_it_must_not_say(file: Path, text: str, words: str) -> None:
    file.write_text(text)
    with pytest.raises(Unusable, match=words) as caught:
        client_settings.read()
    assert str(file) in caught.value.message
    assert "secret" not in caught.value.message
