"""The resource `DatabaseAccessPolicy`: who may do what with a database, and what they see of it.

A field whose effect is not built would be in the model and refused by `unsupported.py`; there is none now.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pglast import ast, parse_sql
from pglast.parser import ParseError
from pydantic import AfterValidator, Field, field_validator, model_validator

from penstock_core.conditions import WHEN, condition
from penstock_core.resources.database import Database
from penstock_core.resources.masks import MaskSpec
from penstock_core.resources.model import Model, NameReference, Resource, Status, ValidationRule
from penstock_core.resources.suspension import Suspension
from penstock_core.resources.vocabulary import (
    Channel,
    Claim,
    Distinct,
    Duration,
    Expression,
    FunctionName,
    Many,
    QualifiedFunction,
    ResourceName,
    SqlCondition,
    TableName,
    milliseconds,
)

Verb = Literal["select", "insert", "update", "delete", "truncate", "create", "alter", "drop"]

_SOMETHING = "give at least one of kind, groups, subject, issuer: an identity without any would match everybody"
# The server counts it in milliseconds, up to some 596 hours.
_LONGEST_TIMEOUT = 576 * 3_600_000
_TIMEOUT = "statementTimeout must be between 1ms and 576h"
_LONGEST_REQUEST = 168 * 3_600_000
_EXPIRY = "expiresAfter must be between 1s and 168h"
_WAIT = "wait may be as long as expiresAfter at most"
_LONGEST_ACCESS = 168 * 3_600_000
_MOST_ACCESS = "maxDuration must be between 1s and 168h"
_HOUR = 3_600_000
_MOST_GLASS = "maxDuration must be between 1s and 1h"
_LONGEST_REVIEW = 720 * 3_600_000
_REVIEW = "reviewWithin must be between 1s and 720h"
_ENFORCED = "onRequest and breakGlass are for policies of mode enforce: only what is enforced can be given for a time"
_REVOKED = "revoked says why a policy of mode revoke is there: only such a policy has it"
_ONE_NAME = "each approval needs a name of its own: what is approved is approved under it"


def _is_condition(text: str) -> str:
    """Raises ConditionError, whose words become the finding's."""
    condition(text, WHEN)
    return text


class IdentitySubject(Model):
    """People, agents or services who proved who they are with a token. All that is given must hold."""

    rules: ClassVar[tuple[ValidationRule, ...]] = (
        ValidationRule("has(self.kind) || has(self.groups) || has(self.subject) || has(self.issuer)", _SOMETHING),
    )

    kind: Literal["person", "agent", "service"] | None = None
    """Whether it is a person, an agent acting for one, or a service."""
    groups: Annotated[Many[Claim], Field(min_length=1, max_length=64), Distinct()] | None = None
    """Groups, of which the identity must be in at least one."""
    subject: Claim | None = None
    """The one identity of this name (the token's sub). Names are an issuer's own: give issuer too where the proxy
    trusts several."""
    issuer: Claim | None = None
    """Identities that this issuer vouches for (the token's iss)."""

    @model_validator(mode="after")
    def _not_everybody(self) -> Self:
        if self.kind is None and self.groups is None and self.subject is None and self.issuer is None:
            raise ValueError(_SOMETHING)
        return self


class Subject(Model):
    """One kind of subject: a service account, a pod, or identities proved by a token."""

    one_of: ClassVar[tuple[str, ...]] = ("serviceAccount", "pod", "identity")

    service_account: NameReference | None = None
    """The pods that run as this service account of the same namespace."""
    pod: NameReference | None = None
    """The one pod of this name, of the same namespace."""
    identity: IdentitySubject | None = None
    """People, agents or services who proved who they are with a token."""


class RowFilter(Model):
    """The rows of one table that are there at all."""

    table: TableName
    """The table: schema.table."""
    where: SqlCondition
    """A condition in SQL over the table's columns: region = 'eu' AND state <> 'void'. It compares columns with values
    that are written out, or with each other (=, <, IN, BETWEEN, LIKE, IS NULL, AND, OR, NOT; lower, upper, length,
    left, right, coalesce; ->, ->>, @> and ? of jsonb), and so can't fail for any row."""
    uniqueness: Literal["protect", "reveal"] = "protect"
    """Whether unique constraints, foreign keys, and sequences that number the rows, may tell of those that are filtered
    out: without it, rows can be inserted only where each unique constraint has all columns of the condition, and no
    sequence numbers them; with it, whoever may write learns by trying which values are taken. Where several filters
    meet on one table, all have to say so."""

    @field_validator("where")
    @classmethod
    def _a_condition(cls, where: str) -> str:
        try:
            (statement,) = parse_sql(f"SELECT NULL WHERE ({where}\n)")
        except (ParseError, ValueError) as error:
            raise ValueError(f"must be a condition in SQL: {' '.join(str(error.args[0]).split())}") from None
        query = statement.stmt
        parts = {name for name in query if getattr(query, name)} if isinstance(query, ast.SelectStmt) else set()
        if parts != {"targetList", "whereClause"}:
            raise ValueError("must be one condition in SQL")
        return where


