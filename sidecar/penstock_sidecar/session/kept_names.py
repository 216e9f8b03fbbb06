"""The names under which the server keeps prepared statements and portals: of a long one, the first bytes alone.

Messages may hold names of any length, of which the server looks at 63 bytes, wherever these end. In SQL a name is cut
at the last letter that fits, so that a name of letters of several bytes may mean one thing in a Parse and another in an
EXECUTE. What is kept there is not decided here.
"""

from __future__ import annotations

from collections.abc import ItemsView, Iterator, Mapping, MutableMapping, ValuesView
from typing import Any, TypeVar

_T = TypeVar("_T")
# NAMEDATALEN of PostgreSQL, less the zero byte; and how many letters fit whatever they are.
_MOST_BYTES = 63
_MOST_LETTERS = _MOST_BYTES // 4
_NO_DEFAULT = object()


def kept_name(name: str) -> str:
    """What the server tells a name from others by; where it ends within a letter, it is none that SQL can hold."""
    if len(name) <= _MOST_LETTERS:
        return name
    raw = name.encode(errors="surrogateescape")
    return name if len(raw) <= _MOST_BYTES else raw[:_MOST_BYTES].decode(errors="surrogateescape")


class ByKeptName(MutableMapping[str, _T]):
    """What the server has, by name: names that it does not tell apart are the same here, too."""

    __slots__ = ("_kept",)

    def __init__(self, kept: Mapping[str, _T] | None = None) -> None:
        self._kept: dict[str, _T] = {kept_name(name): one for name, one in (kept or {}).items()}

    def __getitem__(self, name: str) -> _T:
        return self._kept[kept_name(name)]

    def __setitem__(self, name: str, one: _T) -> None:
        self._kept[kept_name(name)] = one

    def __delitem__(self, name: str) -> None:
        del self._kept[kept_name(name)]

    def __iter__(self) -> Iterator[str]:
        return iter(self._kept)

    def __len__(self) -> int:
        return len(self._kept)

    # As inherited; but these are asked for each statement, and mostly for a name that is not there.

    def get(self, name: str, default: Any = None) -> Any:
        return self._kept.get(kept_name(name), default)

    def pop(self, name: str, default: Any = _NO_DEFAULT) -> Any:
        kept = kept_name(name)
        return self._kept.pop(kept) if default is _NO_DEFAULT else self._kept.pop(kept, default)

    def items(self) -> ItemsView[str, _T]:
        return self._kept.items()

    def values(self) -> ValuesView[_T]:
        return self._kept.values()
