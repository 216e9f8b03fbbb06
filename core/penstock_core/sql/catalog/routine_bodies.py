"""The body of one function, by its language: what it and the defaults of its arguments name."""

from __future__ import annotations

from functools import lru_cache

from pglast import parse_sql
from pglast.parser import ParseError

from penstock_core.sql.catalog.function_bodies import Body, BodyReader, NotUnderstood
from penstock_core.sql.catalog.model import RANGE_CONSTRUCTOR, Routine
from penstock_core.sql.catalog.plpgsql_bodies import read_plpgsql


@lru_cache(maxsize=8192)
def read_body(routine: Routine) -> Body:
    """What the function's body and the defaults of its arguments name."""
    body = Body()
    reader = BodyReader(body)
    try:
        if routine.kind == "a":
            # The functions that it is made of are all there is.
            pass
        elif routine.language == RANGE_CONSTRUCTOR:
            # The types of its arguments and of its result are.
            pass
        elif routine.language == "sql":
            _read_sql(routine, reader)
        elif routine.language == "plpgsql":
            read_plpgsql(routine, reader)
        else:
            raise NotUnderstood(f"it is written in {routine.language}")
        if routine.defaults:
            reader.text(f"SELECT {routine.defaults}")
    except NotUnderstood as problem:
        body.unknown = str(problem)
    except (ParseError, ValueError, RecursionError, LookupError, TypeError):
        body.unknown = "its body could not be parsed"
    return body


def _read_sql(routine: Routine, reader: BodyReader) -> None:
    parsed = routine.parsed.strip()
    if parsed:
        # `BEGIN ATOMIC` and `RETURN` are a clause of CREATE FUNCTION.
        (statement,) = parse_sql(f"CREATE FUNCTION f() RETURNS void LANGUAGE sql {parsed}")
        reader.sql_body(getattr(statement.stmt, "sql_body", None))
    else:
        reader.text(routine.source)
