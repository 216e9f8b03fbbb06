"""How much of an answer a model's context takes: rows, bytes and letters of one value.

What doesn't belong: reading answers (`gate/wire.py`), and the guardrails of policies, which hold in any case.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel


class Limits(BaseModel):
    """What one call may return and take, as it is configured."""

    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=to_camel, populate_by_name=True)

    # How many rows a call returns that asks for no number, and how many it may ask for.
    rows: Annotated[int, Field(ge=1, le=10_000)] = 100
    most_rows: Annotated[int, Field(ge=1, le=10_000)] = 1000
    # How many bytes of values a call returns, and how many letters of each value.
    answer_bytes: Annotated[int, Field(ge=1024, le=4 << 20)] = 64 << 10
    value_characters: Annotated[int, Field(ge=16, le=1 << 20)] = 4096
    # How long one statement may run; policies may allow it less.
    statement_seconds: Annotated[float, Field(ge=0.1, le=3600)] = 30.0
    # How long one call may wait for somebody's approval.
    wait_seconds: Annotated[float, Field(ge=1, le=3600)] = 600.0


# How long a statement may be.
MOST_SQL = 65_536
