"""The chart's files: its values, and that it agrees with the rest of the project. What Helm makes of it: e2e."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from penstock_collector.settings import CollectorSettings
from penstock_core.resources.crd import definitions
from penstock_core.token_issuers import TokenIssuer

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "charts" / "penstock"
VALUES: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text())
SCHEMA = json.loads((CHART / "values.schema.json").read_text())

Json = dict[str, Any]
GATEWAY: dict[str, Any] = {
    "name": "people",
    "databases": [
        {"name": "shop", "credentialsSecret": "shop-db", "caSecret": {"name": "shop-db-ca", "key": "ca.crt"}}
    ],
    "issuers": [{"issuer": "https://i", "audience": "a", "kind": "person", "jwksFile": "jwks.json"}],
}


def test_the_values_pass_their_schema() -> None:
    jsonschema.Draft7Validator.check_schema(SCHEMA)
    jsonschema.validate(VALUES, SCHEMA)
    jsonschema.validate(VALUES | {"operator": {"quietMinutes": 0}}, SCHEMA)


@pytest.mark.parametrize(
    "change",
    [
        {"imag": {}},
        {"image": {"repository": ""}},
        {"image": {"repository": "x", "digest": "sha256:abc"}},
        {"image": {"repository": "x", "pullPolicy": "Sometimes"}},
        {"control": {"replicas": 0}},
        {"control": {"replica": 2}},
        {"operator": {"quietMinutes": 9}},
        {"operator": {"quietMinutes": "60"}},
        {"collector": {"persistence": {"size": "ten"}}},
        {"collector": {"publicUrl": "audit.example"}},
        {"collector": {"signIn": {"issuer": "http://login.example"}}},
        {"collector": {"signIn": {"scopes": "profile"}}},
        {"collector": {"signIn": {"roles": {"root": ["staff"]}}}},
        {"collector": {"signIn": {"roles": {"viewer": "staff"}}}},
        {"collector": {"signIn": {"hours": 1000}}},
        {"collector": {"checkpoints": {"minutes": 0}}},
        {"collector": {"checkpoints": {"key": "-----BEGIN"}}},
        {"collector": {"checkpoints": {"git": {"url": "https://user:secret@git.example/x"}}}},
        {"collector": {"checkpoints": {"s3": {"url": "http://s3.example/trail"}}}},
        {"sidecar": {"runAsUser": 0}},
        {"sidecar": {"resources": {"limits": {"cpu": "1", "gpu": "1"}}}},
        {"webhook": {"failurePolicy": "Ignore"}},
        {"webhook": {"tokenDigests": ["secret"]}},
        {"collector": {"trustedProxies": ["*"]}},
        {"logLevel": "chatty"},
        {"sidecar": {"login": "magic"}},
        {"sidecar": {"issuers": [{"issuer": "https://i", "audience": "a"}]}},
        {"sidecar": {"issuers": [{"issuer": "https://i", "audience": "a", "kind": "person", "jwksFile": "f"}]}},
        {"gateways": {"people": GATEWAY}},
        {"gateways": [GATEWAY | {"name": "Not A Name"}]},
        {"gateways": [GATEWAY | {"databases": []}]},
        {"gateways": [GATEWAY | {"databases": ["shop"]}]},
        {"gateways": [GATEWAY | {"databases": [{"name": "shop"}]}]},
        {"gateways": [GATEWAY | {"databases": [{"name": "shop", "credentialsSecret": "s", "password": "p"}]}]},
        {"gateways": [GATEWAY | {"databases": [{"name": "../..", "credentialsSecret": "s"}]}]},
        # Nobody is anonymous.
        {"gateways": [GATEWAY | {"issuers": []}]},
        {"gateways": [{name: value for name, value in GATEWAY.items() if name != "issuers"}]},
        {"gateways": [GATEWAY | {"identity": {"required": False}}]},
        {"gateways": [GATEWAY | {"tls": {"required": False}}]},
        {"gateways": [GATEWAY | {"tls": {"names": ["a b"]}}]},
        {"gateways": [GATEWAY | {"replicas": 0}]},
        # Helm would leave the default in its place.
        {"gateways": [GATEWAY | {"drainSeconds": 0}]},
        {"gateways": [GATEWAY | {"service": {"type": "ExternalName"}}]},
        {"gatewayDefaults": {"issuers": []}},
    ],
)
def test_a_slip_in_the_values_is_refused(change: Json) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(VALUES | change, SCHEMA)


def test_a_gateway_may_want_whatever_the_defaults_have() -> None:
    gateway = GATEWAY | VALUES["gatewayDefaults"] | {"namespace": "shop"}
    jsonschema.validate(VALUES | {"gateways": [gateway]}, SCHEMA)
    defaults = SCHEMA["properties"]["gatewayDefaults"]["properties"]
    assert set(VALUES["gatewayDefaults"]) == set(defaults)
    properties = SCHEMA["properties"]["gateways"]["items"]["properties"]
    assert {name: properties[name] for name in defaults} == defaults
    # It has a place for files.
    issuer = properties["issuers"]["items"]["properties"]
    assert set(issuer) == {field.alias for field in TokenIssuer.model_fields.values()}


def test_an_issuer_may_have_what_the_model_has_but_files() -> None:
    known = {field.alias for field in TokenIssuer.model_fields.values()}
    properties = SCHEMA["properties"]["sidecar"]["properties"]["issuers"]["items"]["properties"]
    assert known - set(properties) == {"jwksFile", "caFile"}
    assert set(properties) < known


def test_every_value_is_in_the_schema_and_the_other_way_round() -> None:
    def keys(values: Json, schema: Json, place: str = "") -> None:
        properties = set(schema.get("properties", ())) - {"global"}
        if properties and not schema.get("additionalProperties", True):
            assert set(values) == properties, place or "the top level"
            for name in properties:
                if isinstance(values[name], dict):
                    keys(values[name], schema["properties"][name], f"{place}.{name}")

    keys(VALUES, SCHEMA)


def test_what_the_collector_is_given_is_a_setting_of_it() -> None:
    template = "".join(path.read_text() for path in (CHART / "templates" / "collector").iterdir())
    given = set(re.findall(r"name: PENSTOCK_COLLECTOR_(\w+)", template))
    assert {name.lower() for name in given} <= set(CollectorSettings.model_fields)
    sign_in = {name for name in CollectorSettings.model_fields if name.startswith("sign_in_")}
    assert {name.upper() for name in sign_in} <= given, "and what signing in needs can be given"


def test_the_collector_is_ready_while_it_can_commit_and_alive_while_it_answers() -> None:
    template = (CHART / "templates" / "collector" / "statefulset.yaml").read_text()
    probes = dict(re.findall(r"(readiness|liveness)Probe: \{httpGet: \{path: (/\w+),", template))
    assert probes == {"readiness": "/readyz", "liveness": "/healthz"}


def test_versions_agree() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert chart["appVersion"] == project["version"]


def test_the_definitions_are_those_of_the_models() -> None:
    files = {path.name: path.read_text() for path in (CHART / "files" / "crds").iterdir()}
    assert files == definitions(), "run `make crds`"
