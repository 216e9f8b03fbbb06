"""Functions and triggers of a database's own, in the twin databases: what may run, and what would tell them apart."""

from __future__ import annotations

from collections.abc import Sequence

from tests.core.sql.twins.corpus import ORDERED

SCHEMA = r"""
SET check_function_bodies = off;
CREATE SCHEMA app;
CREATE SCHEMA evil;
CREATE SEQUENCE app.codes;
CREATE FUNCTION app.slugify(v text) RETURNS text LANGUAGE sql IMMUTABLE STRICT
    AS $$ SELECT trim(BOTH '-' FROM regexp_replace(lower(v), '[^a-z0-9]+', '-', 'g')) $$;
CREATE FUNCTION app.atomic(a int) RETURNS bigint LANGUAGE sql
    BEGIN ATOMIC; SELECT a + 1; SELECT a + count(*) FROM public.log; END;
CREATE FUNCTION app.added(a int, b bigint DEFAULT app.atomic(3)) RETURNS bigint LANGUAGE sql RETURN a + b;
CREATE FUNCTION app.factorial(n int) RETURNS numeric LANGUAGE plpgsql
    AS $$ BEGIN IF n < 2 THEN RETURN 1; ELSE RETURN n * app.factorial(n - 1); END IF; END $$;
CREATE FUNCTION app.total(VARIADIC v int[]) RETURNS int LANGUAGE plpgsql
    AS $$ DECLARE s int := 0; x int; BEGIN FOREACH x IN ARRAY v LOOP s := s + x; END LOOP; RETURN s; END $$;
CREATE FUNCTION app.same(a anyelement) RETURNS anyelement LANGUAGE plpgsql AS $$ BEGIN RETURN a; END $$;
CREATE FUNCTION app.described(a anyelement) RETURNS json LANGUAGE sql AS $$ SELECT to_json(a) $$;
CREATE FUNCTION app.as_number(t text) RETURNS int LANGUAGE plpgsql AS $$ DECLARE said text; BEGIN RETURN t::int;
    EXCEPTION WHEN invalid_text_representation THEN GET STACKED DIAGNOSTICS said = MESSAGE_TEXT; RETURN length(said);
    END $$;
CREATE FUNCTION app.told(t text) RETURNS text LANGUAGE plpgsql
    AS $$ BEGIN RAISE NOTICE 'got %', t; IF t > '5' THEN RAISE EXCEPTION 'bad %', t USING ERRCODE = '22012'; END IF;
    RETURN t; END $$;
CREATE FUNCTION app.lines(above int) RETURNS TABLE (x int, y text) LANGUAGE plpgsql AS $$
    DECLARE r record; c CURSOR (k int) FOR SELECT id, line FROM public.log WHERE id > k ORDER BY id;
    BEGIN FOR r IN c(above) LOOP x := r.id; y := r.line; RETURN NEXT; END LOOP; RETURN QUERY SELECT 0, 'end'; END $$;
CREATE FUNCTION app.typed(a public.log, m public.mood) RETURNS public.log LANGUAGE plpgsql AS $$
    DECLARE q public.log%ROWTYPE; z public.log.line%TYPE := 'z'; k public.mood; BEGIN q := a; q.line := z; k := m;
    RETURN q; END $$;
CREATE FUNCTION app.tenant() RETURNS int LANGUAGE sql STABLE
    AS $$ SELECT nullif(current_setting('app.tenant', true), '')::int $$;
CREATE FUNCTION app.one(t text) RETURNS text LANGUAGE sql AS $$ SELECT app.two(t) $$;
CREATE FUNCTION app.two(t text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RETURN app.three(t); END $$;
CREATE FUNCTION app.three(t text) RETURNS text LANGUAGE sql AS $$ SELECT 'x'; SELECT app.four(t) $$;
CREATE FUNCTION app.four(t text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RETURN (SELECT app.five(t)); END $$;
CREATE FUNCTION app.five(t text) RETURNS text LANGUAGE sql AS $$ SELECT app.slugify(t) $$;
CREATE FUNCTION app.deep_one(t text) RETURNS text LANGUAGE sql AS $$ SELECT app.deep_two(t) $$;
CREATE FUNCTION app.deep_two(t text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RETURN app.deep_three(t); END $$;
CREATE FUNCTION app.deep_three(t text) RETURNS text LANGUAGE sql AS $$ SELECT 'x'; SELECT app.deep_four(t) $$;
CREATE FUNCTION app.deep_four(t text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RETURN (SELECT app.deep_five(t));
    END $$;
CREATE FUNCTION app.deep_five(t text) RETURNS text LANGUAGE sql AS $$ SELECT public.peek(1) $$;
CREATE FUNCTION app.length(t text) RETURNS int LANGUAGE sql AS $$ SELECT 7 $$;
CREATE FUNCTION app.code() RETURNS text LANGUAGE sql AS $$ SELECT 'c' || nextval('app.codes') $$;
CREATE FUNCTION app.jotted(t text) RETURNS text LANGUAGE sql
    AS $$ INSERT INTO public.log (line) VALUES (t) RETURNING line $$;
CREATE PROCEDURE app.jot(t text) LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.log (line) VALUES (t); END $$;
CREATE FUNCTION app.longer(a text, b text) RETURNS text LANGUAGE sql
    AS $$ SELECT CASE WHEN length(a) >= length(b) THEN a ELSE b END $$;
CREATE AGGREGATE app.longest(text) (sfunc = app.longer, stype = text, initcond = '');
CREATE FUNCTION app.shorter(a text, b text) RETURNS bool LANGUAGE sql AS $$ SELECT length(a) < length(b) $$;
CREATE OPERATOR app.<<~ (FUNCTION = app.shorter, LEFTARG = text, RIGHTARG = text);
CREATE FUNCTION app.line_slug(l public.log) RETURNS text LANGUAGE sql AS $$ SELECT app.slugify(l.line) $$;
CREATE FUNCTION app.on_path(t text) RETURNS text LANGUAGE sql SET search_path = pg_catalog AS $$ SELECT initcap(t) $$;
CREATE FUNCTION app.old_plain() RETURNS SETOF text LANGUAGE sql SET search_path = attic, pg_temp
    AS $$ SELECT plain FROM u ORDER BY id $$;
CREATE TABLE app.told (id int PRIMARY KEY, ssn text, note text);
CREATE FUNCTION app.tell() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    PERFORM pg_notify('told', NEW.id || ' ' || NEW.note); RETURN NEW; END $$;
CREATE TRIGGER tell AFTER UPDATE ON app.told FOR EACH ROW EXECUTE FUNCTION app.tell();
CREATE FUNCTION app.calm(t text) RETURNS text LANGUAGE plpgsql VOLATILE AS $$ BEGIN RETURN t; END $$;

-- What may not run.
CREATE FUNCTION evil.initcap(varchar) RETURNS text LANGUAGE sql AS $$ SELECT email FROM public.u WHERE id = 1 $$;
CREATE FUNCTION app.titled(v varchar) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT initcap(v) $$;
CREATE FUNCTION app.shade(t text) RETURNS text LANGUAGE sql AS $$ SELECT t $$;
CREATE FUNCTION app.shade(n int) RETURNS text LANGUAGE sql AS $$ SELECT email FROM public.u WHERE id = n $$;
CREATE FUNCTION app.by_default(a int, b text DEFAULT public.peek(1)) RETURNS text LANGUAGE sql AS $$ SELECT b $$;
CREATE FUNCTION app.counted(t text) RETURNS int LANGUAGE plpgsql AS $$ DECLARE n int; BEGIN
    EXECUTE 'SELECT count(*) FROM ' || t INTO n; RETURN n; END $$;
CREATE FUNCTION app.queried(t text) RETURNS SETOF text LANGUAGE plpgsql AS $$ BEGIN RETURN QUERY EXECUTE t; END $$;
CREATE FUNCTION app.looped(t text) RETURNS SETOF text LANGUAGE plpgsql AS $$ DECLARE r record; BEGIN
    FOR r IN EXECUTE t LOOP RETURN NEXT r::text; END LOOP; END $$;
CREATE FUNCTION app.opened(t text) RETURNS text LANGUAGE plpgsql AS $$ DECLARE c refcursor; x text; BEGIN
    OPEN c FOR EXECUTE t; FETCH c INTO x; RETURN x; END $$;
CREATE FUNCTION app.through_a_view() RETURNS bigint LANGUAGE sql AS $$ SELECT count(*) FROM public.over_rich $$;
CREATE FUNCTION app.of_a_child() RETURNS bigint LANGUAGE sql AS $$ SELECT count(*) FROM public.family $$;
CREATE FUNCTION app.of_statistics() RETURNS text LANGUAGE sql AS $$ SELECT most_common_vals::text FROM pg_stats $$;
CREATE FUNCTION app.bare() RETURNS text LANGUAGE sql AS $$ SELECT email FROM u WHERE id = 1 $$;
CREATE FUNCTION app.atomically() RETURNS text LANGUAGE sql RETURN (SELECT email FROM public.u WHERE id = 1);
CREATE FUNCTION app.definer() RETURNS text LANGUAGE sql SECURITY DEFINER AS $$ SELECT ssn FROM public.u WHERE id = 1 $$;
CREATE FUNCTION app.by_cursor() RETURNS text LANGUAGE plpgsql AS $$ DECLARE c CURSOR FOR SELECT ssn FROM public.u;
    x text; BEGIN OPEN c; FETCH c INTO x; RETURN x; END $$;
CREATE FUNCTION app.by_condition() RETURNS int LANGUAGE plpgsql AS $$ BEGIN
    IF (SELECT ssn FROM public.u WHERE id = 1) < '5' THEN RETURN 1; END IF; RETURN 2; END $$;
CREATE FUNCTION app.by_exit() RETURNS int LANGUAGE plpgsql AS $$ DECLARE n int := 0; BEGIN LOOP n := n + 1;
    EXIT WHEN n > (SELECT salary FROM public.u WHERE id = 1); END LOOP; RETURN n; END $$;
CREATE FUNCTION app.by_error() RETURNS int LANGUAGE plpgsql AS $$ BEGIN
    PERFORM 1 / (salary - 100) FROM public.u; RETURN 0; EXCEPTION WHEN division_by_zero THEN RETURN 1; END $$;
CREATE FUNCTION app.by_hint() RETURNS int LANGUAGE plpgsql AS $$ BEGIN
    RAISE NOTICE 'x' USING HINT = (SELECT ssn FROM public.u WHERE id = 1); RETURN 1; END $$;
CREATE FUNCTION app.by_declaration() RETURNS text LANGUAGE plpgsql AS $$ DECLARE r public.mood := public.peek(1);
    BEGIN RETURN 'x'; END $$;
CREATE FUNCTION app.a_line() RETURNS public.log LANGUAGE sql AS $$ SELECT 1, email, 2 FROM public.u WHERE id = 1 $$;
CREATE FUNCTION app.by_declared_row() RETURNS text LANGUAGE plpgsql AS $$ DECLARE r log := app.a_line(); BEGIN
    r.n := 1; RETURN r.line; END $$;
CREATE FUNCTION app.by_subscript(a int[]) RETURNS int[] LANGUAGE plpgsql AS $$ BEGIN
    a[(SELECT salary FROM public.u WHERE id = 1)] := 1; RETURN a; END $$;
CREATE FUNCTION app.by_cte() RETURNS bigint LANGUAGE sql
    AS $$ WITH x AS (SELECT 1 FROM public.u WHERE salary > 150) SELECT count(*) FROM x $$;
CREATE FUNCTION app.by_name_of_a_cte() RETURNS bigint LANGUAGE sql
    AS $$ SELECT (WITH u AS (SELECT 1) SELECT count(*) FROM u) + (SELECT count(*) FROM u WHERE salary > 150) $$;
CREATE FUNCTION app.by_operator(a int) RETURNS bool LANGUAGE sql AS $$ SELECT a <% 2 $$;
CREATE FUNCTION app.by_type(a int) RETURNS int LANGUAGE sql AS $$ SELECT a::public.leaky::int $$;
CREATE FUNCTION app.by_argument(a public.leaky) RETURNS int LANGUAGE sql AS $$ SELECT 1 $$;
CREATE FUNCTION app.by_variable(a int) RETURNS int LANGUAGE plpgsql AS $$ DECLARE x public.leaky; BEGIN x := a;
    RETURN 1; END $$;
CREATE FUNCTION app.by_field(l public.log) RETURNS text LANGUAGE sql AS $$ SELECT l.line_mail $$;
CREATE FUNCTION app.by_sql() RETURNS text LANGUAGE sql
    AS $$ SELECT query_to_xml('SELECT email FROM public.u', true, true, '')::text $$;
CREATE FUNCTION app.by_setting() RETURNS void LANGUAGE sql AS $$ SELECT set_config('search_path', 'evil', false) $$;
CREATE FUNCTION app.by_clause() RETURNS int LANGUAGE sql SET client_min_messages = 'debug5' AS $$ SELECT 1 $$;
CREATE FUNCTION app.by_command() RETURNS void LANGUAGE plpgsql
    AS $$ BEGIN SET LOCAL client_min_messages = 'log'; END $$;
CREATE FUNCTION app.changed() RETURNS void LANGUAGE sql AS $$ UPDATE public.u SET note = email $$;
CREATE FUNCTION app.emptied() RETURNS void LANGUAGE sql AS $$ TRUNCATE public.log $$;
CREATE FUNCTION app.compared_by_key() RETURNS void LANGUAGE sql
    AS $$ INSERT INTO public.log (line) VALUES ('x'); DELETE FROM public.u WHERE id = 1 $$;
CREATE PROCEDURE app.spilt() LANGUAGE plpgsql
    AS $$ BEGIN INSERT INTO public.log (line) SELECT email FROM public.u; END $$;
CREATE FUNCTION app.leakier(a text, b text) RETURNS text LANGUAGE sql AS $$ SELECT public.peek(1) $$;
CREATE AGGREGATE app.leakiest(text) (sfunc = app.leakier, stype = text, initcond = '');
CREATE AGGREGATE app.finally(text) (sfunc = app.longer, stype = text, initcond = '', finalfunc = public.text_mail);

-- Tables with what runs by itself.
CREATE TABLE app.account (
    id int PRIMARY KEY, ssn text, note text, updated_at timestamptz, changes int DEFAULT 0, code text DEFAULT app.code()
);
CREATE FUNCTION app.set_updated_at() RETURNS trigger LANGUAGE plpgsql
    AS $$ BEGIN NEW.updated_at := now(); RETURN NEW; END $$;
CREATE FUNCTION app.count_changes() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF (NEW IS DISTINCT FROM OLD AND NEW.changes IS NOT DISTINCT FROM OLD.changes) THEN NEW.changes = OLD.changes + 1;
    END IF; RETURN NEW; END $$;
CREATE TRIGGER touch BEFORE UPDATE ON app.account FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*)
    EXECUTE FUNCTION app.set_updated_at();
CREATE TRIGGER count BEFORE UPDATE ON app.account FOR EACH ROW EXECUTE FUNCTION app.count_changes();
CREATE FUNCTION app.audit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO public.log (line) VALUES (row_to_json(NEW)::text); RETURN NULL; END $$;
CREATE TABLE app.audited (id int PRIMARY KEY, ssn text, note text);
CREATE TRIGGER audit AFTER INSERT OR UPDATE ON app.audited FOR EACH ROW EXECUTE FUNCTION app.audit();
CREATE TABLE app.noted (id int PRIMARY KEY, note text);
CREATE TRIGGER audit AFTER INSERT OR UPDATE ON app.noted FOR EACH ROW EXECUTE FUNCTION app.audit();
CREATE TABLE app.peeked (id int PRIMARY KEY, ssn text, note text);
CREATE FUNCTION app.mark() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.ssn < '5' THEN NEW.note := 'low'; END IF;
    RETURN NEW; END $$;
CREATE TRIGGER mark BEFORE UPDATE ON app.peeked FOR EACH ROW EXECUTE FUNCTION app.mark();
CREATE TABLE app.gated (id int PRIMARY KEY, ssn text, note text, updated_at timestamptz);
CREATE TRIGGER touch BEFORE UPDATE ON app.gated FOR EACH ROW WHEN (OLD.ssn < '5')
    EXECUTE FUNCTION app.set_updated_at();
CREATE TABLE app.called (id int PRIMARY KEY, ssn text, note text, updated_at timestamptz);
CREATE TRIGGER touch BEFORE UPDATE ON app.called FOR EACH ROW WHEN (public.peek(1) < 'dk')
    EXECUTE FUNCTION app.set_updated_at();
CREATE TABLE app.worn (id int PRIMARY KEY, ssn text, note text);
CREATE FUNCTION app.wear() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.ssn := 'x'; RETURN NEW; END $$;
CREATE TRIGGER wear BEFORE UPDATE ON app.worn FOR EACH ROW EXECUTE FUNCTION app.wear();
CREATE TABLE app.hidden (id int PRIMARY KEY, ssn text, note text);
CREATE FUNCTION app.hide() RETURNS trigger LANGUAGE plpgsql AS $$ DECLARE r record := NEW; BEGIN
    RAISE NOTICE '%', r; RETURN NEW; END $$;
CREATE TRIGGER hide BEFORE UPDATE ON app.hidden FOR EACH ROW EXECUTE FUNCTION app.hide();
CREATE TABLE app.computed (
    id int PRIMARY KEY, ssn text, low text GENERATED ALWAYS AS (lower(ssn)) STORED, note text, changes int
);
CREATE TRIGGER count BEFORE UPDATE ON app.computed FOR EACH ROW EXECUTE FUNCTION app.count_changes();
CREATE TABLE app.aliased (id int PRIMARY KEY, ssn text, note text);
CREATE FUNCTION app.alias() RETURNS trigger LANGUAGE plpgsql AS $$ DECLARE n ALIAS FOR NEW; BEGIN
    n.note := n.ssn; RETURN NEW; END $$;
CREATE TRIGGER alias BEFORE UPDATE ON app.aliased FOR EACH ROW EXECUTE FUNCTION app.alias();
CREATE TABLE app.transited (id int PRIMARY KEY, ssn text, note text);
CREATE FUNCTION app.transit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO public.log (line) SELECT line FROM log; RETURN NULL; END $$;
CREATE TRIGGER transit AFTER UPDATE ON app.transited REFERENCING NEW TABLE AS log FOR EACH STATEMENT
    EXECUTE FUNCTION app.transit();
CREATE TABLE app.relayed (id int PRIMARY KEY, note text);
CREATE FUNCTION app.relay() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    UPDATE app.audited SET note = NEW.note WHERE id = NEW.id; RETURN NEW; END $$;
CREATE TRIGGER relay AFTER INSERT ON app.relayed FOR EACH ROW EXECUTE FUNCTION app.relay();
CREATE TABLE app.stamped (id int PRIMARY KEY, note text);
CREATE FUNCTION app.stamp() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.note := public.peek(1); RETURN NEW; END $$;
CREATE TRIGGER stamp BEFORE INSERT ON app.stamped FOR EACH ROW EXECUTE FUNCTION app.stamp();
CREATE FUNCTION app.fits(t text) RETURNS bool LANGUAGE sql IMMUTABLE
    AS $$ SELECT coalesce(t > current_setting('app.bound', true), true) $$;
CREATE FUNCTION app.brief(t text) RETURNS bool LANGUAGE sql IMMUTABLE AS $$ SELECT char_length(t) < 100 $$;
CREATE TABLE app.fitted (id int PRIMARY KEY, ssn text CHECK (app.fits(ssn)), note text);
CREATE TABLE app.briefed (id int PRIMARY KEY, ssn text CHECK (app.brief(ssn)), note text);
CREATE INDEX briefed_slug ON app.briefed (app.slugify(note));
CREATE TABLE app.plainly (id int PRIMARY KEY, note text CHECK (app.fits(note)));
CREATE TABLE app.indexed (id int PRIMARY KEY, ssn text, note text);
CREATE INDEX indexed_slug ON app.indexed (app.slugify(ssn));
CREATE TABLE app.generated (
    id int PRIMARY KEY, ssn text, note text, slug text GENERATED ALWAYS AS (app.slugify(ssn)) STORED
);
CREATE TRIGGER touch BEFORE UPDATE ON app.generated FOR EACH ROW WHEN (pg_trigger_depth() = 0)
    EXECUTE FUNCTION public.watch();
CREATE FUNCTION app.placed(t text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT public.peek(1) || t $$;
CREATE TABLE app.parted (id int, note text) PARTITION BY LIST (app.placed(note));
CREATE TABLE app.parted_all PARTITION OF app.parted DEFAULT;
CREATE TABLE app.walled (id int PRIMARY KEY, tenant int, ssn text);
ALTER TABLE app.walled ENABLE ROW LEVEL SECURITY;
CREATE POLICY wall ON app.walled USING (tenant = app.tenant());
CREATE TABLE app.off (id int PRIMARY KEY, ssn text, note text);
CREATE TRIGGER mark BEFORE UPDATE ON app.off FOR EACH ROW EXECUTE FUNCTION app.mark();
ALTER TABLE app.off DISABLE TRIGGER mark;
CREATE VIEW app.slugs AS SELECT id, app.slugify(email) AS slug FROM public.u;
CREATE VIEW app.chosen AS SELECT id FROM public.u WHERE app.slugify(ssn) < '5';
CREATE VIEW app.calming AS SELECT id, app.calm(1 / (salary - 100) || '') AS x FROM public.u;
"""
# A function over any text, made before the aggregate that ends with it.
BEFORE = """
CREATE FUNCTION public.text_mail(text) RETURNS text LANGUAGE sql AS 'SELECT public.peek(1)';
"""


