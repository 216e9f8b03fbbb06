"""Nobody suspends anything in another's name; what somebody said before, others may leave. By HTTP: `test_app.py`."""

from __future__ import annotations

from typing import Any

import pytest

from penstock_operator.control.suspended_by import refuse_pretence
from penstock_operator.inject.annotations import Refusal

SAID = {"reason": "INC-77", "by": "ada"}


def spec(**fields: Any) -> dict[str, Any]:
    return {"spec": fields}


@pytest.mark.parametrize("field", ["suspended", "revoked"])
@pytest.mark.parametrize(
    ("user", "now", "before", "fine"),
    [
        ("ada", SAID, None, True),
        ("bea", SAID, None, False),
        ("bea", SAID, SAID, True),
        ("bea", SAID | {"reason": "other"}, SAID, False),
        ("bea", SAID | {"since": "2030-01-31T12:00:00Z"}, SAID, False),
        ("bea", {"reason": "other"}, SAID, True),
        ("bea", None, SAID, True),
        (None, SAID, None, False),
    ],
)
def test_who_may_say_so(field: str, user: str | None, now: Any, before: Any, fine: bool) -> None:
    given = ({"username": user} if user else None, spec(**{field: now}), spec(**{field: before}))
    if fine:
        refuse_pretence(*given)
        return
    with pytest.raises(Refusal, match=rf"^{field}\.by: must be {user}, whose request this is; or leave it out$"):
        refuse_pretence(*given)


@pytest.mark.parametrize("odd", [None, [], {"spec": []}, {"spec": {"suspended": "yes"}}])
def test_what_is_no_resource_says_nothing(odd: Any) -> None:
    refuse_pretence({}, odd, odd)
