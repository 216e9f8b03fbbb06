"""What becomes of a statement, whose policies decide it, and what can be told without a catalog."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.cli.cluster.conftest import Desk, demo_resources, pod

BOT = "agent:support-bot,support"


def decided(desk: Desk, who: str, sql: str, *options: str, code: int = 0) -> list[dict[str, Any]]:
    result = desk.run("explain", who, sql, "--catalog", "catalog.json", "-o", "json", *options)
    assert result.exit_code == code, result.stderr
    found: list[dict[str, Any]] = json.loads(result.stdout)
    return found


def test_an_identity_is_told_the_masks_the_rules_and_what_is_sent(desk: Desk, catalog: Path) -> None:
    (found,) = decided(desk, BOT, "SELECT email FROM customers")
    assert (found["identity"], found["decision"], found["policies"]) == ("agent:support-bot", "rewrite", ["support"])
    assert found["masked"] == [
        {"column": "public.customers.email", "mask": "email", "policy": "support", "rule": "masks[0]"}
    ]
    assert "FROM public.customers" in found["rewritten"]


def test_a_pod_is_its_service_account_and_its_own_database(desk: Desk, catalog: Path) -> None:
    (found,) = decided(desk, "support-agent-1", "SELECT card_number FROM payments")
    assert found["identity"] == "sa:shop/support-agent"
    assert found["masked"][0]["policy"] == "support-desk"
    (refused,) = decided(desk, "support-agent-1", "DELETE FROM orders WHERE id = 1", code=1)
    assert (refused["decision"], refused["policies"]) == ("deny", ["support-desk"])


def test_of_a_pod_with_several_databases_one_has_to_be_named(desk: Desk, catalog: Path) -> None:
    desk.api.put("pods", pod("both", "billing,shop"), group="/api/v1")
    statement = ("both", "SELECT card_number FROM payments")
    words = desk.refused("explain", *statement)
    assert words == "say which Database: --database NAME; the gate of the pod both is for billing, shop"
    (found,) = decided(desk, *statement, "--database", "shop")
    assert found["masked"][0]["policy"] == "support-desk"
    assert "is for billing, shop, not for staff" in desk.refused("explain", *statement, "--database", "staff")


def test_people_read_what_penstock_check_prints(desk: Desk, catalog: Path) -> None:
    result = desk.run("explain", BOT, "DELETE FROM orders; SELECT 1", "--catalog", "catalog.json")
    assert result.exit_code == 1
    assert "SQL:1: refused  DELETE FROM orders\n" in result.stdout
    assert "(support: guardrails.requireWhere)" in result.stdout
    assert result.stdout.endswith("2 statements as agent:support-bot: 1 allowed, 1 refused\n")


def test_sql_may_come_from_standard_input(desk: Desk, catalog: Path) -> None:
    result = desk.run("explain", BOT, "-", "--catalog", "catalog.json", given="SELECT 1")
    assert "1 statement as agent:support-bot: 1 allowed" in result.stdout


def test_without_a_catalog_it_is_told_which_policies_there_are(desk: Desk) -> None:
    result = desk.run("explain", "support-agent-1", "SELECT 1", "-o", "yaml")
    assert "nothing is decided without the database's catalog" in result.stderr
    assert yaml.safe_load(result.stdout) == [
        {
            "policy": "support-desk", "mode": "enforce", "allow": ["select"],
            "masks": ["pii.email by email", "pci.pan by redact"], "rowFilters": [],
            "guardrails": ["requireWhere: delete"],
        }
    ]  # fmt: skip
    assert "no policy of Database shop/shop is for person:eve" in desk.run("explain", "person:eve").stdout


def test_a_suspended_database_decides_nothing(desk: Desk, catalog: Path) -> None:
    desk.run("suspend", "database", "shop", "--reason", "INC-77")
    result = desk.run("explain", BOT, "SELECT 1", "--catalog", "catalog.json")
    assert "agent:support-bot has no session: the database shop is suspended: INC-77" in result.stderr
    assert "the database shop is suspended" in desk.run("explain", BOT).stderr


def test_files_stand_for_the_cluster(desk: Desk, catalog: Path) -> None:
    desk.api.forbidden = ("/",)
    (desk.directory / "rules.yaml").write_text(yaml.safe_dump_all(demo_resources()))
    (found,) = decided(desk, BOT, "SELECT email FROM customers", "--policies", "rules.yaml")
    assert found["decision"] == "rewrite"


def test_a_policy_that_is_not_valid_leaves_nobody_access_and_that_is_said(desk: Desk) -> None:
    for path, one in desk.api.objects.items():
        if path.endswith("/support-desk"):
            one["spec"]["allow"] = ["selekt"]
    result = desk.run("explain", "support-agent-1")
    assert "warning: nobody has access: " in result.stderr
    assert "selekt is not known" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("shpo", "SELECT 1"), "not found"),
        (("a/b", "SELECT 1"), "neither a pod's name nor an identity"),
        (("ada:x", "SELECT 1"), "is not an identity"),
        ((BOT, "SELECT 1", "--database", "till"), "there is no Database till; Databases in the namespace shop: shop"),
        ((BOT, "/* nothing */", "--catalog", "catalog.json"), "there is no SQL statement"),
        ((BOT, "SELECT 1", "--catalog", "catalog.json", "--url", "x"), "either --catalog FILE or --url URL"),
    ],
)
def test_what_makes_no_sense_is_one_line(desk: Desk, catalog: Path, arguments: tuple[str, ...], words: str) -> None:
    assert words in desk.refused("explain", *arguments)


def test_a_pod_without_a_gate_says_so(desk: Desk) -> None:
    desk.api.put("pods", {"metadata": {"name": "bare", "namespace": "shop"}, "spec": {}}, group="/api/v1")
    assert "its statements pass no gate" in desk.refused("explain", "bare", "SELECT 1")
