-- The tables that the attacks are about: what real schemas have, each where it could tell masked values.
-- Masked (world/attacked.yaml): email, salary, ssn, pay, secret, seen (redacted), gone (null); addr, born, card (in part).

-- Order: an index whose key, expression or predicate holds a masked column.
CREATE TABLE users (
    id int PRIMARY KEY, tenant int NOT NULL, email text, salary int, name text, note text, active bool DEFAULT true,
    created timestamptz DEFAULT '2030-01-01'
);
CREATE INDEX users_tenant_email ON users (tenant, email);
CREATE TABLE unique_users (id int PRIMARY KEY, tenant int, email text, note text, UNIQUE (tenant, email));
CREATE TABLE expression_users (id int PRIMARY KEY, tenant int, email text, note text);
CREATE INDEX expression_users_email ON expression_users (tenant, lower(email));
CREATE TABLE partial_users (id int PRIMARY KEY, tenant int, salary int, note text);
CREATE INDEX partial_users_paid ON partial_users (tenant) WHERE salary > 500;
CREATE TABLE include_users (id int PRIMARY KEY, tenant int, email text, note text);
CREATE INDEX include_users_tenant ON include_users (tenant) INCLUDE (email);
CREATE TABLE clustered_users (id int PRIMARY KEY, tenant int, email text, note text);
CREATE INDEX clustered_users_email ON clustered_users (tenant, email);
CREATE TABLE generated_users (
    id int PRIMARY KEY, tenant int, email text, low text GENERATED ALWAYS AS (lower(email)) STORED, note text
);
CREATE INDEX generated_users_low ON generated_users (tenant, low);
CREATE TABLE wide (id int, email text, filler text);
CREATE INDEX wide_email_id ON wide (email, id);
CREATE TABLE descending (id int PRIMARY KEY, tenant int, salary int, note text);
CREATE INDEX descending_salary ON descending (tenant, salary DESC NULLS LAST, id);
CREATE VIEW user_ids AS SELECT id, tenant, note FROM users;
CREATE VIEW user_notes AS SELECT id, note FROM user_ids WHERE tenant < 400;
CREATE TABLE orders (
    id int PRIMARY KEY, user_id int NOT NULL REFERENCES users (id), amount numeric(8, 2), state text, note text
);
CREATE INDEX orders_user ON orders (user_id);

-- Order that is stored: materialized views, CLUSTER, partitions.
CREATE TABLE staff (
    id int PRIMARY KEY, tenant int NOT NULL, salary int, ssn text, note text, cap int DEFAULT 5000, CHECK (salary <= cap)
);
CREATE MATERIALIZED VIEW by_rank AS SELECT id, tenant, rank() OVER (ORDER BY salary) AS r FROM staff WITH NO DATA;
CREATE MATERIALIZED VIEW by_pay AS SELECT id, tenant, note FROM staff ORDER BY salary, id WITH NO DATA;
CREATE MATERIALIZED VIEW by_array AS SELECT tenant, array_agg(id ORDER BY salary) AS ids FROM staff GROUP BY tenant
    WITH NO DATA;
CREATE MATERIALIZED VIEW counted AS SELECT tenant, count(*) AS n FROM staff GROUP BY tenant WITH NO DATA;
CREATE TABLE range_parts (id int, tenant int, pay int, note text) PARTITION BY RANGE (pay);
CREATE TABLE range_low PARTITION OF range_parts FOR VALUES FROM (MINVALUE) TO (400);
CREATE TABLE range_mid PARTITION OF range_parts FOR VALUES FROM (400) TO (700);
CREATE TABLE range_high PARTITION OF range_parts FOR VALUES FROM (700) TO (MAXVALUE);
CREATE TABLE list_parts (id int, tenant int, secret text, note text) PARTITION BY LIST (secret);
CREATE TABLE list_a PARTITION OF list_parts FOR VALUES IN ('a', 'b', 'c', 'd', 'e', 'f', '0', '1');
CREATE TABLE list_b PARTITION OF list_parts DEFAULT;
CREATE TABLE hash_parts (id int, tenant int, email text, note text) PARTITION BY HASH (email);
CREATE TABLE hash_0 PARTITION OF hash_parts FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE hash_1 PARTITION OF hash_parts FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE TABLE expression_parts (id int, tenant int, pay int, note text) PARTITION BY LIST ((pay % 2));
CREATE TABLE expression_even PARTITION OF expression_parts FOR VALUES IN (0);
CREATE TABLE expression_odd PARTITION OF expression_parts FOR VALUES IN (1);
CREATE TABLE fair_parts (id int, tenant int, pay int, note text) PARTITION BY LIST (tenant);
CREATE TABLE fair_0 PARTITION OF fair_parts FOR VALUES IN (0);
CREATE TABLE fair_rest PARTITION OF fair_parts DEFAULT;
CREATE INDEX fair_parts_pay ON fair_parts (tenant, pay);
CREATE VIEW part_ids AS SELECT id, tenant FROM range_parts;

