"""A catalog snapshot as a file: the documents of `snapshot.py` as JSON, to decide about SQL without a server.

It holds names, types and definitions, no rows. Opening files and asking servers belongs to the callers.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from penstock_core.sql.catalog.model import Catalog
from penstock_core.sql.catalog.snapshot import STATEMENTS, snapshot

_KIND = "penstock catalog"
# What was asked says what the answers mean: a file that other questions led to can't be told from a wrong one.
FORM = hashlib.sha256("\0".join(f"{name}\0{sql}" for name, sql in STATEMENTS).encode()).hexdigest()[:16]
_NAMES = frozenset(name for name, _ in STATEMENTS if name)


class CatalogFileError(ValueError):
    """The text is no catalog file that this version can use; the message is one line without the file's name."""


def written(documents: Mapping[str, str]) -> str:
    """The answers to `STATEMENTS`, by name, as a file's text: a line for each row, for readable diffs."""
    lines = [f'{{"kind": "{_KIND}", "form": "{FORM}", "documents": {{']
    for place, name in enumerate(sorted(documents)):
        rows = json.loads(documents[name])
        lines.append(f'"{name}": [' if place == 0 else f', "{name}": [')
        lines += [
            (", " if number else "  ") + json.dumps(row, ensure_ascii=False, sort_keys=True)
            for number, row in enumerate(rows)
        ]
        lines.append("]")
    return "\n".join([*lines, "}}", ""])


def read(text: str | bytes) -> Catalog:
    """The catalog in a file's text. Raises CatalogFileError."""
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        raise CatalogFileError("is not a JSON document") from None
    if not isinstance(content, dict) or content.get("kind") != _KIND:
        raise CatalogFileError("is not a catalog file; create one with `penstock catalog`")
    documents = content.get("documents")
    if content.get("form") != FORM or not isinstance(documents, dict) or documents.keys() != _NAMES:
        raise CatalogFileError("was written by another version of Penstock; create it again with `penstock catalog`")
    try:
        return snapshot({name: json.dumps(rows) for name, rows in documents.items()})
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise CatalogFileError(
            f"is damaged ({type(error).__name__}); create it again with `penstock catalog`"
        ) from None