def fill(people: Sequence[tuple[object, ...]]) -> str:
    tables = ("account", "audited", "peeked", "gated", "called", "worn", "hidden", "aliased", "transited", "fitted",
              "briefed", "off", "computed", "told", "indexed", "generated")  # fmt: skip
    rows = [(number, people[number - 1][1]) for number in (1, 2, 3)]
    lines = [
        f"INSERT INTO app.{name} (id, ssn, note) VALUES ({number}, '{ssn}', 'note');"
        for name in tables
        for number, ssn in rows
    ]
    lines += [f"INSERT INTO app.walled VALUES ({number}, {number}, '{ssn}');" for number, ssn in rows]
    return "\n".join(["SET session_replication_role = replica;", *lines, "INSERT INTO app.noted VALUES (1, 'x');",
                      "INSERT INTO app.plainly VALUES (1, 'x');"])  # fmt: skip


PASS: dict[str, str] = {
    "body in SQL": "SELECT app.slugify(email), app.slugify('A b') FROM u",
    "bare name, not on the path": "SELECT app.slugify(upper('x')), app.slugify(note) FROM u",
    "several statements, atomic": "SELECT app.atomic(id) FROM u",
    "default argument": "SELECT app.added(1), app.added(salary, 2) FROM u",
    "recursion": "SELECT app.factorial(5), app.factorial(salary) FROM u WHERE id < 3",
    "variadic": "SELECT app.total(1, 2, salary), app.total(VARIADIC ARRAY[id]) FROM u",
    "polymorphic": "SELECT app.same(email), app.same(salary), app.described(u), app.described(ssn) FROM u",
    "exception as data": "SELECT app.as_number(ssn), app.as_number('7'), app.as_number(salary::text) FROM u",
    "messages of what is masked": "SELECT app.told(ssn) FROM u",
    "rows by a cursor": ORDERED + "SELECT * FROM app.lines(1)",
    "rows beside": "SELECT u.email, l.y FROM u, LATERAL app.lines(u.salary) l",
    "types of a table": "SELECT app.typed(l, 'good') FROM log l",
    "setting": "SELECT app.tenant(), email FROM u",
    "five deep": "SELECT app.one(ssn) FROM u",
    "name of a built-in": "SELECT app.length(email), length(email) FROM u",
    "aggregate": "SELECT app.longest(email), app.longest(ssn) FROM u",
    "operator": "SELECT ssn OPERATOR(app.<<~) email FROM u",
    "field of a row": "SELECT app.line_slug(l) FROM log l",
    "own path": "SELECT app.on_path(email) FROM u",
    "own path, relations": ORDERED + "SELECT * FROM app.old_plain()",
    "in WHERE": "SELECT id FROM u WHERE app.slugify(ssn) < '5'",
    "in ORDER BY": ORDERED + "SELECT id FROM u ORDER BY app.slugify(ssn), id",
    "that writes": "SELECT app.jotted(email) FROM u",
    "that takes a number": "SELECT app.code()",
    "procedure": "CALL app.jot('x')",
    "procedure, and what it wrote": "CALL app.jot(upper('x')); SELECT line FROM log ORDER BY id",
    "view": "SELECT * FROM app.slugs",
    "trigger that sets a time": "UPDATE app.account SET note = 'y' WHERE id = 1 RETURNING id, note, changes, ssn",
    "trigger, nothing changed": "UPDATE app.account SET note = note RETURNING id, changes, updated_at IS NULL",
    "default that calls": "INSERT INTO app.account (id, ssn) VALUES (9, '1') RETURNING code, ssn",
    "trigger that keeps the client's own row": "INSERT INTO app.audited VALUES (9, '4', 'x'); SELECT line FROM log"
    " ORDER BY id",
    "trigger that keeps what nobody masks": "UPDATE app.noted SET note = 'y'; SELECT line FROM log ORDER BY id",
    "trigger that tells who listens": "UPDATE app.told SET note = 'y' RETURNING id, ssn",
    "trigger that does not fire": "INSERT INTO app.peeked VALUES (9, '4', 'x') RETURNING note",
    "trigger that is switched off": "UPDATE app.off SET note = ssn RETURNING note",
    "check by a function": "INSERT INTO app.briefed VALUES (9, '4', 'x') RETURNING ssn",
    "check by a function of what nobody masks": "UPDATE app.plainly SET note = 'y' WHERE id = 1",
    "row security by a setting": "SET app.tenant = '2'; SELECT id, ssn FROM app.walled",
    "lock by a constant": "SELECT pg_try_advisory_xact_lock(123), pg_advisory_xact_lock(hashtext('job'))",
    "pause by a constant": "SELECT pg_sleep(0)",
}

