"""What the audit trail has to keep to where policies enforce and observe side by side."""

from __future__ import annotations

from typing import get_args

import pytest

from penstock_core.policy.effective import (
    STRICTNESS,
    EffectivePolicy,
    MaskKind,
    OnFailure,
    PolicySet,
    SqlTextMode,
)


def one(sql_text: SqlTextMode = "normalized", on_failure: OnFailure = "block") -> PolicySet:
    return PolicySet(("p",), frozenset({"select"}), sql_text=sql_text, on_failure=on_failure)


@pytest.mark.parametrize(
    ("enforced", "observed", "sql_text", "on_failure"),
    [
        (None, None, "normalized", "block"),
        (one("full", "continue"), None, "full", "continue"),
        (None, one("full", "continue"), "full", "continue"),
        (one("full", "continue"), one("hash", "block"), "hash", "block"),
        (one("normalized", "block"), one("full", "continue"), "normalized", "block"),
    ],
)
def test_the_more_careful_of_both_is_kept(
    enforced: PolicySet | None, observed: PolicySet | None, sql_text: str, on_failure: str
) -> None:
    policy = EffectivePolicy("shop", enforced, observed)
    assert (policy.sql_text, policy.on_failure) == (sql_text, on_failure)


def test_every_kind_of_mask_has_its_place_in_the_order_of_strictness() -> None:
    assert sorted(STRICTNESS) == sorted(get_args(MaskKind))
