"""Statements about what the server computes unasked: by stored expressions, in views, and for rows of children."""

from __future__ import annotations

_DIGITS = "SET extra_float_digits = -15; "
_ZONE = "SET timezone = 'Asia/Tokyo'; "

PASS: dict[str, str] = {
    "33 steady expressions over masked columns": _DIGITS + "SET timezone = 'Asia/Tokyo'; SET bytea_output = 'escape';"
    " UPDATE depot.steady SET note = 'y', half = 2 RETURNING id, note, g",
    "33 a new row beside steady expressions": "INSERT INTO depot.steady (id, w, raw, due) VALUES (2, 1, 'x', now())",
    "33 a new row beside expressions of settings": _DIGITS
    + "INSERT INTO depot.by_index (id, w) VALUES (2, 12.5) RETURNING id",
    "33 deletion beside expressions of settings": _DIGITS + "DELETE FROM depot.by_index WHERE id = 1",
}

# Each would tell the twins apart if it were forwarded as it is: a test shows it.
LEAKS: dict[str, str] = {
    "33 index expression under a setting": _DIGITS + "UPDATE depot.by_index SET note = 'x'",
    "33 index expression under a setting, by set_config": "SELECT set_config('extra_float_digits', '-15', false);"
    " UPDATE depot.by_index SET note = 'x'",
    "33 index expression under a setting of the transaction": "SET LOCAL extra_float_digits = -15;"
    " UPDATE depot.by_index SET note = 'x'",
    "33 index expression under a setting, by upsert": _DIGITS + "INSERT INTO depot.by_index (id) VALUES (1)"
    " ON CONFLICT (id) DO UPDATE SET note = 'x'",
    "33 index expression under a setting, by merge": _DIGITS + "MERGE INTO depot.by_index t USING log ON log.id = t.id"
    " WHEN MATCHED THEN UPDATE SET note = 'x'",
    "33 index predicate under a setting": _DIGITS + "UPDATE depot.by_predicate SET id = 5",
    "33 exclusion constraint under a setting": _DIGITS + "UPDATE depot.by_exclusion SET note = 'x'",
    "33 unique index under a setting": _DIGITS + "UPDATE depot.by_unique SET note = 'x'",
    "33 output function in a check": _DIGITS + "UPDATE depot.by_output SET note = 'x'",
    "33 domain whose check depends on a setting": _DIGITS + "UPDATE depot.by_domain SET note = 'x'",
    "33 array's text in a check": _DIGITS + "UPDATE depot.by_text SET note = 'x'",
    "33 partition key under a setting": _DIGITS + "UPDATE depot.by_key SET note = 'x'",
    "33 partition bound under a setting": _DIGITS + "UPDATE depot.by_key_only SET note = 'x'",
    "33 text of bytes under a setting": "SET bytea_output = 'escape'; UPDATE depot.by_bytes SET note = 'x'",
    "33 age under a time zone": _ZONE + "UPDATE depot.by_zone SET note = 'x'",
    "33 comparison of rows under a time zone": _ZONE + "UPDATE depot.by_row SET note = 'x'",
    "33 index of a child under a setting": _DIGITS + "UPDATE depot.base SET note = 'x'",
    "33 index of what a deletion changes, under a setting": _DIGITS + "DELETE FROM depot.owner",
}

# Likewise on servers since a version: older ones do not know the table, or compute less.
LEAKS_SINCE: dict[str, tuple[int, str]] = {
    "33 generated column of a row that moves": (16, _DIGITS + "UPDATE depot.by_move SET half = 2"),
    "33 check of a virtual column": (18, _DIGITS + "UPDATE depot.by_virtual SET note = 'x'"),
    "33 check of a row with a virtual column": (18, _DIGITS + "UPDATE depot.by_virtual_row SET note = 'y'"),
    "33 virtual column that is not null": (18, _DIGITS + "UPDATE depot.by_virtual_null SET note = 'x'"),
}

DENY: dict[str, str] = {
    **LEAKS,
    **{name: text for name, (_, text) in LEAKS_SINCE.items()},
}
