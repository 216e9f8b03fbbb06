"""`penstock validate` as somebody runs it before a commit."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from penstock_cli.main import command

DATABASE = """
apiVersion: penstock.dev/v1alpha1
kind: Database
metadata: {name: shop, namespace: shop}
spec:
  host: db.example
  dbname: shop
  credentialsSecretRef: {name: shop-db}
"""
POLICY = """
apiVersion: penstock.dev/v1alpha1
kind: DatabaseAccessPolicy
metadata: {name: web, namespace: shop}
spec:
  databaseRef: {name: shop}
  subjects: [{serviceAccount: {name: web}}]
"""


def validate(*files: str, given: str | None = None) -> Result:
    return CliRunner().invoke(command, ["validate", *files], input=given)


@pytest.fixture
def policy_file(tmp_path: Path) -> Path:
    return tmp_path / "policy.yaml"


def test_good_files_are_counted(policy_file: Path) -> None:
    policy_file.write_text(f"{DATABASE}---{POLICY}")
    result = validate(str(policy_file))
    assert (result.exit_code, result.stdout) == (0, "2 resources in 1 files: no problem found\n")


def test_a_typo_is_named_with_file_line_and_field(policy_file: Path) -> None:
    policy_file.write_text(POLICY + "  guardrails: {requireWher: [update]}\n")
    result = validate(str(policy_file))
    assert result.exit_code == 1
    assert result.stderr.startswith(f"{policy_file}:8: spec.guardrails.requireWher: ")
    assert "did you mean requireWhere?" in result.stderr


def test_an_approval_whose_condition_is_none_is_named_with_its_place(policy_file: Path) -> None:
    approvals = "  approvals: [{name: a, when: \"statement.verb == 'drop' && rows > 5\", approvers: {groups: [dba]}}]\n"
    policy_file.write_text(DATABASE + "---" + POLICY + approvals)
    result = validate(str(policy_file))
    assert result.exit_code == 1
    assert "spec.approvals[0].when: column 29: rows is not known" in result.stderr


def test_a_condition_that_is_none_is_named_with_file_line_and_place(policy_file: Path) -> None:
    masks = """  masks:
    - {columns: ["*.*.email"], with: {redact: {}}, unless: "'dpo' in identity.groups"}
    - {columns: ["*.*.phone"], with: {redact: {}}, unless: "'dpo' in identity.grups"}
"""
    policy_file.write_text(POLICY + masks)
    result = validate(str(policy_file))
    assert result.exit_code == 1
    line = POLICY.count("\n") + 3
    assert result.stderr == (
        f"{policy_file}:{line}: spec.masks[1].unless: column 18: identity.grups is not known; "
        "did you mean identity.groups?\n"
    )


def test_a_condition_that_fails_for_some_is_a_warning(policy_file: Path) -> None:
    masks = """  masks: [{columns: ["*.*.email"], with: {redact: {}}, unless: "identity.groups[3] == 'dpo'"}]\n"""
    policy_file.write_text(f"{DATABASE}---{POLICY}{masks}")
    result = validate(str(policy_file))
    assert (result.exit_code, result.stdout) == (0, "2 resources in 1 files: no problem found\n")
    assert result.stderr == (
        "warning: DatabaseAccessPolicy shop/web: spec.masks[0].unless: can't be evaluated where lists are empty and "
        "numbers are 0 (Index error: index=3 size=0), and the mask applies then; test for that first\n"
    )


def test_files_are_checked_together() -> None:
    result = validate("-", given=POLICY)
    assert result.exit_code == 1
    assert "shop" in result.stderr


@pytest.mark.parametrize("name", ["missing.yaml", "."])
def test_a_file_that_cannot_be_read_is_one_line(tmp_path: Path, name: str) -> None:
    result = validate(str(tmp_path / name))
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 1


def test_bytes_that_are_no_text_are_one_line(policy_file: Path) -> None:
    policy_file.write_bytes(b"\xff\xfe\x00")
    result = validate(str(policy_file))
    assert (result.exit_code, result.stderr) == (1, f"{policy_file}:1: is not UTF-8 text\n")
