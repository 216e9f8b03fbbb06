"""Lines as bytes, however they come in pieces."""

from __future__ import annotations

import io

from hypothesis import given
from hypothesis import strategies as st

from penstock_cli.export_lines import LONGEST, of_file, split

PIECES = st.lists(st.binary(max_size=5) | st.sampled_from([b"\n", b"\r", b"\n\n", b"a\nb"]), max_size=12)


@given(PIECES)
def test_lines_are_those_between_line_feeds(pieces: list[bytes]) -> None:
    whole = b"".join(pieces)
    lines = list(split(pieces))
    assert lines == (whole.split(b"\n") if not whole.endswith(b"\n") and whole else whole.split(b"\n")[:-1])
    assert list(of_file(io.BytesIO(whole))) == lines


def test_a_line_without_end_does_not_fill_the_memory() -> None:
    lines = list(split([b"a\n", *[b"x" * 1_000_000] * 5, b"\nb\n", b"y" * (3 * LONGEST) + b"\nc"]))
    assert [len(line) for line in lines] == [1, LONGEST, 1, LONGEST, 1]
