"""Requests in words: nothing that hides, nothing endless."""

from __future__ import annotations

import pytest
from tests.collector.conftest import ASKING

from penstock_collector.approvals.wording import deed, people, pod, rows, visible, who
from penstock_core.resources.access_request import Effect, Requester

REQUESTER = Requester.model_validate(ASKING["requester"])


@pytest.mark.parametrize(
    ("text", "shown"),
    [("größe ｆ", "größe ｆ"), ("a\u202eb", "a\\u202eb"), ("\x00\n", "\\u0000\\u000a"), ("\U000e0001", "\\U000e0001")],
)
def test_what_does_not_show_is_written_out(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_who_asks() -> None:
    assert who(REQUESTER) == "agent:support-bot for person:dan@shop.example"
    assert pod(REQUESTER) == "sa:shop/web"
    assert people(Requester.model_validate({"workload": ASKING["requester"]["workload"]})) == ["sa:shop/web"]
    assert people(Requester()) == ["nobody"]
    within = {**ASKING["requester"], "principal": None}
    assert who(Requester.model_validate(within)) == "sa:shop/web for person:dan@shop.example"


def test_what_it_would_do() -> None:
    assert deed(Effect()) == "a statement"
    many = Effect.model_validate({"verbs": ["delete", "insert"], "tables": [f"public.t{n}" for n in range(7)]})
    assert deed(many) == "DELETE, INSERT on public.t0, public.t1, public.t2, public.t3, public.t4 and 2 more"
    assert [rows(Effect.model_validate({"estimatedRows": count})) for count in (None, 0.0, 1.2, 1234567.8)] == [
        "",
        "about 0 rows",
        "about 1 row",
        "about 1\u202f234\u202f568 rows",
    ]
