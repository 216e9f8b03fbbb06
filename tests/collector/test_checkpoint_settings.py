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
        ({"checkpoint_minutes": 0}, "greater than 0"),
    ],
)
def test_what_is_missing_is_said(given: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        CheckpointSettings(**given)  # type: ignore[arg-type] # as the environment gives them
