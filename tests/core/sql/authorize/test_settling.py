"""What is decided at the end of a text: names that only a schema told apart, and GROUP BY of a replaced key."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.core.sql.test_governor import CATALOG, KEY, MASKED, MASKING, decide, reason, rule, table

from penstock_core.policy.effective import EffectivePolicy, Mask, MaskRule
from penstock_core.sql.governor import Governor


def test_a_schema_goes_from_before_what_was_replaced() -> None:
    decision = decide("SELECT public.people.email FROM public.people")
    assert decision.text == f"SELECT people.email FROM {MASKED} AS people"
    # What was not replaced keeps it.
    assert (
        decide("SELECT archive.letters.body FROM archive.letters").text
        == "SELECT archive.letters.body FROM archive.letters"
    )


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 1 FROM public.people, archive.people",
        "SELECT 1 FROM archive.people, public.people",
        "SELECT 1 FROM archive.people JOIN public.people ON true",
        "SELECT 1 FROM public.orders, archive.letters, sales.orders",
    ],
)
def test_two_of_one_name_of_which_one_is_replaced_need_aliases(text: str) -> None:
    assert reason(decide(text)).startswith("FROM lists two relations named")


def test_with_aliases_or_where_neither_is_replaced_they_may_stand() -> None:
    assert decide("SELECT 1 FROM public.people p, archive.people").denial is None
    other = table("sales", "letters", "id")
    judge = Governor(
        EffectivePolicy("shop", MASKING, None), replace(CATALOG, relations={other.key: other, **CATALOG.relations}), KEY
    )
    assert judge.decide("SELECT 1 FROM archive.letters, sales.letters", ("public",)).denial is None


def test_a_schema_that_reaches_past_a_nearer_one_is_refused() -> None:
    text = "SELECT (SELECT public.people.email FROM archive.people) FROM public.people"
    assert reason(decide(text)) == "public.people is ambiguous: another people is nearer"


def test_group_by_of_a_replaced_key() -> None:
    decision = decide("SELECT name FROM people GROUP BY id")
    assert decision.text.endswith("GROUP BY id, people.name")
    starred = decide("SELECT p.* FROM people p GROUP BY p.id")
    assert starred.text.endswith("GROUP BY p.id, p.email, p.name")
    renamed = decide("SELECT c FROM people p (a, b, c) GROUP BY a")
    assert renamed.text.endswith("GROUP BY a, p.c")
    assert decide("SELECT body FROM archive.letters GROUP BY id").text == "SELECT body FROM archive.letters GROUP BY id"


def test_a_key_that_is_masked_is_none() -> None:
    """Rows share its masks: the server has to refuse what is not grouped."""
    keyed = replace(MASKING, masks=(MaskRule(("public.people.id",), Mask("redact", rule("masks[0]"))),))
    assert decide("SELECT name FROM people GROUP BY id", enforced=keyed).text.endswith("GROUP BY id")
