"""A real OIDC provider on loopback for tests: panva's certified `oidc-provider`, run by node, over TLS.

It has discovery, signing keys that can be replaced, the authorization code with PKCE, the device flow (RFC 8628),
refresh tokens that end with the session at the provider, token exchange (RFC 8693), access tokens as JWTs for a
resource (RFC 8707), sign-out, and pages that are driven by HTTP (`Visitor`) or in a browser (they ask for a `User`, and
have the buttons `Sign in` and `Refuse`). Use the fixture `oidc`, which is as new in each test:

    oidc.client("penstock", redirect_uris=["https://127.0.0.1:8080/callback"], secret="…")
    oidc.client("penstock-cli", resource="urn:penstock")   # without a secret: a public client; its default resource
    oidc.resource("urn:penstock", audience="penstock")     # what `resource=` may name, and the `aud` that it gives
    oidc.user("ada", groups=["dba"], email="ada@shop.example")
    oidc.visitor().sign_in(url, "ada")        # from an authorization URL to the URL that it leads back to
    oidc.visitor().allow_device(url, "ada")   # from a device flow's verification_uri_complete to its end
    oidc.rotate()                             # sign by a new key; keep=True leaves the old one in the JWKS
    oidc.sign({"sub": "ada", …})              # any token, signed by the key of now; its header and key may be others
    oidc.token_answers["id_token"] = …        # what answers of /token hold, in place of what they should; then apply()
    oidc.instead("/jwks", Instead(status=500))  # what a path answers, in place of what it should, and how slowly
    oidc.asked("/jwks")                       # how often a path was asked for
    oidc.issuer, oidc.ca_file                 # https://localhost:PORT, and the authority of its certificate

Scopes are openid, profile, email, groups, offline_access and those of resources; what they stand for is in ID tokens
and access tokens alike. Paths are /auth, /token, /jwks, /device, /device/auth, /session/end, /me, /token/revocation.
What doesn't belong: tokens that need no provider (`tests/sidecar/proxy/oidc_provider.py` signs what it is told to).
"""

from __future__ import annotations

import contextlib
import json
import ssl
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import httpx2
import jwt
import trustme
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from tests.conformance.clients import program

PROGRAM = Path(__file__).parent / "program"
_INSTALL = ("npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts")
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
DEVICE = "urn:ietf:params:oauth:grant-type:device_code"
_MOST_STEPS = 12


@dataclass
class Instead:
    """What a path answers in place of what it should: after so many seconds, and, if endless, more and more."""

    body: str = "{}"
    status: int = 200
    headers: dict[str, str] = field(default_factory=lambda: {"content-type": "application/json"})
    seconds: float = 0.0
    endless: bool = False


def _key(kind: str, name: str) -> dict[str, Any]:
    """A private key as a JWK."""
    if kind == "EC":
        algorithm, secret = "ES256", jwt.algorithms.ECAlgorithm.to_jwk(ec.generate_private_key(ec.SECP256R1()), True)
    else:
        generated = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        algorithm, secret = "RS256", jwt.algorithms.RSAAlgorithm.to_jwk(generated, True)
    return {name_: value for name_, value in secret.items() if name_ != "key_ops"} | {
        "kid": name, "alg": algorithm, "use": "sig",
    }  # fmt: skip


