"""What counts as a difference between two runs of a client's suite, and what excuses one."""

from __future__ import annotations

import json
from pathlib import Path

from tests.conformance import listed
from tests.conformance.listed import Exemption
from tests.conformance.outcomes import Outcome, differences, read_go, read_probe
from tests.conformance.suites import SUITES

PASSED, FAILED, SKIPPED = Outcome("passed"), Outcome("failed", "no"), Outcome("skipped")
WHY = "because a gate leads to one database only"


def test_only_what_passes_direct_has_to_pass_through() -> None:
    direct = {"a": PASSED, "b": PASSED, "c": PASSED, "d": PASSED, "e": FAILED, "f": SKIPPED}
    through = {"a": PASSED, "b": FAILED, "c": SKIPPED, "e": FAILED, "f": FAILED, "g": FAILED}
    assert {test: outcome.result for test, outcome in differences(direct, through).items()} == {
        "b": "failed",
        "c": "skipped",
        "d": "failed",
    }


def test_a_test_that_fails_once_has_failed(tmp_path: Path) -> None:
    path = tmp_path / "outcomes.jsonl"
    said = [("a", "passed"), ("a", "failed"), ("b", "failed"), ("b", "passed"), ("c", "skipped"), ("c", "passed")]
    lines = [json.dumps({"test": test, "result": result, "message": ""}) for test, result in said]
    path.write_text("\n".join([*lines, '{"test": "cut o']))
    assert {test: outcome.result for test, outcome in read_probe(path).items()} == {
        "a": "failed",
        "b": "failed",
        "c": "passed",
    }
    assert read_probe(tmp_path / "never made") == {}


def test_subtests_count_for_the_go_test_they_are_in(tmp_path: Path) -> None:
    path = tmp_path / "output.log"
    package = "example.com/pgx/pgconn"
    records = [
        {"Action": "output", "Package": package, "Test": "TestA/one", "Output": "reset by peer\n"},
        {"Action": "fail", "Package": package, "Test": "TestA/one"},
        {"Action": "fail", "Package": package, "Test": "TestA"},
        {"Action": "skip", "Package": package, "Test": "TestB"},
        {"Action": "pass", "Package": package, "Test": "TestC"},
        {"Action": "fail", "Package": package},
    ]
    path.write_text("go: downloading\n" + "".join(json.dumps(record) + "\n" for record in records))
    assert read_go(path) == {
        "pgconn.TestA": Outcome("failed", "reset by peer\n"),
        "pgconn.TestB": Outcome("skipped"),
        "pgconn.TestC": Outcome("passed"),
    }


def test_a_go_package_that_can_not_be_built_is_a_failure(tmp_path: Path) -> None:
    path = tmp_path / "output.log"
    path.write_text(json.dumps({"Action": "fail", "Package": "example.com/pgx"}) + "\n")
    assert read_go(path) == {"pgx.(package)": Outcome("failed")}


def test_an_exemption_covers_what_it_names_and_becomes_stale() -> None:
    one = Exemption(suites=["pgx"], tests=["test_x[a-*]", "test_y"], reason=WHY)
    timing = Exemption(suites=["pgx"], tests=["test_z"], reason=WHY, sometimes=True)
    assert listed.reason([one], "pgx", "test_x[a-1]") == WHY
    assert listed.reason([one], "pgx", "test_xa-1") == ""
    assert listed.reason([one], "asyncpg", "test_y") == ""
    assert listed.stale([one, timing], "pgx", ["test_x[a-1]"]) == ["test_y"]
    assert listed.stale([one], "asyncpg", []) == []


def test_what_is_listed_is_of_suites_that_there_are() -> None:
    names = {suite.name for suite in SUITES}
    assert {name for one in listed.load() for name in one.suites} <= names
