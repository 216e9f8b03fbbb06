"""What a gate reports of one Database: by which policies it decides, whether it reaches the server, what does not fit.

Gates send it to `control`, the operator makes conditions of it. A pod is believed about itself alone. What doesn't
belong: finding it out (`penstock_sidecar.proxy.gate_reports`), and what follows from it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, Strict, ValidationError
from pydantic.alias_generators import to_camel

MOST_BODY_BYTES = 16_384
# Of each list: more are counted and not named.
MOST_NAMED = 8
_LONGEST_WORDS = 400
# A gate sends it again after so long though nothing changed, in case that it was lost.
AGAIN_SECONDS = 600.0

_Words = Annotated[str, Field(max_length=_LONGEST_WORDS)]
_Count = Annotated[int, Field(ge=0, le=1 << 53)]


class _Part(BaseModel):
    # A gate of another version may know more.
    model_config = ConfigDict(
        extra="ignore",
        frozen=True,
        strict=True,
        alias_generator=to_camel,
        populate_by_name=True,
        hide_input_in_errors=True,
    )


class Named(_Part):
    """Some of many: how many there are, and the first of them in words."""

    count: _Count = 0
    first: Annotated[tuple[_Words, ...], Field(max_length=MOST_NAMED), Strict(False)] = ()

    @classmethod
    def of(cls, words: Iterable[str]) -> Named:
        """All of them, in order."""
        found = sorted(set(words))
        return cls(count=len(found), first=tuple(one_line(one) for one in found[:MOST_NAMED]))

    def cut(self, most: int) -> Named:
        """The same with so many named at most."""
        return self if len(self.first) <= most else self.model_copy(update={"first": self.first[:most]})


NOTHING = Named()


class PolicyFindings(_Part):
    """What of one policy does not fit the database."""

    policy: Annotated[str, Field(max_length=253)]
    missing: Named = Named()
    """Columns that it is to mask and the database does not have."""
    unfit: Named = Named()
    """Columns whose type a mask does not fit."""


class GateReport(_Part):
    """About one Database, at one moment."""

    number: _Count
    """Of two reports of a gate, the one with the larger number is the newer."""
    digest: Annotated[str, Field(max_length=64, pattern="^[0-9a-f]*$")] = ""
    """Of the policies that it decides by; empty: it has none."""
    policy_trouble: _Words = ""
    """What keeps them from being up to date."""
    reached: bool | None = None
    """Whether it reaches the database; None: it has not tried yet."""
    reason: Annotated[str, Field(max_length=64, pattern="^([A-Z][A-Za-z]*)?$")] = ""
    """Why it does not, in one word for programs."""
    trouble: _Words = ""
    """Why it does not, in words."""
    unclassified: Named = Named()
    """Patterns of the classification that no column answers to."""
    sensitive: Named = Named()
    """Columns that look sensitive, and that no classification and no mask is for."""
    around: Named = Named()
    """Sessions with the database from the gate's own address that are not the gate's, by role and application."""
    idle_seconds: _Count | None = None
    """For how long no session with the Database has been open; None: that is not known, as of an older gate."""
    had_session: bool = False
    """Whether one was since the gate began; if not, it began `idle_seconds` ago."""
    lost: _Count = 0
    """Of a gate that ends: how many audit events go with it that the collector has not taken."""
    misfits: Annotated[tuple[PolicyFindings, ...], Field(max_length=MOST_NAMED), Strict(False)] = ()
    """Of each policy that does not fit the database, what."""

    @classmethod
    def read(cls, body: bytes) -> GateReport:
        """Raises ValueError in one line, which names the field."""
        try:
            return cls.model_validate_json(body)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            place = ".".join(map(str, first["loc"]))
            raise ValueError(f"a report that can't be read: {place}: {first['msg']}") from None

    def document(self) -> dict[str, Any]:
        """As it is sent: what says nothing is left out."""
        return self.model_dump(mode="json", by_alias=True, exclude_defaults=True)

    def sendable(self) -> bytes:
        """As bytes that a receiver reads: where words would take too much room, fewer are named."""
        for most in (MOST_NAMED, 3, 1, 0):
            body = json.dumps(self._naming(most).document(), ensure_ascii=False, separators=(",", ":")).encode()
            if len(body) <= MOST_BODY_BYTES:
                break
        return body

    def _naming(self, most: int) -> GateReport:
        misfits = tuple(
            one.model_copy(update={"missing": one.missing.cut(most), "unfit": one.unfit.cut(most)})
            for one in self.misfits
        )
        lists = {"unclassified": self.unclassified.cut(most), "sensitive": self.sensitive.cut(most)}
        lists["around"] = self.around.cut(most)
        return self.model_copy(update={**lists, "misfits": misfits})

    def same(self, other: GateReport | None) -> bool:
        """Whether it says the same, whenever that was. Sessions come and go: only one after a long time is news."""
        if other is None:
            return False
        alike = self.model_copy(update={"number": other.number, "idle_seconds": other.idle_seconds}) == other
        idle, before = self.idle_seconds or 0, other.idle_seconds or 0
        return alike and not (idle < AGAIN_SECONDS <= before)


def one_line(words: str) -> str:
    """Words as a report may have them."""
    line = " ".join(words.split())
    return line if len(line) <= _LONGEST_WORDS else f"{line[: _LONGEST_WORDS - 1]}…"