class OidcProvider:
    """The provider; see above."""

    def __init__(self, process: subprocess.Popen[str], ca_file: Path, log: Path) -> None:
        self._process = process
        self._log = log
        self.ca_file = ca_file
        self.context = ssl.create_default_context(cafile=ca_file)
        self.issuer: str = self._line()["issuer"]
        self._first = _key("RSA", "first")
        self._visitors: list[Visitor] = []
        self.renew()

    def renew(self) -> None:
        """As it was at the beginning, with three users."""
        self.leave()
        self.keys = [self._first]
        self.clients: dict[str, dict[str, Any]] = {}
        self.resources: dict[str, dict[str, Any]] = {}
        self.token_answers: dict[str, Any] = {}
        self._instead: dict[str, Instead] = {}
        # How long what it issues is good for.
        self.seconds = {
            "AccessToken": 600, "IdToken": 600, "RefreshToken": 3600, "AuthorizationCode": 60, "DeviceCode": 600,
            "Session": 3600, "Grant": 3600, "Interaction": 600, "ClientCredentials": 600,
        }  # fmt: skip
        self.users = {
            name: {"groups": groups, "email": f"{name}@shop.example", "email_verified": True, "name": name.title()}
            for name, groups in (("ada", ["dba"]), ("bea", ["audit"]), ("cem", []))
        }
        self.apply()
        self._asked: dict[str, int] = self._told("asked")

    def client(
        self,
        name: str,
        *,
        redirect_uris: Sequence[str] = (),
        secret: str | None = None,
        resource: str | None = None,
        **metadata: Any,
    ) -> None:
        """Add or replace a client, which may use every grant; `resource` is what its tokens are for by default."""
        grants = ["refresh_token", DEVICE, EXCHANGE, *(["authorization_code"] if redirect_uris else [])]
        self.clients[name] = {
            "client_id": name,
            "redirect_uris": list(redirect_uris),
            "response_types": ["code"] if redirect_uris else [],
            "grant_types": grants,
            **({"client_secret": secret} if secret else {"token_endpoint_auth_method": "none"}),
            **({"resource": resource} if resource else {}),
            **metadata,
        }
        self.apply()

    def user(self, name: str, *, groups: Sequence[str] | None = None, **claims: Any) -> None:
        """Add or replace a user; of those that are signed in, too. `groups` None: no such claim."""
        self.users[name] = claims if groups is None else {"groups": list(groups), **claims}
        self.apply()

    def resource(self, name: str, *, audience: str, scope: str = "query", seconds: int = 600) -> None:
        """Add or replace what tokens may be for; `name` is an absolute URI."""
        self.resources[name] = {"audience": audience, "scope": scope, "seconds": seconds}
        self.apply()

    def rotate(self, kind: str = "RSA", *, keep: bool = False, name: str = "") -> None:
        """Sign by a new key from now on."""
        self.keys = [_key(kind, name or f"key-{time.monotonic_ns()}"), *(self.keys if keep else [])]
        self.apply()

    def instead(self, path: str, answer: Instead) -> None:
        self._instead[path] = answer
        self.apply()

    def usual(self) -> None:
        """All paths answer what they should."""
        self._instead = {}
        self.apply()

    def asked(self, path: str) -> int:
        return self._told("asked").get(path, 0) - self._asked.get(path, 0)

    def sign(self, claims: dict[str, Any], key: Any = None, **header: Any) -> str:
        """A token with these claims and `iss`, `iat`, `exp`, unless they say otherwise (None: without it)."""
        now = int(time.time())
        all_ = {"iss": self.issuer, "iat": now, "exp": now + 600, **claims}
        signs = self.keys[0]
        return jwt.encode(
            {name: value for name, value in all_.items() if value is not None},
            jwt.PyJWK(signs).key if key is None else key,
            algorithm=header.pop("alg", signs["alg"]),
            headers={"kid": signs["kid"], **header},
        )

    def http(self) -> httpx2.Client:
        """A client that trusts it, for requests as programs make them."""
        return httpx2.Client(base_url=self.issuer, verify=self.context, trust_env=False, timeout=20)

    def visitor(self) -> Visitor:
        """A person in front of a browser of their own."""
        self._visitors.append(Visitor(self))
        return self._visitors[-1]

    def leave(self) -> None:
        """All visitors are gone."""
        while self._visitors:
            self._visitors.pop().close()

    def apply(self) -> None:
        """Be as the fields say. The methods above do it themselves."""
        self._told(
            "configure",
            keys=self.keys,
            clients=list(self.clients.values()),
            users=self.users,
            resources=self.resources,
            seconds=self.seconds,
            token_answers=self.token_answers,
            instead={path: asdict(one) for path, one in self._instead.items()},
        )

    def _told(self, command: str, **values: Any) -> Any:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": command, **values}) + "\n")
        self._process.stdin.flush()
        answer = self._line()
        assert "error" not in answer, answer["error"]
        return answer["result"]

    def _line(self) -> Any:
        assert self._process.stdout is not None
        # Its notices are among the lines.
        for line in self._process.stdout:
            if line.startswith("{"):
                return json.loads(line)
        raise AssertionError(f"the OIDC provider has ended: {self._log.read_text()[-2000:]}")


class _Form(HTMLParser):
    """The first form of a page: where it goes, and its fields that are filled in already."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found = False
        self.action = ""
        self.fields: dict[str, str] = {}
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "form":
            self.found, self.action = True, values.get("action") or ""
        elif tag == "input" and (name := values.get("name")):
            self.fields[name] = values.get("value") or ""


class Visitor:
    """Walks through the provider's pages, with cookies as a browser has them."""

    def __init__(self, provider: OidcProvider) -> None:
        self._provider = provider
        self._http = provider.http()

    def close(self) -> None:
        self._http.close()

    def sign_in(self, url: str, user: str, **fields: str) -> str:
        """Where the authorization URL leads; who is signed in is not asked again."""
        return self.walk(url, user=user, **fields)

    def refuse(self, url: str) -> str:
        return self.walk(url, refuse="yes")

    def allow_device(self, url: str, user: str, **fields: str) -> str:
        """Allow what waits at a `verification_uri_complete` (or `abort="yes"`); the last page."""
        return self.walk(url, user=user, **fields)

    def sign_out(self, url: str) -> str:
        """Where the end of the session leads."""
        return self.walk(url, logout="yes")

    def walk(self, url: str, **fields: str) -> str:
        """Follow links and forms to the URL that leads elsewhere, or the text of a page with no form."""
        answer = self._http.get(url, headers={"accept": "text/html"})
        for _ in range(_MOST_STEPS):
            if answer.is_redirect:
                url = urljoin(url, answer.headers["location"])
                if not url.startswith(self._provider.issuer):
                    return url
                answer = self._http.get(url, headers={"accept": "text/html"})
                continue
            form = _Form(answer.text)
            # Of a device that was refused, the provider asks for another code.
            asks_anew = form.fields.get("user_code", "none") == "" and "user_code" not in fields
            if not form.found or asks_anew or answer.status_code != 200:
                return answer.text
            url = urljoin(url, form.action)
            answer = self._http.post(url, data=form.fields | fields, headers={"accept": "text/html"})
        raise AssertionError(f"the provider leads on and on: {url}")


@contextlib.contextmanager
def running(directory: Path, authority: trustme.CA) -> Iterator[OidcProvider]:
    """A provider that listens, and ends with the block."""
    folder = program(PROGRAM, _INSTALL)
    certificate = authority.issue_cert("localhost", "127.0.0.1")
    cert, key, ca = directory / "oidc.crt", directory / "oidc.key", directory / "oidc-ca.crt"
    cert.write_bytes(b"".join(one.bytes() for one in certificate.cert_chain_pems))
    certificate.private_key_pem.write_to_path(key)
    authority.cert_pem.write_to_path(ca)
    log = directory / "oidc.log"
    with log.open("w") as errors:
        process = subprocess.Popen(
            ["node", "provider.mjs", str(cert), str(key)],
            cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True,
        )  # fmt: skip
    try:
        yield OidcProvider(process, ca, log)
    finally:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.close()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()
