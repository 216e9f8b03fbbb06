"""The log of a pod's gate, without its container's name, and without what could command the terminal."""

from __future__ import annotations

from tests.cli.cluster.conftest import Desk

LOG = "/api/v1/namespaces/shop/pods/support-agent-1/log"


def test_lines_are_printed_as_text(desk: Desk) -> None:
    desk.api.texts[LOG] = '{"event": "policy in force"}\n\x1b[2Jsecond\nno end'
    for options in ((), ("--tail", "2"), ("-f",), ("--previous",)):
        result = desk.run("logs", "support-agent-1", *options)
        assert result.stdout == '{"event": "policy in force"}\n [2Jsecond\nno end\n'


def test_a_pod_that_is_not_there_is_one_line(desk: Desk) -> None:
    assert "not found" in desk.refused("logs", "shpo")
