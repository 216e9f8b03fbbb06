"""Settings of checkpoints: a key and one place, or neither."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from penstock_collector.checkpoint_settings import CheckpointSettings


def test_without_any_there_are_no_checkpoints() -> None:
    assert CheckpointSettings().checkpoint_key_file is None


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"checkpoint_key_file": Path("k")}, "checkpoint_key_file needs a place for checkpoints"),
        ({"checkpoint_directory": Path("d")}, "checkpoint_directory needs checkpoint_key_file"),
        ({"checkpoint_git_url": "https://git.example/x"}, "checkpoint_git_url needs checkpoint_key_file"),
        (
            {
                "checkpoint_key_file": Path("k"),
                "checkpoint_directory": Path("d"),
                "checkpoint_git_url": "https://git.example/x",
            },
            "checkpoints have one place, not checkpoint_directory and checkpoint_git_url",
        ),
        ({"checkpoint_git_url": "http://git.example/x"}, "must be https: the password would be readable on its way"),
        ({"checkpoint_git_url": "https://user:secret@git.example/x"}, "without user and password"),
        ({"checkpoint_git_url": "ssh://git@git.example/x"}, "must be https://HOST/REPOSITORY"),
        ({"checkpoint_git_branch": "a..b"}, "a branch's name"),
        ({"checkpoint_git_branch": "-f"}, "a branch's name"),
        ({"checkpoint_s3_url": "https://s3.example"}, "must be https://HOST/BUCKET"),
        ({"checkpoint_s3_url": "https://s3.example/Bucket"}, "must be https://HOST/BUCKET"),
        ({"checkpoint_s3_url": "https://key:secret@s3.example/trail"}, "must be https://HOST/BUCKET"),
        ({"checkpoint_s3_url": "http://s3.example/trail"}, "must be https, so that nobody on the way"),
        ({"checkpoint_s3_access_key_file": Path("a")}, "come together or not at all"),
        ({"checkpoint_minutes": 0}, "greater than 0"),
    ],
)
def test_what_is_missing_is_said(given: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        CheckpointSettings(**given)  # type: ignore[arg-type] # as the environment gives them
