"""Checkpoints in a directory."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from penstock_collector.checkpoints.directory import DirectoryPlace
from penstock_collector.checkpoints.place import PlaceError


def test_files_appear_as_a_whole_and_stay(tmp_path: Path) -> None:
    place = DirectoryPlace(tmp_path)
    place.put("c1/0000000001.json", b"one\n")
    place.put("c1/0000000002.json", b"two\n")
    place.put("c1/0000000001.json", b"one\n")
    assert {path.name: path.read_bytes() for path in (tmp_path / "c1").iterdir()} == {
        "0000000001.json": b"one\n", "0000000002.json": b"two\n",
    }  # fmt: skip
    with pytest.raises(PlaceError, match="is there already and is another checkpoint: the database is older"):
        place.put("c1/0000000001.json", b"other\n")
    assert (tmp_path / "c1/0000000001.json").read_bytes() == b"one\n"


def test_what_a_killed_process_left_is_no_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "c1").mkdir()
    (tmp_path / "c1/.0000000001.json.draft").write_bytes(b"on")
    DirectoryPlace(tmp_path).put("c1/0000000001.json", b"one\n")
    assert [path.name for path in (tmp_path / "c1").iterdir()] == ["0000000001.json"]


def test_without_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refused)
    DirectoryPlace(tmp_path).put("c1/0000000001.json", b"one\n")
    assert (tmp_path / "c1/0000000001.json").read_bytes() == b"one\n"


def test_a_directory_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "c1").write_text("a file")
    with pytest.raises(PlaceError, match=r"cannot be written: (Not a directory|File exists)"):
        DirectoryPlace(tmp_path).put("c1/0000000001.json", b"one\n")
