"""A mapping that notes what of it was looked at: what was made of that holds while it is the same."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from typing import Any, TypeVar

_Key = TypeVar("_Key", bound=Hashable)
_Value = TypeVar("_Value")


class Noting(dict[_Key, _Value]):
    """Notes each key that is asked for and what was there, since `begin()`."""

    def __init__(self, content: Mapping[_Key, _Value]) -> None:
        super().__init__(content)
        self.begin()

    def begin(self) -> None:
        """Forget what was noted."""
        self.noted: dict[_Key, _Value | None] = {}
        # False where it was gone through as a whole.
        self.known = True

    def __getitem__(self, key: _Key) -> _Value:
        self.noted[key] = dict.get(self, key)
        return super().__getitem__(key)

    def get(self, key: _Key, default: Any = None) -> Any:
        """As of any mapping."""
        self.noted[key] = dict.get(self, key)
        return super().get(key, default)

    def __contains__(self, key: Any) -> bool:
        self.noted[key] = dict.get(self, key)
        return super().__contains__(key)

    def __iter__(self) -> Iterator[_Key]:
        self.known = False
        return super().__iter__()

    def keys(self) -> Any:
        """As of any mapping."""
        self.known = False
        return super().keys()

    def values(self) -> Any:
        """As of any mapping."""
        self.known = False
        return super().values()

    def items(self) -> Any:
        """As of any mapping."""
        self.known = False
        return super().items()
