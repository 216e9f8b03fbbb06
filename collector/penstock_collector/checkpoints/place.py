"""Where checkpoints are kept: what every such place does, and how it fails.

What doesn't belong: the places, each in a module of its own.
"""

from __future__ import annotations

from typing import Protocol


class PlaceError(Exception):
    """A checkpoint could not be kept; the message is one line with what to do."""


class Place(Protocol):
    """A place that is added to, and from which nothing is taken away or changed."""

    def put(self, name: str, content: bytes) -> None:
        """Keep a file by that name (`<directory>/<file>`). That it is there already with this content is well.

        Blocks. Raises PlaceError, also where another content has that name.
        """


def another(where: str) -> PlaceError:
    """Another checkpoint has the name of this one."""
    return PlaceError(
        f"{where} is there already and is another checkpoint: the database is older than its checkpoints (restored from"
        " a backup?), or somebody else writes there; leave them as they are, and set a new place"
    )
