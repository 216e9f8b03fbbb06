"""`penstock check` as somebody runs it on a laptop and in CI, on the demo's shop."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import click
import psycopg
import pytest
import trustme
from click.testing import CliRunner, Result

from penstock_cli.check.identities import IdentityError, identity
from penstock_cli.check.statements import statements
from penstock_cli.check.view import pretty
from penstock_cli.demo.postgres import EmbeddedPostgres
from penstock_cli.main import command
from penstock_core.identity import Identity, Principal, Workload

PASSWORD = "made-up: for / checking"
SHOP = resources.files("penstock_cli.demo").joinpath("shop")
AGENT, OFFICER = "agent:support-bot,support", "person:dana@example.com,staff,dpo@https://people.demo.example"
REPORT = """-- What the support desk runs each morning.
SELECT name, email FROM customers
WHERE country = $1;

/* sold; not shipped */
SELECT item FROM orders WHERE status = 'open';
DELETE FROM orders;
"""


@dataclass(frozen=True)
class Desk:
    """Where one checks: files, and the server that the catalog comes from."""

    directory: Path
    server: EmbeddedPostgres

    @property
    def url(self) -> str:
        return f"postgresql://checker@127.0.0.1:{self.server.port}/checked?sslmode=disable"

    def check(self, sql: str, *options: str, who: str = AGENT, resources: str = "resources") -> Result:
        (self.directory / "report.sql").write_text(sql, encoding="utf-8")
        return run(
            "check", str(self.directory / "report.sql"), "--as", who, "--policies", str(self.directory / resources),
            "--catalog", str(self.directory / "catalog.json"), *options,
        )  # fmt: skip

    def verdicts(self, sql: str, *options: str, who: str = AGENT) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.check(sql, "--json", *options, who=who).stdout.splitlines()]

    def policy(self, spec: str, name: str = "more") -> str:
        """The resources with one more policy; the name of their directory."""
        more = self.directory / name
        shutil.copytree(self.directory / "resources", more)
        (more / "more.yml").write_text(
            "apiVersion: penstock.dev/v1alpha1\nkind: DatabaseAccessPolicy\n"
            f"metadata: {{name: more, namespace: shop}}\nspec:\n  databaseRef: {{name: shop}}\n{spec}"
        )
        return name


def run(*arguments: str, given: str | bytes | None = None, **environment: str) -> Result:
    result = CliRunner().invoke(command, list(arguments), input=given, env=environment)
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result


def refused_in_one_line(result: Result) -> str:
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    return line.removeprefix("Error: ")


@pytest.fixture(scope="module")
def server(postgres: EmbeddedPostgres) -> EmbeddedPostgres:
    postgres.psql(f"CREATE ROLE checker LOGIN PASSWORD '{PASSWORD}'; CREATE DATABASE checked;")
    postgres.psql((SHOP / "shop.sql").read_text(), "checked")
    postgres.psql("CREATE SCHEMA archive; CREATE TABLE archive.customers (id int, email text);", "checked")
    return postgres


@pytest.fixture(scope="module")
def filed(server: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("catalog") / "catalog.json"
    url = Desk(file.parent, server).url
    result = run("catalog", "--url", url, "-o", str(file), PGPASSWORD=PASSWORD)
    assert (result.exit_code, result.stderr) == (0, f"{file}: 8 relations\n")
    return file


@pytest.fixture
def desk(server: EmbeddedPostgres, filed: Path, tmp_path: Path) -> Desk:
    shutil.copy(filed, tmp_path / "catalog.json")
    with resources.as_file(SHOP / "resources") as shop:
        shutil.copytree(shop, tmp_path / "resources")
    return Desk(tmp_path, server)


# What is told of each statement.


def test_each_statement_is_told_with_its_line_its_reason_and_what_to_do(desk: Desk) -> None:
    result = desk.check(REPORT)
    assert result.exit_code == 1
    file = desk.directory / "report.sql"
    assert f"{file}:2: rewritten  SELECT name, email FROM customers WHERE country = $1\n" in result.stdout
    assert "    masked  public.customers.email by email (support: masks[0])\n" in result.stdout
    assert f"{file}:6: allowed  SELECT item" in result.stdout
    assert f"{file}:7: refused  DELETE FROM orders\n" in result.stdout
    assert "    why     DELETE without WHERE on public.orders (support: guardrails.requireWhere)\n" in result.stdout
    assert "    instead add a WHERE" in result.stdout
    assert result.stdout.endswith("3 statements as agent:support-bot: 1 allowed, 1 rewritten, 1 refused\n")
    insertion, order = result.stderr.splitlines()
    assert order == (
        "warning: index customers_email_key orders public.customers by its masked column email; statements that read it"
        " are sorted further"
    )
    # What no statement here tells: that this identity, which may insert, can't insert customers.
    assert insertion.startswith(
        "warning: rows with a value for email can't be inserted into public.customers: a unique"
    )


def test_json_has_a_line_for_each(desk: Desk) -> None:
    masked, allowed, refused = desk.verdicts(REPORT)
    assert (masked["line"], masked["decision"]) == (2, "rewrite")
    assert masked["masked"] == [
        {"column": "public.customers.email", "mask": "email", "policy": "support", "rule": "masks[0]"}
    ]
    assert allowed == {
        "file": str(desk.directory / "report.sql"), "line": 6, "decision": "allow", "verbs": ["select"],
        "sql": "SELECT item FROM orders WHERE status = 'open'", "relations": ["public.orders"],
        "policies": ["support"],
    }  # fmt: skip
    assert (refused["policy"], refused["rule"], refused["sqlstate"]) == (
        "support", "guardrails.requireWhere", "42501",
    )  # fmt: skip


def test_what_is_said_to_be_sent_shows_the_masks_when_it_is_run(desk: Desk, server: EmbeddedPostgres) -> None:
    (verdict,) = desk.verdicts("SELECT email FROM customers WHERE id = 1")
    shown = desk.check("SELECT email FROM customers WHERE id = 1").stdout
    lines = [line.strip() for line in shown.split("    sent as\n")[1].splitlines() if line.startswith("        ")]
    with psycopg.connect(server.url("checked")) as client:
        for sql in (verdict["rewritten"], "\n".join(lines)):
            assert client.execute(sql).fetchall() == [("a***@example.com",)]


def test_another_identity_another_answer(desk: Desk) -> None:
    assert [one["decision"] for one in desk.verdicts(REPORT, who=OFFICER)] == ["allow", "allow", "deny"]
    assert desk.check("SELECT email FROM customers", who=OFFICER).exit_code == 0


def test_an_identity_that_no_policy_is_for_is_told_for_whom_there_are_some(desk: Desk) -> None:
    result = desk.check("SELECT 1", who="agent:support-bot,suport")
    assert result.exit_code == 1
    assert "no policy for Database shop/shop is for agent:support-bot" in result.stderr
    assert "agent:… in support" in result.stderr


def test_what_is_only_observed_passes_and_says_what_it_would_be(desk: Desk) -> None:
    spec = "  mode: observe\n  subjects: [{serviceAccount: {name: web}}]\n  allow: [select]\n"
    more = desk.policy(spec + '  masks: [{columns: ["*.*.email"], with: {"null": {}}}]\n')
    result = desk.check("SELECT email FROM customers; DELETE FROM orders", who="sa:shop/web", resources=more)
    assert result.exit_code == 0
    assert ":1: allowed (would be rewritten if its observing policies were enforced)" in result.stdout
    assert "would be masked public.customers.email by null (more: masks[0])" in result.stdout
    assert ":1: allowed (would be refused if its observing policies were enforced)" in result.stdout


CONDITIONED = """  subjects: [{serviceAccount: {name: web}}]
  masks:
    - {columns: ["*.*.email"], with: {redact: {}}, unless: "now < timestamp('2026-06-01T00:00:00Z')"}
    - {columns: ["*.*.country"], with: {redact: {}}, unless: "session.clientAddress == '10.0.0.7'"}
    - {columns: ["*.*.name"], with: {redact: {}}, unless: "[identity.name][1] == ''"}
