"""`penstock logout`, where the command finds its subcommands; it is in `login/command.py`."""

from penstock_cli.login.command import logout as command

__all__ = ["command"]
