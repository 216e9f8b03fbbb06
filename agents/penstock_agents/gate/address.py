"""Where the gate is and how its certificate is checked, as connection parameters of libpq.

What doesn't belong: the token (`credentials.py`), connecting (`session.py`).
"""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel


class GateAddress(BaseModel):
    """One database behind one gate."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, hide_input_in_errors=True, alias_generator=to_camel, populate_by_name=True
    )

    host: Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[A-Za-z0-9_.:-]+$")]
    port: Annotated[int, Field(ge=1, le=65535)] = 5432
    database: Annotated[str, Field(min_length=1, max_length=63)]
    # The gate knows clients by their token; this name is only recorded. In a pod, it says that a token comes.
    user: Annotated[str, Field(min_length=1, max_length=63)] = "token"
    # verify-full, or no TLS at all with a gate on this machine.
    tls: Literal["verify-full", "disable"] = "verify-full"
    # The authority of the gate's certificate; absent: the system's.
    ca_file: Path | None = None

    @model_validator(mode="after")
    def _no_token_in_clear(self) -> GateAddress:
        if self.tls == "disable" and not _loopback(self.host):
            raise ValueError(f"tls: the token would cross the network to {self.host} in clear; leave it at verify-full")
        if self.tls == "disable" and self.ca_file is not None:
            raise ValueError("caFile has no use without tls")
        return self

    def parameters(self, statement_seconds: float) -> dict[str, Any]:
        """For libpq, each given, so that nothing of it comes from elsewhere."""
        tls: dict[str, str] = {"sslmode": self.tls}
        if self.tls == "verify-full":
            tls["sslrootcert"] = "system" if self.ca_file is None else str(self.ca_file)
        timeout = max(1, round(statement_seconds * 1000))
        return {
            "host": self.host,
            "port": str(self.port),
            "dbname": self.database,
            "user": self.user,
            "application_name": "penstock-mcp",
            "client_encoding": "UTF8",
            "connect_timeout": "10",
            "gssencmode": "disable",
            "sslcertmode": "disable",
            # How the gate asks for the token, whatever it asks others for.
            "options": f"-c penstock.login=password -c statement_timeout={timeout}",
            **tls,
        }


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
