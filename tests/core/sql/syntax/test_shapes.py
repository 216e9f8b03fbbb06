"""What of a text is its shape, and what are its literals."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock_core.sql.syntax.shapes import MAX_LITERALS, MAX_TEXT, is_sound, shape_of


def literals(text: str) -> tuple[str, ...] | None:
    shape = shape_of(text)
    return None if shape is None else shape.literals


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("SELECT 1, 'a', 2.5", ("1", "'a'", "2.5")),
        ("SELECT 'it''s', '', '--', '/*', \"5\" FROM t", None),
        ("SELECT 'it''s', '', '1 2', \"5\", \"a'b\" FROM t", ("'it''s'", "''", "'1 2'")),
        ("SELECT t1.a, b2, c$3, $4, $5::int, d[6]", ("6",)),
        ("SELECT a::varchar(10), .5, 5., 1..2, 7", ("10", "7")),
        (
            "SELECT 2147483647, 2147483648, -8, 9223372036854775807, 0000000000000000000000007",
            ("2147483647", "2147483648", "8", "9223372036854775807", "0000000000000000000000007"),
        ),
        ("SELECT 9223372036854775808, 1", None),
        ("SELECT 1e5, 1", None),
        ("SELECT 0x1F, 1", None),
        ("SELECT 1_000, 1", None),
        ("SELECT 1a, 1", None),
        # To the server, digits of other scripts are letters.
        ("SELECT 'ä', \u0663, 5", ("'ä'", "5")),
        ("SELECT a FROM t WHERE b=1AND c='x'", None),
        ("SELECT x FROM y", None),
        ("SELECT E'a', 1", None),
        ("SELECT U&'a', 1", None),
        ("SELECT N'a', 1", None),
        ("SELECT B'1', 1", None),
        ("SELECT 'a\\b', 1", None),
        ("SELECT $$a$$, 1", None),
        ("SELECT $t$a$t$, 1", None),
        ("SELECT 1 -- one", None),
        ("SELECT 1 /* one */", None),
        ("SELECT '\0', 1", None),
        ("SELECT '\ud800', 1", None),
        ("SELECT 1" + " " * MAX_TEXT, None),
        ("SELECT " + ", ".join(["1"] * (MAX_LITERALS + 1)), None),
    ],
)
def test_which_literals_are_taken_out(text: str, found: tuple[str, ...] | None) -> None:
    assert literals(text) == found


def rest(text: str) -> object:
    shape = shape_of(text)
    assert shape is not None
    return shape.rest


def test_texts_that_differ_in_literals_of_a_kind_have_one_shape() -> None:
    assert rest("SELECT 1, 'a', 2.5") == rest("SELECT 22, 'b''c', 0.125")
    assert rest("SELECT 1") != rest("SELECT '1'")
    assert rest("SELECT 1") != rest("SELECT 1.0")
    assert rest("SELECT 1") != rest("SELECT  1")
    assert rest("SELECT 'a'") != rest("SELECT 'ä'")
    assert rest("SELECT 'a'") != rest("SELECT 'unnest'")
    assert rest('SELECT "a", 1') != rest('SELECT "b", 1')
    assert rest("SELECT 3000000000, 1") == rest("SELECT 9000000000000000000, 1")
    assert rest("SELECT 3000000000") != rest("SELECT 30")


@pytest.mark.parametrize(
    ("text", "sound"),
    [
        ("SELECT 1, 'a'", True),
        # A string that goes on in the next line is one literal.
        ("SELECT 'a'\n'b'", False),
        ("SELECT 'a'  'b'", True),
        ("SELECT 'a", True),
        ('SELECT 1, "a', False),
    ],
)
def test_the_servers_scanner_has_the_last_word(text: str, sound: bool) -> None:
    shape = shape_of(text)
    assert (shape is not None and is_sound(text, shape)) == (sound and shape is not None)


_PIECES = st.sampled_from(
    ["SELECT", " ", ",", "a", "t1", '"q"', "'x'", "'it''s'", "''", "5", "1.5", "(", ")", "-", "+", "$1", "::", "::int",
     "E", "\n", "--", "/*", "*/", "$$", "\\", "&", "U&", ".", "[", "]", "=", "'", '"', "e5", "_1", "ä"]
)  # fmt: skip


@given(st.lists(_PIECES, max_size=12), st.lists(_PIECES, max_size=12))
def test_whatever_is_in_its_literals_a_sound_shape_stays_sound(left: list[str], right: list[str]) -> None:
    """What the scanner says of one text of a shape holds of them all."""
    text = "".join([*left, "'x'", *right, " 5"])
    shape = shape_of(text)
    if shape is None or not is_sound(text, shape):
        return
    changed = list(shape.rest[2:])
    changed[1::2] = ["'y''; DROP'" if one[0] == "'" else "0.25" if "." in one else "77" for one in shape.literals]
    other = "".join(map(str, changed))
    again = shape_of(other)
    assert again is not None
    assert again.rest[2:] == shape.rest[2:]
    assert is_sound(other, again)
