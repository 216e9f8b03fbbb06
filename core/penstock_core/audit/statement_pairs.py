"""Which statements of a stream began without an end, or ended without a beginning.

What doesn't belong: what that means for the stream (`stream_check.py`).
"""

from __future__ import annotations

from typing import TypeAlias

from penstock_core.audit.event import BEGINS, ENDS, Event

_SHOWN = 5

_Key: TypeAlias = tuple[str, str]


class StatementPairs:
    """The statements of one stream, as its events tell of them. A statement that is over is forgotten."""

    def __init__(self) -> None:
        # The seq of each intent without outcome, in order.
        self.unfinished: dict[_Key, int] = {}
        self._unbegun: list[int] = []
        self.unbegun = 0

    def take(self, event: Event, seq: int) -> None:
        """The next event, of whatever kind."""
        kind = event["kind"]
        begins, ends = kind in BEGINS, kind in ENDS
        if not (begins or ends):
            return
        key = (str(event.get("session", "")), str(event.get("statement", "")))
        if begins:
            self.unfinished[key] = seq
        if ends and self.unfinished.pop(key, None) is None:
            self.unbegun += 1
            if len(self._unbegun) < _SHOWN:
                self._unbegun.append(seq)

    @property
    def first_unbegun(self) -> int:
        return self._unbegun[0] if self._unbegun else 0

    @property
    def examples_unfinished(self) -> str:
        return _examples(sorted(self.unfinished.values()), len(self.unfinished))

    @property
    def examples_unbegun(self) -> str:
        return _examples(self._unbegun, self.unbegun)


def _examples(seqs: list[int], count: int) -> str:
    return "seq " + ", ".join(map(str, seqs[:_SHOWN])) + (", …" if count > _SHOWN else "")
