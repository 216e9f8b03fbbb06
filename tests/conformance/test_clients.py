"""What is brought into the cache: once, whoever asks for it at the same time."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.conformance.clients import environment, program


def test_runs_that_begin_at_once_find_one_whole_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PENSTOCK_CACHE", str(tmp_path / "cache"))
    (tmp_path / "nothing.txt").write_text("# nothing more than pip\n")
    with ThreadPoolExecutor(4) as at_once:
        found = list(at_once.map(lambda _: environment("nothing", tmp_path), range(4)))
    assert len(set(found)) == 1
    assert os.access(found[0], os.X_OK)


def test_a_program_is_installed_once_for_all_who_ask_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PENSTOCK_CACHE", str(tmp_path / "cache"))
    folder, counted = tmp_path / "program", tmp_path / "counted"
    folder.mkdir()
    (folder / "main.txt").write_text("a program\n")
    install = ("sh", "-c", f"echo once >>{counted}; sleep 0.2")
    with ThreadPoolExecutor(4) as at_once:
        found = list(at_once.map(lambda _: program(folder, install), range(4)))
    assert counted.read_text() == "once\n"
    assert [path.joinpath("main.txt").read_text() for path in set(found)] == ["a program\n"]
