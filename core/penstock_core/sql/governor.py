"""The governor of one identity's statements: from SQL text to a decision.

Pure: a policy, a catalog snapshot and a text give the same decision at any time. A new policy or snapshot needs a new
governor. It never raises, whatever the text: what can't be decided is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any
from weakref import ref

from pglast import ast

from penstock_core.policy.effective import CostLimit, EffectivePolicy, Limit, PolicySet
from penstock_core.policy.holding import Holding, with_observed
from penstock_core.sql.authorize.authorizer import Findings
from penstock_core.sql.authorize.catalog_changes import changes_catalog, commits_itself
from penstock_core.sql.authorize.edited_text import edited
from penstock_core.sql.authorize.held_effects import held_effects
from penstock_core.sql.authorize.plan_costs import cost_limit, priced
from penstock_core.sql.authorize.rollback import undone_by_rollback
from penstock_core.sql.authorize.row_changes import change_limit
from penstock_core.sql.authorize.row_limits import row_limit
from penstock_core.sql.authorize.text import MASKED, UNMASKED, authorize
from penstock_core.sql.bind.bound import Bound
from penstock_core.sql.bind.name_resolution import MadeName, is_builtin_type
from penstock_core.sql.bind.parameter_types import UNDECLARED, bind_types
from penstock_core.sql.bind.text import bind
from penstock_core.sql.catalog.model import Catalog
from penstock_core.sql.decision import Action, AppliedMask, Decision, Denial, Recorded
from penstock_core.sql.masking.conditioned_columns import ConditionedColumns, conditioned_columns
from penstock_core.sql.masking.masked_columns import Governed, govern
from penstock_core.sql.masking.masks import MaskWriter
from penstock_core.sql.masking.substitution import Substitutions
from penstock_core.sql.refusal import Refused
from penstock_core.sql.shared_decisions import Question, Room, SharedDecisions
from penstock_core.sql.syntax.deparse import deparse
from penstock_core.sql.syntax.parse import parse, word_at
from penstock_core.sql.syntax.recorded_texts import stored
from penstock_core.sql.syntax.special_forms import spread_forms
from penstock_core.sql.told_decisions import answer, asked_about, not_told

_SHORTEST_KEY = 16
# For decisions, where there are none of others.
_ROOM = 16 << 20
# How long a text may be to be decided about while others wait: that takes some milliseconds for each thousand.
MOST_AT_ONCE = 8192
_NONE: frozenset[str] = frozenset()
_NOTHING: frozenset[MadeName] = frozenset()
# A string, or what begins a string in dollar quotes; a parameter is none.
_LITERAL = re.compile(r"'|\$(?!\d)")


class _DeferredError(Exception):
    """It would take long to decide about the text."""


_DEFERRED = Decision(
    Action.DENY,
    "",
    writes=True,
    denial=Denial(
        "it took too much time or memory to decide about the statement",
        "try again later, split the statement, or send values as parameters or by COPY",
        sqlstate="54001",
        deferred=True,
    ),
)


class Governor:
    """Decides about the statements of one identity in one database."""

    def __init__(
        self, policy: EffectivePolicy, catalog: Catalog, mask_key: bytes, *, defers: bool = False,
        room: Room | None = None,
    ) -> None:  # fmt: skip
        """`defers`: what may take long is not decided about by `decide()`, but by `decide_fully()` alone. `room`: where
        its decisions are kept, besides those of others.
        """
        if len(mask_key) < _SHORTEST_KEY:
            raise ValueError(f"the mask key is shorter than {_SHORTEST_KEY} bytes")
        self.policy = policy
        sets = [one for one in (policy.enforced, policy.observed) if one is not None]
        self._policies = tuple(sorted({name for one in sets for name in one.policies}))
        self.catalog = catalog
        self._defers = defers
        writer = MaskWriter(mask_key)
        self._enforced = _Judge.of(policy.enforced, catalog, writer)
        self._observed = _Judge.of(policy.observed, catalog, writer)
        # Weakly: what is replaced, and the catalog with it, goes at once and not when somebody looks for garbage.
        own = ref(self)
        self._decisions = SharedDecisions(
            lambda question: _alive(own)._decide(question), policy.sql_text, room or Room(_ROOM)
        )
        coded = catalog.coded_types | catalog.cast_types
        self._plain_types = UNDECLARED | {
            oid
            for oid, (schema, name) in catalog.type_names.items()
            if schema == "pg_catalog" and is_builtin_type(name) and (schema, name) not in coded
        }

    def decide(
        self,
        text: str,
        search_path: tuple[str, ...] | None = None,
        temporary: frozenset[str] = _NONE,
        types: tuple[int, ...] = (),
        made: frozenset[MadeName] = _NOTHING,
    ) -> Decision:
        """What becomes of a text; `search_path` is the session's, None if the session may have changed it.

        `temporary` are the names of its temporary tables, `made` what its open transaction made. `types` are the OIDs
        that the client declares for the parameters: all that they can change is which of the functions and operators
        of a name is meant, of which none that may be named reads what is masked.
        """
        if (inner := asked_about(text)) is not None:
            return self._told(text, inner, search_path, temporary, types, made)
        try:
            return self._decisions.decision((text, search_path, temporary, self._telling(types), made))
        except _DeferredError:
            return _DEFERRED.changed(policies=self._policies, generation=self.policy.generation)

    def _told(self, text: str, inner: str, *session: Any) -> Decision:
        """What answers a question about a statement; where nothing at all is allowed, no question is, either."""
        decision = _DEFERRED if asked_about(inner) is not None else self.decide(inner, *session)
        judge = self._enforced or self._observed
        if decision.denial is not None and decision.denial.deferred:
            return self._complete(Decision(Action.DENY, "", denial=not_told()), text)
        if judge is None:
            return decision
        told = answer(decision, judge.governed, self.policy.tags, enforced=self._enforced is not None)
        return self._complete(Decision(Action.REWRITE, told, verbs=("explain",)), text)

    def decide_fully(self, question: Question) -> Decision:
        """What becomes of it, however long that takes to find out."""
        text, search_path, temporary, types, made = question
        self._defers, deferring = False, self._defers
        try:
            return self.decide(text, search_path, temporary, types, made)
        finally:
            self._defers = deferring

    def keep(self, question: Question, decision: Decision) -> None:
        """Answer so from now on: what `decide_fully()` found, in another process."""
        text, search_path, temporary, types, made = question
        self._decisions.keep((text, search_path, temporary, self._telling(types), made), decision)

    def _telling(self, types: tuple[int, ...]) -> tuple[int, ...]:
        """The types that a decision depends on: where rows are filtered all, since a cast of a parameter may fail."""
        if not types or any(one is not None and one.governed.filters.relations for one in self._judges):
            return types
        return tuple(oid for oid in types if oid not in self._plain_types)

    @property
    def _judges(self) -> tuple[_Judge | None, ...]:
        return (self._enforced, self._observed)

    def names(self, schema: str, table: str, column: str, constraint: str) -> bool:
        """Whether an error may name these to the identity: what is known, and has nothing to do with masked columns."""
        relation = self.catalog.relations.get((schema, table))
        if relation is None or not (column or constraint):
            return False
        about = {column} if column else set()
        if constraint:
            known = [one for one in relation.constraints if one.name == constraint]
            if not known:
                return False
            about = about.union(*(one.columns for one in known))
        if any(one is not None and relation.key in one.governed.filters.relations for one in self._judges):
            return False
        masked = [one.governed.columns for one in self._judges if one is not None]
        return all((schema, table, name) not in columns for columns in masked for name in about)

    def alike(self, one: Decision, other: Decision) -> bool:
        """Whether what the same text reads under two search paths has the same columns, by the names of relations."""
        return self._shape(one) == self._shape(other)

    def _shape(self, decision: Decision) -> list[tuple[str, tuple[tuple[str, str], ...]]]:
        names = [tuple(name.split(".", 1)) for name in decision.relations]
        found = [self.catalog.relations.get((schema, name)) for schema, name in names]
        return sorted(
            (one.name, tuple((column.name, column.type_sql) for column in one.columns)) for one in found if one
        )

    def hears(self, channel: str) -> bool:
        """Whether the identity may be told what is sent to a channel, whenever and by whatever it began to listen."""
        judge = self._enforced
        return judge is None or not judge.governed.masked or channel in judge.governed.policies.allow_channels

    def _decide(self, question: Question) -> Decision:
        text = question[0]
        if self._defers and len(text) > MOST_AT_ONCE:
            raise _DeferredError
        if self._enforced is None and self._observed is None:
            denial = Denial(
                f"no DatabaseAccessPolicy gives access to database {self.policy.database}",
                "ask for a policy whose subjects include this identity; if there was one, is the Database still there?",
            )
            return self._complete(Decision(Action.DENY, "", denial=denial, writes=True), text)
        would_be = self._judged(self._observed, question) if self._observed is not None else None
        if self._enforced is not None:
            decision = self._judged(self._enforced, question)
            if would_be is not None:
                held = with_observed(decision.holding, would_be.holding)
                why = decision.denial or would_be.denial
                decision = decision.changed(denial=why, observed=would_be.action, holding=held)
        else:
            decision = _only_observed(would_be, text)
        return self._complete(decision, text)

    def _judged(self, judge: _Judge, question: Question) -> Decision:
        try:
            return judge.decide(question)
        except RecursionError:
            # There may be a deeper stack where it is decided about fully.
            if self._defers:
                raise _DeferredError from None
            return judge.refuse(Denial("the statement is nested too deeply", "split it", sqlstate="54001"))

    def _complete(self, decision: Decision, text: str) -> Decision:
        return decision.changed(
            policies=self._policies, generation=self.policy.generation, **stored(decision, text, self.policy.sql_text)
        )


def _alive(governor: ref[Governor]) -> Governor:
    found = governor()
    if found is None:  # pragma: no cover - whoever asks for a decision has the governor
        raise ReferenceError("the governor is gone")
    return found


def _asked(
    decision: Decision, statements: tuple[ast.Node, ...], cost: CostLimit | None, held: Holding | None, found: Findings
) -> Decision:
    """With what the server is asked before it runs."""
    asks = cost is not None or (held is not None and held.concerns and held.planned)
    text = priced(statements[0], found.substituted) if asks else ""
    return decision.changed(cost_limit=cost, priced=text, holding=held)


def _only_observed(would_be: Decision | None, text: str) -> Decision:
    """Nothing is enforced: the text passes unchanged, with what would have become of it."""
    if would_be is None:
        return Decision(Action.ALLOW, text, writes=True, changes_catalog=True, commits_itself=True)
    unknown = would_be.action is Action.DENY
    return would_be.changed(
        action=Action.ALLOW,
        text=text,
        observed=would_be.action,
        redact_errors=False,
        mixed_errors="",
        row_limit=None,
        change_limit=None,
        cost_limit=None,
        holding=with_observed(None, would_be.holding),
        # What was refused has not been analysed to its end, so it may do anything.
        writes=would_be.writes or unknown,
        runs_code_when_parsed=would_be.runs_code_when_parsed or unknown,
        changes_catalog=would_be.changes_catalog or unknown,
        commits_itself=would_be.commits_itself or unknown,
        changes_search_path=would_be.changes_search_path or unknown,
    )


@dataclass(slots=True)
class _Judge:
    """Decides by one set of policies, as if they were enforced."""

    governed: Governed
    substitutions: Substitutions
    conditioned: tuple[ConditionedColumns, ...] = ()
    # Kept for what a refused text had been found to be.
    bound: Bound = field(default_factory=Bound)

    @classmethod
    def of(cls, policies: PolicySet | None, catalog: Catalog, writer: MaskWriter) -> _Judge | None:
        if policies is None:
            return None
        governed = govern(policies, catalog)
        governed.prepare()
        return cls(governed, Substitutions(governed, writer), conditioned_columns(governed))

    def decide(self, question: Question) -> Decision:
        self.bound = Bound()
        try:
            return self._analyse(*question)
        except Refused as refusal:
            return self.refuse(replace(refusal.denial, word=word_at(question[0], refusal.place)))
        except RecursionError:
            raise
        except Exception as error:  # whatever the analysis does not foresee is refused, not let through
            reason = f"the statement was not understood ({type(error).__name__})"
            return self.refuse(Denial(reason, "simplify it, and report it to the Penstock project"))

    def _analyse(
        self,
        text: str,
        search_path: tuple[str, ...] | None,
        temporary: frozenset[str],
        types: tuple[int, ...],
        made: frozenset[MadeName],
    ) -> Decision:
        """Bind, authorize, edit, prove."""
        governed, catalog = self.governed, self.governed.catalog
        statements = parse(text)
        spread_forms(text, statements)
        if governed.masked and catalog.implicit_cast:
            reason = f"the database's own cast of {catalog.implicit_cast} runs code implicitly"
            raise Refused(Denial(reason, "recreate the cast without AS IMPLICIT or AS ASSIGNMENT, or WITH INOUT"))
        if governed.masked and any(changes_catalog(one, catalog) for one in statements[:-1]):
            # Behind such a statement, which of several relations a bare name means may be another.
            search_path = None
        made_before = made if governed.masked else None
        bound = self.bound = bind(
            statements, catalog, governed.named, search_path, temporary, made_before, governed.written_out
        )
        bind_types(bound, types, catalog)
        authorizer = authorize(bound, governed, self.substitutions, MASKED if governed.masked else UNMASKED, made)
        found = authorizer.found
        if governed.masked:
            found.makes, found.unmakes = (bound.made - made) & authorizer.made, made - bound.made
        if governed.masked and not catalog.utf8 and not text.isascii():
            # Written again, all such names are in quotes.
            found.pinned = True
        source = text
        when_parsed = not governed.masked and self._note_code(text, found, bool(temporary))
        limit = row_limit(governed.policies.max_rows_returned, statements, bound, catalog)
        changes = change_limit(governed.policies.max_rows_changed, statements, bound, found, governed.functions)
        cost = cost_limit(governed.policies.max_plan_cost, statements)
        held = held_effects(governed.policies, statements, bound, found, catalog)
        if found.rewrites:
            statements = edited(statements, authorizer, types)
            text = deparse(statements, found.substituted)
        found.changes_catalog |= any(changes_catalog(one, catalog) for one in statements)
        found.commits_itself |= len(statements) != 1 or any(map(commits_itself, statements))
        decision = self._decision(source, text, found, (limit, changes), when_parsed)
        return decision if cost is None and held is None else _asked(decision, statements, cost, held, found)

    def _note_code(self, text: str, found: Findings, has_tables: bool) -> bool:
        """Code of the database's own that runs where nothing in the text calls it: its effects are not known.

        Whether such code may run when the text is parsed: a literal becomes a value of the type that it is found
        beside, a column's (also of a temporary table, whose types are not known), or what a function or operator of
        the user's gives.
        """
        governed, relations = self.governed, self.bound.relations
        found.writes |= bool(governed.catalog.implicit_cast) or not relations.isdisjoint(governed.code_when_read)
        if not governed.catalog.checked_types or _LITERAL.search(text) is None:
            return False
        writes = self.bound.writes or found.writes or found.calls_own_code
        return writes or has_tables or not relations.isdisjoint(governed.checked_when_parsed)

    def _decision(
        self, source: str, text: str, found: Findings, limits: tuple[Limit | None, Limit | None], when_parsed: bool
    ) -> Decision:
        bound = self.bound
        return Decision(
            Action.REWRITE if found.rewrites else Action.ALLOW,
            text,
            verbs=tuple(bound.verbs),
            relations=_dotted(bound.relations),
            masked=_dotted(found.masked),
            conditions=tuple(one for each in self.conditioned if (one := each.applied(bound.relations)) is not None),
            loosens=found.loosens or (not self.governed.masked and found.runs_unseen(bound.verbs)),
            writes=bound.writes or found.writes,
            undone_by_rollback=undone_by_rollback(bound, found, self.governed),
            runs_code_when_parsed=when_parsed,
            changes_catalog=found.changes_catalog,
            commits_itself=found.commits_itself,
            redact_errors=found.touched,
            mixed_errors=found.mixed_errors,
            changes_search_path=bound.changes_search_path,
            resets_search_path=bound.resets_search_path,
            prepares=tuple(bound.prepares),
            made_from=source if bound.prepares or bound.declares else "",
            declares=tuple(bound.declares),
            executes=tuple(bound.executes),
            fetches=tuple(bound.fetches),
            deallocates=tuple(bound.deallocates),
            closes=tuple(bound.closes),
            temporary=frozenset(bound.temporary),
            drops_temporary=bound.drops_temporary,
            drops_tables=frozenset(bound.drops_tables),
            makes=frozenset(found.makes),
            unmakes=found.unmakes,
            ends=bound.ends,
            outlasts=bound.outlasts,
            row_limit=limits[0],
            change_limit=limits[1],
            masks=tuple(self._applied(found)),
            parts=tuple(
                Recorded(bound.recorded_verbs(one), _dotted(one.relations), _dotted(one.masked), ends=one.ends)
                for one in bound.parts
            ),
        )

    def _applied(self, found: Findings) -> Iterator[AppliedMask]:
        for name in sorted(found.masked):
            mask = self.governed.columns.get(name)
            if mask is not None:
                yield AppliedMask(".".join(name), mask.kind, mask.rule.policy, mask.rule.path)

    def refuse(self, denial: Denial) -> Decision:
        """The refusal, with what the text had been found to be."""
        bound = self.bound
        verbs = dict.fromkeys(verb for one in bound.parts for verb in bound.recorded_verbs(one))
        relations = _dotted(bound.relations)
        return Decision(
            Action.DENY, "", verbs=tuple(bound.verbs), relations=relations, writes=True, denial=denial,
            parts=(Recorded(tuple(verbs), relations),),
        )  # fmt: skip


def _dotted(names: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(sorted(".".join(name) for name in names))
