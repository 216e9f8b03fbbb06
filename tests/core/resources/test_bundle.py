"""The one document by which a sidecar decides: what goes in, what comes out, and what it refuses to be."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from penstock_core.resources import Bundle, Database, DatabaseAccessPolicy, ResourceError

KEY = bytes(range(32))


def database(name: str = "shop", namespace: str = "shop", **status: Any) -> Database:
    return Database.model_validate(
        {
            "apiVersion": "penstock.dev/v1alpha1",
            "kind": "Database",
            "metadata": {"name": name, "namespace": namespace, "resourceVersion": "17", "labels": {"a": "b"}},
            "spec": {"host": "db", "dbname": "shop", "credentialsSecretRef": {"name": "shop-db"}},
            "status": status or None,
        }
    )


def policy(name: str, namespace: str = "shop", of: str = "shop", **spec: Any) -> DatabaseAccessPolicy:
    return DatabaseAccessPolicy.model_validate(
        {
            "apiVersion": "penstock.dev/v1alpha1",
            "kind": "DatabaseAccessPolicy",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {"databaseRef": {"name": of}, "subjects": [{"serviceAccount": {"name": "web"}}], **spec},
        }
    )


def bundle(*resources: Any, generation: int = 1) -> Bundle:
    return Bundle.of(resources, namespace="shop", database="shop", generation=generation, mask_key=KEY)


def test_a_bundle_holds_the_database_and_its_policies_and_nothing_of_other_places() -> None:
    found = bundle(
        policy("b"), policy("elsewhere", namespace="billing"), policy("other", of="warehouse"), policy("a"),
        database(), database("warehouse"), database(namespace="billing"),
    )  # fmt: skip

    assert found.database.title == "Database shop/shop"
    assert [one.name for one in found.policies] == ["a", "b"]
    assert found.mask_key_bytes == KEY


def test_it_comes_back_from_one_line_of_json() -> None:
    sent = bundle(database(), policy("web", masks=[{"columns": ["a.b.c"], "with": {"null": {}}}]), generation=9)
    line = sent.to_json()

    assert "\n" not in line
    assert Bundle.from_json(line) == sent
    assert Bundle.from_json(line.encode()) == sent


def test_what_decides_nothing_makes_no_difference() -> None:
    plain = bundle(database(), policy("a"), policy("b"))
    touched = bundle(policy("b"), policy("a"), database(policies=2))

    assert touched.to_json() == plain.to_json()


def test_its_line_is_that_of_all_its_fields_whatever_was_written_before() -> None:
    """Gates hold the digest of the line against what the trail says: it must not depend on how it comes about."""

    def whole(one: Bundle) -> str:
        document = one.model_dump(mode="json", exclude_none=True)
        if not one.grants:
            del document["grants"]
        return json.dumps(document, separators=(",", ":"), sort_keys=True)

    first = bundle(database(), policy("a"), policy("b", masks=[{"columns": ["a.b.ü"], "with": {"null": {}}}]))
    assert first.to_json() == whole(first)
    # What was written is taken over by copies, and counts for none that is another.
    changed = first.policies[0].model_copy(update={"spec": first.policies[1].spec})
    other = first.model_copy(update={"policies": (changed, first.policies[1]), "generation": 7})
    assert other.to_json() == whole(other) != first.to_json()
    assert other.policies[0] != first.policies[0]
    assert Bundle.from_json(other.to_json()) == other
    assert Bundle.from_json(other.to_json()).digest == other.digest != first.digest


@pytest.mark.parametrize(("generation", "key"), [(-1, KEY), (1, b"short")])
def test_another_number_and_key_are_checked(generation: int, key: bytes) -> None:
    assert bundle(database()).numbered(5, KEY) == bundle(database(), generation=5)
    with pytest.raises(ValueError, match="a key has 32 bytes"):
        bundle(database()).numbered(generation, key)


def test_the_key_shows_in_no_repr_and_no_error() -> None:
    sent = bundle(database())
    key = base64.b64encode(KEY).decode()

    assert key not in repr(sent)
    document = json.loads(sent.to_json()) | {"generation": -1, "maskKey": key + "!"}
    with pytest.raises(ResourceError) as caught:
        Bundle.from_json(json.dumps(document))
    assert key not in str(caught.value)
    assert "generation: must be at least 0" in str(caught.value)


@pytest.mark.parametrize(
    ("resources", "said"),
    [
        ((), "Database shop/shop: is not there"),
        ((database("shoop"),), "Database shop/shop: is not there; did you mean shoop?"),
        ((database(), database()), "Database shop/shop: is there more than once"),
        ((database(), policy("a"), policy("a")), "Bundle: DatabaseAccessPolicy shop/a is there twice"),
    ],
)
def test_it_is_not_made_of_the_wrong_things(resources: tuple[Any, ...], said: str) -> None:
    with pytest.raises(ResourceError) as caught:
        bundle(*resources)
    assert str(caught.value) == said


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"maskKey": base64.b64encode(b"short").decode()}, "Bundle: maskKey must be 32 bytes in base64"),
        ({"maskKey": "not base64 at all"}, "Bundle: maskKey must be 32 bytes in base64"),
        ({"maskKey": None}, "Bundle: maskKey: must be text; put it in quotes if YAML takes it for something else"),
        (
            {"ofALaterVersion": 1},
            "Bundle: ofALaterVersion: unknown field; known here: generation, database, policies, maskKey, grants",
        ),
        (
            {"policies": [json.loads(policy("a", namespace="billing").model_dump_json(exclude_none=True))]},
            "Bundle: DatabaseAccessPolicy billing/a is not for Database shop/shop",
        ),
    ],
)
def test_a_line_that_is_no_bundle_is_refused_in_words(changes: dict[str, Any], said: str) -> None:
    document = json.loads(bundle(database()).to_json()) | changes
    with pytest.raises(ResourceError) as caught:
        Bundle.from_json(json.dumps(document))
    assert str(caught.value) == said


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, b"\xff\xfe\x00"])
def test_a_line_that_is_no_json_is_refused_in_words(text: str | bytes) -> None:
    with pytest.raises(ResourceError, match=r"^Bundle: not a JSON document$"):
        Bundle.from_json(text)


def test_a_policy_cannot_change_under_the_eyes_of_those_who_decide_by_it() -> None:
    with pytest.raises(ValueError, match="frozen"):
        bundle(database()).generation = 2
