"""The folder has its name once it is whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from penstock_cli.evidence.bundle import Bundle
from penstock_cli.failures import Unusable


def test_until_it_is_whole_it_is_not_there(tmp_path: Path) -> None:
    place = tmp_path / "here"
    with Bundle(place) as bundle:
        (bundle.directory / "a").mkdir()
        (bundle.directory / "a" / "file").write_text("x")
        assert not place.exists()
        bundle.finish(None)
    digest = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
    assert (place / "SHA256SUMS").read_text() == f"{digest}  a/file\n"
    assert [one.name for one in tmp_path.iterdir()] == ["here"]


def test_one_that_fails_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), Bundle(tmp_path / "here"):
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


def test_nothing_that_is_there_is_written_over(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").touch()
    for name in ("file", "full"):
        with pytest.raises(Unusable, match="is there already"):
            Bundle(tmp_path / name)