-- Inheritance, upwards and downwards.
CREATE TABLE creature (id int, tenant int, note text);
CREATE TABLE human (ssn text, email text) INHERITS (creature);
CREATE INDEX human_email ON human (tenant, email);
CREATE TABLE robot (model text) INHERITS (creature);

-- Stored expressions, defaults, constraints, triggers, row security.
CREATE TABLE measured (id int PRIMARY KEY, pay float8, at timestamptz, raw bytea, note text);
CREATE INDEX measured_text ON measured (((pay + id)::text));
CREATE TABLE checked (id int PRIMARY KEY, salary int, cap int, floor int, note text, CHECK (salary < cap), CHECK (floor > 0));
CREATE TABLE only_unique (id int PRIMARY KEY, email text UNIQUE, note text);
CREATE TABLE strictly_unique (id int PRIMARY KEY, email text UNIQUE NULLS NOT DISTINCT, note text);
CREATE TABLE unique_by_default (id int PRIMARY KEY, email text DEFAULT 'a' UNIQUE, note text);
CREATE TABLE unique_or_none (id int PRIMARY KEY, email text, note text);
CREATE UNIQUE INDEX unique_or_none_email ON unique_or_none (coalesce(email, 'a'));
CREATE TABLE partial_unique (id int PRIMARY KEY, room int, ssn text, note text);
CREATE UNIQUE INDEX partial_unique_room ON partial_unique (room) WHERE ssn < '5';
CREATE TABLE copies (id int PRIMARY KEY, email text REFERENCES only_unique (email) ON UPDATE CASCADE ON DELETE CASCADE, note text);
CREATE TABLE plain_log (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, line text, n int);
CREATE TABLE plain (id int PRIMARY KEY, tenant int, note text, n int DEFAULT 0);
CREATE TABLE walled (id int, note text);
CREATE TABLE partly (id int PRIMARY KEY, addr text, born date, card text, note text, gone text);
CREATE TABLE changing_base (id int PRIMARY KEY, txt text, email text);
CREATE VIEW changing AS SELECT id, txt FROM changing_base;
CREATE TABLE dropped (id int, junk int, email text, note text);
ALTER TABLE dropped DROP COLUMN junk;
CREATE TABLE nested (id int, who staff, tags text[], doc jsonb, email text);
CREATE SCHEMA other;
CREATE TABLE other.users (id int PRIMARY KEY, email text, plain text);
CREATE TABLE tenanted (id int PRIMARY KEY, email text, note text);
CREATE TABLE other.tenanted (id int PRIMARY KEY, email text, note text);
CREATE SEQUENCE counter;
-- A masked column that a sequence numbers, which stands at its latest value.
CREATE TABLE numbered (id int PRIMARY KEY, salary int GENERATED ALWAYS AS IDENTITY, note text);
CREATE FUNCTION number() RETURNS bigint LANGUAGE sql AS $$ SELECT nextval('public.numbered_salary_seq') $$;
CREATE FUNCTION number_of(text) RETURNS bigint LANGUAGE sql AS $$ SELECT nextval($1::regclass) $$;