"""


def test_what_is_asked_for_is_there_with_an_option(desk: Desk) -> None:
    more = desk.policy(
        "  subjects: [{identity: {kind: agent, groups: [support]}}]\n  allow: [truncate]\n"
        "  onRequest: {approvers: {groups: [dba]}, maxDuration: 2h}\n"
    )
    text = "TRUNCATE orders;"
    assert "refused" in desk.check(text, resources=more).stdout
    assert "may not truncate" not in desk.check(text, "--with-access", "more", resources=more).stdout
    said = refused_in_one_line(desk.check(text, "--with-access", "none", resources=more))
    assert said == "--with-access: agent:support-bot can't ask for a policy none; they can for: more"
    assert "they can for: none" in refused_in_one_line(
        desk.check(text, "--with-access", "more", resources=more, who=OFFICER)
    )


def test_conditions_are_told_for_a_time_and_an_address(desk: Desk) -> None:
    more = desk.policy(CONDITIONED)
    around = ("--at", "2026-05-31T23:59:59Z", "--client-address", "10.0.0.7")
    text = "SELECT email, country, name FROM customers"
    result = desk.check(text, *around, who="sa:shop/web", resources=more)
    lines = [line.strip() for line in result.stdout.splitlines()]
    assert [line for line in lines if line.startswith("masked")] == [
        "masked  public.customers.name by redact (more: masks[2])"
    ]
    assert [line for line in lines if line.startswith("unless")] == [
        "unless  now < timestamp('2026-06-01T00:00:00Z') (more: masks[0].unless): "
        "public.customers.email are not masked",
        "unless  session.clientAddress == '10.0.0.7' (more: masks[1].unless): public.customers.country are not masked",
        "unless  [identity.name][1] == '' (more: masks[2].unless): "
        "public.customers.name stay masked, as it can't be evaluated",
    ]
    assert "policy more (masks[2].unless): its condition can't be evaluated, so its mask applies:" in result.stderr


def test_conditions_that_do_not_hold_leave_their_masks(desk: Desk) -> None:
    more = desk.policy(CONDITIONED)
    (line,) = desk.check(
        "SELECT email, country FROM customers", "--at", "2026-06-01T02:00:00+02:00", "--json",
        who="sa:shop/web", resources=more,
    ).stdout.splitlines()  # fmt: skip
    found = json.loads(line)
    assert [one["column"].rpartition(".")[2] for one in found["masked"]] == ["country", "email", "name"]
    assert found["unless"] == [
        {
            "policy": "more", "rule": "masks[2].unless", "condition": "[identity.name][1] == ''", "result": "failed",
            "columns": ["public.customers.name"],
        }
    ]  # fmt: skip


@pytest.mark.parametrize("at", ["soon", "2026-06-01T00:00:00", ""])
def test_a_time_that_is_none(desk: Desk, at: str) -> None:
    assert refused_in_one_line(desk.check("SELECT 1", "--at", at)).startswith("--at: ")


def test_what_a_migration_makes_is_known_to_its_later_statements(desk: Desk) -> None:
    more = desk.policy("  subjects: [{identity: {kind: agent}}]\n  allow: [select, insert, create, drop]\n")
    text = "CREATE TABLE fresh (id int); INSERT INTO fresh VALUES (1); SELECT id FROM fresh; DROP TABLE fresh;"
    told = desk.check(f"{text} SELECT id FROM fresh", "--json", resources=more).stdout.splitlines()
    assert [json.loads(line)["decision"] for line in told] == ["allow"] * 4 + ["deny"]


def test_refused_only_shows_what_a_review_has_to_look_at(desk: Desk) -> None:
    shown = desk.check(REPORT, "--refused-only").stdout
    assert "customers" not in shown
    assert ":7: refused" in shown
    assert "1 allowed, 1 rewritten, 1 refused" in shown
    assert [one["line"] for one in desk.verdicts(REPORT, "--refused-only")] == [7]


def test_masks_that_do_not_fit_or_mask_nothing_are_warned_of(desk: Desk) -> None:
    masks = (
        '  masks:\n    - {columns: ["public.payments.paid_on"], with: {constant: {value: soon}}}\n'
        '    - {columns: ["public.customers.emial"], with: {redact: {}}}\n'
    )
    more = desk.policy("  subjects: [{identity: {kind: agent}}]\n  allow: [select]\n" + masks)
    result = desk.check("SELECT paid_on FROM payments", resources=more)
    assert result.exit_code == 0
    assert "warning: public.payments.paid_on is pg_catalog.date, which the mask constant" in result.stderr
    assert "warning: no column of the database is public.customers.emial" in result.stderr


def test_nothing_in_sql_steers_the_terminal(desk: Desk) -> None:
    result = desk.check("SELECT email, '\x1b[2J\x1b]0;title\x07' FROM customers; SELEC [red]\x1b[1m")
    assert "\x1b" not in result.stdout
    assert "[red]" in result.stdout


# A file is a session.


def test_after_a_new_search_path_bare_names_mean_what_they_then_would(desk: Desk) -> None:
    sql = "SELECT email FROM orders_of_old; SET search_path = archive; SELECT email FROM customers; DISCARD ALL"
    first, changed, after, _ = desk.verdicts(sql)
    assert (first["decision"], changed["decision"]) == ("deny", "allow")
    # Which of the two it is can't be known any more.
    assert after["decision"] == "deny"


def test_the_search_path_that_sessions_begin_with_can_be_given(desk: Desk) -> None:
    (verdict,) = desk.verdicts("SELECT email FROM customers", "--search-path", "archive, public")
    assert verdict["relations"] == ["archive.customers"]
    (verdict,) = desk.verdicts("SELECT email FROM customers", "--search-path", '"$user", public')
    assert verdict["relations"] == ["public.customers"]
    line = refused_in_one_line(desk.check("SELECT 1", "--search-path", "pg_temp, public"))
    assert "--search-path" in line


# Files of SQL.


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("SELECT 1;\n-- a; b\n\n  SELECT ';\n';;\n", [(1, "SELECT 1"), (4, "SELECT ';\n'")]),
        ("SELECT 'é€';\r\nSELECT 2", [(1, "SELECT 'é€'"), (2, "SELECT 2")]),
        ("-- nothing\n/* here */ ;", []),
        # With an error in it, no statement is lost and none is cut.
        ("SELEC 1;\n/* é */ SELECT $a$;$a$;\n\\d x\n", [(1, "SELEC 1"), (2, "SELECT $a$;$a$"), (3, "\\d x")]),
        (
            "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; SELECT 2; END;\nNONSENSE",
            [(1, "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; SELECT 2; END"),
             (2, "NONSENSE")],
        ),
        ("NONSENSE; CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2);",
         [(1, "NONSENSE"), (1, "CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2)")]),
        ("SELECT $é$;$è$;$é$; NONSENSE", [(1, "SELECT $é$;$è$;$é$"), (1, "NONSENSE")]),
        # Where one can't be told from the next, nothing is left out.
        ("SELECT 1;\nSELECT 'not ended; DROP TABLE t", [(1, "SELECT 1;\nSELECT 'not ended; DROP TABLE t")]),
        ("SELECT 1\0; DROP TABLE t", [(1, "SELECT 1\0; DROP TABLE t")]),
        ("SELECT " + "(" * 100_000, [(1, "SELECT " + "(" * 100_000)]),
    ],
)  # fmt: skip
def test_where_statements_begin_and_end(text: str, found: list[tuple[int, str]]) -> None:
    assert [(one.line, one.text) for one in statements(text, "f.sql")] == found


def test_a_large_file_is_split_alike_and_soon() -> None:
    lines = [f"SELECT 'é{number}' FROM t WHERE a = {number}" for number in range(5000)]
    assert [one.text for one in statements(";\n".join(lines), "f.sql")] == lines


def test_statements_that_are_no_sql_are_refused_and_the_rest_judged(desk: Desk) -> None:
    first, second = desk.verdicts("SELEC 1;\nSELECT 1")
    assert (first["decision"], first["sqlstate"], second["decision"]) == ("deny", "42601", "allow")


def test_standard_input_and_several_files(desk: Desk) -> None:
    (desk.directory / "a.sql").write_bytes("\ufeffSELECT 1".encode())
    result = run(
        "check", "-", str(desk.directory / "a.sql"), "--as", AGENT, "--policies", str(desk.directory / "resources"),
        "--catalog", str(desk.directory / "catalog.json"), given="\nSELECT 2",
    )  # fmt: skip
    assert result.exit_code == 0
    assert result.stdout.splitlines()[:2] == ["-:2: allowed  SELECT 2", f"{desk.directory}/a.sql:1: allowed  SELECT 1"]


def test_sql_that_can_not_be_laid_out_is_shown_as_it_is() -> None:
    assert pretty("SELECT  1") == "SELECT 1"
    assert pretty("no SQL") == "no SQL"


# The server instead of a file.


def test_a_server_answers_like_the_file_of_it(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(PASSWORD + "\n")
    policies = str(desk.directory / "resources")
    asked = run(
        "check", "-", "--json", "--as", AGENT, "--policies", policies, "--url", desk.url,
        "--password-file", str(tmp_path / "secret"), given=REPORT,
    )  # fmt: skip
    filed = run(
        "check", "-", "--json", "--as", AGENT, "--policies", policies, "--catalog",
        str(desk.directory / "catalog.json"), given=REPORT,
    )  # fmt: skip
    assert asked.exit_code == filed.exit_code == 1
    assert asked.stdout == filed.stdout


def test_a_password_in_the_url_is_decoded(desk: Desk) -> None:
    url = desk.url.replace("checker@", "checker:made-up%3A%20for%20%2F%20checking@")
    assert run("catalog", "--url", url, PGPASSWORD="wrong").stdout == (desk.directory / "catalog.json").read_text()


def test_tls_is_as_in_a_database_resource(postgres15: EmbeddedPostgres, authority: trustme.CA, tmp_path: Path) -> None:
    authority.cert_pem.write_to_path(tmp_path / "ca.crt")
    url = postgres15.url().replace("127.0.0.1", "localhost")
    assert run("catalog", "--url", f"{url}?sslrootcert={tmp_path}/ca.crt").exit_code == 0
    assert run("catalog", "--url", f"{url}?sslmode=require").exit_code == 0
    # Without a word of it: the certificate must be for the host, by an authority that is known.
    assert "certificate" in refused_in_one_line(run("catalog", "--url", url))


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("postgresql://checker@127.0.0.1:1/checked?sslmode=disable", "the database at 127.0.0.1:1 can't be reached"),
        ("postgresql://checker:wrong@127.0.0.1:{port}/checked?sslmode=disable", "refused that user or password"),
        ("postgresql://checker@127.0.0.1:{port}/nowhere?sslmode=disable", 'database "nowhere" does not exist'),
        ("postgresql://checker@127.0.0.1:{port}/checked", "does not speak TLS, and tls.mode is verify-full"),
        ("postgresql://checker@127.0.0.1:{port}/checked?sslmode=prefer", "sslmode=prefer is not known, only disable"),
        ("postgresql://checker@127.0.0.1:{port}/checked?sslmode=disable&sslrootcert=x", "sslrootcert is only used by"),
        ("postgresql://checker@127.0.0.1:{port}/checked?service=x", "the parameter service is not known"),
        ("postgresql://checker:{secret}@127.0.0.1:port/checked", "is no URL such as"),
        ("postgresql://:{secret}@127.0.0.1/checked", "must be postgresql://USER@HOST/DATABASE"),
        ("mysql://checker:{secret}@127.0.0.1/checked", "must be postgresql://USER@HOST/DATABASE"),
    ],
)  # fmt: skip
def test_a_server_that_can_not_be_asked_is_one_line(desk: Desk, url: str, words: str) -> None:
    result = run("catalog", "--url", url.format(port=desk.server.port, secret="s3cret"), PGPASSWORD=PASSWORD)
    line = refused_in_one_line(result)
    assert words in line
    assert "s3cret" not in line


# What can't be used is told in one line, status 2.


@pytest.mark.parametrize(
    ("names", "meant"),
    [
        (["sa:shop/web"], Identity(Workload("shop", "web"))),
        (["person:ada"], Identity(principal=Principal("person", "ada", ""))),
        (["agent:bot,a,/b"], Identity(principal=Principal("agent", "bot", "", ("a", "/b")))),
        (
            ["person:ada@example.com,dpo@corp@https://login.example/x"],
            Identity(principal=Principal("person", "ada@example.com", "https://login.example/x", ("dpo@corp",))),
        ),
        (["service:cn=a%2Cou=b"], Identity(principal=Principal("service", "cn=a,ou=b", ""))),
        (
            ["agent:bot", "sa:shop/web"],
            Identity(Workload("shop", "web"), Principal("agent", "bot", "")),
        ),
        (
            ["person:ada,dpo", "agent:bot", "sa:shop/web"],
            Identity(
                Workload("shop", "web"), Principal("agent", "bot", ""), (Principal("person", "ada", "", ("dpo",)),)
            ),
        ),
    ],
)  # fmt: skip
def test_how_identities_are_written(names: list[str], meant: Identity) -> None:
    assert identity(names) == meant


@pytest.mark.parametrize(
    "names",
    [
        [""], ["ada"], ["sa:web"], ["sa:shop/"], ["sa:Shop/web"], ["sa:shop/web/x"], ["person:"], ["person:,dpo"],
        ["person:ada,"], ["robot:x"], ["person"], ["person:100%"], ["person:ada", "person:bob"], ["agent:a", "agent:b"],
        ["sa:shop/web", "sa:shop/api"], ["person:@https://login.example"],
    ],
)  # fmt: skip
def test_what_names_no_identity_is_told_so(names: list[str], desk: Desk) -> None:
    with pytest.raises(IdentityError):
        identity(names)
    options = [option for name in names[1:] for option in ("--as", name)]
    assert refused_in_one_line(desk.check("SELECT 1", *options, who=names[0])).startswith("--as: ")


def test_sql_that_is_not_there(desk: Desk) -> None:
    assert "no SQL statement there" in refused_in_one_line(desk.check("-- nothing"))
    policies = str(desk.directory / "resources")
    for name, words in {"no.sql": "No such file", ".": "Is a directory", "x.yaml": "is a file of resources"}.items():
        line = refused_in_one_line(run("check", name, "--as", AGENT, "--policies", policies, "--catalog", "x"))
        assert words in line
    (desk.directory / "report.sql").write_bytes(b"\xff")
    line = refused_in_one_line(
        run("check", str(desk.directory / "report.sql"), "--as", AGENT, "--policies", policies, "--catalog", "x")
    )
    assert line == f"{desk.directory}/report.sql: is not UTF-8 text"


def test_resources_that_are_no_good(desk: Desk) -> None:
    (desk.directory / "empty").mkdir()
    assert "no *.yaml or *.yml there" in refused_in_one_line(desk.check("SELECT 1", resources="empty"))
    assert "No such file" in refused_in_one_line(desk.check("SELECT 1", resources="nowhere.yaml"))
    file = desk.directory / "resources" / "database.yaml"
    file.write_text(file.read_text() + "  hots: x\n")
    assert f"{file}:" in refused_in_one_line(desk.check("SELECT 1"))


def test_which_database_is_meant(desk: Desk) -> None:
    assert desk.check("SELECT 1", "--database", "shop/shop").exit_code == 0
    assert "there are: shop/shop" in refused_in_one_line(desk.check("SELECT 1", "--database", "elsewhere/shop"))
    other = (desk.directory / "resources" / "database.yaml").read_text().replace("name: shop, ", "name: other, ")
    (desk.directory / "resources" / "other.yaml").write_text(other)
    assert "there are: shop/other, shop/shop" in refused_in_one_line(desk.check("SELECT 1"))
    assert desk.check("SELECT 1", "--database", "shop").exit_code == 0


def test_catalogs_that_are_no_good(desk: Desk) -> None:
    line = refused_in_one_line(desk.check("SELECT 1", "--url", desk.url))
    assert line == "give the database's catalog: either --catalog FILE or --url URL"
    catalog = desk.directory / "catalog.json"
    catalog.write_text(catalog.read_text()[:-100])
    assert refused_in_one_line(desk.check("SELECT 1")) == f"{catalog}: is not a JSON document"
    catalog.unlink()
    assert refused_in_one_line(desk.check("SELECT 1")) == f"{catalog}: No such file or directory"
    unwritable = run("catalog", "--url", desk.url, "-o", str(catalog / "x"), PGPASSWORD=PASSWORD)
    assert "No such file" in refused_in_one_line(unwritable)


def test_every_option_has_its_words_in_the_document_and_none_else_is_there() -> None:
    page = (Path(__file__).parents[2] / "docs" / "check.md").read_text()
    commands = [command.get_command(click.Context(command), name) for name in ("check", "catalog")]
    options = {option for one in commands if one is not None for param in one.params for option in param.opts}
    named = set(re.findall(r"--[a-z][a-z-]+", page))
    known = {option for option in options if option.startswith("--")}
    assert named - known == set()
    assert known - named == {"--namespace", "--output"}


HELD = """  subjects: [{identity: {kind: agent}}]
  allow: [select, delete]
  approvals:
    - {name: deletes, when: "statement.verb == 'delete'", approvers: {groups: [dba, leads]}}
    - {name: large, when: "statement.verb == 'select' && statement.estimatedRows > 9", approvers: {groups: [dba]}}
