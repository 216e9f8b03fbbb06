"""`penstock audit evidence`: from a collector and from a file, of trails that are whole and of others."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from tests.cli.conftest import Desk
from tests.cli.evidence.conftest import DAY, Auditor
from tests.cli.test_audit_verify import signed

__all__ = ["signed"]


def history(desk: Desk) -> None:
    """A morning at the shop."""
    desk.record({"kind": "open"})
    desk.statement(1, relations=["public.orders"])
    desk.statement(
        2, verbs=["delete"], decision="deny", policy="support", rule="allow", reason="it may not", hint="ask"
    )
    desk.statement(3, verbs=["alter"], relations=["public.orders"])


def test_a_folder_that_says_what_happened_and_can_be_checked(desk: Desk, auditor: Auditor) -> None:
    history(desk)
    made = auditor.make()
    assert made.exit_code == 0, made.output
    assert made.output.splitlines()[-2:] == [
        "intact", f"evidence of 2026-11-25 to 2026-11-26: {auditor.folder / 'index.html'}",
    ]  # fmt: skip
    assert [(one["identity"], one["statements"], one["refused"]) for one in auditor.table("identities")] == [
        ("sa:shop/web", "3", "1"),
    ]  # fmt: skip
    assert [(one["policy"], one["reason"]) for one in auditor.table("refusals")] == [("support", "it may not")]
    assert [one["verbs"] for one in auditor.table("changes")] == ["alter"]
    for said in ("Evidence of 2026-11-25 to 2026-11-26", "The trail is intact", "it may not", "CC6.1"):
        assert said in auditor.page
    assert auditor.sums().returncode == 0
    # The trail in it is the trail: it verifies again, and is of that moment.
    trail = gzip.decompress((auditor.folder / "trail.jsonl.gz").read_bytes())
    again = desk.run("verify", "-", input=trail)
    assert again.exit_code == 0, again.output
    assert json.loads((auditor.folder / "verification.json").read_text())["verdict"] == "intact"


def test_of_one_export_it_is_always_the_same(desk: Desk, auditor: Auditor, tmp_path: Path) -> None:
    history(desk)
    (tmp_path / "export.jsonl").write_bytes(desk.run("export").stdout_bytes)
    sums = []
    for name in ("one", "another"):
        auditor.folder = tmp_path / name
        assert auditor.make(str(tmp_path / "export.jsonl")).exit_code == 0
        sums.append((auditor.folder / "SHA256SUMS").read_text())
    assert sums[0] == sums[1]
    auditor.folder = tmp_path / "given"
    assert auditor.make("-", given=(tmp_path / "export.jsonl").read_bytes()).exit_code == 0
    assert (auditor.folder / "SHA256SUMS").read_text() == sums[0]


def test_the_folder_is_for_its_owner(desk: Desk, auditor: Auditor) -> None:
    history(desk)
    auditor.make()
    assert auditor.folder.stat().st_mode & 0o777 == 0o700
    assert sorted(one.name for one in auditor.folder.iterdir()) == [
        "SHA256SUMS", "index.html", "tables", "trail.jsonl.gz", "verification.json",
    ]  # fmt: skip


def test_another_period_has_nothing_to_tell_and_says_so(desk: Desk, auditor: Auditor) -> None:
    history(desk)
    assert auditor.make(period=("--since", "2026-07-01", "--until", "2026-10-01")).exit_code == 0
    assert auditor.table("identities") == []
    assert "No statement began in the period." in auditor.page


def test_a_trail_that_was_altered_is_evidence_of_that(desk: Desk, auditor: Auditor) -> None:
    history(desk)
    altered = desk.run("export").stdout_bytes.replace(b"SELECT 2 FROM orders", b"SELECT 9 FROM orders")
    made = auditor.make("-", given=altered)
    assert (made.exit_code, "NOT INTACT: 1 fault" in made.output) == (1, True)
    assert "The trail is not intact. 1 fault" in auditor.page
    assert [(one["fault"], one["declared"]) for one in auditor.table("missing")] == [("altered", "no")]


def test_a_loss_that_was_declared(desk: Desk, auditor: Auditor) -> None:
    history(desk)
    desk.record({"kind": "loss", "count": 12, "cause": "the audit spool is full"})
    made = auditor.make()
    assert made.exit_code == 3
    assert "some is missing, and the trail says so itself" in auditor.page
    (row,) = auditor.table("missing")
    assert (row["fault"], row["declared"]) == ("loss", "yes")


def test_checkpoints_come_along_and_the_sums_are_signed(
    desk: Desk, auditor: Auditor, signed: Path, tmp_path: Path
) -> None:
    key = Ed25519PrivateKey.generate()
    (tmp_path / "our.key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (tmp_path / "our.pub").write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    checked = ("--checkpoints", str(signed), "--key", str(tmp_path / "key.pub"), "--sign", str(tmp_path / "our.key"))
    made = auditor.make(*checked)
    assert made.exit_code == 0, made.output
    assert "Held against the signed checkpoints 1 to 1" in auditor.page
    assert auditor.sums().returncode == 0
    assert auditor.sums().stdout.count("checkpoints/") == 2
    said = subprocess.run(
        ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", tmp_path / "our.pub", "-rawin", "-in", "SHA256SUMS",
         "-sigfile", "SHA256SUMS.sig"], cwd=auditor.folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (said.returncode, said.stdout.strip()) == (0, "Signature Verified Successfully")
    # As the page says.
    trail = gzip.decompress((auditor.folder / "trail.jsonl.gz").read_bytes())
    copies = auditor.folder / "checkpoints"
    again = desk.run("verify", "-", "--checkpoints", str(copies), "--key", str(copies / "key1.pem"), input=trail)
    assert again.exit_code == 0, again.output
    (auditor.folder / "tables" / "access.csv").write_text("nothing\n")
    assert auditor.sums().returncode == 1


def test_without_the_trail(desk: Desk, auditor: Auditor) -> None:
    history(desk)
    assert auditor.make("--no-trail").exit_code == 0
    assert not (auditor.folder / "trail.jsonl.gz").exists()
    assert "The trail itself was left out" in auditor.page
    assert auditor.sums().returncode == 0


def test_what_cannot_be_made_is_told_in_one_line_and_leaves_nothing(
    desk: Desk, auditor: Auditor, tmp_path: Path
) -> None:
    history(desk)
    ours = ec.generate_private_key(ec.SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "ec.key").write_bytes(ours)
    (tmp_path / "empty").touch()
    full = tmp_path / "full"
    full.mkdir()
    (full / "something").touch()
    good = auditor.folder
    for folder, arguments, period, complaint in [
        (good, (), ("--since", "2026-11-26", "--until", "2026-11-25"), "which is not after 2026-11-26"),
        (good, (), ("--since", "soon", "--until", "2026-11-25"), "'soon' is neither a day"),
        (good, (), (), "Missing option '--since'"),
        (good, ("--sign", str(tmp_path / "none")), DAY, "none cannot be read: No such file"),
        (good, ("--sign", __file__), DAY, "is no private key in PEM"),
        (good, ("--sign", str(tmp_path / "ec.key")), DAY, "is no Ed25519 key"),
        (good, ("--key", str(tmp_path / "empty")), DAY, "--checkpoints and --key come together"),
        (good, (str(tmp_path / "empty"),), DAY, "no audit events there"),
        (good, ("--url", "http://127.0.0.1:1"), DAY, "127.0.0.1:1"),
        (full, (), DAY, "is there already"),
        (tmp_path / "empty", (), DAY, "is there already"),
        (tmp_path / "no" / "such", (), DAY, "cannot be written: No such file or directory"),
    ]:
        auditor.folder = folder
        made = auditor.make(*arguments, period=period)
        assert (made.exit_code, complaint in made.output) == (2, True), made.output
        assert "Traceback" not in made.output
        assert len([line for line in made.output.splitlines() if line.startswith("Error")]) == 1
    assert sorted(one.name for one in tmp_path.iterdir() if "evidence" in one.name) == []
    assert [one.name for one in full.iterdir()] == ["something"]


def test_an_empty_folder_may_be_there_and_what_a_killed_one_left_does_not_matter(desk: Desk, auditor: Auditor) -> None:
    history(desk)
    auditor.folder.mkdir()
    left = auditor.folder.with_name("evidence.unfinished")
    left.mkdir()
    (left / "half").touch()
    assert auditor.make().exit_code == 0
    assert not left.exists()
    assert not (auditor.folder / "half").exists()


@pytest.mark.parametrize(
    "text", ["=1+1", "+cmd|' /C calc'!A0", "-2", "@SUM(1)", "\tx", "<script>alert(1)</script>", "\x1b[2J"]
)
def test_text_of_others_is_only_text(desk: Desk, auditor: Auditor, text: str) -> None:
    desk.record({"kind": "open"})
    desk.statement(1, verbs=["alter"], sql=text, identity={"name": text})
    assert auditor.make().exit_code == 0
    (row,) = auditor.table("changes")
    assert row["sql"][0] not in "=+-@\t\r"
    assert row["sql"].lstrip("'").strip() in (text.strip(), " [2J".strip())
    assert "<script>" not in auditor.page
    assert "\x1b" not in auditor.page


def test_progress_is_shown_to_who_looks(desk: Desk, auditor: Auditor, tmp_path: Path) -> None:
    """In a process of its own, on a terminal."""
    import pty  # where it is needed
    import sys

    history(desk)
    (tmp_path / "export.jsonl").write_bytes(desk.run("export").stdout_bytes)
    ours, theirs = pty.openpty()
    code = (
        "from penstock_cli.evidence import command\ncommand._TELL_SECONDS = 0\ncommand.command(prog_name='evidence')\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "export.jsonl", *DAY, "-o", auditor.folder],
        stderr=theirs, stdout=subprocess.DEVNULL, check=False,
    )  # fmt: skip
    os.close(theirs)
    assert run.returncode == 0
    assert b"1 lines of the trail\r2 lines of the trail" in os.read(ours, 10_000)
    os.close(ours)
