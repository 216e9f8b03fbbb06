"""A text with all that is put into it."""

from __future__ import annotations

import pytest
from tests.core.sql.masking.test_filtered_writes import GOVERNOR, TEXT

from penstock_core.sql.authorize import edited_text
from penstock_core.sql.masking.order_writes import Completed


@pytest.mark.parametrize("text", ["DELETE FROM orders", "INSERT INTO orders VALUES (1, 5, 'a')"])
def test_a_target_that_is_not_kept_to_its_rows_is_refused(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edited_text, "complete_order", lambda statement, *_: Completed(statement))
    # One of another shape than those that were decided before.
    denial = GOVERNOR.decide(f"{text} /* apart */", ("public",), frozenset(), (TEXT,)).denial
    assert denial is not None
    assert denial.reason == "a table whose rows a policy filters stands where it can't be written to"


def test_what_reads_needs_no_such_proof(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edited_text, "complete_order", lambda statement, *_: Completed(statement))
    assert GOVERNOR.decide("SELECT id FROM orders /* apart */", ("public",)).denial is None
