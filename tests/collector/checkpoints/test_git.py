"""Checkpoints in a Git repository, pushed to Git's own server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.collector.checkpoints.git_server import PASSWORD, USER, GitServer, git, git_server

from penstock_collector.checkpoint_settings import CheckpointSettings
from penstock_collector.checkpoints.git import GitPlace
from penstock_collector.checkpoints.place import PlaceError


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GitServer]:
    (tmp_path / "served").mkdir()
    (tmp_path / "password").write_text(PASSWORD + "\n")
    with git_server(tmp_path / "served") as serving:
        yield serving


def place_of(server: GitServer, tmp_path: Path, copy: str = "copy", **changes: str) -> GitPlace:
    settings = CheckpointSettings(
        checkpoint_key_file=tmp_path / "key", checkpoint_git_password_file=tmp_path / "password",
        checkpoint_git_url=changes.get("url", server.url), checkpoint_git_user=changes.get("user", USER),
    )  # fmt: skip
    return GitPlace(settings, tmp_path / copy)


def test_each_is_a_commit_on_the_one_before(server: GitServer, tmp_path: Path) -> None:
    place = place_of(server, tmp_path)
    for number in range(1, 4):
        place.put(f"c1/{number}.json", f"{number}\n".encode())
    place.put("c2/1.json", b"other\n")
    git("clone", "--quiet", server.repository, tmp_path / "clone")
    found = {
        str(path.relative_to(tmp_path / "clone")): path.read_text() for path in (tmp_path / "clone").rglob("*.json")
    }
    assert found == {"c1/1.json": "1\n", "c1/2.json": "2\n", "c1/3.json": "3\n", "c2/1.json": "other\n"}
    assert git("-C", tmp_path / "clone", "log", "--format=%s %an").splitlines()[::-1] == [
        *[f"Checkpoint c1/{number}.json Penstock collector" for number in range(1, 4)],
        "Checkpoint c2/1.json Penstock collector",
    ]
    git("-C", server.repository, "fsck", "--strict")


def test_the_same_again_is_no_commit_and_another_is_refused(server: GitServer, tmp_path: Path) -> None:
    place = place_of(server, tmp_path)
    place.put("c1/1.json", b"one\n")
    place.put("c1/1.json", b"one\n")
    with pytest.raises(PlaceError, match="is there already and is another checkpoint"):
        place.put("c1/1.json", b"two\n")
    # Nor by a collector that begins anew, without its copy.
    with pytest.raises(PlaceError, match="is there already and is another checkpoint"):
        place_of(server, tmp_path, "anew").put("c1/1.json", b"two\n")
    assert git("-C", server.repository, "rev-list", "--count", "main") == "1"


def test_what_others_add_stays(server: GitServer, tmp_path: Path) -> None:
    one, other = place_of(server, tmp_path, "one"), place_of(server, tmp_path, "other")
    for number in range(1, 4):
        (one if number % 2 else other).put(f"c{number % 2}/{number}.json", b"x\n")
    assert git("-C", server.repository, "ls-tree", "-r", "--name-only", "main").splitlines() == [
        "c0/2.json", "c1/1.json", "c1/3.json",
    ]  # fmt: skip


def test_a_branch_that_was_rewritten_is_added_to_as_it_is(server: GitServer, tmp_path: Path) -> None:
    place = place_of(server, tmp_path)
    place.put("c1/1.json", b"one\n")
    git("-C", server.repository, "update-ref", "-d", "refs/heads/main")
    place.put("c1/2.json", b"two\n")
    assert git("-C", server.repository, "ls-tree", "-r", "--name-only", "main") == "c1/2.json"


def test_what_cannot_be_pushed(server: GitServer, tmp_path: Path) -> None:
    with pytest.raises(PlaceError, match="does not let this user and password in"):
        place_of(server, tmp_path, user="mallory").put("c1/1.json", b"one\n")
    with pytest.raises(PlaceError, match=r"cannot be added to http://127\.0\.0\.1:9/none"):
        place_of(server, tmp_path, url="http://127.0.0.1:9/none").put("c1/1.json", b"one\n")
    with pytest.raises(PlaceError, match="cannot be added to"):
        place_of(server, tmp_path, url=server.url.replace("shop.git", "other.git")).put("c1/1.json", b"one\n")
    hook = server.repository / "hooks/pre-receive"
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    with pytest.raises(PlaceError, match="pre-receive hook declined"):
        place_of(server, tmp_path).put("c1/1.json", b"one\n")
    (tmp_path / "password").unlink()
    with pytest.raises(PlaceError, match="cannot be added to"):
        place_of(server, tmp_path).put("c1/1.json", b"one\n")


def test_a_repository_on_a_volume(server: GitServer, tmp_path: Path) -> None:
    place_of(server, tmp_path, url=f"file://{server.repository}").put("c1/1.json", b"one\n")
    assert git("-C", server.repository, "show", "main:c1/1.json") == "one"
