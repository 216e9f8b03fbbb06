"""Which of a gate's databases a session is with: by the name that the client asks for, once it is known who it is.

A Database is found by its own name, or by the server's where that is one Database's alone. Those that no policy opens
to the client are as if they were not there: no answer tells of them. Where they are is `proxy/served_database.py`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from penstock_core.identity import Identity
from penstock_sidecar.session.door import Door
from penstock_sidecar.session.refusals import fatal
from penstock_sidecar.wire.messages import ErrorFields

# How much of a name is told, and how many names: the server knows no longer ones, and people read no more.
_LONGEST_NAME = 63
_MOST_NAMES = 8


class SessionDatabase(NamedTuple):
    """The database that a session is with."""

    # The Database resource's name, and the name of the database on the server: empty while neither is known.
    name: str
    dbname: str
    # What its sessions share.
    door: Door


Choose = Callable[[str, Identity], SessionDatabase | ErrorFields]


@dataclass(frozen=True, slots=True)
class Candidate:
    """One Database of the gate, as a client may find it."""

    name: str
    # The server's name for it; None: no policy has told it yet.
    dbname: str | None
    # Whether any policy is for the client.
    open: bool = False
    # Whether it is known not to be there.
    absent: bool = False


def choose(asked: str, candidates: Sequence[Candidate]) -> Candidate | ErrorFields:
    """The one that the client asks for, or the error that it gets."""
    named = next((one for one in candidates if one.name == asked), None)
    if named is not None and named.open:
        return named
    there = [one for one in candidates if not one.absent]
    found = [one for one in there if one.dbname == asked]
    names = [one.name for one in found if one.open]
    if len(names) > 1 and named is None:
        return fatal("3D000", f'several databases here are called "{told(asked)}"', _remedy(names))
    if any(one.dbname is None for one in there):
        # It may be that one's, for all that is known: of a test and a live system, for instance.
        return fatal(
            "57P03", f'whether database "{told(asked)}" is here is not known while policies of the gate are missing',
            "try again in a moment; a Database with policies is found by its own name",
        )  # fmt: skip
    # A name of its own is no way to another, not even where it is not there.
    return found[0] if named is None and len(found) == len(names) == 1 else _unknown(asked, there)


def told(name: str) -> str:
    """A name that a client made up, fit for one line."""
    text = "".join(one if one.isprintable() else "?" for one in name)
    return text if len(text) <= _LONGEST_NAME else f"{text[:_LONGEST_NAME]}…"


def _unknown(asked: str, there: Sequence[Candidate]) -> ErrorFields:
    """What is told of a name that leads nowhere: the same whether or not there is such a database."""
    names = [one.name for one in there if one.open]
    text = f'there is no database "{told(asked)}" here that any policy opens to you'
    return fatal("3D000", text, _remedy(names) if names else "ask who administers the policies")


def _remedy(names: Sequence[str]) -> str:
    if len(names) == 1:
        return f"set dbname to {names[0]}"
    more = len(names) - _MOST_NAMES
    listed = ", ".join(sorted(names)[:_MOST_NAMES])
    return f"set dbname to one of {listed}" + (f" (and {more} more)" if more > 0 else "")