-- A column without a mask that takes its numbers from the same sequence.
CREATE TABLE sharing (id int PRIMARY KEY, n int DEFAULT nextval('numbered_salary_seq'), note text);
-- What is stored as text, whose form a setting decides.
CREATE TABLE setting_parts (id int, pay float8, note text) PARTITION BY LIST ((length(pay::text) > 5));
CREATE TABLE setting_long PARTITION OF setting_parts FOR VALUES IN (true);
CREATE TABLE setting_short PARTITION OF setting_parts FOR VALUES IN (false);
CREATE TABLE setting_bytes (id int PRIMARY KEY, secret bytea, note text);
CREATE INDEX setting_bytes_note ON setting_bytes (note);
CREATE INDEX setting_bytes_length ON setting_bytes ((1 / (length(secret::text) - 12)));
CREATE TABLE setting_spans (id int PRIMARY KEY, seen interval CHECK (length(seen::text) <> 4), note text);
-- Unique where a row is of some kind.
CREATE TABLE accounts (
    id int PRIMARY KEY, email text, state text NOT NULL DEFAULT 'draft', active bool DEFAULT false, deleted timestamptz, note text
);
CREATE UNIQUE INDEX accounts_open ON accounts (email) WHERE state = 'open';
CREATE UNIQUE INDEX accounts_active ON accounts (email) WHERE active AND email IS NOT NULL;
CREATE TABLE kept (id int PRIMARY KEY, email text, deleted timestamptz, note text);
CREATE UNIQUE INDEX kept_email ON kept (email) WHERE deleted IS NULL;
CREATE TYPE colour AS ENUM ('red', 'green');

