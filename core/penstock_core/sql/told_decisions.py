"""What a client may ask about a statement in place of running it: `EXPLAIN (PENSTOCK) …`, and the answer.

The answer is a SELECT of constants, so that the server sends it as it sends any rows, in whatever protocol. It tells
what the policy and the catalog tell, nothing of what is stored. Deciding is `governor.py`'s.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from penstock_core.policy.effective import CostLimit, Limit, Mask, PolicySet, Rule
from penstock_core.sql.catalog.model import Catalog, ColumnName, Relation
from penstock_core.sql.decision import Action, Decision, Denial
from penstock_core.sql.masking.masked_columns import Governed

_ASKED = re.compile(r"\s*explain\s*\(\s*penstock\s*\)\s*(?=\S)", re.IGNORECASE)
_COLUMNS = ("item", "value", "meaning", "rule")
# Of each action the word that a client reads.
_WORDS = {Action.ALLOW: "allowed", Action.REWRITE: "allowed", Action.DENY: "refused"}

Row = tuple[str, str, str, str]


def asked_about(text: str) -> str | None:
    """The statement that is asked about; None, where the text is no such question."""
    found = _ASKED.match(text)
    return None if found is None else text[found.end() :]


def not_told() -> Denial:
    """A question about a statement that can't be decided about at once, or about another question."""
    return Denial(
        "EXPLAIN (PENSTOCK) tells of single statements of up to 8,192 characters that are not nested deeply",
        "ask about a shorter one, or run the statement",
        sqlstate="54001",
    )


def answer(decision: Decision, governed: Governed, tags: Iterable[tuple[str, str]], *, enforced: bool) -> str:
    """The SELECT that sends what was decided, as rows; `tags` are those of the database's classification. `enforced`:
    what is governed is, and not only observed.
    """
    rows = [*_rows(decision, governed, "" if enforced else "would be "), *_tagged(decision, governed.catalog, tags)]
    values = ", ".join(f"({', '.join(map(_literal, row))})" for row in rows)
    return f"SELECT * FROM (VALUES {values}) AS penstock({', '.join(_COLUMNS)})"  # noqa: S608 # of literals


def _rows(decision: Decision, governed: Governed, would: str) -> Iterator[Row]:
    yield "decision", _WORDS[decision.action], "", ""
    if decision.observed is not None:
        yield "would be", _WORDS[decision.observed], "by policies that only observe so far", ""
    if (denial := decision.denial) is not None:
        rule = _rule(Rule(denial.policy, denial.rule)) if denial.policy else ""
        yield "reason", denial.reason, denial.remedy, rule
    for verb in dict.fromkeys(decision.verbs):
        yield "verb", verb, "", ""
    for relation in decision.relations:
        yield "relation", relation, "", ""
    limits = _limits(decision, None if would else governed.policies)
    for item, value, meaning, rule in (*_concealed(decision, governed), *limits):
        yield f"{would}{item}", value, meaning, rule
    holding = decision.holding
    for item, rules in (("may be held", holding.rules), ("would be held", holding.observed)) if holding else ():
        for one in rules:
            yield item, one.name, f"until a member of {' or '.join(one.approvers)} approves it", _rule(one.rule)


def _concealed(decision: Decision, governed: Governed) -> Iterator[Row]:
    named: Mapping[str, tuple[ColumnName, Mask]] = {
        ".".join(key): (key, mask) for key, mask in governed.columns.items()
    }
    for column in decision.masked:
        mask = named[column][1] if column in named else None
        yield "masked", column, mask.title if mask is not None else "", _rule(mask.rule) if mask is not None else ""
    filtered = {".".join(key) for key in governed.filters.relations}
    for relation in decision.relations:
        if relation in filtered:
            yield "filtered", relation, "only some of its rows are there", ""


def _limits(decision: Decision, policies: PolicySet | None) -> Iterator[Row]:
    limits: tuple[tuple[str, Limit | CostLimit | None], ...] = (
        ("rows returned", decision.row_limit),
        ("rows changed", decision.change_limit),
        ("plan cost", decision.cost_limit),
        ("milliseconds", policies.statement_timeout if policies is not None else None),
    )
    for what, limit in limits:
        if limit is not None:
            yield "at most", f"{limit.value:.15g}", what, _rule(limit.rule)


def _tagged(decision: Decision, catalog: Catalog, tags: Iterable[tuple[str, str]]) -> Iterator[Row]:
    patterns = [(tuple(pattern.split(".")), tag) for pattern, tag in tags]
    for relation in _relations(decision.relations if patterns else (), catalog):
        for column in relation.columns:
            parts = (*relation.key, column.name)
            bears = (tag for pattern, tag in patterns if all(map(_fits, pattern, parts)))
            for tag in dict.fromkeys(bears):
                yield "tagged", ".".join(parts), tag, ""


def _relations(names: Iterable[str], catalog: Catalog) -> Iterator[Relation]:
    """The relations of these names, whatever points are in a name itself."""
    for name in names:
        points = (place for place, letter in enumerate(name) if letter == ".")
        found = (catalog.relations.get((name[:place], name[place + 1 :])) for place in points)
        yield from (one for one in found if one is not None)


def _fits(pattern: str, name: str) -> bool:
    return pattern in ("*", name)


def _rule(rule: Rule) -> str:
    return f"{rule.path} of policy {rule.policy}"


def _literal(value: str) -> str:
    """A constant that means the same whatever the session's settings and encoding are."""
    return f"E'{''.join(map(_escaped, value))}'::pg_catalog.text"


def _escaped(letter: str) -> str:
    if letter in "\\'":
        return letter * 2
    if " " <= letter <= "~":
        return letter
    # No text of PostgreSQL holds a NUL, and no encoding half a character.
    if letter == "\0" or "\ud800" <= letter <= "\udfff":
        return "?"
    return f"\\U{ord(letter):08x}"
