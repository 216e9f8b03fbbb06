"""What the programs log: one line for each thing said, whoever had a part in the words."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from penstock_cli import logs

HOSTILE = "x\x1b[2J\nfake \x9b2J \u2028"


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """The logging of the tests themselves stays as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.mark.parametrize("as_json", [True, False])
def test_nothing_forges_a_line_or_steers_a_terminal(as_json: bool, capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("info", json=as_json)
    structlog.get_logger("penstock.test").warning(HOSTILE, user=HOSTILE)
    logging.getLogger("library").warning("%s", HOSTILE)
    said = capsys.readouterr().err
    assert len(said.splitlines()) == 2
    assert not any(letter in said for letter in "\x1b\x9b")


def test_json_keeps_what_was_said(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("info", json=True)
    structlog.get_logger("penstock.test").warning(HOSTILE)
    assert json.loads(capsys.readouterr().err)["event"] == HOSTILE


def test_a_traceback_stays_readable(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("info", json=False)
    try:
        raise ValueError("made up")
    except ValueError:
        structlog.get_logger("penstock.test").exception("a fault")
    said = capsys.readouterr().err
    assert "ValueError: made up" in said
    assert "\\n" not in said


@pytest.mark.parametrize("as_json", [True, False])
def test_a_traceback_has_no_values_in_it(as_json: bool, capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("info", json=as_json)
    token = "-".join(["a", "secret"])
    try:
        raise ValueError(len(token))
    except ValueError:
        structlog.get_logger("penstock.test").exception("a fault")
        logging.getLogger("library").exception("another")
    said = capsys.readouterr().err
    assert said.count("ValueError: 8") == 2
    assert token not in said
