"""Resources come and go; the bundles and their numbers follow, and whoever listens is told."""

from __future__ import annotations

import base64
import copy
import json
from typing import Any

import pytest
from tests.operator.doubles import SECRET, SHOP, WEB, change, synced

from penstock_operator.cluster.watch import ObjectChange
from penstock_operator.control.policies import MASK_KEY, Policies
from penstock_operator.objects import DATABASES, POLICIES, generation_of, in_effect

Json = dict[str, Any]


def generation(policies: Policies) -> int:
    return policies.latest(SHOP).bundle.generation


def test_nothing_is_handed_out_before_all_is_known(shop: Any) -> None:
    policies = Policies()
    assert len(policies.lacking) == 3
    policies.follower(DATABASES).replace({SHOP: shop.database}, 100)
    policies.follower(POLICIES).replace({}, 101)
    policies.follower(MASK_KEY).replace({}, 102)
    assert policies.lacking == ["the mask key"]
    assert policies.topic("shop", "shop") is None
    policies.follower(MASK_KEY).change(ObjectChange(("penstock-system", "k"), SECRET, 103))
    assert policies.lacking == []
    assert policies.topic("shop", "shop") is not None


def test_a_bundle_is_a_line_with_the_policies_and_a_key_of_its_own(shop: Any) -> None:
    topic = synced(shop).topic("shop", "shop")
    assert topic is not None
    document = json.loads(topic.line)
    assert topic.line.count(b"\n") == 1
    assert document["generation"] == 1
    assert [policy["metadata"]["name"] for policy in document["policies"]] == ["web"]
    assert len(base64.b64decode(document["maskKey"])) == 32
    assert b"k" * 32 not in base64.b64decode(document["maskKey"])


def test_keys_differ_between_databases_and_agree_between_replicas(shop: Any) -> None:
    one, other = synced(shop), synced(shop)
    assert one.mask_key("shop", "shop") == other.mask_key("shop", "shop")
    assert one.mask_key("shop", "shop") != one.mask_key("shop", "other")


def test_a_changed_policy_is_told_with_the_next_number(shop: Any) -> None:
    policies = synced(shop)
    topic = policies.latest(SHOP)
    shop.policy["spec"]["allow"] = ["select", "insert"]
    change(policies, POLICIES, WEB, shop.policy, 120)
    assert topic.changed.is_set()
    assert generation(policies) == 2


def test_a_change_without_meaning_is_not_told(shop: Any) -> None:
    policies = synced(shop)
    topic = policies.latest(SHOP)
    shop.policy["status"] = {"pods": 3}
    shop.policy["metadata"]["labels"] = {"a": "b"}
    change(policies, POLICIES, WEB, shop.policy, 120)
    change(policies, POLICIES, ("elsewhere", "x"), shop.policy, 121)
    assert policies.latest(SHOP) is topic
    assert not topic.changed.is_set()


def test_taking_a_policy_away_is_a_newer_bundle_without_it(shop: Any) -> None:
    policies = synced(shop)
    change(policies, POLICIES, WEB, None, 130)
    assert policies.latest(SHOP).bundle.policies == ()
    assert generation(policies) == 2


def numbered(shop: Any) -> Json:
    """The Database after the operator has seen it as it is."""
    digest = in_effect(shop.database, [shop.policy]).digest
    number = generation_of(shop.database, digest)
    shop.database["status"] = {"policyGeneration": number, "policyDigest": digest}
    database: Json = shop.database
    return database


def test_what_the_operator_numbers_is_what_was_told_already(shop: Any) -> None:
    policies = synced(shop)
    for allow in (["select"], ["select", "insert"], []):
        shop.policy["spec"]["allow"] = allow
        change(policies, POLICIES, WEB, shop.policy, 120)
        told = policies.latest(SHOP)
        change(policies, DATABASES, SHOP, numbered(shop), 121)
        assert policies.latest(SHOP) is told, "nothing new"
        assert shop.database["status"]["policyGeneration"] == generation(policies)


def test_every_replica_counts_alike_whenever_it_started(shop: Any) -> None:
    old = synced(shop)
    change(old, DATABASES, SHOP, numbered(shop), 119)
    for allow in (["insert"], ["update"], ["delete"]):
        shop.policy["spec"]["allow"] = allow
        change(old, POLICIES, WEB, shop.policy, 120)
        change(old, DATABASES, SHOP, numbered(shop), 121)
    new = synced(shop)
    assert generation(new) == generation(old) == 4
    assert new.latest(SHOP).line == old.latest(SHOP).line


def test_changes_before_the_operator_sees_them_have_numbers_of_their_own(shop: Any) -> None:
    policies = synced(shop)
    for number, allow in ((2, ["insert"]), (3, ["update"]), (4, ["delete"])):
        shop.policy["spec"]["allow"] = allow
        change(policies, POLICIES, WEB, shop.policy, 120)
        assert generation(policies) == number


def test_an_invalid_policy_takes_all_access_away(shop: Any) -> None:
    policies = synced(shop)
    bad = copy.deepcopy(shop.policy)
    bad["metadata"]["name"] = "bad"
    bad["spec"]["masks"] = [{"tags": ["pii.email"], "with": {"sparkle": {}}}]
    change(policies, POLICIES, ("shop", "bad"), bad, 160)
    assert policies.latest(SHOP).bundle.policies == (), "its mask could be the one that matters"
    assert "sparkle" in policies.unusable[SHOP]
    change(policies, POLICIES, ("shop", "bad"), None, 161)
    assert [policy.name for policy in policies.latest(SHOP).bundle.policies] == ["web"]
    assert policies.unusable == {}


