"""Text of others on a terminal."""

from __future__ import annotations

import json

import pytest

from penstock_cli.terminal_text import json_line, one_line

# C0 and C1 controls, what turns the direction of writing, what is not seen, and what is no character.
EVIL = "\x00\x1b[2J\x7f\x80\x85\x9b31m\xad\u200b\u200e\u2028\u202e\u2066\ufeff\ue000\U000e0041"


@pytest.mark.parametrize("letter", EVIL)
def test_nothing_of_it_comes_through(letter: str) -> None:
    assert one_line(f"a{letter}b").isprintable()
    assert json_line({"x": letter}).isprintable()
    assert json.loads(json_line({letter: [letter]})) == {letter: [letter]}


def test_what_can_be_read_stays() -> None:
    assert one_line("größe 東京 😀 é") == "größe 東京 😀 é"
    assert json_line({"größe": "東京 😀"}) == '{"größe": "東京 😀"}'


def test_a_message_is_one_line_of_sensible_length() -> None:
    assert one_line("a\r\nError: b\t c ") == "a Error: b c"
    assert len(one_line("x" * 10_000)) == 1_001
    assert one_line(["a", 7]) == "['a', 7]"
