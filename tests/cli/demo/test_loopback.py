"""Ports for programs that have to be told theirs."""

from __future__ import annotations

import errno
import socket

import pytest

from penstock_cli.demo import loopback
from penstock_cli.demo.loopback import free_port


def test_none_is_given_twice_and_none_that_the_system_gives_out() -> None:
    given = [free_port() for _ in range(200)]
    assert len(set(given)) == len(given)
    assert all(15_000 <= port < 30_000 for port in given)


def test_one_that_somebody_listens_at_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = free_port(), free_port()
    monkeypatch.setattr(loopback, "_chosen", iter([first - loopback._FIRST, second - loopback._FIRST]))
    with socket.create_server(("127.0.0.1", first)):
        assert free_port() == second
        with socket.create_server(("127.0.0.1", second)):
            pass


def test_where_no_port_can_be_had_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def bind(*_: object) -> None:
        raise OSError(errno.EADDRNOTAVAIL, "Cannot assign requested address")

    monkeypatch.setattr(socket.socket, "bind", bind)
    with pytest.raises(OSError, match="Cannot assign requested address"):
        free_port()
