"""Ports for programs that have to be told theirs."""

from __future__ import annotations

import socket

from penstock_cli.demo.loopback import free_port


def test_none_is_given_twice_and_none_that_the_system_gives_out() -> None:
    given = [free_port() for _ in range(200)]
    assert len(set(given)) == len(given)
    assert all(15_000 <= port < 30_000 for port in given)


def test_one_that_somebody_listens_at_is_passed_over() -> None:
    with socket.create_server(("127.0.0.1", free_port() + 1)) as taken:
        port = free_port()
        assert port != taken.getsockname()[1]
        with socket.create_server(("127.0.0.1", port)):
            pass
