"""The canonical bytes against another implementation of RFC 8785, and the chain against tampering."""

from __future__ import annotations

import json
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from penstock_core.audit.chain import GENESIS, MAX_SAFE_INTEGER, ChainError, Head, canonical, digest
from penstock_core.audit.event import VERSION

TIME = "2026-11-25T09:00:00.000000Z"

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
keys = st.text(st.characters(max_codepoint=127), max_size=8)
whole_numbers = st.integers(-MAX_SAFE_INTEGER, MAX_SAFE_INTEGER)
values = st.recursive(
    st.none() | st.booleans() | whole_numbers | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=12,
)
bodies = st.dictionaries(keys, values, max_size=6)


@given(bodies)
def test_canonical_bytes_are_those_of_rfc8785(body: dict[str, Any]) -> None:
    assert canonical(body) == rfc8785.dumps(body)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, b"{}"),
        ({"b": 1, "a": 2}, b'{"a":2,"b":1}'),
        ({"B": 1, "a": 2, "A": 3}, b'{"A":3,"B":1,"a":2}'),
        ({"s": 'quote " backslash \\ slash /'}, b'{"s":"quote \\" backslash \\\\ slash /"}'),
        ({"s": "\b\t\n\f\r\x00\x1f\x7f"}, b'{"s":"\\b\\t\\n\\f\\r\\u0000\\u001f\x7f"}'),
        ({"s": "\u20ac\U0001f600\u2028"}, '{"s":"\u20ac\U0001f600\u2028"}'.encode()),
        ({"n": -0, "big": MAX_SAFE_INTEGER}, b'{"big":9007199254740991,"n":0}'),
        ({"l": [True, False, None, [], {}]}, b'{"l":[true,false,null,[],{}]}'),
    ],
)
def test_canonical_bytes(body: dict[str, Any], expected: bytes) -> None:
    assert canonical(body) == expected
    assert rfc8785.dumps(body) == expected


def _deep(levels: int) -> object:
    value: object = 1
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        (1.0, "float"),
        (float("nan"), "float"),
        (MAX_SAFE_INTEGER + 1, "too large"),
        (-(10**400), "too large"),
        ((1, 2), "tuple"),
        (b"x", "bytes"),
        ("\ud800", "surrogates"),
        ({"ключ": 1}, "not ASCII"),
        ({1: 1}, "not ASCII"),
        (_deep(5000), "nested"),
    ],
)
def test_what_readers_could_disagree_about_is_refused(value: object, complaint: str) -> None:
    with pytest.raises(ChainError, match=complaint):
        canonical({"field": value})


def test_a_stream_grows_and_can_be_followed() -> None:
    writer = reader = Head("pod/boot")
    for number in range(1, 5):
        event, writer = writer.seal({"kind": "intent", "statement": str(number)}, TIME)
        assert event["seq"] == number
        reader = reader.follow(json.loads(canonical(event)))
        assert reader == writer


def test_the_first_event_begins_at_genesis() -> None:
    event, _ = Head("pod/boot").seal({"kind": "open"}, TIME)
    assert (event["seq"], event["prev"], event["v"], event["time"]) == (1, GENESIS, VERSION, TIME)


def test_a_body_cannot_choose_its_place_in_the_chain() -> None:
    event, head = Head("pod/boot").seal({"kind": "open", "seq": 9, "hash": "x", "prev": "y", "stream": "z"}, TIME)
    assert Head("pod/boot").follow(event) == head


@given(st.lists(bodies, min_size=1, max_size=4), st.data())
def test_any_byte_changed_is_found(several: list[dict[str, Any]], data: st.DataObject) -> None:
    sealed, head = [], Head("pod/boot")
    for body in several:
        event, head = head.seal(body, TIME)
        sealed.append(canonical(event))
    victim = data.draw(st.integers(0, len(sealed) - 1))
    position = data.draw(st.integers(0, len(sealed[victim]) - 1))
    replacement = data.draw(st.integers(0, 255).filter(lambda byte: byte != sealed[victim][position]))
    tampered = bytearray(sealed[victim])
    tampered[position] = replacement
    try:
        event = json.loads(tampered.decode())
    except ValueError:
        return  # Not even JSON any more.
    if event == json.loads(sealed[victim]):
        return  # Another spelling of the same event (an escape's hex digits, say).
    follower = Head("pod/boot")
    for line in sealed[:victim]:
        follower = follower.follow(json.loads(line))
    with pytest.raises(ChainError):
        follower.follow(event)


def test_out_of_order_missing_and_foreign_events_are_told_apart() -> None:
    first, head = Head("pod/boot").seal({"kind": "open"}, TIME)
    second, head = head.seal({"kind": "heartbeat"}, TIME)
    third, _ = head.seal({"kind": "close"}, TIME)
    start = Head("pod/boot")
    with pytest.raises(ChainError, match="seq 2 where 1 was due"):
        start.follow(second)
    with pytest.raises(ChainError, match="seq 3 where 2 was due"):
        start.follow(first).follow(third)
    with pytest.raises(ChainError, match="event of stream 'pod/boot' in stream 'pod/other'"):
        Head("pod/other").follow(first)
    rival, _ = Head("pod/boot").seal({"kind": "open", "database": "other"}, TIME)
    with pytest.raises(ChainError, match="does not follow the one before"):
        start.follow(rival).follow(second)


def test_an_altered_event_cannot_be_hidden_by_a_new_hash() -> None:
    first, head = Head("pod/boot").seal({"kind": "intent", "sql": "DELETE FROM orders"}, TIME)
    second, _ = head.seal({"kind": "outcome"}, TIME)
    forged = {**first, "sql": "SELECT 1"}
    forged["hash"] = digest(forged)
    with pytest.raises(ChainError, match="does not follow"):
        Head("pod/boot").follow(forged).follow(second)


def test_an_event_of_an_unknown_version_is_refused() -> None:
    event, _ = Head("pod/boot").seal({"kind": "open"}, TIME)
    for version in (0, 3, "2", True, None):
        event["v"] = version
        event["hash"] = digest(event)
        with pytest.raises(ChainError, match=f"version {version!r}, not 1 or 2"):
            Head("pod/boot").follow(event)


def test_a_stream_of_version_1_is_followed_and_goes_on_in_version_2() -> None:
    first: dict[str, Any] = {"kind": "open", "v": 1, "stream": "pod/boot", "seq": 1, "prev": GENESIS, "time": TIME}
    first["hash"] = digest(first)
    head = Head("pod/boot").follow(first)
    second, after = head.seal({"kind": "close"}, TIME)
    assert second["v"] == VERSION
    assert head.follow(second) == after
