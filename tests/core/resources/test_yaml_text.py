"""YAML as `kubectl` reads it, and all that is refused of it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock_core.resources.yaml_text import DEEPEST, LONGEST, Document, YamlFault, documents

TAB = "while scanning for the next token found character '\\t' that cannot start any token"


def only(text: str) -> Document:
    (document,) = documents(text)
    assert isinstance(document, Document)
    return document


def faults(text: str) -> list[tuple[int, str]]:
    found: list[YamlFault] = []
    for one in documents(text):
        found += [one] if isinstance(one, YamlFault) else one.faults
    return [(fault.line, fault.message) for fault in found]


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("5432", 5432),
        ("-1", -1),
        ("0", 0),
        ("1e7", 1e7),
        ("1.5", 1.5),
        (".5", 0.5),
        ("'1'", "1"),
        ("010", "010"),
        ("1:30", "1:30"),
        ("0x1F", "0x1F"),
        ("2030-01-31", "2030-01-31"),
        ("2030-01-31T12:00:00Z", "2030-01-31T12:00:00Z"),
        ("true", True),
        ("no", False),
        ("off", False),
        ("'no'", "no"),
        ("~", None),
        ("''", ""),
        (".inf", ".inf"),
        (".nan", ".nan"),
        ("1e999", "1e999"),
        ("9" * 19, int("9" * 19)),
        ("9" * 5000, "9" * 5000),
        ("|\n  a\n  b\n", "a\nb\n"),
        ("a b", "a b"),
    ],
)
def test_a_scalar(written: str, value: object) -> None:
    read = only(f"x: {written}").value

    assert read == {"x": value}
    assert isinstance(read, dict)
    assert type(read["x"]) is type(value)


def test_places_have_their_lines() -> None:
    document = only("# a comment\na:\n  - b: 1\n    c: 2\n  - d\n")

    assert document.line_of(("a",)) == 2
    assert document.line_of(("a", 0, "c")) == 4
    assert document.line_of(("a", 1)) == 5
    assert document.line_of(("a", 0, "missing")) == 3
    assert document.line_of(("elsewhere", "at", "all")) == 2


def test_documents_without_content_are_no_documents() -> None:
    assert list(documents("")) == []
    assert list(documents("# nothing\n---\n---\n...\n")) == []
    assert [one.value for one in documents("a: 1\n---\n---\nb: 2\n") if isinstance(one, Document)] == [
        {"a": 1},
        {"b": 2},
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: &x 1\nb: *x\n", [(2, "*x: aliases are not allowed; repeat the value")]),
        (
            "a: 1\nb: !!python/name:os.system x\n",
            [(2, "tag:yaml.org,2002:python/name:os.system: tags are not allowed; remove it")],
        ),
        ("a: !!str 1\n", [(1, "tag:yaml.org,2002:str: tags are not allowed; remove it")]),
        ("a: ! 1\n", [(1, "!: tags are not allowed; remove it")]),
        ("<<: {a: 1}\nb: 2\n", [(1, "<< (merging) is not allowed; write the keys themselves")]),
        ("a: 1\nb: 2\na: 3\n", [(3, "stands here twice, first in line 1")]),
        ("on: 1\n", [(1, 'the key on is not text; write "on" in quotes')]),
        ("null: 1\n", [(1, 'the key null is not text; write "null" in quotes')]),
        ("5: 1\n", [(1, 'the key 5 is not text; write "5" in quotes')]),
        ("? [a]\n: 1\n", [(1, "the key (empty or not a word) is not text")]),
        ("a: [1\nb: 2\n", [(2, "not valid YAML: while parsing a flow sequence expected ',' or ']', but got ':'")]),
        ("a: 1\n\tb: 2\n", [(2, f"not valid YAML: {TAB}")]),
        ("a: 1\nb: \x07\n", [(2, "not valid YAML: the character U+0007 is not allowed in it")]),
        ("[" * (DEEPEST + 1), [(1, f"nested deeper than {DEEPEST} levels")]),
        ("[" * 100_000, [(1, f"nested deeper than {DEEPEST} levels")]),
        ("x" * (LONGEST + 1), [(1, f"more than {LONGEST} characters; split the file")]),
    ],
    ids=lambda value: value[:24] if isinstance(value, str) else "",
)
def test_what_is_not_taken(text: str, said: list[tuple[int, str]]) -> None:
    assert faults(text) == said


def test_what_stands_before_an_error_of_syntax_is_still_read() -> None:
    first, second = documents("a: 1\n---\nb: [\n")

    assert isinstance(first, Document)
    assert first.value == {"a": 1}
    assert isinstance(second, YamlFault)


def test_a_bomb_of_aliases_is_refused_before_it_grows() -> None:
    bomb = "a: &a [x, x]\n" + "".join(
        f"{new}: &{new} [*{old}, *{old}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
    )
    assert faults(bomb) == [(2, "*a: aliases are not allowed; repeat the value")]


@given(
    st.dictionaries(
        st.text("ab", min_size=1), st.lists(st.integers(-(10**18), 10**18) | st.text("ab-", max_size=3)), max_size=4
    )
)
def test_what_is_written_as_json_is_read_as_json(value: dict[str, list[object]]) -> None:
    assert only(f"x: {json.dumps(value)}").value == {"x": value}
