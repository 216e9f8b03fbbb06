"""The words of a text are those that the scanner finds, and found soon."""

from __future__ import annotations

import time

import pytest
from pglast.parser import scan

from penstock_core.sql.syntax.normalize import normalize
from penstock_core.sql.syntax.parse import parse
from penstock_core.sql.syntax.tokens import words_of


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 'é€😀', \"Größe\" FROM größe -- ö\n/* é */ WHERE a = E'\\é' AND b = U&'\\00e9ü'",
        "SELECT $é$;$è$;$é$, $z$ é $z$, éX'ab', N'é', é.é",
        "SELECT é.é FROM é AS zone",
    ],
)
def test_places_are_those_of_the_scanner(text: str) -> None:
    assert [(one.start, one.end) for one in words_of(text)] == [(one.start, one.end) for one in scan(text)]


def test_many_rows_of_other_letters_do_not_keep_the_gate_busy() -> None:
    rows = ", ".join(f"({number}, '{'ж' * 60}', now())" for number in range(2000))
    begun = time.process_time()
    parse(f"INSERT INTO t VALUES {rows}")
    assert "ж" not in normalize(f"INSERT INTO t VALUES {rows}")
    assert time.process_time() - begun < 15
