"""What rules of authorization share: verbs, denied functions, code of one's own, and what they found out."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.core.sql.test_governor import CATALOG, KEY, MASKING, PLAIN, rule

from penstock_core.policy.effective import VERBS, PolicySet, Rule
from penstock_core.sql.allowlists.statement_kinds import Kind
from penstock_core.sql.authorize.authorizer import Authorizer, Findings, certain
from penstock_core.sql.bind.bound import Bound
from penstock_core.sql.bind.name_resolution import Ambiguous, ResolvedRelation
from penstock_core.sql.decision import Denial
from penstock_core.sql.masking.masked_columns import govern
from penstock_core.sql.masking.masks import MaskWriter
from penstock_core.sql.masking.substitution import Substitutions
from penstock_core.sql.refusal import Refused


def authorizer(policies: PolicySet = MASKING) -> Authorizer:
    governed = govern(policies, replace(CATALOG, extension_functions={"similarity": ("ext",)}))
    return Authorizer(governed, Substitutions(governed, MaskWriter(KEY)), Bound())


def test_a_verb_that_no_policy_allows() -> None:
    authorizer().allow_verb("delete")
    with pytest.raises(Refused) as caught:
        authorizer().allow_verb("update")
    denial = caught.value.denial
    assert denial.reason == "UPDATE needs the verb update; your policies allow: delete, insert, select"
    assert (denial.policy, denial.rule) == ("support", "allow")
    with pytest.raises(Refused, match=r"your policies allow: nothing"):
        authorizer(replace(MASKING, allow=frozenset())).allow_verb("select")


@pytest.mark.parametrize(
    ("denied", "names", "refused"),
    [
        ("upper", ("upper",), True),
        ("upper", ("pg_catalog", "upper"), True),
        ("pg_catalog.upper", ("upper",), True),
        # A bare name could be found in any schema that has one.
        ("public.report", ("report",), True),
        ("public.report", ("public", "report"), True),
        ("public.report", ("archive", "report"), False),
        ("archive.report", ("report",), False),
        ("ext.similarity", ("similarity",), True),
        ("upper", ("lower",), False),
    ],
)
def test_a_function_that_is_denied_by_name(denied: str, names: tuple[str, ...], refused: bool) -> None:
    policies = replace(MASKING, deny_functions=((denied, rule("guardrails.denyFunctions")),))
    if not refused:
        authorizer(policies).deny_function(names)
        return
    with pytest.raises(Refused) as caught:
        authorizer(policies).deny_function(names)
    assert caught.value.denial.reason == f"function {denied} is denied"
    assert caught.value.denial.rule == "guardrails.denyFunctions"


@pytest.mark.parametrize("denied", ["pg_sleep", "pg_catalog.pg_sleep"])
def test_what_the_system_calls_by_another_name_is_denied_with_it(denied: str) -> None:
    policies = replace(MASKING, deny_functions=((denied, rule("guardrails.denyFunctions")),))
    for names in (("pg_sleep_for",), ("pg_catalog", "pg_sleep_until")):
        with pytest.raises(Refused) as caught:
            authorizer(policies).deny_function(names)
        assert caught.value.denial.reason == f"function {denied}, which {names[-1]} calls, is denied"
    authorizer(policies).deny_function(("app", "pg_sleep_for"))
    other = replace(MASKING, deny_functions=(("pg_sleep_for", rule("guardrails.denyFunctions")),))
    authorizer(other).deny_function(("pg_sleep",))


def test_code_of_ones_own_only_where_anything_may_be_done() -> None:
    def told(policies: PolicySet) -> Denial | None:
        one = authorizer(policies)
        try:
            one.allow_code(Kind("DO", "send the statements themselves"))
        except Refused as refusal:
            return refusal.denial
        assert one.found.writes
        return None

    everything = replace(PLAIN, allow=frozenset(VERBS), require_where=(), deny_functions=())
    assert told(everything) is None
    missing = told(replace(everything, allow=frozenset(VERBS) - {"truncate"}))
    assert missing is not None
    assert "(truncate)" in missing.reason
    guarded = told(replace(everything, require_where=(("delete", Rule("support", "guardrails.requireWhere")),)))
    assert guarded is not None
    assert (guarded.policy, guarded.rule) == ("support", "guardrails.requireWhere")


def test_a_name_that_can_not_be_told_is_refused_with_how_to_write_it() -> None:
    with pytest.raises(Refused) as caught:
        certain(Ambiguous("it cannot be told", "qualify it with its schema"))
    assert caught.value.denial.remedy == "qualify it with its schema"
    known = ResolvedRelation("public", "people")
    assert (certain(known), certain(None)) == (known, None)


def test_a_text_is_rewritten_where_something_is_masked_or_a_name_pinned() -> None:
    found = (Findings(), Findings(touched=True), Findings(pinned=True), Findings(writes=True))
    assert [one.rewrites for one in found] == [False, True, True, False]
