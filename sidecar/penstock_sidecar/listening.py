"""Where a gate listens, and whose sessions begin there: one Database's, or those of the one that the client names.

How it is read is `settings.py`'s; what listens, `assembly.py`'s and `supervisor.py`'s.
"""

from __future__ import annotations

import ipaddress
from typing import Annotated, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Address(BaseModel):
    """A host and a port to listen on."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    host: str
    port: Annotated[int, Field(ge=0, le=65535)]

    @model_validator(mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        host, colon, port = value.rpartition(":")
        if not colon or not port.isdecimal():
            raise ValueError("must be an address and a port, such as 127.0.0.1:5432")
        return {"host": host.strip("[]"), "port": int(port)}

    @property
    def loopback(self) -> bool:
        """Whether only this machine (or pod) can reach it."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


class Listener(NamedTuple):
    """One address."""

    address: Address
    # The Database that all sessions there are with; empty where clients choose by dbname.
    database: str = ""

    def told(self, port: int) -> str:
        """The address with the port that it came to."""
        return f"{self.address.host}:{port}"