class Guardrails(Model):
    """What is refused whatever the statement's verb is allowed to do."""

    rules: ClassVar[tuple[ValidationRule, ...]] = (
        ValidationRule(
            "!has(self.statementTimeout) || (duration(self.statementTimeout) >= duration('1ms') && "
            "duration(self.statementTimeout) <= duration('576h'))",
            _TIMEOUT,
        ),
    )

    require_where: Annotated[Many[Literal["update", "delete"]], Field(max_length=2), Distinct()] = ()
    """Verbs that need a WHERE; one that is always true does not count."""
    deny_functions: Annotated[Many[FunctionName], Field(max_length=256), Distinct()] = ()
    """Functions that may not be called, in lower case: pg_sleep, or public.report for one schema's alone."""
    max_rows_returned: Annotated[int, Field(ge=0, le=2**31 - 1)] | None = None
    """How many rows one statement may return, and one cursor or portal in all its portions; at one more it fails. COPY
    TO, and texts of several statements of which one may return rows, are refused then. Where it is only observed, rows
    are not counted."""
    max_rows_changed: Annotated[int, Field(ge=0, le=2**53)] | None = None
    """How many rows one statement may change, with all that triggers, foreign keys and functions change by it; above
    that it fails, and changes none. TRUNCATE, DO, foreign tables, texts of several statements of which one may change
    rows, and functions that commit or truncate are refused then. Where it is only observed, rows are not counted."""
    max_plan_cost: Annotated[float, Field(ge=0, le=1e15, allow_inf_nan=False)] | None = None
    """What the planner may estimate that one statement costs, in its own units, with the parameters it runs with; above
    that it is refused. CALL, COPY FROM, FETCH, changes of the schema, and what functions and triggers run are not
    estimated. Settings that costs are computed by may not be changed then. Where it is only observed, costs are not
    asked for."""
    require_context: bool = False
    """Whether statements that read or change anything of the database's own need a context, a token that says for which
    person the transaction is (SET LOCAL penstock.context). Settings, transactions and the system's catalogs don't."""
    statement_timeout: Duration | None = None
    """How long one statement may run, by the server's statement_timeout; sessions may set that to less, never to more.
    A policy that shortens it ends the sessions that were opened with more: once idle, at the latest after that time."""

    @model_validator(mode="after")
    def _a_timeout_that_the_server_has(self) -> Self:
        # To the server, 0 is none at all.
        if self.statement_timeout is not None and not 1 <= milliseconds(self.statement_timeout) <= _LONGEST_TIMEOUT:
            raise ValueError(_TIMEOUT)
        return self


class Approvers(Model):
    """Who may approve."""

    groups: Annotated[Many[Claim], Field(min_length=1, max_length=64), Distinct()]
    """Groups of Kubernetes users, any one of them."""


class Approval(Model):
    """Statements that are held until somebody approves them."""

    rules: ClassVar[tuple[ValidationRule, ...]] = (
        ValidationRule(
            "!has(self.expiresAfter) || (duration(self.expiresAfter) >= duration('1s') && "
            "duration(self.expiresAfter) <= duration('168h'))",
            _EXPIRY,
        ),
        ValidationRule(
            "!has(self.wait) || !has(self.expiresAfter) || duration(self.wait) <= duration(self.expiresAfter)", _WAIT
        ),
    )

    name: ResourceName
    """The rule's name, for messages and the audit trail; no other approval of the policy has it."""
    when: Annotated[Expression, AfterValidator(_is_condition)]
    """Which statements are held: a condition in CEL over identity, session, statement and now, such as statement.verb
    in ['alter', 'drop']. What depends on something that is not known is held; where it can't be evaluated, the
    statement is refused. What it may name is in docs/conditions.md."""
    approvers: Approvers
    """Who may approve."""
    expires_after: Duration = "1h"
    """How long a request can be approved, and an approval used: between 1s and 168h."""
    wait: Duration = "0s"
    """How long a session of a person or service waits for it, outside of transaction blocks; 0s, or in any other
    session: the statement fails at once with the request's name, and is to be run again once it is approved."""

    @model_validator(mode="after")
    def _times(self) -> Self:
        expires = milliseconds(self.expires_after)
        if not 1000 <= expires <= _LONGEST_REQUEST:
            raise ValueError(_EXPIRY)
        if milliseconds(self.wait) > expires:
            raise ValueError(_WAIT)
        return self