DENY: dict[str, str] = {
    "built-in of another path": "SELECT app.titled(line) FROM log",
    "overload": "SELECT app.shade('x')",
    "default argument": "SELECT app.by_default(1)",
    "EXECUTE": "SELECT app.counted('u')",
    "RETURN QUERY EXECUTE": "SELECT * FROM app.queried('SELECT email FROM u')",
    "FOR IN EXECUTE": "SELECT * FROM app.looped('SELECT email FROM u')",
    "OPEN FOR EXECUTE": "SELECT app.opened('SELECT email FROM u')",
    "five deep": "SELECT app.deep_one('x')",
    "bare name in the path": "SELECT app.bare()",
    "operator": "SELECT 'a' <% 'b'",
    "aggregate": "SELECT app.leakiest(line) FROM log",
    "aggregate that ends so": "SELECT app.finally(line) FROM log",
    "procedure": "CALL app.spilt()",
    "argument of a procedure": "CALL app.jot(public.peek(1))",
    "that sets a sequence for each row": "SELECT setval('app.codes', id) FROM log",
    "view that chooses by one": "SELECT id FROM app.chosen",
    "view that computes what nobody asks for": "SELECT id FROM app.calming",
    "trigger that keeps the row": "UPDATE app.audited SET note = 'x' WHERE id = 1",
    "trigger that keeps the row, after a conflict": "INSERT INTO app.audited VALUES (1, '4', 'x') ON CONFLICT (id) DO"
    " UPDATE SET note = 'y'",
    "trigger that reads a masked column": "UPDATE app.peeked SET note = 'x' WHERE id = 1",
    "trigger's condition": "UPDATE app.gated SET note = 'x' WHERE id = 1",
    "trigger's condition that calls": "UPDATE app.called SET note = 'x' WHERE id = 1",
    "trigger that sets a masked column": "UPDATE app.worn SET note = 'x' WHERE id = 1",
    "trigger that hides the row in a declaration": "UPDATE app.hidden SET note = 'x' WHERE id = 1",
    "trigger that compares rows before all is computed": "UPDATE app.computed SET note = 'x' WHERE id = 1",
    "trigger that calls the row by another name": "UPDATE app.aliased SET note = 'x' WHERE id = 1",
    "trigger with the rows as a table": "UPDATE app.transited SET note = 'x' WHERE id = 1",
    "trigger that writes where another keeps the row": "INSERT INTO app.relayed VALUES (1, 'x')",
    "trigger that reads another table": "INSERT INTO app.stamped VALUES (1, 'x')",
    "check by a function that may have changed": "UPDATE app.briefed SET note = 'x' WHERE id = 1",
    "index by a function that may have changed": "UPDATE app.indexed SET note = 'x' WHERE id = 1",
    "generated column by a function that may have changed": "UPDATE app.generated SET note = 'x' WHERE id = 1",
    "partition by a function": "INSERT INTO app.parted VALUES (1, 'x')",
    "check by a setting": "SET app.bound = '4'; UPDATE app.fitted SET note = 'x'",
    "lock by a row": "SELECT pg_try_advisory_lock(id) FROM u",
    "lock by a subquery": "SELECT pg_try_advisory_lock((SELECT salary FROM u WHERE id = 1))",
    **{
        name.replace("_", " "): f"SELECT app.{name}({arguments})"
        for name, arguments in {
            "through_a_view": "", "of_a_child": "", "of_statistics": "", "atomically": "", "definer": "",
            "by_cursor": "", "by_condition": "", "by_exit": "", "by_error": "", "by_hint": "", "by_declaration": "",
            "by_declared_row": "",
            "by_subscript": "'{}'", "by_cte": "", "by_name_of_a_cte": "", "by_operator": "1", "by_type": "1",
            "by_argument": "1", "by_variable": "1", "by_sql": "", "by_setting": "", "by_clause": "", "by_command": "",
            "changed": "", "compared_by_key": "", "emptied": "",
        }.items()
    },
    "by a field": "SELECT app.by_field(l) FROM log l",
}  # fmt: skip