@pytest.mark.parametrize("broken", [None, {"host": "x"}])
def test_a_database_that_is_gone_or_invalid_gives_its_listeners_an_empty_bundle(shop: Any, broken: Json | None) -> None:
    policies = synced(shop)
    topic = policies.latest(SHOP)
    change(policies, DATABASES, SHOP, None if broken is None else {**shop.database, "spec": broken}, 170)
    assert topic.changed.is_set()
    assert policies.latest(SHOP).bundle.policies == ()
    assert policies.topic("shop", "shop") is None
    assert policies.bundle("shop", "shop") is None
    change(policies, DATABASES, SHOP, shop.database, 180)
    assert policies.topic("shop", "shop") is not None
    assert generation(policies) == 3


def test_a_lost_mask_key_stays_known(shop: Any) -> None:
    policies = synced(shop)
    key = policies.mask_key(*SHOP)
    change(policies, MASK_KEY, ("penstock-system", "k"), None, 190)
    assert policies.lacking == []
    assert policies.mask_key(*SHOP) == key


def test_another_mask_key_is_another_bundle(shop: Any) -> None:
    policies = synced(shop)
    line = policies.latest(SHOP).line
    change(policies, MASK_KEY, ("penstock-system", "k"), {"data": {"key": base64.b64encode(b"j" * 32).decode()}}, 195)
    assert policies.latest(SHOP).line != line
    assert generation(policies) == 2


def test_replicas_that_counted_otherwise_agree_once_the_operator_has_numbered(shop: Any) -> None:
    """One saw three changes, the other one came when they were over: a gate may ask either about what it decided."""
    old = synced(shop)
    for allow in (["insert"], ["update"], ["delete"]):
        shop.policy["spec"]["allow"] = allow
        change(old, POLICIES, WEB, shop.policy, 120)
    new = synced(shop)
    assert (generation(old), generation(new)) == (4, 1)
    told = old.latest(SHOP)
    for policies in (old, new):
        change(policies, DATABASES, SHOP, numbered(shop) if policies is old else shop.database, 121)
    assert generation(old) == generation(new) == 1
    assert told.changed.is_set(), "whoever listens is told of the number"
    assert old.latest(SHOP).line == new.latest(SHOP).line


def test_what_concerns_another_database_reads_nothing_again(shop: Any) -> None:
    policies = synced(shop)
    other = copy.deepcopy(shop.database)
    other["metadata"] |= {"name": "other", "uid": "d-2"}
    change(policies, DATABASES, ("shop", "other"), other, 110)
    mine = policies.latest(SHOP)
    moved = copy.deepcopy(shop.policy)
    moved["metadata"]["name"] = "moving"
    for name in ("other", "shop", "other"):
        moved["spec"]["databaseRef"]["name"] = name
        change(policies, POLICIES, ("shop", "moving"), moved, 120)
        told = {one: len(policies.latest(("shop", one)).bundle.policies) for one in ("shop", "other")}
        assert told == {"shop": 1 + (name == "shop"), "other": int(name == "other")}, (
            "it is nobody's but its Database's"
        )
        if name == "other":
            assert (policies.latest(SHOP) is mine) == (not mine.changed.is_set())
    assert generation(policies) == 3


def test_of_many_policies_only_the_one_that_changed_is_read(shop: Any) -> None:
    policies = synced(shop)
    for number in range(20):
        more = copy.deepcopy(shop.policy)
        more["metadata"]["name"] = f"more-{number}"
        change(policies, POLICIES, ("shop", f"more-{number}"), more, 110 + number)
    before = {policy.name: policy for policy in policies.latest(SHOP).bundle.policies}
    shop.policy["spec"]["allow"] = ["insert"]
    change(policies, POLICIES, WEB, shop.policy, 140)
    after = {policy.name: policy for policy in policies.latest(SHOP).bundle.policies}
    assert {name for name in after if after[name] is not before[name]} == {"web"}
    # Whole lists are read as a whole, whatever was known.
    shop.policy["spec"]["allow"] = ["update"]
    policies.follower(POLICIES).replace({WEB: copy.deepcopy(shop.policy)}, 150)
    assert [policy.spec.allow for policy in policies.latest(SHOP).bundle.policies] == [("update",)]


def test_a_policy_that_is_for_another_database_from_now_on_leaves_the_former(shop: Any) -> None:
    policies = synced(shop)
    other = copy.deepcopy(shop.database)
    other["metadata"]["name"] = "other"
    change(policies, DATABASES, ("shop", "other"), other, 2)
    moved = copy.deepcopy(shop.policy)
    moved["spec"]["databaseRef"]["name"] = "other"
    for document, names in ((moved, [0, 1]), (shop.policy, [1, 0]), (moved, [0, 1])):
        change(policies, POLICIES, WEB, document, 3)
        bundles = [policies.bundle("shop", name) for name in ("shop", "other")]
        assert [len(one.policies) for one in bundles if one is not None] == names
