"""The CRDs: that they are the models, and that the API server can take them (what it rejects is listed here)."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from penstock_core.resources import Database, DatabaseAccessPolicy
from penstock_core.resources.crd import definitions

ROOT = Path(__file__).resolve().parents[3]
FILES = ("accessrequests.yaml", "databaseaccesspolicies.yaml", "databases.yaml")

# The keywords of a structural schema, and Kubernetes' own.
TAKEN = {
    "additionalProperties", "default", "description", "enum", "format", "items", "maxItems", "maxLength",
    "maxProperties", "maximum",
    "minItems", "minLength", "minimum", "pattern", "properties", "required", "type", "x-kubernetes-list-map-keys",
    "x-kubernetes-list-type", "x-kubernetes-preserve-unknown-fields", "x-kubernetes-validations",
}  # fmt: skip


def crd(name: str) -> Any:
    return yaml.safe_load(definitions()[name])


@cache
def schema(name: str) -> Any:
    return crd(name)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]


def nodes(node: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    yield path, node
    for name, part in node.get("properties", {}).items():
        yield from nodes(part, f"{path}.{name}")
    if "additionalProperties" in node:
        # Meant for no name alone, so that there is nothing to explain.
        yield from nodes(node["additionalProperties"], f"{path}[]")
    if "items" in node:
        yield from nodes(node["items"], f"{path}[]")


@pytest.mark.parametrize("name", FILES)
def test_what_is_kept_is_what_the_models_say(name: str) -> None:
    assert (ROOT / "crds" / name).read_bytes() == definitions()[name].encode(), "run `make crds`"


def test_no_other_definition_is_kept() -> None:
    assert tuple(sorted(path.name for path in (ROOT / "crds").iterdir())) == FILES == tuple(sorted(definitions()))


def test_the_command_prints_them_and_writes_them(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "penstock_core.resources.crd"]

    printed = subprocess.run(command, capture_output=True, text=True, check=True)
    assert [one["spec"]["names"]["kind"] for one in yaml.safe_load_all(printed.stdout)] == [
        "Database",
        "DatabaseAccessPolicy",
        "AccessRequest",
    ]

    subprocess.run([*command, str(tmp_path / "a"), str(tmp_path / "b")], check=True)
    for directory in ("a", "b"):
        assert {path.name: path.read_text() for path in (tmp_path / directory).iterdir()} == definitions()


@pytest.mark.parametrize("name", FILES)
def test_nothing_stands_in_a_schema_that_the_api_server_rejects(name: str) -> None:
    for path, node in nodes(schema(name)):
        assert set(node) <= TAKEN, path
        assert isinstance(node["type"], str), path
        if node["type"] == "string" and path.startswith((".spec", ".status")):
            assert "enum" in node or "maxLength" in node, f"{path} has no upper bound"
        if node["type"] == "array":
            assert "maxItems" in node, f"{path} has no upper bound"
        for part in ("(?=", "(?!", "(?<", r"\1"):
            assert part not in node.get("pattern", ""), f"{path}: not RE2"


@pytest.mark.parametrize("name", FILES)
def test_kubectl_explain_has_something_to_say_about_each_field(name: str) -> None:
    silent = [
        path for path, node in nodes(schema(name))
        if path.startswith((".spec", ".status")) and not path.endswith("[]") and len(node.get("description", "")) < 5
    ]  # fmt: skip
    assert silent == []


@pytest.mark.parametrize("name", FILES)
def test_defaults_are_complete_and_say_something(name: str) -> None:
    for path, node in nodes(schema(name)):
        if "default" in node:
            assert node["default"] not in ([], {}, ""), path
            jsonschema.Draft4Validator(node).validate(node["default"])


@pytest.mark.parametrize("name", FILES)
def test_status_is_a_subresource_with_conditions(name: str) -> None:
    version = crd(name)["spec"]["versions"][0]
    conditions = version["schema"]["openAPIV3Schema"]["properties"]["status"]["properties"]["conditions"]

    assert version["subresources"] == {"status": {}}
    assert conditions["x-kubernetes-list-type"] == "map"
    assert conditions["x-kubernetes-list-map-keys"] == ["type"]
    assert "observedGeneration" in conditions["items"]["properties"]


@pytest.mark.parametrize("name", ["databaseaccesspolicies.yaml", "databases.yaml"])
def test_kubectl_get_shows_whether_it_is_ready_and_why(name: str) -> None:
    columns = {one["name"]: one["jsonPath"] for one in crd(name)["spec"]["versions"][0]["additionalPrinterColumns"]}

    assert list(columns)[:2] == ["Ready", "Reason"]
    assert list(columns)[-1] == "Age"
    assert columns["Ready"] == '.status.conditions[?(@.type=="Ready")].status'


def test_rules_across_fields_reach_the_api_server() -> None:
    rules = {
        (path, rule["rule"]): rule["message"]
        for path, node in nodes(schema("databaseaccesspolicies.yaml"))
        for rule in node.get("x-kubernetes-validations", ())
    }

    masks = ".spec.masks[]"
    assert (
        rules[masks, "[has(self.tags), has(self.columns)].exists_one(given, given)"]
        == "give exactly one of tags, columns"
    )
    assert any(path == f"{masks}.with" and "has(self.__null__)" in rule for path, rule in rules)
    one_each = "self.approvals.all(one, self.approvals.exists_one(other, other.name == one.name))"
    assert rules[".spec", f"!has(self.approvals) || {one_each}"].startswith("each approval needs a name of its own")


@pytest.mark.parametrize("name", FILES)
def test_an_unknown_field_at_whatever_depth_reaches_the_webhook(name: str) -> None:
    """By default the API server drops it, and what its author meant has no effect."""
    kept = {path for path, node in nodes(schema(name)) if node.get("x-kubernetes-preserve-unknown-fields")}
    holders = {path for path, node in nodes(schema(name)) if "properties" in node}
    asked = name == "accessrequests.yaml"
    assert kept == {path for path in holders if asked or not path.startswith(".status")}
    assert {"", ".spec"} <= kept


@pytest.mark.parametrize("name", ["databaseaccesspolicies.yaml", "databases.yaml"])
def test_what_a_text_must_look_like_is_said_in_words_by_the_webhook(name: str) -> None:
    """The API server, which is asked first, would say it as a regular expression."""
    assert not [path for path, node in nodes(schema(name)) if path.startswith(".spec") and "pattern" in node]


def test_a_request_cannot_be_changed() -> None:
    spec = schema("accessrequests.yaml")["properties"]["spec"]
    assert {
        "rule": "self == oldSelf",
        "message": "a request cannot be changed; what is approved is what was asked for",
    } in (spec["x-kubernetes-validations"])


# ── What the models take, the API server takes: one more reason than bytes to trust the generator ──

NAMES = st.sampled_from(["shop", "shop-db", "a.b", "Shop", "-x", "", "a" * 254])
PATTERNS = st.sampled_from(
    ["*.*.*", "public.users.email", 'public."Users".e', "é.ü.ß", "a.b", "A.b.c", "a.b.c.d", 'a."b.c".d']
)
MASKS = st.fixed_dictionaries(
    {
        "with": st.sampled_from(
            [{"null": {}}, {"partial": {"keepLast": 65}}, {"constant": {"value": "x"}}, {"hash": {}}]
        )
    },
    optional={
        "tags": st.lists(st.sampled_from(["pii", "PII", "pii.email"]), max_size=2),
        "columns": st.lists(PATTERNS, max_size=3),
    },
)
POLICIES = st.fixed_dictionaries(
    {"databaseRef": st.fixed_dictionaries({"name": NAMES}), "subjects": st.just([{"identity": {"kind": "agent"}}])},
    optional={
        "mode": st.sampled_from(["enforce", "observe", "x"]),
        "allow": st.lists(st.sampled_from(["select", "drop", "merge"]), max_size=3),
        "masks": st.lists(MASKS, max_size=3),
        "guardrails": st.fixed_dictionaries(
            {},
            optional={
                "maxPlanCost": st.floats(-1, 1e16),
                "statementTimeout": st.sampled_from(["30s", "1h30m", "5", "s"]),
            },
        ),
    },
)
DATABASES = st.fixed_dictionaries(
    {
        "host": st.sampled_from(["db", "10.0.0.1", "::1", "a b", "postgres://x"]),
        "dbname": st.text(max_size=70),
        "credentialsSecretRef": st.fixed_dictionaries({"name": NAMES}),
    },
    optional={
        "port": st.integers(-1, 70_000),
        "tls": st.sampled_from([{}, {"mode": "disable"}, {"mode": "prefer"}, {"caSecretRef": {"name": "ca"}}]),
        "classification": st.lists(
            st.fixed_dictionaries({"columns": st.lists(PATTERNS, max_size=3), "tag": st.just("pii")}), max_size=3
        ),
    },
)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.tuples(st.just(Database), DATABASES) | st.tuples(st.just(DatabaseAccessPolicy), POLICIES))
def test_what_the_models_take_the_api_server_takes(
    drawn: tuple[type[Database | DatabaseAccessPolicy], dict[str, Any]],
) -> None:
    model, spec = drawn
    document = {
        "apiVersion": "penstock.dev/v1alpha1", "kind": model.__name__, "metadata": {"name": "x"}, "spec": spec,
    }  # fmt: skip
    name = {Database: "databases.yaml", DatabaseAccessPolicy: "databaseaccesspolicies.yaml"}[model]
    taken = jsonschema.Draft4Validator(schema(name)).is_valid(document)
    try:
        resource = model.model_validate(document)
    except ValueError:
        return
    assert taken, json.dumps(document)
    assert jsonschema.Draft4Validator(schema(name)).is_valid(resource.model_dump(mode="json", exclude_none=True))
