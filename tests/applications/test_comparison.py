"""What counts as a difference between two runs of an application, what excuses one, and what discloses a secret."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.applications import listed, steps
from tests.applications.listed import Exemption
from tests.applications.programs import APPLICATIONS, Mask
from tests.applications.runs import Comparison, Run, judge_masked
from tests.applications.steps import ReportError, Step

from penstock_core.resources.masks import MaskSpec

WHY = "it asks for what masked values decide"
INSTEAD = "ask by another column"


def said(**shown: str | None) -> dict[str, Step]:
    """Steps of `use` with what they show; None for one that fails."""
    return {
        f"use: {name}": Step(step=name, ok=text is not None, shows=text or "", error="" if text else f"refused {name}")
        for name, text in shown.items()
    }


def exemption(*names: str, error: str = "refused *") -> Exemption:
    return Exemption(applications=["shop"], steps=list(names), error=error, reason=WHY, instead=INSTEAD)


def masked(direct: dict[str, Step], found: dict[str, Step], *exemptions: Exemption, secret: str = "4111") -> Comparison:
    result = Comparison("shop", 15, {"direct": Run(direct, 0), "masked": Run(found, 0)})
    judge_masked(result, (secret,), exemptions)
    return result


def test_a_report_is_read_and_a_line_that_is_none_is_named(tmp_path: Path) -> None:
    path = tmp_path / "use.jsonl"
    lines = [{"step": "log in", "ok": True, "shows": "Welcome"}, {"step": "pay", "ok": False, "error": "42501"}]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert steps.read(path, "use") == {
        "use: log in": Step(step="log in", ok=True, shows="Welcome"),
        "use: pay": Step(step="pay", ok=False, error="42501"),
    }
    for line, words in (
        ("Welcome", "is no step"),
        (json.dumps(lines[0]), "a second step"),
        ('{"ok": true}', "no step"),
    ):
        path.write_text(json.dumps(lines[0]) + "\n" + line + "\n")
        with pytest.raises(ReportError, match=f"line 2.*{words}"):
            steps.read(path, "use")


def test_through_a_gate_without_masks_each_step_has_to_show_the_same() -> None:
    direct = said(a="1", b="2", c="3", d="4")
    found = steps.differences(direct, said(a="1", b="two", c=None, e="5"))
    assert found["use: b"] == "shows …'two', and direct …'2'"
    assert found["use: c"] == "refused c"
    assert found["use: d"] == "the step did not run"
    assert found["use: e"] == "the step did not run direct"
    assert set(found) == {"use: b", "use: c", "use: d", "use: e"}


def test_masked_a_step_may_show_something_else_but_has_to_work() -> None:
    result = masked(said(a="1", b="2"), said(a="***", b=None))
    assert result.unlisted == {"masked": {"use: b": "refused b"}}
    assert not result.green
    assert masked(said(a="1"), {}).unlisted == {"masked": {"use: a": "the step did not run"}}


def test_a_listed_step_is_excused_by_the_error_that_is_listed_only() -> None:
    result = masked(said(a="1", b="2"), said(a="1", b=None), exemption("b"))
    assert (result.excused, result.stale, result.green) == ({"use: b": WHY}, [], True)
    result = masked(said(a="1", b="2"), said(a="1", b=None), exemption("b", error="no such *"))
    assert (result.unlisted["masked"], result.stale) == ({"use: b": "refused b"}, ["b"])


def test_a_listed_step_that_works_is_stale() -> None:
    result = masked(said(a="1", b="2"), said(a="1", b="2"), exemption("b"))
    assert result.stale == ["b"]
    assert not result.green


def test_what_fails_before_anybody_uses_it_is_excused_by_nothing() -> None:
    failing = {"prepare: b": Step(step="b", ok=False, error="refused b")}
    direct = {"prepare: b": Step(step="b", ok=True)}
    assert masked(direct, failing, exemption("b")).unlisted == {"masked": {"prepare: b": "refused b"}}


def test_a_secret_may_stand_in_nothing_that_is_shown_not_even_in_a_listed_error() -> None:
    result = masked(said(a="1"), said(a="card 4111"))
    assert result.unlisted == {"masked": {"use: a": "shows the secret '4111'"}}
    failing = {"use: a": Step(step="a", ok=False, error="refused 4111")}
    result = masked(said(a="1"), failing, exemption("a"))
    assert result.unlisted == {"masked": {"use: a": "shows the secret '4111'"}}
    assert result.excused == {}
    # Its own first data an application may show before there are masks.
    before = {"prepare: a": Step(step="a", ok=True, shows="4111")}
    assert masked(before, before).green


def test_a_secret_that_nothing_shows_direct_proves_nothing() -> None:
    assert steps.toothless(said(a="card 4111", b=None), ("4111", "4222")) == ["4222"]


def test_what_is_listed_is_of_applications_that_there_are() -> None:
    names = {application.name for application in APPLICATIONS}
    assert {name for one in listed.load() for name in one.applications} <= names


def test_names_are_distinct_and_masks_are_of_the_kinds_that_policies_have() -> None:
    names = [application.name for application in APPLICATIONS]
    assert len(names) == len(set(names))
    for application in APPLICATIONS:
        assert application.masks
        for mask in application.masks:
            MaskSpec.model_validate(mask.spec())
    one = Mask("public.customers", "card", "partial", {"keepLast": 4}, {"write": "allow"})
    assert MaskSpec.model_validate(one.spec()).write == "allow"


def test_what_is_listed_for_other_servers_excuses_nothing_and_is_not_stale() -> None:
    direct, found = said(a="1", b="2"), said(a=None, b="2")
    everywhere, here, elsewhere = (
        exemption("a").model_copy(update={"postgres": versions}) for versions in ([], [15, 16], [18])
    )
    assert masked(direct, found, everywhere).green
    assert masked(direct, found, here).green
    assert not masked(direct, found, elsewhere).green
    assert masked(direct, said(a="1", b="2"), elsewhere).stale == []
    assert masked(direct, said(a="1", b="2"), here).stale == ["a"]
