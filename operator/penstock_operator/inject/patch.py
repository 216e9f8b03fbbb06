"""A JSON patch (RFC 6902) that is written while the document is changed, so that later steps see earlier ones.

What doesn't belong: what to change. Nothing here knows of pods.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

Json = dict[str, Any]
Step = str | int


class Patch:
    """Operations so far, and the document as it is after them. The document given is never touched."""

    def __init__(self, document: Json) -> None:
        self.document: Json = deepcopy(document)
        self.operations: list[Json] = []

    def put(self, value: Any, *path: Step) -> None:
        """Set a key of an object, adding the objects on the way that are missing; nothing if it is so already."""
        at: Any = self.document
        for depth, step in enumerate(path[:-1]):
            if isinstance(at, dict) and at.get(str(step)) is None:
                self._record("add", path[: depth + 1], {})
                at[str(step)] = {}
            at = at[step]
        key = str(path[-1])
        known = at.get(key)
        if known == value:
            return
        self._record("replace" if known is not None else "add", path, value)
        at[key] = deepcopy(value)

    def insert(self, value: Any, index: int, *path: Step) -> None:
        """Insert into the list at `path`, which is made if it is missing."""
        *above, key = path
        holder: Any = self.document
        for step in above:
            holder = holder[step]
        if holder.get(key) is None:
            self._record("add", path, [value])
            holder[key] = [deepcopy(value)]
            return
        self._record("add", (*path, "-" if index >= len(holder[key]) else index), value)
        holder[key].insert(index, deepcopy(value))

    def remove(self, index: int, *path: Step) -> None:
        """Remove an item of the list at `path`."""
        items: Any = self.document
        for step in path:
            items = items[step]
        self._record("remove", (*path, index))
        del items[index]

    def _record(self, operation: str, path: tuple[Step, ...], value: Any = None) -> None:
        pointer = "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in path)
        entry: Json = {"op": operation, "path": pointer}
        if operation != "remove":
            entry["value"] = deepcopy(value)
        self.operations.append(entry)
