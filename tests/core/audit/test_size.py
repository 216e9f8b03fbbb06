"""An event too large is cut and says so; it is never refused for its size."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock_core.audit.chain import Head, canonical
from penstock_core.audit.event import Event
from penstock_core.audit.size import MAX_BODY, MAX_EVENT, fit


def test_a_small_event_stays_as_it_is() -> None:
    body: Event = {"kind": "intent", "sql": "SELECT 1"}
    assert fit(body) is body


@pytest.mark.parametrize("letter", ["x", "\x00", "\U0001f600", '"'])
def test_a_huge_statement_is_cut_and_still_fits_once_sealed(letter: str) -> None:
    body = fit({"kind": "intent", "session": "s", "statement": "1", "sql": letter * 3_000_000})
    assert len(canonical(body)) <= MAX_BODY
    assert body["truncated"] == ["sql"]
    assert body["bytesBefore"] > 3_000_000
    assert len(body["sql"]) > 10_000
    event, _ = Head("pod/boot").seal(body, "2026-11-25T09:00:00.000000Z")
    assert len(canonical(event)) <= MAX_EVENT


def test_lists_are_given_up_after_the_statement() -> None:
    body = fit({"kind": "intent", "sql": "x" * 500, "relations": [f"public.t{i}" for i in range(50_000)]})
    assert body["truncated"] == ["sql", "relations"]
    assert body["kind"] == "intent"
    # As many as have room, and not none: what is there is found by it.
    assert body["relations"] == [f"public.t{i}" for i in range(len(body["relations"]))]
    assert MAX_BODY // 2 < len(canonical(body)) <= MAX_BODY


@given(st.dictionaries(st.sampled_from(["sql", "reason", "relations", "other"]), st.text(max_size=400), max_size=4))
def test_it_always_fits(texts: dict[str, str]) -> None:
    try:
        canonical(dict(texts))
    except ValueError:
        return
    assert len(canonical(fit({"kind": "intent", **texts}, limit=300))) <= 300


def test_a_field_is_cut_once() -> None:
    long = "x" * 300_000
    cut = fit({"kind": "session", "session": "s", "client": {"application": long}, "asserted": {"user": long}})
    assert sorted(cut["truncated"]) == ["asserted", "client"]