-- Code of the database's own.
CREATE FUNCTION peek(int) RETURNS text LANGUAGE sql STABLE AS 'SELECT email FROM public.users WHERE id = $1';
CREATE FUNCTION peek_fast(int) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT email FROM public.users WHERE id = $1';
CREATE FUNCTION crash(int) RETURNS int LANGUAGE sql STABLE AS 'SELECT (email || ''!'')::int FROM public.users WHERE id = $1';
CREATE FUNCTION wipe() RETURNS int LANGUAGE plpgsql AS 'BEGIN DELETE FROM public.plain; RETURN 1; END';
CREATE FUNCTION wipe_one(int) RETURNS int LANGUAGE plpgsql AS 'BEGIN DELETE FROM public.plain WHERE id = $1; RETURN 1; END';
CREATE FUNCTION wipe_fast(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN public.wipe_one($1); END';
CREATE FUNCTION wipe_stable(int) RETURNS int LANGUAGE plpgsql STABLE AS 'BEGIN RETURN public.wipe_fast($1); END';
CREATE PROCEDURE wipe_all() LANGUAGE sql AS 'DELETE FROM public.plain';
CREATE FUNCTION slugify(text) RETURNS text LANGUAGE sql IMMUTABLE
    AS $$ SELECT trim(both '-' from regexp_replace(lower($1), '[^a-z0-9]+', '-', 'g')) $$;
CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.note := 'stamped'; RETURN NEW; END $$;
CREATE FUNCTION spy() RETURNS trigger LANGUAGE plpgsql
    AS $$ BEGIN RAISE NOTICE 'saw %', (SELECT email FROM public.users WHERE id = 1); RETURN NEW; END $$;
CREATE FUNCTION set_updated_at() RETURNS trigger LANGUAGE plpgsql
    AS $$ BEGIN NEW.updated_at = now(); RETURN NEW; END $$;
CREATE TABLE updated (id int PRIMARY KEY, note text, email text, updated_at timestamptz);
CREATE TRIGGER updated_at BEFORE UPDATE ON updated FOR EACH ROW EXECUTE FUNCTION set_updated_at();
CREATE FUNCTION first_text() RETURNS text LANGUAGE sql STABLE AS 'SELECT txt FROM public.changing ORDER BY id LIMIT 1';
CREATE TABLE stamped (id int PRIMARY KEY, note text, n int);
CREATE TRIGGER stamp BEFORE INSERT OR UPDATE ON stamped FOR EACH ROW EXECUTE FUNCTION stamp();
CREATE TABLE spied (id int PRIMARY KEY, note text);
CREATE TRIGGER spy BEFORE INSERT OR UPDATE ON spied FOR EACH ROW EXECUTE FUNCTION spy();
CREATE FUNCTION small(text) RETURNS bool LANGUAGE sql AS $$ SELECT coalesce($1, '') < 'n' AND public.peek(1) < '83' $$;
CREATE DOMAIN spying AS text CHECK (VALUE IS NULL OR public.peek(1) < '83');
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE TYPE pair AS (a int, b text);
CREATE TYPE mood AS ENUM ('calm', 'cross');
CREATE FUNCTION pair_text(pair) RETURNS text LANGUAGE sql STABLE AS 'SELECT public.peek(($1).a)';
CREATE CAST (pair AS text) WITH FUNCTION pair_text(pair) AS IMPLICIT;
CREATE FUNCTION pair_int(pair) RETURNS int LANGUAGE sql STABLE AS 'SELECT salary FROM public.users WHERE id = ($1).a';
CREATE CAST (pair AS int) WITH FUNCTION pair_int(pair) AS IMPLICIT;
CREATE TYPE span AS RANGE (subtype = int);
CREATE FUNCTION less_mail(int, int) RETURNS bool LANGUAGE sql STABLE
    AS 'SELECT public.peek($1) < public.peek($2)';
CREATE OPERATOR <<< (FUNCTION = less_mail, LEFTARG = int, RIGHTARG = int);
CREATE AGGREGATE spy_agg (int) (SFUNC = int4pl, STYPE = int, INITCOND = '0');
CREATE FUNCTION last_mail(text, int) RETURNS text LANGUAGE sql AS 'SELECT public.peek($2)';
CREATE AGGREGATE mail_agg (int) (SFUNC = last_mail, STYPE = text);
CREATE TABLE with_pair (id int, p pair);
CREATE TABLE with_domain (id int, d positive, m mood, s span);
CREATE FUNCTION users_of(int) RETURNS SETOF users LANGUAGE sql STABLE AS 'SELECT * FROM public.users WHERE tenant = $1';

CREATE TABLE told (id int PRIMARY KEY, email text, note text);
CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql
    AS $$ BEGIN PERFORM pg_notify('changes', NEW.email); RETURN NEW; END $$;
CREATE TRIGGER tell AFTER INSERT OR UPDATE ON told FOR EACH ROW EXECUTE FUNCTION tell();
CREATE FUNCTION overhear() RETURNS void LANGUAGE plpgsql AS 'BEGIN LISTEN changes; END';

ALTER TABLE walled ENABLE ROW LEVEL SECURITY;
ALTER TABLE walled FORCE ROW LEVEL SECURITY;
CREATE POLICY wall ON walled USING (id IN (SELECT id FROM staff WHERE salary > 500)) WITH CHECK (true);
CREATE TABLE own_rows (id int, tenant int, note text);
ALTER TABLE own_rows ENABLE ROW LEVEL SECURITY;
ALTER TABLE own_rows FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON own_rows USING (tenant < 3) WITH CHECK (true);

-- Views that compute what nobody selects.
CREATE VIEW v_plain AS SELECT id, note FROM staff;
CREATE VIEW v_shown AS SELECT id, salary, ssn, note FROM staff;
CREATE VIEW v_filter AS SELECT id, note FROM staff WHERE salary > 500;
CREATE VIEW v_order AS SELECT id, note FROM staff ORDER BY salary;
CREATE VIEW v_limit AS SELECT id, note FROM staff ORDER BY salary LIMIT 5;
CREATE VIEW v_lock AS WITH c AS (SELECT id, 1 / (salary - 107) AS x FROM staff FOR UPDATE) SELECT id FROM c;
CREATE VIEW v_lock_of AS SELECT person.id FROM staff AS person WHERE person.tenant = 3 FOR UPDATE OF person;
CREATE VIEW v_materialized AS WITH c AS MATERIALIZED (SELECT id, 1 / (salary - 107) AS x FROM staff) SELECT id FROM c;
CREATE VIEW v_volatile AS SELECT id FROM (SELECT id, 1 / (salary - 107) AS x, random() AS r FROM staff) q WHERE r < 2;
CREATE VIEW v_set AS SELECT id FROM (SELECT id, generate_series(1, salary % 3) AS g FROM staff) q;
CREATE VIEW v_union AS SELECT id FROM (SELECT id, salary FROM staff UNION SELECT id, 0 FROM staff) q;
CREATE VIEW v_union_all AS SELECT id FROM (SELECT id, 1 / (salary - 107) AS x FROM staff UNION ALL SELECT 0, 0) q;
CREATE VIEW v_except AS SELECT id FROM (SELECT id, salary FROM staff EXCEPT SELECT id, 500 FROM staff) q;
CREATE VIEW v_window AS SELECT id FROM (SELECT id, sum(1 / (salary - 107)) OVER () AS s FROM staff) q;
CREATE VIEW v_row_number AS SELECT id, row_number() OVER (ORDER BY salary) AS n FROM staff;
CREATE VIEW v_distinct AS SELECT DISTINCT ON (tenant) id, tenant FROM staff ORDER BY tenant, salary;
CREATE VIEW v_group AS SELECT tenant, count(*) AS n FROM staff GROUP BY tenant, salary;
CREATE VIEW v_having AS SELECT tenant FROM staff GROUP BY tenant HAVING max(salary) > 900;
CREATE VIEW v_exists AS SELECT p.id FROM plain p WHERE EXISTS (SELECT FROM staff s WHERE s.id = p.id AND s.salary > 500);
CREATE VIEW v_sublink AS SELECT p.id, (SELECT 1 / (s.salary - 107) FROM staff s WHERE s.id = p.id) AS x FROM plain p;
CREATE VIEW v_lateral AS SELECT p.id FROM plain p, LATERAL (SELECT s.salary FROM staff s WHERE s.id = p.id LIMIT 1) l;
CREATE VIEW v_join AS SELECT p.id FROM plain p JOIN staff s ON s.salary = p.n + 100;
CREATE VIEW v_left_join AS SELECT p.id FROM plain p LEFT JOIN staff s ON s.id = p.id AND s.salary > 500;
CREATE VIEW v_offset AS SELECT id FROM (SELECT id, 1 / (salary - 107) AS x FROM staff OFFSET 0) q;
CREATE VIEW v_recursive AS WITH RECURSIVE r AS (SELECT 1 AS id UNION SELECT s.id FROM staff s JOIN r ON s.salary > r.id + 900)
    SELECT id FROM r;
CREATE VIEW v_values AS SELECT id FROM (SELECT s.id, v.x FROM staff s, LATERAL (VALUES (1 / (s.salary - 107))) v(x)) q;
CREATE VIEW v_barrier WITH (security_barrier) AS SELECT id, note FROM staff WHERE salary > 0;
CREATE VIEW v_check AS SELECT id, note FROM staff WHERE salary > 500 WITH CHECK OPTION;
CREATE VIEW v_case AS SELECT id, CASE WHEN salary > 500 THEN 'rich' ELSE 'poor' END AS class FROM staff;
CREATE VIEW v_constant AS SELECT id, salary * 0 AS zero FROM staff;
CREATE VIEW v_sample AS SELECT id FROM staff TABLESAMPLE SYSTEM (50) REPEATABLE (1);
CREATE VIEW v_ctid AS SELECT ctid::text AS place, id FROM human;
CREATE VIEW v_function AS SELECT id, public.peek(id) AS seen FROM plain;
CREATE VIEW v_system AS SELECT relname, reltuples FROM pg_class WHERE relname = 'users';
CREATE VIEW v_stats AS SELECT attname, most_common_vals::text AS mcv, histogram_bounds::text AS h FROM pg_stats
    WHERE tablename = 'users';

-- Some of whose rows a policy filters out; the twins differ in these.
CREATE TABLE sales (
    id int PRIMARY KEY, region text NOT NULL, state text, amount int, factor float8, line text, doc jsonb, made date
);
-- Statistics that are too wide for their row take an object's number, which the next table would tell.
ALTER TABLE sales ALTER COLUMN line SET STATISTICS 20;
CREATE INDEX sales_amount ON sales (amount);
CREATE INDEX sales_made ON sales (region, made);
CREATE TABLE sale_items (id int PRIMARY KEY, sale int REFERENCES sales, n int);
CREATE TABLE sale_parts (id int, region text, n int) PARTITION BY RANGE (n);
CREATE TABLE sale_parts_low PARTITION OF sale_parts FOR VALUES FROM (MINVALUE) TO (50);
CREATE TABLE sale_parts_high PARTITION OF sale_parts FOR VALUES FROM (50) TO (MAXVALUE);
CREATE VIEW sale_sums AS SELECT region, sum(amount) AS total FROM sales GROUP BY region;
CREATE VIEW sale_open AS SELECT id, region, amount, 1000 / amount AS share, line::int AS number FROM sales
    WHERE state = 'open';
CREATE VIEW sale_top AS SELECT id, share FROM sale_open ORDER BY share, id LIMIT 5;
CREATE VIEW sale_first AS SELECT id, row_number() OVER () AS place FROM sales LIMIT 7;
CREATE VIEW sale_walled WITH (security_barrier) AS SELECT id, amount FROM sales;
CREATE TABLE sale_notes (tenant int, id int, body text, n int, PRIMARY KEY (tenant, id));
CREATE TABLE sale_log (id int, region text, n int, changed int DEFAULT 0);
CREATE FUNCTION sale_change() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN NEW.changed := NEW.changed + 1; RETURN NEW; END';
CREATE TRIGGER sale_change BEFORE INSERT OR UPDATE ON sale_log FOR EACH ROW EXECUTE FUNCTION sale_change();
CREATE MATERIALIZED VIEW sale_store AS SELECT id, region, amount FROM sales;
CREATE FUNCTION sale_total() RETURNS bigint LANGUAGE sql STABLE AS 'SELECT sum(amount) FROM sales';

-- What is left behind for each row that is changed tells in which order they were.
CREATE TABLE noted (
    id int PRIMARY KEY, tenant int, email text, note text, at timestamptz DEFAULT clock_timestamp(),
    place int DEFAULT nextval('counter')
);
CREATE INDEX noted_email ON noted (tenant, email);
CREATE FUNCTION note_down() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN INSERT INTO public.plain_log (line, n) VALUES (TG_OP, OLD.id); RETURN NULL; END $$;
CREATE TRIGGER note_down AFTER DELETE OR UPDATE OF note ON noted FOR EACH ROW EXECUTE FUNCTION note_down();
CREATE VIEW noted_ids AS SELECT id, tenant, note FROM noted;
CREATE TABLE dated (id int PRIMARY KEY, tenant int, email text, note text, at timestamptz);
CREATE INDEX dated_email ON dated (tenant, email);
CREATE FUNCTION put_date() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN NEW.at := clock_timestamp(); RETURN NEW; END $$;
CREATE TRIGGER put_date BEFORE UPDATE ON dated FOR EACH ROW EXECUTE FUNCTION put_date();
CREATE FUNCTION call_out() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN PERFORM pg_notify('jobs', OLD.id::text); RETURN OLD; END $$;
CREATE TRIGGER call_out BEFORE DELETE ON dated FOR EACH ROW EXECUTE FUNCTION call_out();
CREATE VIEW dated_ids AS SELECT id, tenant, note FROM dated;
CREATE TRIGGER in_place INSTEAD OF UPDATE ON dated_ids FOR EACH ROW EXECUTE FUNCTION note_down();
CREATE TABLE noted_parent (id int, tenant int, note text);
CREATE TABLE noted_child (email text) INHERITS (noted_parent);
CREATE INDEX noted_child_email ON noted_child (tenant, email);
CREATE TRIGGER note_down AFTER UPDATE ON noted_child FOR EACH ROW EXECUTE FUNCTION note_down();
CREATE TABLE counted_out (id int PRIMARY KEY, note text);
CREATE TRIGGER note_down AFTER DELETE ON counted_out FOR EACH ROW EXECUTE FUNCTION note_down();
CREATE FUNCTION remember(text) RETURNS text LANGUAGE sql AS
    $$ SELECT set_config('app.seen', coalesce(current_setting('app.seen', true), '') || $1, false) $$;
CREATE FUNCTION announce(int) RETURNS void LANGUAGE sql AS $$ SELECT pg_notify('jobs', $1::text) $$;
CREATE FUNCTION log_sum(int, int) RETURNS int LANGUAGE sql
    AS $$ INSERT INTO public.plain_log (line, n) VALUES ('sum', $1) RETURNING $1 + $2 $$;
CREATE OPERATOR |#| (FUNCTION = log_sum, LEFTARG = int, RIGHTARG = int);
CREATE TABLE watched (id int PRIMARY KEY, tenant int, email text);
CREATE INDEX watched_email ON watched (tenant, email);
ALTER TABLE watched ENABLE ROW LEVEL SECURITY;
ALTER TABLE watched FORCE ROW LEVEL SECURITY;
CREATE POLICY seen ON watched USING (remember(id || ' ') IS NOT NULL) WITH CHECK (true);
CREATE VIEW right_now AS SELECT clock_timestamp() AS t;
