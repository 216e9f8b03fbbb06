"""A thousand policies for others: what is found for one identity is what going through all of them finds."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from tests.core.policy.test_combine import bundle, policy

from penstock_core.identity import Identity, Principal, Workload
from penstock_core.policy.subjects import is_for, policies_for

NAMES = st.sampled_from(["ada", "bea", "web", "bots", "ops"])
ISSUERS = st.sampled_from(["https://a.example", "https://b.example"])
KINDS = st.sampled_from(["person", "agent", "service"])


def given_some(**parts: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """At least one of the parts."""
    return st.fixed_dictionaries({}, optional=parts).filter(bool)


SUBJECTS = st.one_of(
    st.fixed_dictionaries({"serviceAccount": st.fixed_dictionaries({"name": NAMES})}),
    st.fixed_dictionaries({"pod": st.fixed_dictionaries({"name": NAMES})}),
    st.fixed_dictionaries(
        {
            "identity": given_some(
                kind=KINDS, subject=NAMES, issuer=ISSUERS, groups=st.lists(NAMES, min_size=1, max_size=3, unique=True)
            )
        }
    ),
)
WORKLOADS = st.builds(Workload, st.sampled_from(["shop", "billing"]), NAMES, NAMES)
PRINCIPALS = st.builds(Principal, KINDS, NAMES, ISSUERS, st.lists(NAMES, max_size=3, unique=True).map(tuple))
IDENTITIES = st.builds(Identity, st.none() | WORKLOADS, st.none() | PRINCIPALS)


@given(st.lists(st.lists(SUBJECTS, min_size=1, max_size=3), max_size=8), IDENTITIES)
def test_what_is_found_is_what_going_through_all_finds(subjects: list[list[dict[str, Any]]], who: Identity) -> None:
    whole = bundle(*(policy(f"p{number}", *some) for number, some in enumerate(subjects)))
    assert policies_for(whole, who) == [one for one in whole.policies if is_for(one, who)]


def test_a_copy_of_the_bundle_is_searched_by_its_own_policies() -> None:
    ada = Identity(principal=Principal("person", "ada", "https://a.example"))
    first = bundle(policy("p", {"identity": {"subject": "ada"}}))
    assert [one.name for one in policies_for(first, ada)] == ["p"]
    assert not policies_for(first.model_copy(update={"policies": ()}), ada)


def test_equal_bundles_are_equal_once_they_were_searched() -> None:
    one, other = (bundle(policy("p", {"identity": {"subject": "ada"}})) for _ in range(2))
    policies_for(one, Identity(principal=Principal("person", "ada", "https://a.example")))
    assert one == other
