"""The settings of one of several databases that a gate serves: a Database by name, and what only the gate has for it.

How they are read is `settings.py`'s, what becomes of them `served_databases.py`'s.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from penstock_sidecar.listening import Address


class DatabaseSettings(BaseModel):
    """One database."""

    # By either name: a list in a variable is JSON, and has the names that the file has.
    model_config = ConfigDict(
        extra="forbid", frozen=True, hide_input_in_errors=True, alias_generator=to_camel, populate_by_name=True
    )

    # The Database resource's name.
    name: Annotated[str, Field(min_length=1, max_length=253)]
    # The files `username` and `password`.
    credentials_dir: Path
    # The Secret that these come from. A Database that names another one is not logged in to with them.
    credentials_secret: Annotated[str, Field(min_length=1, max_length=253)] | None = None
    upstream_ca_file: Path | None = None
    # The key of its hash masks, where resources come from files.
    mask_key_file: Path | None = None
    # An address of its own, where every session is with it.
    listen: Address | None = None
