"""What the MCP server is configured by: a file in YAML, the command's options above it, and the token's variable.

Relative paths are relative to the file. What the values set in motion is `main.py`'s.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, PrivateAttr, ValidationError, model_validator
from pydantic.alias_generators import to_camel

from penstock_agents.gate.address import GateAddress
from penstock_agents.gate.credentials import Credential, fixed, from_file
from penstock_agents.gate.requests import CollectorSettings
from penstock_agents.http_settings import HttpSettings
from penstock_agents.tools.limits import Limits
from penstock_sidecar.settings import SettingsError, mapping

TOKEN_VARIABLE = "PENSTOCK_MCP_TOKEN"  # noqa: S105 # the name of a variable
# Settings that name files.
_PATHS = re.compile(r"(?:^|[a-z])(?:File)$")


class Settings(BaseModel):
    """All of it."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, hide_input_in_errors=True, alias_generator=to_camel, populate_by_name=True
    )

    gate: GateAddress
    # Over stdio, the agent's token for the gate; without it, the variable PENSTOCK_MCP_TOKEN has the token itself.
    token_file: Path | None = None
    # Where requests are looked at, for request_status and wait_for_approval.
    collector: CollectorSettings | None = None
    limits: Limits = Limits()
    # Whether execute is left out.
    read_only: bool = False
    # Serve clients over HTTP, who prove who they are, in place of one over stdio.
    http: HttpSettings | None = None
    _token: str = PrivateAttr(default="")

    @model_validator(mode="after")
    def _consistent(self) -> Settings:
        if self.limits.rows > self.limits.most_rows:
            raise ValueError("limits: rows is more than mostRows")
        if self.http is not None and self.token_file is not None:
            raise ValueError("tokenFile: over HTTP each client's token is exchanged; no other is used")
        return self

    def credential(self) -> Credential:
        """The token for the gate. Raises SettingsError where there is none."""
        if self.token_file is not None:
            return from_file(self.token_file)
        if not self._token:
            raise SettingsError(f"tokenFile: give a file with the token for the gate, or {TOKEN_VARIABLE}")
        return fixed(self._token)


def read(file: Path | None, options: Mapping[str, Any], environment: Mapping[str, str] = os.environ) -> Settings:
    """The settings of a file, and of options by the names of settings (`gate.host`). Raises SettingsError."""
    values = _placed(mapping(file), file.absolute().parent) if file is not None else {}
    for name, value in options.items():
        if value is not None:
            *outer, last = name.split(".")
            place = values
            for part in outer:
                place = place.setdefault(part, {})
            place[last] = value
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        raise SettingsError("\n".join(map(_line, error.errors()))) from None
    settings._token = environment.get(TOKEN_VARIABLE, "")
    return settings


def _placed(value: Any, directory: Path) -> Any:
    """The same with the paths found from the directory."""
    if isinstance(value, list):
        return [_placed(one, directory) for one in value]
    if not isinstance(value, dict):
        return value
    return {
        name: str(directory / one) if isinstance(one, str) and _PATHS.search(str(name)) else _placed(one, directory)
        for name, one in value.items()
    }


def _line(error: Any) -> str:
    message = str(error["msg"]).removeprefix("Value error, ")
    place = ".".join(to_camel(str(part)) for part in error["loc"])
    return f"{place or 'settings'}: {message[:1].lower()}{message[1:]}"
