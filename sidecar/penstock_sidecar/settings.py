"""What the proxy is configured by: `proxy.yaml` in a directory, and environment variables `PENSTOCK_…` above it.

A variable has the setting's words in capitals: `control.tokenFile` is PENSTOCK_CONTROL__TOKEN_FILE; lists are JSON in a
variable. Paths are relative to the directory. What the values set in motion is `main.py`'s.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PrivateAttr, ValidationError, model_validator
from pydantic.alias_generators import to_camel
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict
from pydantic_settings import SettingsError as UnreadableVariable

from penstock_sidecar.database_settings import DatabaseSettings
from penstock_sidecar.identity_settings import IdentitySettings
from penstock_sidecar.listening import Address, Listener

PREFIX = "PENSTOCK_"
FILE = "proxy.yaml"
_WORD = re.compile(r"(?<!^)(?=[A-Z])")


class SettingsError(ValueError):
    """The configuration is no good; each line of the text names one setting and says what is wrong with it."""


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class ControlConnection(_Model):
    """Where policies are streamed from."""

    url: str
    token_file: Path
    ca_file: Path | None = None
    # How long the last good policy counts while `control` can't be reached; absent: for as long as it takes.
    max_age_seconds: Annotated[float, Field(ge=60)] | None = None

    @model_validator(mode="after")
    def _encrypted(self) -> ControlConnection:
        if not self.url.startswith("https://"):
            raise ValueError("url must be an https:// URL: policies come with the key of the hash masks")
        return self


class CollectorConnection(_Model):
    """Where the audit trail goes."""

    url: str
    token_file: Path | None = None
    ca_file: Path | None = None


class ApprovalsConnection(CollectorConnection):
    """Where approval is asked for, if not of the collector."""


class SpoolLimits(_Model):
    """Where the audit trail is kept until the collector has it."""

    path: Path
    max_bytes: Annotated[int, Field(ge=1 << 20)] = 256 << 20
    # Whether it is still there when the gate starts again somewhere else; a pod's own volumes go with the pod.
    lasts: bool = True


class ClientTls(_Model):
    """TLS with clients: with a certificate from files, or one that the gate makes for itself."""

    cert_file: Path | None = None
    key_file: Path | None = None
    self_signed: bool = False
    # Host names and addresses, beside this machine's own, that a self-signed certificate is for.
    names: tuple[Annotated[str, Field(pattern=r"^[A-Za-z0-9_.:*-]+$")], ...] = ()
    # Whether connections without are refused.
    required: bool = True

    @model_validator(mode="after")
    def _one_certificate(self) -> ClientTls:
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("certFile and keyFile belong together")
        if self.self_signed == (self.cert_file is not None):
            raise ValueError("give certFile and keyFile, or selfSigned: true, one of them")
        if self.names and not self.self_signed:
            raise ValueError("names are for selfSigned; a certificate from a file has its own")
        return self


def _patterns(values: tuple[str, ...]) -> tuple[str, ...]:
    if not values:
        raise ValueError("must name at least one file")
    return values


class ProxySettings(BaseSettings):
    """All of it."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True, hide_input_in_errors=True
    )

    listen: Annotated[Address, NoDecode] = Address(host="127.0.0.1", port=5432)
    tls: ClientTls | None = None
    health: Annotated[Address, NoDecode] = Address(host="0.0.0.0", port=9187)  # noqa: S104 - probes come from outside the pod
    # One Database, with credentialsDir and what else belongs to it; or several, of which clients choose by dbname.
    database: str = ""
    databases: tuple[DatabaseSettings, ...] = ()
    namespace: str = "default"
    # A stand-alone proxy's own name in the audit trail; in a pod it is the pod's uid.
    name: str = ""
    resources: Annotated[tuple[str, ...], AfterValidator(_patterns)] | None = None
    mask_key_file: Path | None = None
    control: ControlConnection | None = None
    credentials_dir: Path | None = None
    upstream_ca_file: Path | None = None
    identity: IdentitySettings
    spool: SpoolLimits
    collector: CollectorConnection | None = None
    approvals: ApprovalsConnection | None = None
    # How many processes serve clients: on several cores, for gates with many sessions at once.
    processes: Annotated[int, Field(ge=1, le=64)] = 1
    # How long sessions may take to become idle at shutdown, and the audit trail to be shipped after it.
    grace_seconds: Annotated[float, Field(ge=0)] = 20.0
    # All that the end may take together, such as a pod's terminationGracePeriodSeconds; absent: graceSeconds for each.
    end_seconds: Annotated[float, Field(ge=0)] | None = None
    # What relative paths are relative to: where the file is, and not to be set in it.
    _directory: Path = PrivateAttr(default=Path())

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment above the file, whose values are the arguments; no others."""
        return env_settings, init_settings

    @classmethod
    def of(cls, values: dict[str, Any], directory: Path) -> ProxySettings:
        """Those of a file in that directory, and the environment's."""
        settings = cls(**values)
        settings._directory = directory
        return settings

    @model_validator(mode="after")
    def _consistent(self) -> ProxySettings:
        if (self.control is None) == (self.resources is None):
            raise ValueError("give control (policies are streamed) or resources (files), one of them")
        self._check_databases()
        if not self.stream_owner:
            raise ValueError("name is needed outside a pod: it is what the audit trail calls this proxy")
        if self.spool.max_bytes // self.processes < 1 << 20:
            raise ValueError(f"spool.maxBytes must be 1048576 or more for each of {self.processes} processes")
        if "/" in self.stream_owner:
            raise ValueError("name must not hold a slash")
        self._check_listeners()
        return self

    def _check_listeners(self) -> None:
        """One address where clients choose, or one for each database."""
        own = [one.listen for one in self.databases if one.listen is not None]
        if own and len(own) < len(self.databases):
            raise ValueError("databases: give listen to each of them, or to none, so that clients choose by dbname")
        if own and "listen" in self.model_fields_set:
            raise ValueError("give listen, where clients choose by dbname; or listen of each of databases, one of them")
        places = [(one.host, one.port) for one in own if one.port]
        if len(set(places)) < len(places):
            raise ValueError("databases: two of them listen at one address")
        for one in self.listeners:
            if not one.address.loopback:
                self._check_reachable(one.address.host)

    def _check_databases(self) -> None:
        """One or several, and all that each needs."""
        alone = (self.credentials_dir, self.upstream_ca_file, self.mask_key_file)
        if self.databases and (self.database or alone != (None, None, None)):
            raise ValueError(
                "give database (one) or databases (several), one of them; credentialsDir, upstreamCaFile and "
                "maskKeyFile belong to database, or to each entry of databases"
            )
        if not self.databases and not self.database:
            raise ValueError("give database, the name of a Database; or databases, a list of several")
        if self.database and self.credentials_dir is None:
            raise ValueError("credentialsDir is needed with database: the files username and password")
        names = [one.name for one in self.served]
        if len(set(names)) < len(names):
            raise ValueError("databases: one name is there twice")
        for one in self.served if self.resources is not None else ():
            if one.mask_key_file is None:
                place = f" for {one.name}" if self.databases else ""
                raise ValueError(
                    f"maskKeyFile is needed{place} with resources: the key of the hash masks, 32 bytes in base64"
                )

    def _check_reachable(self, host: str) -> None:
        """Others than this machine (or pod) may connect: each has to prove who they are, and no token goes in clear."""
        remedy = "or listen on a loopback address"
        if not self.identity.required:
            raise ValueError(
                f"listen: {host} is reachable from elsewhere, and whoever connects from there would be "
                f"identity.workload: give identity.issuers and identity.required: true, {remedy}"
            )
        if self.tls is None or not self.tls.required:
            raise ValueError(
                f"listen: {host} is reachable from elsewhere, and tokens would cross the network in clear: "
                f"give tls, with required: true, {remedy}"
            )

    @property
    def served(self) -> tuple[DatabaseSettings, ...]:
        """The databases, one or several."""
        if self.credentials_dir is None:
            return self.databases
        return (
            DatabaseSettings(
                name=self.database, credentials_dir=self.credentials_dir, upstream_ca_file=self.upstream_ca_file,
                mask_key_file=self.mask_key_file,
            ),
        )  # fmt: skip

    @property
    def listeners(self) -> tuple[Listener, ...]:
        """Where clients connect."""
        own = tuple(Listener(one.listen, one.name) for one in self.databases if one.listen is not None)
        return own or (Listener(self.listen, self.database),)

    @property
    def stream_owner(self) -> str:
        """The first part of the audit stream's name."""
        workload = self.identity.workload
        return workload.pod_uid if workload is not None and workload.pod_uid else self.name

    @property
    def directory(self) -> Path:
        """What relative paths are relative to."""
        return self._directory

    def at(self, path: Path) -> Path:
        """A configured path, found from the configuration's directory."""
        return self._directory / path


