"""What a person's own commands are told once: the issuer they log in to, and the gates they go to, in `config.yaml`.

It is in $PENSTOCK_CONFIG_DIR, or where the system keeps such files (~/.config/penstock). No secret is in it. What
doesn't belong: tokens (`login/kept.py`).
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic.alias_generators import to_camel

from penstock_cli.failures import Unusable

M = TypeVar("M", bound=BaseModel)

FILE = "config.yaml"
_Text = Annotated[str, Field(min_length=1, max_length=1024)]


class _Model(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, hide_input_in_errors=True, alias_generator=to_camel, populate_by_name=True
    )


class LoginSettings(_Model):
    """Where tokens come from."""

    issuer: _Text
    client_id: _Text
    # What is asked for. A refresh token needs offline_access at most issuers.
    scope: _Text = "openid offline_access"
    # Which of the issuer's tokens the gates take.
    token: Literal["access", "id"] = "access"  # noqa: S105 - a choice
    # What the token is to be for, where the issuer has to be told: by RFC 8707, or as some issuers name it.
    resource: _Text | None = None
    audience: _Text | None = None
    # What the issuer's page is to ask, such as consent, without which some issuers give no refresh token.
    prompt: _Text | None = None
    # The authority of the issuer's certificate, in place of the system's.
    ca_file: Path | None = None

    @field_validator("issuer")
    @classmethod
    def _encrypted(cls, issuer: str) -> str:
        if not issuer.startswith("https://"):
            raise ValueError("must be an https:// URL: tokens come from there")
        return issuer


class GateSettings(_Model):
    """One gate, and what it leads to."""

    host: _Text
    port: Annotated[int, Field(ge=1, le=65535)] = 5432
    # The authority of its certificate, or the certificate itself, in place of the system's.
    ca_file: Path | None = None
    # `disable` only for a gate on this machine.
    tls: Literal["verify-full", "disable"] = "verify-full"
    # The databases that it serves, by the names that clients give.
    databases: Annotated[tuple[_Text, ...], Field(max_length=1000)] = ()

    @model_validator(mode="after")
    def _no_token_in_clear(self) -> GateSettings:
        if self.tls == "disable" and not _loopback(self.host):
            raise ValueError("tls: disable is for a gate on this machine: the token would cross the network in clear")
        return self

    @property
    def place(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class ClientSettings(_Model):
    """All that `config.yaml` says."""

    login: LoginSettings | None = None
    gates: Annotated[tuple[GateSettings, ...], Field(max_length=1000)] = ()

    def gate_of(self, database: str) -> GateSettings:
        """The one gate that serves the database. Raises Unusable."""
        found = [gate for gate in self.gates if database in gate.databases]
        if not found and len(self.gates) == 1 and not self.gates[0].databases:
            return self.gates[0]
        if not found:
            raise Unusable(
                f"no gate is known for database {database}: give --gate HOST:PORT, or list it in {directory() / FILE}"
            )
        if len(found) > 1:
            places = ", ".join(gate.place for gate in found)
            raise Unusable(f"several gates serve database {database} ({places}): say which with --gate")
        return found[0]


def directory(environment: Mapping[str, str] = os.environ) -> Path:
    """Where a person's own files are."""
    if own := environment.get("PENSTOCK_CONFIG_DIR"):
        return Path(own)
    base = environment.get("XDG_CONFIG_HOME") or str(Path(environment.get("HOME") or "~").expanduser() / ".config")
    return Path(base) / "penstock"


def read() -> ClientSettings:
    """What the file says; nothing, where there is none. Paths in it are within its directory. Raises Unusable."""
    path = directory() / FILE
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return ClientSettings()
    except OSError as error:
        raise Unusable(f"{path}: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise Unusable(f"{path}: not YAML: {' '.join(str(error).split())}") from None
    return checked(ClientSettings, {} if values is None else values, str(path))


def checked(model: type[M], values: object, place: str) -> M:
    """The values as that model. Raises Unusable with a line for each that is wrong."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        lines = []
        for one in error.errors(include_url=False, include_input=False, include_context=False):
            where = ".".join(str(part) for part in one["loc"])
            said = one["msg"].removeprefix("Value error, ")
            lines.append(f"{place}: {where}: {said}" if where else f"{place}: {said}")
        raise Unusable("\n".join(lines)) from None


def file_within(path: Path | None) -> Path | None:
    """A path of the file's, found from its directory."""
    return None if path is None else directory() / path


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
