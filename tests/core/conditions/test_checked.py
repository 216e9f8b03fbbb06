"""The checked form is read to the tree that was meant, and damaged forms are told apart, whatever their damage."""

from __future__ import annotations

import contextlib

import pytest
from cel_expr_python import cel
from hypothesis import given
from hypothesis import strategies as st

from penstock_core.conditions.checked import Node, UnreadableError, read

ENVIRONMENT = cel.NewEnv(variables={"a.b": cel.Type.STRING, "xs": cel.Type.List(cel.Type.STRING)})
TEXT = "a.b == 'x' && xs.exists(g, g.startsWith('y')) || {'k': a.b}.k == '' || [a.b, 'z'] == xs"


def tree(text: str) -> Node:
    return read(ENVIRONMENT.compile(text).serialize())


def shown(node: Node) -> str:
    """The tree in one line."""
    head = f"{node.kind}:{node.name}" if node.text is None else f"text:{node.text}"
    return f"{head}({', '.join(map(shown, node.parts))})" if node.parts else head


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a.b == 'x'", "call:_==_(name:a.b, text:x)"),
        ("'' == a.b", "call:_==_(text:, name:a.b)"),
        ("a.b.startsWith('x')", "call:startsWith(name:a.b, text:x)"),
        ("!(a.b in xs)", "call:!_(call:@in(name:a.b, name:xs))"),
        ("[a.b, 'y'] == xs", "call:_==_(list:(name:a.b, text:y), name:xs)"),
        ("1 < 2", "call:_<_(constant:, constant:)"),
        ("size(xs) == 1", "call:_==_(call:size(name:xs), constant:)"),
        ("{'k': 'v'}.k == 'v'", "call:_==_(select:k(struct:), text:v)"),
    ],
)
def test_what_is_meant_is_read(text: str, expected: str) -> None:
    assert shown(tree(text)) == expected


def test_a_comprehension_has_all_its_parts() -> None:
    node = tree("xs.exists(g, g.startsWith(a.b))")
    assert (node.kind, node.name) == ("comprehension", "g")
    assert shown(node.parts[0]) == "name:xs"
    below = [(one.kind, one.name) for one in node.walk()]
    assert ("call", "startsWith") in below
    assert ("name", "a.b") in below


def test_each_node_knows_where_it_is() -> None:
    text = "a.b == 'x' &&\n  xs == ['é', a.b]"
    found = {(one.kind, one.name or one.text): one.offset for one in tree(text).walk()}
    assert text[found["constant", "x"] :].startswith("'x'")
    assert text[found["name", "xs"] :].startswith("xs")
    assert text[found["constant", "é"] :].startswith("'é'")


@given(st.data())
def test_what_is_damaged_is_read_as_something_or_refused(data: st.DataObject) -> None:
    whole = ENVIRONMENT.compile(TEXT).serialize()
    place = data.draw(st.integers(0, len(whole) - 1))
    if data.draw(st.booleans()):
        damaged = whole[:place]
    else:
        damaged = whole[:place] + bytes([data.draw(st.integers(0, 255))]) + whole[place + 1 :]
    with contextlib.suppress(UnreadableError):
        read(damaged)


@pytest.mark.parametrize("damaged", [b"", b"\x0a\x01x", b"\xff" * 40, b"\x0a", b"\x08\x01\x12\x00", bytes(100)])
def test_what_is_none_is_refused(damaged: bytes) -> None:
    with pytest.raises(UnreadableError):
        read(damaged)


def test_what_was_not_checked_is_refused() -> None:
    """It has names that nobody resolved."""
    with pytest.raises(UnreadableError):
        read(ENVIRONMENT.compile("a.c == 'x'", disable_check=True).serialize())
