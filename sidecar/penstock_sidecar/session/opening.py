"""What a client may ask for in its startup packet, and what the server is asked for on its behalf.

The packets themselves are framed in `penstock_sidecar.wire.startup`; who the client is is not decided here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from penstock_core.sql.authorize.settings import timeout_milliseconds
from penstock_sidecar.session.commands import Terms
from penstock_sidecar.session.refusals import fatal
from penstock_sidecar.wire import messages
from penstock_sidecar.wire.messages import ErrorFields
from penstock_sidecar.wire.startup import Startup

# Settings that change how values look or how long things may take, never what a statement means or may do.
_HARMLESS = {
    name.lower(): name
    for name in (
        "application_name", "DateStyle", "TimeZone", "IntervalStyle", "extra_float_digits", "bytea_output",
        "client_min_messages", "statement_timeout", "lock_timeout", "transaction_timeout",
        "idle_in_transaction_session_timeout", "idle_session_timeout", "jit", "geqo", "lc_messages",
        "default_transaction_read_only", "default_transaction_isolation", "default_transaction_deferrable",
        "tcp_keepalives_idle", "tcp_keepalives_interval", "tcp_keepalives_count",
    )
}  # fmt: skip
# What decisions rely on: set for every session, whatever the role's or the database's settings are.
PINNED = {
    "standard_conforming_strings": "on",
    "client_encoding": "UTF8",
    "row_security": "on",
    "transform_null_equals": "off",
    "array_nulls": "on",
}
# Set unless the client asks for another of the values that are let through.
_DEFAULTS = {"client_min_messages": "notice"}
# Below `notice` the server tells of plans and statements, among them a rewritten one with the key of its hash masks.
_MESSAGES = {"notice", "warning", "error"}
_UTF8 = {"utf8", "unicode"}
_ON = {"on", "true", "yes", "1"}
_OFF = {"off", "false", "no", "0", ""}
_OPTION = re.compile(r"(?:-c\s*|--)([A-Za-z_][\w.-]*)=((?:\\.|\S)*)(?:\s+|$)")


@dataclass(frozen=True, slots=True)
class Opened:
    """A startup packet that was accepted."""

    user: str
    application: str
    # For the server, pins included.
    parameters: dict[str, str]
    # The search_path, where the client chose one.
    search_path: tuple[str, ...] | None
    # The protocol version spoken, and NegotiateProtocolVersion where the client asked for more.
    version: int
    negotiation: bytes


def accept(startup: Startup, terms: Terms) -> Opened | ErrorFields:
    """The session as it may be opened, or the error that the client gets."""
    asked = dict(startup.parameters)
    if startup.version >> 16 != 3:
        major, minor = startup.version >> 16, startup.version & 0xFFFF
        return fatal("0A000", f"protocol {major}.{minor} is not supported, only 3.0 to 3.2")
    unknown = [name for name in asked if name.startswith("_pq_.")]
    version = min(startup.version, messages.PROTOCOL_3_2)
    negotiation = b""
    if unknown or version != startup.version:
        negotiation = messages.negotiate_protocol_version(version, unknown)
    for name in unknown:
        del asked[name]
    user = asked.pop("user", "")
    if not user:
        return fatal("28000", "no user name in the startup packet")
    if asked.pop("replication", "").lower() not in _OFF:
        return fatal("0A000", "replication connections are not let through")
    dbname = asked.pop("database", user)
    if terms.dbname and dbname not in (terms.dbname, terms.database):
        return fatal("3D000", f'this gate leads to database "{terms.dbname}", not to "{dbname}"', "set PGDATABASE")
    options = _options(asked.pop("options", ""))
    if isinstance(options, ErrorFields):
        return options
    parameters = _settings({**options, **asked})
    if isinstance(parameters, ErrorFields):
        return parameters
    return Opened(
        user=user,
        application=parameters.get("application_name", ""),
        parameters={**_DEFAULTS, **parameters, **PINNED},
        search_path=plain_path(parameters["search_path"]) if "search_path" in parameters else None,
        version=version,
        negotiation=negotiation,
    )


def limited(parameters: dict[str, str], longest: int | None, default: int) -> dict[str, str] | ErrorFields:
    """The same startup parameters with a statement_timeout of at most `longest` milliseconds.

    `default` is the server's own for the gate's login (0: none), which a parameter would take the place of.
    """
    if longest is None:
        return parameters
    asked = parameters.get("statement_timeout", str(default))
    wish = timeout_milliseconds(asked)
    if wish is None:
        return fatal("22023", f"statement_timeout {asked} is not let through", "ask for a time such as 30s")
    return {**parameters, "statement_timeout": str(min(wish or longest, longest))}


def plain_path(value: str) -> tuple[str, ...] | None:
    """A search_path of plain names; None where it needs the server to say what it means.

    One that names pg_catalog or pg_temp is none of them: it changes what comes before what.
    """
    names = [name.strip() for name in value.split(",")]
    plain = [name[1:-1] if name[:1] == name[-1:] == '"' and len(name) > 2 else name.lower() for name in names]
    if any(not (name.isidentifier() and name.isascii()) or name.startswith("pg_") for name in plain):
        return None
    return tuple(plain)


def _options(text: str) -> dict[str, str] | ErrorFields:
    """The settings in `options=-c a=b --c=d`."""
    found: dict[str, str] = {}
    at = 0
    text = text.strip()
    while at < len(text):
        match = _OPTION.match(text, at)
        if match is None:
            return fatal("42501", "of the startup packet's options only settings (-c name=value) are let through")
        found[match[1].replace("-", "_")] = re.sub(r"\\(.)", r"\1", match[2])
        at = match.end()
    return found


def _settings(asked: dict[str, str]) -> dict[str, str] | ErrorFields:
    accepted: dict[str, str] = {}
    for name, value in asked.items():
        folded = name.lower()
        if folded == "client_min_messages" and value.lower() not in _MESSAGES:
            return fatal("22023", f"client_min_messages {value} is not let through", "ask for notice or less")
        if folded in _HARMLESS:
            accepted[_HARMLESS[folded]] = value
        elif folded == "search_path":
            if plain_path(value) is None:
                return fatal("42501", f"the search_path {value} is not let through, only names with commas between")
            accepted[folded] = value
        elif folded == "client_encoding":
            # The server compares letters and digits alone.
            if re.sub("[^a-z0-9]", "", value.lower()) not in _UTF8:
                return fatal("22023", f"client_encoding {value} is not let through, only UTF8", "set client_encoding")
        elif folded == "standard_conforming_strings":
            if value.lower() not in _ON:
                return fatal("22023", "standard_conforming_strings can't be off")
        else:
            return fatal("42501", f"the startup parameter {name} is not let through", "leave it out of the connection")
    return accepted