def read(directory: Path | None = None) -> ProxySettings:
    """The settings of the file and the environment. Raises SettingsError."""
    values = {} if directory is None else _fields(mapping(directory / FILE))
    try:
        return ProxySettings.of(values, directory or Path())
    except UnreadableVariable as error:
        raise SettingsError(f"{' '.join(str(error).split())}: it must be JSON") from None
    except ValidationError as error:
        raise SettingsError("\n".join(_line(one) for one in error.errors())) from None


def mapping(path: Path) -> dict[str, Any]:
    """What a file of settings says, by the names that stand there. Raises SettingsError."""
    try:
        values = yaml.safe_load(path.read_text())
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
        raise SettingsError(f"{path}: must be a mapping of settings")
    return values


def _fields(value: Any) -> Any:
    """The same with the fields' names, which the file has in camelCase."""
    if isinstance(value, dict):
        return {_WORD.sub("_", str(key)).lower(): _fields(inner) for key, inner in value.items()}
    return [_fields(inner) for inner in value] if isinstance(value, list) else value


def _line(error: Any) -> str:
    """One error, by the names that the file has, and the variable that it comes from."""
    path = [str(part) for part in error["loc"]]
    message = error["msg"].removeprefix("Value error, ")
    place = ".".join(to_camel(part) for part in path)
    variables = (PREFIX + "__".join(path[:count]).upper() for count in range(len(path), 0, -1))
    variable = next((name for name in variables if name in os.environ), None)
    name = f"{place} ({variable})" if variable else place or "settings"
    return f"{name}: {message[:1].lower()}{message[1:]}"