def _bounded(field: str, hours: str, message: str) -> ValidationRule:
    """The API server's rule for a duration that has a default."""
    given = f"duration(self.{field})"
    return ValidationRule(
        f"!has(self.{field}) || ({given} >= duration('1s') && {given} <= duration('{hours}'))", message
    )


class OnRequest(Model):
    """Access for a time: who approves it, and how much can be asked for."""

    rules: ClassVar[tuple[ValidationRule, ...]] = (
        _bounded("maxDuration", "168h", _MOST_ACCESS),
        _bounded("expiresAfter", "168h", _EXPIRY),
    )

    approvers: Approvers
    """Who may approve. Nobody approves what they ask for themselves, nor what an agent asks for that acts for them."""
    max_duration: Duration = "1h"
    """For how long it can be asked for at most: between 1s and 168h. Who approves may give less."""
    expires_after: Duration = "1h"
    """How long a request can be approved: between 1s and 168h."""

    @model_validator(mode="after")
    def _times(self) -> Self:
        if not 1000 <= milliseconds(self.max_duration) <= _LONGEST_ACCESS:
            raise ValueError(_MOST_ACCESS)
        if not 1000 <= milliseconds(self.expires_after) <= _LONGEST_REQUEST:
            raise ValueError(_EXPIRY)
        return self


class BreakGlass(Model):
    """Access in an emergency: who may take it, and who reviews it."""

    rules: ClassVar[tuple[ValidationRule, ...]] = (
        _bounded("maxDuration", "1h", _MOST_GLASS),
        _bounded("reviewWithin", "720h", _REVIEW),
    )

    groups: Annotated[Many[Claim], Field(min_length=1, max_length=64), Distinct()] | None = None
    """Groups of people who may, any one of them, by the token that they come with; absent: all people whom the policy
    is for. Agents and services never may."""
    reviewers: Approvers
    """Who reviews it afterwards. Nobody reviews what they did themselves."""
    max_duration: Duration = "1h"
    """For how long it can be taken at once: between 1s and 1h."""
    review_within: Duration = "72h"
    """Until how long after its beginning it has to be reviewed: between 1s and 720h. Whose emergency was not reviewed
    in time gets no other before it is."""

    @model_validator(mode="after")
    def _times(self) -> Self:
        if not 1000 <= milliseconds(self.max_duration) <= _HOUR:
            raise ValueError(_MOST_GLASS)
        if not 1000 <= milliseconds(self.review_within) <= _LONGEST_REVIEW:
            raise ValueError(_REVIEW)
        return self


class Audit(Model):
    """How the statements that this policy governs are recorded."""

    sql_text: Literal["normalized", "full", "hash"] = "normalized"
    """How SQL is stored: without its comments and literals, in full, or only as a keyed hash. Where several policies
    match, the first of hash, normalized, full that any of them has."""
    on_failure: Literal["block", "continue"] = "block"
    """What happens to statements while they can't be recorded. Where several policies match, one block is enough."""