"""
HOLDING = "DELETE FROM orders WHERE id = 1; SELECT item FROM orders; BEGIN; PREPARE p AS SELECT 1; EXECUTE p;"


def test_what_approvals_hold_is_told(desk: Desk) -> None:
    result = desk.check(HOLDING, "--json", resources=desk.policy(HELD, "held"))
    found = [json.loads(line) for line in result.stdout.splitlines()]
    deletes = {"policy": "more", "rule": "approvals[deletes]"}
    # The shop's own policy holds what agents delete.
    agents = {"policy": "support", "rule": "approvals[deletes]"}
    large = {"policy": "more", "rule": "approvals[large]", "result": "perhaps"}
    assert [one.get("approvals") for one in found] == [
        [{**deletes, "result": "held"}, {**agents, "result": "held"}], [large], None, None,
        [{**deletes, "result": "perhaps"}, large, {**agents, "result": "perhaps"}],
    ]  # fmt: skip
    lines = [" ".join(line.split()) for line in desk.check(HOLDING, resources="held").stdout.splitlines()]
    assert "held until dba or leads approve it (more: approvals[deletes])" in lines
    assert "held perhaps, until dba approve it (more: approvals[large])" in lines


def test_a_transaction_with_a_context_may_what_both_may(desk: Desk) -> None:
    done = desk.check("SELECT 1", "--for", OFFICER)
    assert done.stdout.endswith("as agent:support-bot for person:dana@example.com: 1 allowed\n")
    for person, words in (
        ("sa:shop/web", "a context names a person"), ("agent:bot", "by a context one acts for one person"),
        ("ada", "is not an identity"),
    ):  # fmt: skip
        line = refused_in_one_line(desk.check("SELECT 1", "--for", person))
        assert line.startswith("--for: ")
        assert words in line
    assert "a person acts for nobody" in refused_in_one_line(desk.check("SELECT 1", "--for", OFFICER, who=OFFICER))
