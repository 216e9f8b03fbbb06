"""Lists of names, as data files write them."""

from __future__ import annotations

from penstock_core.sql.allowlists.words import words


def test_words_stand_between_spaces_and_line_ends() -> None:
    assert words("""
        lower upper
        lower

        pg_typeof
    """) == {"lower", "upper", "pg_typeof"}
    assert words("") == frozenset()


def test_nobody_can_add_to_a_list() -> None:
    assert isinstance(words("lower"), frozenset)
