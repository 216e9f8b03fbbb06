"""What fails by values that are possible is found when it is written, and what asks first is not."""

from __future__ import annotations

import pytest

from penstock_core.conditions import WHEN, ConditionError
from penstock_core.conditions.names import NAMES
from penstock_core.conditions.trial import _LEAST, _MORE, failure

NOTHING = "can't be evaluated where lists are empty and numbers are 0"
FAILING = {
    "identity.groups[0] == 'dpo'": f"{NOTHING} (Index error: index=0 size=0)",
    "statement.tables[3] == 'public.orders'": f"{NOTHING} (Index error: index=3 size=0)",
    "identity.groups[99] == 'dpo'": "can't be evaluated (Index error: index=99 size=0)",
    "100 / statement.estimatedRows > 3": f"{NOTHING} (divide by zero)",
    "statement.estimatedCost % statement.estimatedRows == 2": f"{NOTHING} (modulus by zero)",
    "10 / (statement.estimatedRows - 1) > 2": "can't be evaluated for some (divide by zero)",
    "statement.estimatedRows + 9223372036854775807 > 0": "can't be evaluated for some (integer overflow)",
}
SOUND = [
    "size(identity.groups) > 3 && identity.groups[3] == 'dpo'",
    "statement.estimatedRows > 0 && 100 / statement.estimatedRows > 3",
    "'dpo' in identity.groups",
    "identity.groups.exists(g, g.startsWith('team-'))",
    "statement.verb in ['alter', 'drop'] && !statement.inTransaction",
    "now.getHours('Europe/Berlin') < 18 && now < timestamp('2027-01-01T00:00:00Z')",
    "session.clientAddress.startsWith('10.') || 'incident' in session.access",
]


@pytest.mark.parametrize(("text", "words"), FAILING.items(), ids=FAILING)
def test_what_fails_by_values_that_are_possible(text: str, words: str) -> None:
    assert failure(text, WHEN) == words


@pytest.mark.parametrize("text", SOUND)
def test_what_asks_first_or_can_not_fail(text: str) -> None:
    assert failure(text, WHEN) == ""


def test_each_type_of_the_names_has_values() -> None:
    assert _LEAST.keys() == _MORE.keys() == {name.type for name in NAMES}


def test_what_is_no_condition_is_none_here_either() -> None:
    with pytest.raises(ConditionError, match="is not known"):
        failure("'dpo' in identity.grups", WHEN)
