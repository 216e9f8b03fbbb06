"""What the kill switch says of itself: why, who threw it and since when. A part of resources.

What it does to sessions is `penstock_core.policy.revocation`'s.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from penstock_core.resources.model import Model
from penstock_core.resources.vocabulary import LINE, Timestamp


class Suspension(Model):
    """Why nobody may work for now."""

    reason: Annotated[str, Field(min_length=1, max_length=256, pattern=LINE)]
    """Why, in one line. Whoever is refused reads it, and the trail has it."""
    by: Annotated[str, Field(min_length=1, max_length=256, pattern=LINE)] | None = None
    """Who says so, as the API server knows them: it takes nobody's name but that of whoever writes it. Left out where a
    program applies what others have decided."""
    since: Timestamp | None = None
    """Since when, in the writer's own words."""

    @property
    def words(self) -> str:
        """The reason, with who and since when as far as it says so."""
        more = [f"by {self.by}" if self.by else "", f"since {self.since}" if self.since else ""]
        said = ", ".join(filter(None, more))
        return f"{self.reason} ({said})" if said else self.reason
