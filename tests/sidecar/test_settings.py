"""Configuration from a file and from the environment; what is wrong is named by setting and variable."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from penstock_sidecar.settings import ProxySettings, SettingsError, read

POD = {
    "PENSTOCK_LISTEN": "127.0.0.1:5432",
    "PENSTOCK_HEALTH": "0.0.0.0:9187",
    "PENSTOCK_DATABASE": "shop",
    "PENSTOCK_NAMESPACE": "shop",
    "PENSTOCK_CONTROL__URL": "https://control:8443",
    "PENSTOCK_CONTROL__TOKEN_FILE": "/identity/control-token",
    "PENSTOCK_CONTROL__CA_FILE": "/identity/ca.crt",
    "PENSTOCK_COLLECTOR__URL": "https://collector:8080",
    "PENSTOCK_COLLECTOR__TOKEN_FILE": "/identity/collector-token",
    "PENSTOCK_CREDENTIALS_DIR": "/credentials",
    "PENSTOCK_SPOOL__PATH": "/spool/spool",
    "PENSTOCK_SPOOL__MAX_BYTES": "67108864",
    "PENSTOCK_IDENTITY__WORKLOAD__NAMESPACE": "shop",
    "PENSTOCK_IDENTITY__WORKLOAD__SERVICE_ACCOUNT": "web",
    "PENSTOCK_IDENTITY__WORKLOAD__POD": "web-1",
    "PENSTOCK_IDENTITY__WORKLOAD__POD_UID": "u-1",
    # Not ours.
    "PENSTOCK_LOG_LEVEL": "info",
    "PENSTOCK_CONTROL_ADDRESS": "x",
    "HOME": "/",
}
ALONE: dict[str, Any] = {
    "database": "shop", "name": "gate", "resources": ["*.yaml"], "maskKeyFile": "mask.key", "credentialsDir": "c",
    "identity": {"required": True, "issuers": [
        {"issuer": "https://i", "audience": "penstock", "kind": "person", "jwksFile": "jwks.json"}]},
    "spool": {"path": "spool"},
}  # fmt: skip


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("PENSTOCK_")]:
        monkeypatch.delenv(name)


def within(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


def alone(directory: Path, **changes: Any) -> ProxySettings:
    values = {name: value for name, value in (ALONE | changes).items() if value is not None}
    (directory / "proxy.yaml").write_text(yaml.safe_dump(values))
    return read(directory)


def test_a_pods_environment_says_it_all(monkeypatch: pytest.MonkeyPatch) -> None:
    within(monkeypatch, POD)
    settings = read()
    assert (settings.listen.host, settings.listen.port) == ("127.0.0.1", 5432)
    assert settings.control is not None
    assert settings.control.token_file == Path("/identity/control-token")
    assert settings.spool.max_bytes == 64 << 20
    assert settings.identity.workload is not None
    assert settings.identity.workload.service_account == "web"
    assert settings.stream_owner == "u-1"


def test_a_variable_of_a_group_that_is_no_setting_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    within(monkeypatch, POD | {"PENSTOCK_CONTROL__TOKENFILE": "/elsewhere"})
    with pytest.raises(SettingsError, match=r"control.tokenfile \(PENSTOCK_CONTROL__TOKENFILE\): extra inputs"):
        read()


def test_a_variable_can_not_move_the_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    within(monkeypatch, {"PENSTOCK_DIRECTORY": "/elsewhere", "PENSTOCK__DIRECTORY": "/elsewhere"})
    assert alone(tmp_path).directory == tmp_path


def test_a_file_with_the_environment_above_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    within(monkeypatch, {"PENSTOCK_SPOOL__MAX_BYTES": "2000000", "PENSTOCK_RESOURCES": '["a.yaml", "b.yaml"]'})
    settings = alone(tmp_path)
    assert settings.spool.path == Path("spool")
    assert settings.spool.max_bytes == 2_000_000
    assert settings.resources == ("a.yaml", "b.yaml")
    (only,) = settings.served
    assert (only.name, settings.at(only.credentials_dir)) == ("shop", tmp_path / "c")
    assert settings.stream_owner == "gate"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"listen": "0.0.0.0:5432"}, "tokens would cross the network in clear"),
        (
            {"listen": "0.0.0.0:5432", "tls": {"selfSigned": True, "required": False}},
            "tokens would cross the network in clear: give tls, with required: true",
        ),
        (
            {
                "listen": "0.0.0.0:5432",
                "tls": {"selfSigned": True},
                "identity": {
                    **ALONE["identity"],
                    "required": False,
                    "workload": {"namespace": "shop", "serviceAccount": "web"},
                },
            },
            "whoever connects from there would be identity.workload",
        ),
        ({"tls": {}}, "tls: give certFile and keyFile, or selfSigned: true, one of them"),
        ({"tls": {"certFile": "c"}}, "tls: certFile and keyFile belong together"),
        ({"tls": {"certFile": "c", "keyFile": "k", "selfSigned": True}}, "one of them"),
        ({"tls": {"certFile": "c", "keyFile": "k", "names": ["gate"]}}, "tls: names are for selfSigned"),
        ({"tls": {"selfSigned": True, "names": ["a b"]}}, "tls.names.0: "),
        (
            {"listen": "0.0.0.0:5432", "identity": {"workload": {"namespace": "shop", "serviceAccount": "web"}}},
            "whoever connects from there would be identity.workload",
        ),
        ({"control": {"url": "http://c", "tokenFile": "t"}}, "control: url must be an https:// URL"),
        ({"listen": "5432"}, "listen: must be an address and a port"),
        ({"listen": "127.0.0.1:99999"}, "listen.port: input should be less than or equal to 65535"),
        ({"database": None}, "settings: give database, the name of a Database; or databases"),
        ({"identity": {}}, "identity: give workload, or issuers"),
        ({"identity": {"issuers": ALONE["identity"]["issuers"]}}, "required must be true"),
        ({"resources": None}, "give control (policies are streamed) or resources (files), one of them"),
        ({"control": {"url": "https://c", "tokenFile": "t"}}, "one of them"),
        ({"maskKeyFile": None}, "maskKeyFile is needed"),
        ({"resources": []}, "resources: must name at least one file"),
        ({"name": None}, "name is needed"),
        ({"name": "a/b"}, "slash"),
        ({"spool": {"path": "s", "maxBytes": 5}}, "spool.maxBytes: "),
        (
            {"spool": {"path": "s", "maxBytes": 3 << 20}, "processes": 4},
            "spool.maxBytes must be 1048576 or more for each",
        ),
        ({"processes": 0}, "processes: input should be greater than or equal to 1"),
        ({"surprise": 1}, "surprise: extra inputs are not permitted"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(SettingsError) as wrong:
        alone(tmp_path, **changes)
    assert words in str(wrong.value)


def test_others_may_connect_where_tokens_and_tls_are_required(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = alone(tmp_path, listen="0.0.0.0:5432", tls={"certFile": "gate.crt", "keyFile": "gate.key"})
    assert not settings.listen.loopback
    assert settings.tls is not None
    assert settings.tls.required
    within(monkeypatch, {**POD, "PENSTOCK_TLS__SELF_SIGNED": "true", "PENSTOCK_TLS__REQUIRED": "false"})
    by_variables = read()
    assert by_variables.tls is not None
    assert (by_variables.tls.self_signed, by_variables.tls.required) == (True, False)


def test_a_wrong_variable_is_named_by_its_own_name(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong_ones = {"PENSTOCK_SPOOL__MAX_BYTES": "much", "PENSTOCK_CREDENTIALS_DIR": "", "PENSTOCK_LISTEN": "x"}
    within(monkeypatch, POD | wrong_ones)
    with pytest.raises(SettingsError) as wrong:
        read()
    lines = str(wrong.value).splitlines()
    assert len(lines) == 2
    assert "listen (PENSTOCK_LISTEN): must be an address and a port, such as 127.0.0.1:5432" in lines
    assert any(line.startswith("spool.maxBytes (PENSTOCK_SPOOL__MAX_BYTES): ") for line in lines)


@pytest.mark.parametrize("value", ["{", "[1"])
def test_a_group_in_one_variable_is_json(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    within(monkeypatch, POD | {"PENSTOCK_SPOOL": value})
    with pytest.raises(SettingsError, match=r'"spool".*must be JSON'):
        read()


@pytest.mark.parametrize(
    "issuer",
    [
        {"issuer": "i", "audience": "a", "kind": "person"},
        {"issuer": "i", "audience": "a", "kind": "person", "jwksFile": "f", "jwksUrl": "https://u"},
        {"issuer": "i", "audience": "a", "kind": "person", "jwksUrl": "http://u"},
    ],
)
def test_an_issuer_has_keys_from_one_trustworthy_place(tmp_path: Path, issuer: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match="jwks"):
        alone(tmp_path, identity={"required": True, "issuers": [issuer]})


ISSUER = {"issuer": "https://i", "audience": "a", "kind": "person"}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"caFile": "c", "jwksFile": "f"}, "caFile and ca are for keys that are fetched"),
        ({"issuer": "https://u:p@i"}, "issuer must be an https:// URL"),
        ({"kinds": [{"value": "app", "kind": "service"}]}, "kinds needs kindClaim"),
        ({"kind": "agent", "delegation": {"agents": ["bot"]}}, "kind is that of whom agents act for"),
        ({"delegation": {}}, "delegation.agents: field required"),
        ({"delegation": {"agents": []}}, "delegation.agents: "),
        ({"delegation": {"agents": ["*bot"]}}, "delegation.agents: a * stands last"),
        ({"keysMaxAgeSeconds": 10}, "keysMaxAgeSeconds: "),
        ({"keysMaxAgeSeconds": 10**7}, "keysMaxAgeSeconds: "),
        ({"scope": "a\tb"}, "scope: "),
    ],
)
def test_what_an_issuer_can_not_be(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(SettingsError) as refused:
        alone(tmp_path, identity={"required": True, "issuers": [ISSUER | changes]})
    assert words in str(refused.value)


def test_an_issuer_with_everything(tmp_path: Path) -> None:
    issuer = ISSUER | {
        "kindClaim": "idtyp", "kinds": [{"value": "App", "kind": "service"}], "groupsClaim": "realm_access.roles",
        "authorizedParties": ["cli"], "caFile": "ca.crt", "delegation": {"agents": ["bot", "team-*"]},
    }  # fmt: skip
    found = alone(tmp_path, identity={"required": True, "issuers": [issuer], "clockSkewSeconds": 60}).identity
    assert found.clock_skew_seconds == 60
    (one,) = found.issuers
    assert one.kinds is not None
    assert one.kinds[0].value == "App"
    assert one.delegation is not None
    assert one.delegation.agents == ("bot", "team-*")


def test_issuers_in_a_variable_are_as_in_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    issuer = ISSUER | {"groupsClaim": "roles", "delegation": {"agents": ["bot"], "groupsClaim": "teams"}}
    within(monkeypatch, POD | {"PENSTOCK_IDENTITY__ISSUERS": json.dumps([issuer])})
    (one,) = read().identity.issuers
    assert one.groups_claim == "roles"
    assert one.delegation is not None
    assert one.delegation.groups_claim == "teams"
    within(monkeypatch, POD | {"PENSTOCK_IDENTITY__ISSUERS": json.dumps([issuer | {"groupClaim": "x"}])})
    with pytest.raises(SettingsError, match=r"identity.issuers.0.groupClaim \(PENSTOCK_IDENTITY__ISSUERS\): extra"):
        read()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"issuers": [ISSUER, ISSUER | {"kind": "agent"}]}, "twice with the same audience"),
        ({"issuers": [ISSUER, ISSUER | {"context": {}}]}, "twice with the same audience"),
        ({"issuers": [ISSUER | {"context": {}}]}, "no session is anonymous"),
        ({"issuers": [ISSUER | {"context": {"maxLifetimeSeconds": 5}}]}, "maxLifetimeSeconds: "),
        ({"issuers": [ISSUER | {"context": {"boundTo": ["node"]}}]}, "boundTo"),
        ({"clockSkewSeconds": 61}, "clockSkewSeconds: "),
        ({"clockSkewSeconds": -1}, "clockSkewSeconds: "),
    ],
)
def test_what_identities_can_not_be(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(SettingsError) as refused:
        alone(tmp_path, identity={"required": True, "issuers": [ISSUER], **changes})
    assert words in str(refused.value)


def test_an_issuer_of_contexts_opens_no_session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    contexts = ISSUER | {"audience": "penstock-context", "context": {"singleUse": True, "boundTo": ["podUid"]}}
    found = alone(tmp_path, identity={"required": True, "issuers": [ISSUER, contexts]}).identity
    assert [one.audience for one in found.logins] == [ISSUER["audience"]]
    assert [one.audience for one in found.contexts] == ["penstock-context"]
    # A pod's sessions need none that opens sessions; in a variable it is as in the file.
    within(monkeypatch, POD | {"PENSTOCK_IDENTITY__ISSUERS": json.dumps([contexts])})
    (one,) = read().identity.contexts
    assert one.context is not None
    assert (one.context.single_use, one.context.bound_to) == (True, ("podUid",))
    assert read().identity.logins == ()


@pytest.mark.parametrize(("text", "words"), [("- a", "a mapping"), ("a: [", "not YAML")])
def test_a_file_that_is_no_mapping(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "proxy.yaml").write_text(text)
    with pytest.raises(SettingsError, match=words):
        read(tmp_path)
    with pytest.raises(SettingsError, match="No such file"):
        read(tmp_path / "nowhere")


SHOP = {"name": "shop", "credentialsDir": "shop", "maskKeyFile": "shop.key"}
STAFF = {"name": "staff", "credentialsDir": "staff", "maskKeyFile": "staff.key"}
SEVERAL = {"database": None, "credentialsDir": None, "maskKeyFile": None, "databases": [SHOP, STAFF]}


def test_several_databases_each_with_what_is_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = alone(tmp_path, **SEVERAL)
    assert [(one.name, settings.at(one.credentials_dir)) for one in settings.served] == [
        ("shop", tmp_path / "shop"), ("staff", tmp_path / "staff"),
    ]  # fmt: skip
    within(monkeypatch, {"PENSTOCK_DATABASES": json.dumps([STAFF | {"upstreamCaFile": "ca.crt"}])})
    (only,) = alone(tmp_path, **SEVERAL).served
    assert (only.name, only.upstream_ca_file) == ("staff", Path("ca.crt"))


def test_several_databases_of_a_pod_each_with_an_address_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert [(one.address.port, one.database) for one in alone(tmp_path).listeners] == [(5432, "shop")]
    assert [(one.address.port, one.database) for one in alone(tmp_path, **SEVERAL).listeners] == [(5432, "")]
    listed = [
        {"name": "shop", "listen": "127.0.0.1:5432", "credentialsDir": "/credentials/shop"},
        {"name": "staff", "listen": "127.0.0.1:5433", "credentialsDir": "/credentials/staff"},
    ]
    one = ("PENSTOCK_LISTEN", "PENSTOCK_DATABASE", "PENSTOCK_CREDENTIALS_DIR")
    within(monkeypatch, {name: value for name, value in POD.items() if name not in one})
    within(monkeypatch, {"PENSTOCK_DATABASES": json.dumps(listed)})
    assert [(one.address.port, one.database) for one in read().listeners] == [(5432, "shop"), (5433, "staff")]


EACH_OR_ALL = "credentialsDir, upstreamCaFile and maskKeyFile belong to database, or to each entry of databases"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"databases": [SHOP]}, EACH_OR_ALL),
        (SEVERAL | {"database": "shop"}, EACH_OR_ALL),
        (SEVERAL | {"credentialsDir": "c"}, EACH_OR_ALL),
        (SEVERAL | {"maskKeyFile": "mask.key"}, EACH_OR_ALL),
        (SEVERAL | {"upstreamCaFile": "ca.crt"}, EACH_OR_ALL),
        (SEVERAL | {"databases": []}, "give database, the name of a Database; or databases, a list of several"),
        ({"database": None, "credentialsDir": None}, "give database, the name of a Database; or databases"),
        ({"credentialsDir": None}, "settings: credentialsDir is needed with database"),
        (SEVERAL | {"databases": [SHOP, SHOP]}, "databases: one name is there twice"),
        (SEVERAL | {"databases": [SHOP, {**STAFF, "maskKeyFile": None}]}, "maskKeyFile is needed for staff with"),
        (SEVERAL | {"databases": [SHOP, {"name": "staff", "maskKeyFile": "k"}]}, "databases.1.credentialsDir: field"),
        (SEVERAL | {"databases": [SHOP | {"password": "x"}]}, "databases.0.password: extra inputs"),
        (SEVERAL | {"databases": [SHOP | {"name": ""}]}, "databases.0.name: string should have at least 1"),
        (SEVERAL | {"databases": {"shop": SHOP}}, "databases: input should be a valid tuple"),
        (
            SEVERAL | {"databases": [SHOP | {"listen": "h:1"}, STAFF]},
            "databases: give listen to each of them, or to none",
        ),
        (SEVERAL | {"databases": [SHOP | {"listen": "5432"}]}, "databases.0.listen: must be an address and a port"),
        (
            SEVERAL | {"databases": [SHOP | {"listen": "127.0.0.1:1"}], "listen": "127.0.0.1:2"},
            "give listen, where clients choose by dbname; or listen of each of databases, one of them",
        ),
        (
            SEVERAL | {"databases": [one | {"listen": "127.0.0.1:5432"} for one in (SHOP, STAFF)]},
            "databases: two of them listen at one address",
        ),
        (
            SEVERAL | {"databases": [SHOP | {"listen": "127.0.0.1:1"}, STAFF | {"listen": "0.0.0.0:5433"}]},
            "listen: 0.0.0.0 is reachable from elsewhere, and tokens would cross the network in clear",
        ),
    ],
)
def test_one_or_several_and_nothing_between(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(SettingsError) as wrong:
        alone(tmp_path, **changes)
    assert words in str(wrong.value)
    assert len(str(wrong.value).splitlines()) == 1
