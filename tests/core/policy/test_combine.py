"""What policies come to for an identity: a table of policies in, identity, what is allowed, masked and refused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock_core.identity import Identity, Principal, Workload
from penstock_core.policy.combine import effective
from penstock_core.policy.effective import (
    ApprovalRule,
    CostLimit,
    EffectivePolicy,
    Limit,
    Mask,
    MaskRule,
    PolicySet,
    RowFilter,
    Rule,
)
from penstock_core.resources import Bundle, Database, DatabaseAccessPolicy

DATABASE = Database.model_validate(
    {
        "apiVersion": "penstock.dev/v1alpha1",
        "kind": "Database",
        "metadata": {"name": "shop", "namespace": "shop"},
        "spec": {
            "host": "db",
            "dbname": "shop",
            "credentialsSecretRef": {"name": "shop-db"},
            "classification": [
                {"columns": ["public.customers.email", "*.*.email"], "tag": "pii.email"},
                {"columns": ['public."Payments".card', "public.payments.pan"], "tag": "pci.pan"},
                {"columns": ["*.*.iban"], "tag": "pci.pan"},
            ],
        },
    }
)
# The classification, as the catalog spells columns.
TAGS = (
    ("public.customers.email", "pii.email"), ("*.*.email", "pii.email"), ("public.Payments.card", "pci.pan"),
    ("public.payments.pan", "pci.pan"), ("*.*.iban", "pci.pan"),
)  # fmt: skip
WEB = Identity(workload=Workload("shop", "web", "web-1", "uid-1"))
ADA = Identity(principal=Principal("person", "ada", "https://id.example.com", ("dpo", "staff")))
BOT = Identity(
    workload=Workload("shop", "bots"), principal=Principal("agent", "bot", "https://id.example.com", ("support",))
)
NOBODY = Identity()
SA_WEB = {"serviceAccount": {"name": "web"}}


def policy(name: str, *subjects: dict[str, Any], **spec: Any) -> DatabaseAccessPolicy:
    """A policy for the service account `web` unless it says for whom."""
    return DatabaseAccessPolicy.model_validate(
        {
            "apiVersion": "penstock.dev/v1alpha1",
            "kind": "DatabaseAccessPolicy",
            "metadata": {"name": name, "namespace": "shop"},
            "spec": {"databaseRef": {"name": "shop"}, "subjects": list(subjects) or [SA_WEB], **spec},
        }
    )


def bundle(*policies: DatabaseAccessPolicy, generation: int = 7) -> Bundle:
    key = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
    return Bundle.model_validate({"generation": generation, "database": DATABASE, "policies": policies, "maskKey": key})


DROPS = "statement.verb == 'drop'"


def approval(name: str, groups: tuple[str, ...] | list[str] = ("dba",), **more: str) -> dict[str, Any]:
    return {"name": name, "when": DROPS, "approvers": {"groups": list(groups)}, **more}


def mask(with_: dict[str, Any], *columns: str, **tags: Any) -> dict[str, Any]:
    return {"with": with_, **({"columns": columns} if columns else tags)}


def only(*policies: str, **parts: Any) -> PolicySet:
    return PolicySet(policies, **{"allow": frozenset({"select"}), **parts})


AGENTS = {"identity": {"kind": "agent"}}
PEOPLE = {"identity": {"kind": "person"}}


# ── What they come to ──

ALLOW_ALL = ("select", "insert", "update", "delete")
EMAIL, REDACT, HASH, NULL = {"email": {}}, {"redact": {}}, {"hash": {}}, {"null": {}}
TABLE: dict[str, tuple[list[DatabaseAccessPolicy], Identity, PolicySet | None, PolicySet | None]] = {
    "no policy, no access": ([], WEB, None, None),
    "a policy for others is no policy": ([policy("a", AGENTS)], WEB, None, None),
    "reading is allowed unless more is said": ([policy("a")], WEB, only("a"), None),
    "what is allowed adds up": (
        [policy("a", allow=["insert"]), policy("b", allow=["update", "select"])],
        WEB,
        only("a", "b", allow=frozenset({"insert", "update", "select"})),
        None,
    ),
    "an empty allow only takes away": (
        [policy("a", allow=[], masks=[mask(NULL, "public.t.c")]), policy("b")],
        WEB,
        only("a", "b", masks=(MaskRule(("public.t.c",), Mask("null", Rule("a", "masks[0]"))),)),
        None,
    ),
    "tags become columns, quotes fall away": (
        [policy("a", masks=[mask({"partial": {"keepLast": 4}}, tags=["pci.pan"])])],
        WEB,
        only(
            "a",
            masks=(
                MaskRule(
                    ("*.*.iban", "public.Payments.card", "public.payments.pan"),
                    Mask("partial", Rule("a", "masks[0]"), keep_last=4),
                ),
            ),
        ),
        None,
    ),
    "several tags in one mask": (
        [policy("a", masks=[mask(HASH, tags=["pii.email", "pci.pan"])])],
        WEB,
        only(
            "a",
            masks=(
                MaskRule(
                    ("*.*.email", "*.*.iban", "public.Payments.card", "public.customers.email", "public.payments.pan"),
                    Mask("hash", Rule("a", "masks[0]")),
                ),
            ),
        ),
        None,
    ),
    "masks of all policies stand together, the strictest first": (
        [
            policy("b", masks=[mask(EMAIL, "public.t.c"), mask({"constant": {"value": "x"}}, "public.t.c")]),
            policy("a", masks=[mask(EMAIL, "public.t.c"), mask(REDACT, "public.t.c")]),
        ],
        WEB,
        only(
            "a",
            "b",
            masks=(
                MaskRule(("public.t.c",), Mask("redact", Rule("a", "masks[1]"))),
                MaskRule(("public.t.c",), Mask("constant", Rule("b", "masks[1]"), value="x")),
                MaskRule(("public.t.c",), Mask("email", Rule("a", "masks[0]"))),
                MaskRule(("public.t.c",), Mask("email", Rule("b", "masks[0]"))),
            ),
        ),
        None,
    ),
    "settings of a partial mask": (
        [policy("a", masks=[mask({"partial": {"keepFirst": 1, "keepLast": 2, "fill": "#"}}, "a.b.c")])],
        WEB,
        only(
            "a",
            masks=(MaskRule(("a.b.c",), Mask("partial", Rule("a", "masks[0]"), keep_first=1, keep_last=2, fill="#")),),
        ),
        None,
    ),
    "what is chosen of a masked column's writing": (
        [
            policy(
                "a",
                masks=[{**mask(EMAIL, "a.b.c"), "uniqueness": "reveal", "write": "allow", "writeBack": "ignore"}],
            )
        ],
        WEB,
        only(
            "a",
            masks=(
                MaskRule(
                    ("a.b.c",),
                    Mask(
                        "email",
                        Rule("a", "masks[0]"),
                        reveals_uniqueness=True,
                        writable=True,
                        ignores_write_back=True,
                    ),
                ),
            ),
        ),
        None,
    ),
    "what row filters let keys tell": (
        [
            policy("a", rowFilters=[{"table": "a.b", "where": "c = 1", "uniqueness": "reveal"}]),
            policy("b", rowFilters=[{"table": "a.b", "where": "d = 1"}]),
        ],
        WEB,
        only(
            "a",
            "b",
            row_filters=(
                RowFilter(("a", "b"), "c = 1", Rule("a", "rowFilters[0]"), reveals_uniqueness=True),
                RowFilter(("a", "b"), "d = 1", Rule("b", "rowFilters[0]")),
            ),
        ),
        None,
    ),
    "of two partial masks the one that leaves less is the stricter": (
        [
            policy("a", masks=[mask({"partial": {"keepLast": 4}}, "a.b.c")]),
            policy("b", masks=[mask({"partial": {"keepFirst": 1, "keepLast": 1}}, "a.b.c")]),
        ],
        WEB,
        only(
            "a",
            "b",
            masks=(
                MaskRule(("a.b.c",), Mask("partial", Rule("b", "masks[0]"), keep_first=1, keep_last=1)),
                MaskRule(("a.b.c",), Mask("partial", Rule("a", "masks[0]"), keep_last=4)),
            ),
        ),
        None,
    ),
    "of two buckets the wider is the stricter, and rounding the least strict of all": (
        [
            policy("a", masks=[mask({"bucket": {"size": 10}}, "a.b.c"), mask({"month": {}}, "a.b.c")]),
            policy("b", masks=[mask({"bucket": {"size": 0.5}}, "a.b.c"), mask({"year": {}}, "a.b.c")]),
            policy("c", masks=[mask({"bucket": {"size": 1000}}, "a.b.c"), mask(EMAIL, "a.b.c")]),
        ],
        WEB,
        only(
            "a",
            "b",
            "c",
            masks=(
                MaskRule(("a.b.c",), Mask("email", Rule("c", "masks[1]"))),
                MaskRule(("a.b.c",), Mask("year", Rule("b", "masks[1]"))),
                MaskRule(("a.b.c",), Mask("month", Rule("a", "masks[1]"))),
                MaskRule(("a.b.c",), Mask("bucket", Rule("c", "masks[0]"), size=1000.0)),
                MaskRule(("a.b.c",), Mask("bucket", Rule("a", "masks[0]"), size=10.0)),
                MaskRule(("a.b.c",), Mask("bucket", Rule("b", "masks[0]"), size=0.5)),
            ),
        ),
        None,
    ),
    "a guardrail of one is a guardrail for all": (
        [
            policy("b", allow=ALLOW_ALL, guardrails={"requireWhere": ["delete"], "denyFunctions": ["pg_sleep"]}),
            policy("a", guardrails={"requireWhere": ["delete", "update"]}),
            policy("c", guardrails={"denyFunctions": ["public.f", "pg_sleep"]}),
        ],
        WEB,
        only(
            "a",
            "b",
            "c",
            allow=frozenset(ALLOW_ALL),
            require_where=(
                ("delete", Rule("a", "guardrails.requireWhere")),
                ("update", Rule("a", "guardrails.requireWhere")),
            ),
            deny_functions=(
                ("pg_sleep", Rule("b", "guardrails.denyFunctions")),
                ("public.f", Rule("c", "guardrails.denyFunctions")),
            ),
        ),
        None,
    ),
    "what one vouches for holds for all, but for a policy that grants nothing": (
        [
            policy("b", allowFunctions=["app.slugify", "app.touch"]),
            policy("a", allowFunctions=["app.touch"]),
            policy("c", allowFunctions=["app.spy"], masks=[{"tags": ["typing.mistake"], "with": NULL}]),
        ],
        WEB,
        only(
            "a",
            "b",
            "c",
            allow_functions=(
                ("app.slugify", Rule("b", "allowFunctions")),
                ("app.touch", Rule("a", "allowFunctions")),
            ),
        ),
        None,
    ),
    "channels add up, but for a policy that grants nothing": (
        [
            policy("a", allowChannels=["jobs", "Odd One"]),
            policy("b", allowChannels=["cache"]),
            policy("c", allowChannels=["salaries"], masks=[{"tags": ["typing.mistake"], "with": NULL}]),
        ],
        WEB,
        only("a", "b", "c", allow_channels=frozenset({"jobs", "Odd One", "cache"})),
        None,
    ),
    "the smallest limit holds for all": (
        [
            policy("c", guardrails={"statementTimeout": "90s", "maxRowsReturned": 50, "maxRowsChanged": 0}),
            policy("b", guardrails={"statementTimeout": "1m", "maxRowsReturned": 8, "maxPlanCost": 1.5}),
            policy("a", guardrails={"statementTimeout": "1m30s"}),
            policy("d", guardrails={"statementTimeout": "60000ms", "maxRowsReturned": 7}),
            policy("e", guardrails={"maxRowsChanged": 1, "maxPlanCost": 1e7}),
        ],
        WEB,
        only(
            *"abcde",
            max_rows_changed=Limit(0, Rule("c", "guardrails.maxRowsChanged")),
            max_plan_cost=CostLimit(1.5, Rule("b", "guardrails.maxPlanCost")),
            statement_timeout=Limit(60_000, Rule("b", "guardrails.statementTimeout")),
            max_rows_returned=Limit(7, Rule("d", "guardrails.maxRowsReturned")),
        ),
        None,
    ),
    "approvals add up": (
        [
            policy("b", approvals=[approval("drops", wait="90s"), approval("again", groups=["ops", "dba"])]),
            policy("a", approvals=[approval("drops", expiresAfter="4h")]),
            policy("c"),
        ],
        WEB,
        only(
            *"abc",
            approvals=(
                ApprovalRule("drops", DROPS, ("dba",), "4h", 0, Rule("a", "approvals[drops]")),
                ApprovalRule("drops", DROPS, ("dba",), "1h", 90_000, Rule("b", "approvals[drops]")),
                ApprovalRule("again", DROPS, ("dba", "ops"), "1h", 0, Rule("b", "approvals[again]")),
            ),
        ),
        None,
    ),
    "the audit of the most careful": (
        [
            policy("a", audit={"sqlText": "full", "onFailure": "continue"}),
            policy("b", audit={"sqlText": "hash", "onFailure": "continue"}),
            policy("c", audit={"sqlText": "normalized"}),
        ],
        WEB,
        only("a", "b", "c", sql_text="hash", on_failure="block"),
        None,
    ),
    "full and continue if all that match say so": (
        [
            policy("a", audit={"sqlText": "full", "onFailure": "continue"}),
            policy("b", AGENTS, audit={"sqlText": "hash"}),
        ],
        WEB,
        only("a", sql_text="full", on_failure="continue"),
        None,
    ),
    "observing alone enforces nothing": (
        [policy("a", mode="observe", masks=[mask(NULL, "a.b.c")])],
        WEB,
        None,
        only("a", masks=(MaskRule(("a.b.c",), Mask("null", Rule("a", "masks[0]"))),)),
    ),
    "enforcing and observing: what is, and what would be": (
        [
            policy("now", allow=["select"], masks=[mask(EMAIL, "a.b.c")]),
            policy("soon", mode="observe", allow=["insert"], masks=[mask(NULL, "a.b.c")], audit={"sqlText": "hash"}),
        ],
        WEB,
        only("now", masks=(MaskRule(("a.b.c",), Mask("email", Rule("now", "masks[0]"))),)),
        only(
            "now",
            "soon",
            allow=frozenset({"select", "insert"}),
            masks=(
                MaskRule(("a.b.c",), Mask("null", Rule("soon", "masks[0]"))),
                MaskRule(("a.b.c",), Mask("email", Rule("now", "masks[0]"))),
            ),
            sql_text="hash",
        ),
    ),
    "an observing policy for others is no business of this one": (
        [policy("now"), policy("soon", AGENTS, mode="observe")],
        WEB,
        only("now"),
        None,
    ),
    "a workload's and its principal's policies add up": (
        [policy("pod", {"serviceAccount": {"name": "bots"}}, allow=["insert"]), policy("agent", AGENTS)],
        BOT,
        only("agent", "pod", allow=frozenset({"select", "insert"})),
        None,
    ),
    "a mask for a tag that no column bears: nothing is allowed, the rest still holds": (
        [
            policy(
                "typo",
                allow=ALLOW_ALL,
                masks=[mask(NULL, tags=["pii.emial"]), mask(REDACT, "a.b.c")],
                guardrails={"requireWhere": ["update"]},
            )
        ],
        WEB,
        only(
            "typo",
            allow=frozenset(),
            masks=(MaskRule(("a.b.c",), Mask("redact", Rule("typo", "masks[1]"))),),
            require_where=(("update", Rule("typo", "guardrails.requireWhere")),),
        ),
        None,
    ),
    "the strictest order of rows holds": (
        [policy("a", rowOrder="unspecified"), policy("b", rowOrder="always"), policy("c")],
        WEB,
        only("a", "b", "c", row_order="always"),
        None,
    ),
    "one policy that completes the order of rows is enough": (
        [policy("a", rowOrder="unspecified"), policy("b")],
        WEB,
        only("a", "b"),
        None,
    ),
    "the order of rows is left open where every policy says so": (
        [policy("a", rowOrder="unspecified"), policy("b", rowOrder="unspecified")],
        WEB,
        only("a", "b", row_order="unspecified"),
        None,
    ),
    "and what another policy allows stays allowed": (
        [policy("typo", allow=ALLOW_ALL, masks=[mask(NULL, tags=["pii.emial", "pii.email"])]), policy("other")],
        WEB,
        only(
            "other",
            "typo",
            masks=(MaskRule(("*.*.email", "public.customers.email"), Mask("null", Rule("typo", "masks[0]"))),),
        ),
        None,
    ),
}


@pytest.mark.parametrize(("policies", "identity", "enforced", "observed"), TABLE.values(), ids=TABLE.keys())
def test_what_policies_come_to(
    policies: list[DatabaseAccessPolicy],
    identity: Identity,
    enforced: PolicySet | None,
    observed: PolicySet | None,
) -> None:
    assert effective(bundle(*policies), identity) == EffectivePolicy("shop", enforced, observed, 7, tags=TAGS)


# ── Whatever the policies ──

_columns = st.sampled_from(["a.b.c", "*.*.email", "public.t.x"])
_kinds = st.sampled_from(
    [EMAIL, REDACT, HASH, NULL, {"partial": {"keepLast": 2}}, {"constant": {"value": "v"}}, {"bucket": {"size": 5}}]
)
_conditions = st.sampled_from(
    [None, "'dpo' in identity.groups", "identity.kind == 'agent'", "identity.groups[9] == ''"]
)
_masks = st.builds(
    lambda kind, column, unless: mask(kind, column) | ({} if unless is None else {"unless": unless}),
    _kinds, _columns, _conditions,
)  # fmt: skip
_verbs = st.lists(st.sampled_from(ALLOW_ALL), unique=True)
_specs = st.fixed_dictionaries(
    {
        "subjects": st.lists(st.sampled_from([SA_WEB, AGENTS, PEOPLE]), min_size=1, max_size=2),
        "mode": st.sampled_from(["enforce", "observe"]),
        "allow": _verbs,
        "allowFunctions": st.lists(st.sampled_from(["app.f", "public.f"]), unique=True),
        "allowChannels": st.lists(st.sampled_from(["jobs", "cache"]), unique=True),
        "masks": st.lists(_masks, max_size=3),
        "approvals": st.lists(
            st.sampled_from([approval("drops"), approval("others", ["ops"])]), unique_by=lambda one: str(one["name"])
        ),
        "rowFilters": st.lists(
            st.builds(dict, table=st.sampled_from(["public.t", "a.b"]), where=st.sampled_from(["x = 1", "y = 2"])),
            max_size=2,
        ),
        "rowOrder": st.sampled_from(["always", "complete", "unspecified"]),
        "guardrails": st.fixed_dictionaries(
            {
                "requireWhere": st.lists(st.sampled_from(["update", "delete"]), unique=True),
                "denyFunctions": st.lists(st.sampled_from(["pg_sleep", "public.f", "f"]), unique=True),
                "maxRowsReturned": st.sampled_from([None, 1, 10_000]),
                "maxRowsChanged": st.sampled_from([None, 0, 100]),
                "maxPlanCost": st.sampled_from([None, 0.5, 1e6]),
                "statementTimeout": st.sampled_from([None, "1s", "1m", "61s"]),
            }
        ),
        "audit": st.fixed_dictionaries(
            {
                "sqlText": st.sampled_from(["hash", "normalized", "full"]),
                "onFailure": st.sampled_from(["block", "continue"]),
            }
        ),
    }
)  # fmt: skip


@st.composite
def sets(draw: st.DrawFn) -> list[DatabaseAccessPolicy]:
    specs = draw(st.lists(_specs, max_size=4))
    return [policy(f"p{place}", *spec.pop("subjects"), **spec) for place, spec in enumerate(specs)]


@given(sets(), st.sampled_from([WEB, BOT, ADA, NOBODY]), st.data())
def test_the_order_of_policies_makes_no_difference(
    policies: list[DatabaseAccessPolicy], identity: Identity, data: st.DataObject
) -> None:
    shuffled = data.draw(st.permutations(policies))
    assert effective(bundle(*shuffled), identity) == effective(bundle(*policies), identity)


def within(one: Limit | CostLimit | None, other: Limit | CostLimit | None) -> bool:
    """Whether the other limit allows no more than the one."""
    return one is None or (other is not None and other.value <= one.value)


def refusals(one: PolicySet) -> set[object]:
    """All that a set takes away: masks, rows, what is held, and names of what is refused."""
    return {
        *one.masks,
        *one.approvals,
        *one.row_filters,
        *(verb for verb, _ in one.require_where),
        *(name for name, _ in one.deny_functions),
    }


@given(sets(), st.sampled_from([WEB, BOT]))
def test_no_policy_takes_back_what_another_refuses(policies: list[DatabaseAccessPolicy], identity: Identity) -> None:
    whole = effective(bundle(*policies), identity)
    for one in policies:
        alone = effective(bundle(one), identity)
        if alone.enforced is not None:
            assert whole.enforced is not None
            assert refusals(alone.enforced) <= refusals(whole.enforced)
            assert within(alone.enforced.max_rows_returned, whole.enforced.max_rows_returned)
            assert within(alone.enforced.max_rows_changed, whole.enforced.max_rows_changed)
            assert within(alone.enforced.max_plan_cost, whole.enforced.max_plan_cost)
            assert within(alone.enforced.statement_timeout, whole.enforced.statement_timeout)
            assert alone.enforced.allow <= whole.enforced.allow
        if alone.observed is not None:
            assert whole.observed is not None
            assert refusals(alone.observed) <= refusals(whole.observed)


@given(sets())
def test_nobody_gets_nothing(policies: list[DatabaseAccessPolicy]) -> None:
    found = effective(bundle(*policies), NOBODY)
    assert (found.enforced, found.observed) == (None, None)
