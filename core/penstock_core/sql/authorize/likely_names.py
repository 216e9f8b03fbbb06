"""What somebody may have meant by a name that nothing has: the one of those in reach that is most like it.

Names of relations, columns, functions and types are not masked. Which name is unknown is decided elsewhere.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from difflib import get_close_matches
from itertools import chain, islice

from penstock_core.sql.allowlists.functions import FUNCTIONS
from penstock_core.sql.allowlists.system_relations import TYPES
from penstock_core.sql.bind.scopes import Scope, Source
from penstock_core.sql.catalog.model import Catalog

# More are not looked at: a typing error is not worth it. Nor are those with more letters that the other has not.
_MOST = 5000
_MOST_OTHER = 2
# How like a name has to be, from 0 to 1: that of a short one differs in one letter, or in two that changed places.
_LIKE = 0.7


def likely(name: str, known: Iterable[str]) -> str:
    """The known name that is most like that one; empty if none is."""
    letters = Counter(name)
    near = {
        one
        for one in islice(known, _MOST)
        if abs(len(one) - len(name)) <= _MOST_OTHER and (Counter(one) - letters).total() <= _MOST_OTHER
    }
    found = get_close_matches(name, sorted(near), n=1, cutoff=_LIKE)
    return found[0] if found else ""


def likely_column(name: str, scope: Scope, owner: Source | None) -> str:
    """A column as people write it, `users.email`: of its owner, or of all sources in reach."""
    sources = [owner] if owner is not None else [one for level in scope.levels() for one in level.sources]
    found = likely(name, chain.from_iterable(source.columns or () for source in sources))
    named = next((one.name for one in sources if found in (one.columns or ())), "")
    return f"{named}.{found}" if found and named else found


def likely_relation(schema: str, name: str, catalog: Catalog) -> str:
    """A relation, with its schema where that was written or is not in the path that sessions begin with."""
    places: dict[str, str] = {}
    for place, known in catalog.relations:
        if schema in ("", place) and (known not in places or place in catalog.search_path):
            places[known] = place
    found = likely(name, places)
    return f"{places[found]}.{found}" if found and (schema or places[found] not in catalog.search_path) else found


def likely_function(name: str, catalog: Catalog) -> str:
    """A function that may be called, or one of the database's own."""
    return likely(name, chain(sorted(FUNCTIONS), catalog.user_functions, catalog.extension_functions))


def likely_type(name: str, catalog: Catalog) -> str:
    """A type of the system's or of the database's own."""
    return likely(name, chain(sorted(TYPES), catalog.user_types))
