"""How signed checkpoints are made: settings `PENSTOCK_COLLECTOR_CHECKPOINT_…` (docs/verify.md).

What doesn't belong: making them (`penstock_collector.checkpoints`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings


class CheckpointSettings(BaseSettings):
    """The settings of checkpoints; without a key there are none."""

    # The private key (Ed25519, PEM) that signs them.
    checkpoint_key_file: Path | None = None
    # A directory that they are written to: a volume that this program can add to, and not take away from.
    checkpoint_directory: Path | None = None
    checkpoint_minutes: Annotated[float, Field(gt=0)] = 15.0

    @model_validator(mode="after")
    def _key_and_one_place(self) -> CheckpointSettings:
        places = [name for name in ("checkpoint_directory",) if getattr(self, name)]
        if self.checkpoint_key_file is not None and not places:
            raise ValueError("checkpoint_key_file needs a place for checkpoints: checkpoint_directory")
        if places and self.checkpoint_key_file is None:
            raise ValueError(f"{places[0]} needs checkpoint_key_file, the key that signs them")
        return self
