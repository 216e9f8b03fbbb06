"""Refusals that several parts word: by whose rule, and whether the answer may be another once the catalog is read."""

from __future__ import annotations

from penstock_core.policy.effective import Rule
from penstock_core.sql.refusal import not_supported, refused, unknown


def test_by_a_rule_or_by_the_gate_itself() -> None:
    denial = refused("UPDATE needs the verb update", "ask", Rule("support", "allow")).denial
    assert (denial.policy, denial.rule, denial.remedy) == ("support", "allow", "ask")
    assert refused("it cannot be told", "write it out").denial.policy == ""


def test_the_exception_says_why() -> None:
    assert str(refused("UPDATE needs the verb update", "ask")) == "UPDATE needs the verb update"


def test_an_unknown_name_has_the_servers_code_and_may_be_known_later() -> None:
    denial = unknown('relation "nowhere" does not exist', "42P01").denial
    assert (denial.sqlstate, denial.unknown_names) == ("42P01", True)
    assert not refused("UPDATE needs the verb update", "ask").denial.unknown_names


def test_what_is_not_supported_says_what_to_do() -> None:
    denial = not_supported("SECURITY LABEL", "leave it out").denial
    assert (denial.reason, denial.remedy) == ("SECURITY LABEL is not supported", "leave it out")
