"""Finding statements by what their forms tell, the latest first.

What doesn't belong: what is looked for (`search.py`).
"""

from __future__ import annotations

import heapq
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

# So many forms are looked at one by one, by an index; if more are of interest, statements are, as time goes back.
MOST_FORMS = 50_000
_EARLIEST = -(1 << 62)
_BY_WORDS = "SELECT rowid FROM forms_text WHERE forms_text MATCH :match"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is looked for, as SQL with its values: on `forms r`, and on `statements r`."""

    of_form: Sequence[str]
    of_each: Sequence[str]
    # `match` among these is for the text index, "" if it is not asked.
    values: Mapping[str, Any]
    # Whether what a statement has of its own leaves but few.
    is_narrow: bool = False


def latest(connection: sqlite3.Connection, wanted: Wanted, before: tuple[int, int] | None, limit: int) -> list[int]:
    """The ids of at most `limit` statements, latest first; those before a moment and id."""
    conditions, values = list(wanted.of_each), {**wanted.values, "limit": limit}
    if before is not None:
        conditions.append("r.time <= :moment AND (r.time < :moment OR r.id < :before)")
        values["moment"], values["before"] = before
    if not wanted.is_narrow and (forms := _forms(connection, wanted)) is not None:
        return _of_each_form(connection, forms, conditions, values)
    conditions += wanted.of_form
    if wanted.values["match"]:
        conditions.append(f"EXISTS ({_BY_WORDS} AND rowid = r.form)")
    rows = connection.execute(
        f"""SELECT r.id FROM statements_told r WHERE {" AND ".join(conditions)}
            ORDER BY r.time DESC, r.id DESC LIMIT :limit""",  # noqa: S608 # literals
        values,
    )
    return [int(row[0]) for row in rows]


def _forms(connection: sqlite3.Connection, wanted: Wanted) -> list[int] | None:
    """The forms that are of interest, or None if they are too many to look for, or at."""
    conditions = list(wanted.of_form)
    if wanted.values["match"]:
        conditions.append(f"r.id IN ({_BY_WORDS})")
    elif (connection.execute("SELECT max(id) FROM forms").fetchone()[0] or 0) > MOST_FORMS:
        # Where texts are kept with their values, there are as many forms as statements.
        return None
    found = connection.execute(
        f"SELECT r.id FROM forms r WHERE {' AND '.join(conditions)} ORDER BY r.id DESC LIMIT {MOST_FORMS + 1}",  # noqa: S608
        wanted.values,
    ).fetchall()
    return [int(row[0]) for row in found] if len(found) <= MOST_FORMS else None


def _of_each_form(
    connection: sqlite3.Connection, forms: Sequence[int], conditions: Sequence[str], values: dict[str, Any]
) -> list[int]:
    limit = values["limit"]
    where = " AND ".join(["r.form = :form", "r.time >= :floor", *conditions])
    query = f"""SELECT r.time, r.id FROM statements r INDEXED BY statements_of_form WHERE {where}
                ORDER BY r.time DESC, r.id DESC LIMIT :limit"""  # noqa: S608 # literals
    best: list[tuple[int, int]] = []
    floor = _EARLIEST
    for form in forms:
        rows = connection.execute(query, {**values, "form": form, "floor": floor}).fetchall()
        if rows:
            best = heapq.nlargest(limit, [*best, *((int(row[0]), int(row[1])) for row in rows)])
            # What is earlier than as many others is of no interest.
            floor = best[-1][0] if len(best) == limit else _EARLIEST
    return [id_ for _, id_ in best]
