"""Long names of statements and portals mean what they mean to the server, as `tests/noninterference` asks it."""

from __future__ import annotations

import pytest

from penstock_sidecar.session.kept_names import ByKeptName, kept_name

SHORT = "a" + "é" * 31


def test_a_name_that_fits_is_kept_as_it_is() -> None:
    for name in ("", "s1", "é" * 16, SHORT, "a" * 63):
        assert kept_name(name) == name


@pytest.mark.parametrize("letter", ["a", "é", "€", "😀"])
def test_of_a_long_name_the_first_bytes_count(letter: str) -> None:
    name = letter * 64
    assert kept_name(name) == kept_name(name + "more") == kept_name(kept_name(name))
    assert kept_name(name).encode(errors="surrogateescape") == name.encode()[:63]


def test_a_name_cut_within_a_letter_is_none_that_sql_can_hold() -> None:
    assert kept_name("é" * 40) != "é" * 31
    assert kept_name("a" + "é" * 40) == SHORT


def test_names_that_the_server_does_not_tell_apart_are_one() -> None:
    kept = ByKeptName({SHORT + "x": 1})
    assert kept[SHORT] == kept[SHORT + "y"] == kept.get(SHORT + "xz") == 1
    kept[SHORT + "z"] = 2
    assert (len(kept), dict(kept)) == (1, {SHORT: 2})
    assert kept.pop(SHORT + "other") == 2
    assert kept.setdefault("", 3) == kept.get("") == 3
    assert kept.get("another") is None
    del kept[""]
    assert not kept
