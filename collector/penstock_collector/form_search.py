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


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is looked for, as SQL: on `forms r`, and on `statements r`; with its values."""

    of_form: Sequence[str]
    of_each: Sequence[str]
    values: Mapping[str, Any]
    # Whether what a statement has of its own leaves but few.
    is_narrow: bool = False


def latest(connection: sqlite3.Connection, wanted: Wanted, before: tuple[int, int] | None, limit: int) -> list[int]:
    """The ids of at most `limit` statements, latest first; those before a moment and id."""
    conditions, values = list(wanted.of_each), {**wanted.values, "limit": limit}
    if before is not None:
        conditions.append("r.time <= :moment AND (r.time < :moment OR r.id < :before)")
        values["moment"], values["before"] = before
    forms = f"SELECT r.id FROM forms r WHERE {' AND '.join(wanted.of_form)}"  # noqa: S608 # literals
    if not wanted.is_narrow:
        found = connection.execute(f"{forms} ORDER BY r.id DESC LIMIT {MOST_FORMS + 1}", values).fetchall()
        if len(found) <= MOST_FORMS:
            return _of_each_form(connection, [int(row[0]) for row in found], conditions, values)
    # The plus keeps the index of forms out of it.
    where = " AND ".join([f"+r.form IN ({forms})", *conditions])
    rows = connection.execute(
        f"SELECT r.id FROM statements r WHERE {where} ORDER BY r.time DESC, r.id DESC LIMIT :limit",  # noqa: S608 # literals
        values,
    )
    return [int(row[0]) for row in rows]


def _of_each_form(
    connection: sqlite3.Connection, forms: Sequence[int], conditions: Sequence[str], values: dict[str, Any]
) -> list[int]:
    limit = values["limit"]
    where = " AND ".join(["r.form = :form", "r.time >= :floor", *conditions])
    query = f"""SELECT r.time, r.id FROM statements r INDEXED BY statements_form WHERE {where}
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
