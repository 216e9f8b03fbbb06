"""A form is a short cut: what it seals is byte for byte what the chain makes of the same body."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock_core.audit.chain import MAX_SAFE_INTEGER, ChainError, Head, written
from penstock_core.audit.event import Event
from penstock_core.audit.form import Form

TIME = "2026-11-25T09:00:00.000000Z"
NAMES = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=8).filter(
    lambda name: name not in ("v", "stream", "seq", "prev", "time", "hash")
)
FIELDS = NAMES.filter(str.isidentifier)
WHOLE = st.integers(-MAX_SAFE_INTEGER, MAX_SAFE_INTEGER)
VALUES = st.recursive(
    st.none() | st.booleans() | WHOLE | st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)


def sealed_plainly(body: Event, head: Head) -> tuple[bytes, str]:
    event, after = head.seal(body, TIME)
    return written(event), after.hash


@given(st.dictionaries(NAMES, VALUES, max_size=6), st.dictionaries(FIELDS, WHOLE, max_size=4), st.integers(0, 1 << 40))
def test_its_bytes_are_the_chains(constant: Event, varying: dict[str, int], seq: int) -> None:
    for name in varying:
        constant.pop(name, None)
    form = Form(constant, varying)
    body = form.body(**varying)
    assert body == {**constant, **varying}
    for stream in ("pod/boot", "another/100%"):
        head = Head(stream, seq)
        assert form.seal(body, head, TIME) == sealed_plainly(dict(body), head)


@given(st.binary(max_size=32), st.integers(0, 100))
def test_digests_vary_too(digest: bytes, number: int) -> None:
    form = Form({"kind": "intent", "sql": "100 %"}, ["statement"], ["sqlHmac"])
    body = form.body(statement=number, sqlHmac=digest.hex())
    head = Head("pod/boot", 7)
    assert form.seal(body, head, TIME) == sealed_plainly(dict(body), head)


def test_two_forms_together_are_one() -> None:
    intents = Form({"kind": "intent", "session": "s", "sql": "100 %"}, ["statement"], ["sqlHmac"])
    head = Head("pod/boot", 7)
    for result in ("ok", "error", "ok"):
        outcomes = Form({"kind": "outcome", "session": "s", "result": result}, ["statement", "rows"])
        form = intents.together(outcomes, frozenset({"kind", "session", "statement"}), "statement")
        assert form is not None
        again = intents.together(outcomes, frozenset({"kind", "session", "statement"}), "statement")
        assert again is form, "it is made once"
        body = form.body(statement=3, rows=9, sqlHmac="0f")
        told = {"kind": "statement", "session": "s", "sql": "100 %", "sqlHmac": "0f", "statement": 3}
        assert body == {**told, "result": result, "rows": 9}
        assert form.seal(body, head, TIME) == sealed_plainly(dict(body), head)


@pytest.mark.parametrize("shared", [frozenset({"kind"}), frozenset({"kind", "statement", "rows"}), frozenset()])
def test_forms_with_more_in_common_are_not_one(shared: frozenset[str]) -> None:
    intents = Form({"kind": "intent", "session": "s"}, ["statement"])
    outcomes = Form({"kind": "outcome", "session": "s"}, ["statement", "rows"])
    assert intents.together(outcomes, shared, "statement") is None


@pytest.mark.parametrize("value", ["0g", '0"', "\n", "A", 7, None])
def test_a_digest_is_hex(value: object) -> None:
    form = Form({"kind": "intent"}, [], ["sqlHmac"])
    body = form.body(sqlHmac="00")
    body["sqlHmac"] = value
    with pytest.raises(ChainError, match="sqlHmac is not a digest"):
        form.seal(body, Head("pod/boot"), TIME)


def test_one_event_follows_the_other() -> None:
    form = Form({"kind": "outcome", "session": "s"}, ["statement"])
    head = Head("pod/boot")
    for number in range(3):
        line, hash_ = form.seal(form.body(statement=number), head, TIME)
        assert (line, hash_) == sealed_plainly({"kind": "outcome", "session": "s", "statement": number}, head)
        head = Head(head.stream, head.seq + 1, hash_)


@pytest.mark.parametrize("value", [1.5, True, "1", 1 << 53, None])
def test_only_whole_numbers_vary(value: object) -> None:
    form = Form({"kind": "outcome"}, ["rows"])
    body = form.body(rows=0)
    body["rows"] = value
    with pytest.raises(ChainError, match="rows"):
        form.seal(body, Head("pod/boot"), TIME)


def test_a_field_that_varies_has_a_plain_name() -> None:
    form = Form({"kind": "outcome"}, ["100%"])
    with pytest.raises(ChainError, match="odd name"):
        form.seal(form.body(**{"100%": 1}), Head("pod/boot"), TIME)


@pytest.mark.parametrize("constant", [{"kind": "open", "x": 1.5}, {"rows": 1}, {"hash": "x"}, {"seq": 1}])
def test_what_can_not_be_written_is_refused(constant: Event) -> None:
    form = Form(constant, ["rows"])
    with pytest.raises(ChainError):
        form.seal(form.body(rows=1), Head("pod/boot"), TIME)