class DatabaseAccessPolicySpec(Model):
    """Who may do what with the database, and what they see of it."""

    rules: ClassVar[tuple[ValidationRule, ...]] = (
        ValidationRule(
            "!has(self.approvals) || self.approvals.all(one, self.approvals.exists_one(other, other.name == one.name))",
            _ONE_NAME,
        ),
        ValidationRule(
            "!(has(self.onRequest) || has(self.breakGlass)) || !has(self.mode) || self.mode == 'enforce'", _ENFORCED
        ),
        ValidationRule("!has(self.revoked) || (has(self.mode) && self.mode == 'revoke')", _REVOKED),
    )

    database_ref: NameReference
    """The Database, in the same namespace."""
    subjects: Annotated[Many[Subject], Field(min_length=1, max_length=64)]
    """Whom the policy is for: any one of them. Nothing stands for everybody."""
    mode: Literal["enforce", "observe", "revoke"] = "enforce"
    """Enforce, or observe: record what would have happened and change nothing. revoke is the kill switch: sessions of
    the subjects, and of agents that act for them or had work from them, are ended at once wherever they are, and none
    begins, whatever other policies say; then only databaseRef, subjects and revoked count."""
    revoked: Suspension | None = None
    """Why the subjects are revoked, where mode is revoke: they read it, and the trail has it."""
    on_request: OnRequest | None = None
    """With it, the policy is in effect only for those of its subjects who have asked for access and were given it, and
    until that ends. For all others it is as if it were not there: it neither gives nor takes. docs/approvals.md."""
    break_glass: BreakGlass | None = None
    """With it, the policy is in effect only as with onRequest, and people may take it at once in an emergency, with an
    alarm, a full record and a review. Either of the two may be there, or both. docs/break-glass.md."""
    allow: Annotated[Many[Verb], Field(max_length=8), Distinct()] = ("select",)
    """What statements may do. COPY TO counts as select, COPY FROM as insert, MERGE as what its actions do. Policies
    that match one identity add up; an empty list only takes away."""
    allow_functions: Annotated[Many[QualifiedFunction], Field(max_length=256), Distinct()] = ()
    """Functions, procedures and trigger functions of the database's own that may run whatever they do: app.slugify. You
    vouch for them: that they show nothing of masked columns, and write nothing that the policy forbids. Needed only for
    those whose bodies can't be analysed or do more than the policy allows. denyFunctions wins."""
    allow_channels: Annotated[Many[Channel], Field(max_length=256), Distinct()] = ()
    """Channels that may be LISTENed to where columns are masked: jobs. You vouch for them: that no trigger, function or
    application sends masked values there, nor messages that depend on them. Where nothing is masked, all may be."""
    masks: Annotated[Many[MaskSpec], Field(max_length=128)] = ()
    """What is put in place of sensitive columns. Where several match one column, the strictest wins: null, redact,
    constant, hash, partial, email, year, month, bucket (and of buckets, the widest)."""
    row_order: Literal["always", "complete", "unspecified"] = "complete"
    """What becomes of the order of rows where an index, partition or view could let masked values decide it: complete
    (the primary key, or all unmasked columns, are added behind what a statement sorts by), or unspecified: statements
    keep the order that the server happens to read in, which can tell how masked values compare. always completes the
    order of every relation with masked columns: also of those that were written in the order of masked values, which no
    catalog tells. Where several policies match, the strictest holds."""
    row_filters: Annotated[Many[RowFilter], Field(max_length=64)] | None = None
    """Which rows of a table, its partitions and what inherits from it there are at all; a row must keep to each filter
    of the table. INSERT, UPDATE and DELETE keep to these rows, too, and so do views that are no security barrier."""
    guardrails: Guardrails = Guardrails()
    """What is refused whatever is allowed."""
    approvals: Annotated[Many[Approval], Field(max_length=32)] | None = None
    """Statements that are held until somebody approves them, once for each time that they run. Where several hold one
    statement, who approves has to be in a group that all of them name."""
    audit: Audit = Audit()
    """How statements are recorded."""

    @model_validator(mode="after")
    def _one_name_each(self) -> Self:
        names = [one.name for one in self.approvals or ()]
        if len(set(names)) < len(names):
            raise ValueError(_ONE_NAME)
        if self.by_request and self.mode != "enforce":
            raise ValueError(_ENFORCED)
        if self.revoked is not None and self.mode != "revoke":
            raise ValueError(_REVOKED)
        return self

    @property
    def by_request(self) -> bool:
        """Whether the policy is in effect only for who asked for it."""
        return self.on_request is not None or self.break_glass is not None


class DatabaseAccessPolicyStatus(Status):
    """What the operator found out about the policy."""

    pods: Annotated[int, Field(ge=0)] | None = None
    """How many running pods the policy governs."""


class DatabaseAccessPolicy(Resource):
    """Who may do what with a Database, and what they see of it. Without one that matches, there is no access.

    It has effect in its own namespace alone. Several that match one identity combine: what is allowed adds up, a
    refusal wins, the stricter mask wins.
    """

    api_version: Literal["penstock.dev/v1alpha1"] = "penstock.dev/v1alpha1"
    kind: Literal["DatabaseAccessPolicy"] = "DatabaseAccessPolicy"
    spec: DatabaseAccessPolicySpec
    """Who may do what with the database, and what they see of it."""
    status: DatabaseAccessPolicyStatus | None = None
    """Written by the operator."""

    def governs(self, database: Database) -> bool:
        """Whether the policy is for that database; a policy only has effect in its own namespace."""
        return self.namespace == database.namespace and self.spec.database_ref.name == database.name
