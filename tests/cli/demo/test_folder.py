"""Each demo has a folder of its own; none is emptied that another uses, or that is not a demo's."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from penstock_cli.demo.folder import FolderError, demo_folder, neighbours


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    directory = tmp_path / "temporary"
    directory.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(directory))
    return directory


def killed(folder: Path) -> None:
    """What a demo leaves that was killed: its folder, marked, and things in it."""
    (folder / "postgres" / "data").mkdir(parents=True)
    (folder / "support-bot.token").touch()
    (folder / ".penstock-demo").write_text("4711")


def test_two_demos_have_two_folders_which_end_with_them(temporary: Path) -> None:
    with demo_folder(None) as first, demo_folder(None) as second:
        assert first != second
        assert {first.parent, second.parent} == {temporary}
        assert [str(other) for other in neighbours(second)] == [
            f"a demo runs in {first} (to end it: Ctrl-C there, or kill {os.getpid()})"
        ]
        (first / "file").touch()
    assert list(temporary.iterdir()) == []


def test_what_a_killed_demo_left_is_removed_by_the_next(temporary: Path) -> None:
    killed(temporary / "penstock-demo-dead")
    with demo_folder(None) as own:
        assert neighbours(own) == []
        assert list(temporary.iterdir()) == [own]


def test_a_folder_that_another_demo_just_removes_is_no_neighbour(temporary: Path) -> None:
    dead = temporary / "penstock-demo-dead"
    killed(dead)
    with demo_folder(None) as own, (dead / ".penstock-demo").open("r+") as mark:
        fcntl.flock(mark, fcntl.LOCK_EX)
        mark.truncate(0)
        assert neighbours(own) == []
        assert dead.exists()


def test_what_is_not_a_demos_stays_whatever_its_name(temporary: Path) -> None:
    elsewhere = temporary.parent / "elsewhere"
    killed(elsewhere)
    (temporary / "penstock-demo-link").symlink_to(elsewhere)
    (temporary / "penstock-demo-notes").mkdir()
    (temporary / "penstock-demo-notes" / "mine.txt").touch()
    (temporary / "penstock-demo-marked").mkdir()
    (temporary / "penstock-demo-marked" / ".penstock-demo").symlink_to(elsewhere / ".penstock-demo")
    with demo_folder(None) as own:
        assert neighbours(own) == []
    assert len(list(temporary.iterdir())) == 3
    assert (elsewhere / "support-bot.token").exists()
    assert (temporary / "penstock-demo-notes" / "mine.txt").exists()


def test_logs_of_a_demo_that_failed_stay_until_the_next(temporary: Path) -> None:
    with pytest.raises(ValueError), demo_folder(None) as failed:  # noqa: PT012 # the block is what fails
        (failed / "gate.log").touch()
        raise ValueError
    assert (failed / "gate.log").exists()
    with demo_folder(None) as own:
        neighbours(own)
        assert not failed.exists()


def test_a_demo_that_failed_before_it_logged_leaves_nothing(temporary: Path) -> None:
    with pytest.raises(ValueError), demo_folder(None) as failed:  # noqa: PT012 # the block is what fails
        (failed / "postgres").mkdir()
        raise ValueError
    assert list(temporary.iterdir()) == []


def test_an_interrupted_demo_leaves_nothing(temporary: Path) -> None:
    with pytest.raises(KeyboardInterrupt), demo_folder(None):
        raise KeyboardInterrupt
    assert list(temporary.iterdir()) == []


def test_a_named_folder_is_made_kept_and_emptied_by_the_next_demo_there(tmp_path: Path) -> None:
    named = tmp_path / "new" / "one"
    with demo_folder(named):
        (named / "gate.log").touch()
    assert (named / "gate.log").exists()
    outside = tmp_path / "outside"
    outside.touch()
    (named / "link").symlink_to(outside)
    with demo_folder(named):
        assert [entry.name for entry in named.iterdir()] == [".penstock-demo"]
    assert outside.exists()


def test_a_named_folder_is_kept_whatever_its_name_and_place(temporary: Path) -> None:
    named = temporary / "penstock-demo-mine"
    with demo_folder(named):
        (named / "gate.log").touch()
        with demo_folder(None) as own:
            assert [str(other) for other in neighbours(own)] == [
                f"a demo runs in {named} (to end it: Ctrl-C there, or kill {os.getpid()})"
            ]
    with demo_folder(None) as own:
        assert neighbours(own) == []
    assert (named / "gate.log").exists()
    with demo_folder(named):
        assert not (named / "gate.log").exists()


def test_a_named_folder_that_is_not_a_demos_is_refused_and_untouched(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("long")
    with (
        pytest.raises(FolderError, match=r"is not empty, and not from an earlier demo; name another with --dir"),
        demo_folder(tmp_path),
    ):
        pass
    assert (tmp_path / "thesis.txt").read_text() == "long"
    assert not (tmp_path / ".penstock-demo").exists()


def test_a_mark_that_another_account_could_have_left_is_no_mark(tmp_path: Path) -> None:
    (tmp_path / "mark").touch()
    (tmp_path / "named").mkdir()
    (tmp_path / "named" / ".penstock-demo").symlink_to(tmp_path / "mark")
    (tmp_path / "named" / "thesis.txt").touch()
    with pytest.raises(FolderError, match="is not empty"), demo_folder(tmp_path / "named"):
        pass
    assert (tmp_path / "named" / "thesis.txt").exists()


def test_a_named_folder_in_use_says_by_whom(tmp_path: Path) -> None:
    named = tmp_path / "named"
    with demo_folder(named):
        (named / "gate.log").touch()
        with pytest.raises(FolderError) as refused, demo_folder(named):
            pass
        assert (named / "gate.log").exists()
    assert str(refused.value) == (
        f"a demo runs in {named} (to end it: Ctrl-C there, or kill {os.getpid()}); or name another folder with --dir"
    )


def test_a_folder_that_cannot_be_made_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FolderError, match=r"the demo's folder can't be made: .*file"), demo_folder(tmp_path / "file"):
        pass
