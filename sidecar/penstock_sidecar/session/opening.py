"""What a client may ask for in its startup packet, and what the server is asked for on its behalf.

The packets themselves are framed in `penstock_sidecar.wire.startup`; who the client is is not decided here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from penstock_core.sql.authorize.settings import may_begin_with, timeout_milliseconds
from penstock_core.sql.decision import Action
from penstock_sidecar.session.commands import Decider, LoginMethod, ProxyConfig
from penstock_sidecar.session.refusals import denied, fatal
from penstock_sidecar.wire import messages
from penstock_sidecar.wire.messages import ErrorFields
from penstock_sidecar.wire.startup import Startup

# What decisions rely on: set for every session, whatever the role's or the database's settings are. An identity that
# may SET another value may begin with it too.
PINNED = {
    "standard_conforming_strings": "on",
    "client_encoding": "UTF8",
    "row_security": "on",
    "transform_null_equals": "off",
    "array_nulls": "on",
}
# Set unless the client asks for another value that is allowed. Below `notice` the server tells of plans and statements,
# among them a rewritten one with the key of its hash masks.
_DEFAULTS = {"client_min_messages": "notice"}
# For the gate alone: how the client presents its token.
_LOGIN = "penstock.login"
_LOGINS: dict[str, LoginMethod] = {"password": "password", "oauthbearer": "oauthbearer"}
_UTF8 = {"utf8", "unicode"}
_ON = {"on", "true", "yes", "1"}
_OFF = {"off", "false", "no", "0", ""}
_OPTION = re.compile(r"(?:-c\s*|--)([A-Za-z_][\w.-]*)=((?:\\.|\S)*)(?:\s+|$)")


@dataclass(frozen=True, slots=True)
class AcceptedStartup:
    """A startup packet that was accepted."""

    user: str
    # The database that is asked for.
    dbname: str
    application: str
    # For the server, pins included.
    parameters: dict[str, str]
    # The search_path, where the client chose one.
    search_path: str | None
    # The protocol version spoken, and NegotiateProtocolVersion where the client asked for more.
    version: int
    negotiation: bytes
    # How it presents its token, where it chose.
    login: LoginMethod | None = None


def accept(startup: Startup, config: ProxyConfig) -> AcceptedStartup | ErrorFields:
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
        return fatal("0A000", "replication connections are not supported")
    dbname = asked.pop("database", "") or user
    if config.dbname and dbname not in (config.dbname, config.database):
        text = f'this gate serves database "{config.dbname}", not "{dbname}"'
        return fatal("3D000", text, "set PGDATABASE, or the port of that other database, if the gate serves it")
    options = _options(asked.pop("options", ""))
    if isinstance(options, ErrorFields):
        return options
    login = _LOGINS.get(chosen := options.pop(_LOGIN, "").lower())
    if chosen and login is None:
        return fatal("22023", f"{_LOGIN} {chosen} is not known", "set it to password or oauthbearer")
    parameters = _settings({**options, **asked})
    if isinstance(parameters, ErrorFields):
        return parameters
    return AcceptedStartup(
        user=user,
        dbname=dbname,
        application=parameters.get("application_name", ""),
        parameters={**_DEFAULTS, **PINNED, **parameters},
        search_path=parameters.get("search_path"),
        version=version,
        negotiation=negotiation,
        login=login,
    )


def permitted(parameters: dict[str, str], decider: Decider) -> ErrorFields | None:
    """Why a session may not begin with these: what the identity may not SET it may not begin with either."""
    for name, value in parameters.items():
        if PINNED.get(name) == value or may_begin_with(name, value):
            continue
        quoted = ".".join('"{}"'.format(part.replace('"', '""')) for part in name.split("."))
        escaped = value.replace("'", "''")
        decision = decider.decide(f"SET {quoted} = '{escaped}'", None, frozenset())
        if decision.action is Action.DENY and decision.denial is not None:
            return denied(decision.denial)._replace(severity="FATAL")
    return None


def loosened(parameters: dict[str, str]) -> bool:
    """Whether a session begins with settings that no identity with masks may change."""
    return any(
        PINNED.get(name) != value and "." not in name and may_begin_with(name, value) is None
        for name, value in parameters.items()
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
        return fatal("22023", f"statement_timeout {asked} is not understood", "ask for a time such as 30s")
    return {**parameters, "statement_timeout": str(min(wish or longest, longest))}


def _options(text: str) -> dict[str, str] | ErrorFields:
    """The settings in `options=-c a=b --c=d`."""
    found: dict[str, str] = {}
    at = 0
    text = text.strip()
    while at < len(text):
        match = _OPTION.match(text, at)
        if match is None:
            return fatal("42501", "the startup parameter options may contain settings only", "write -c name=value")
        found[match[1].replace("-", "_")] = re.sub(r"\\(.)", r"\1", match[2])
        at = match.end()
    return found


def _settings(asked: dict[str, str]) -> dict[str, str] | ErrorFields:
    """The settings as the server is asked for them, by their names in lower case, as far as any identity may have them.

    Which is decided by the same list as SET: `permitted` does the rest, once the identity is known.
    """
    accepted: dict[str, str] = {}
    for name, value in asked.items():
        folded = name.lower()
        if folded == "client_encoding":
            # The server compares letters and digits alone.
            if re.sub("[^a-z0-9]", "", value.lower()) not in _UTF8:
                return fatal("22023", f"client_encoding {value} is not allowed", "set client_encoding to UTF8")
        elif folded == "standard_conforming_strings":
            if value.lower() not in _ON:
                return fatal("22023", f"standard_conforming_strings {value} is not allowed", "set it to on")
        elif may_begin_with(folded, value) is False:
            return fatal("42501", f"the startup parameter {name} is not allowed", "leave it out of the connection")
        else:
            accepted[folded] = value
    return accepted
