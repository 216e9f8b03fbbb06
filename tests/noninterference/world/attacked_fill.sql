-- {seed} and {length} are the twin's own: what the masks hide, of equal length or, where no layout shows it, of another.
INSERT INTO users (id, tenant, email, salary, name, note)
    SELECT i, i % 500, substr(md5('{seed}' || i), 1, 8) || '@example.com', 100 + ('x' || substr(md5('{seed}s' || i), 1, 4))::bit(16)::int % 900,
        'name ' || i, repeat('n', 150) FROM generate_series(1, 5000) i;
INSERT INTO unique_users SELECT id, tenant, email, repeat('n', 150) FROM users;
INSERT INTO expression_users SELECT id, tenant, email, repeat('n', 150) FROM users;
INSERT INTO partial_users SELECT id, id % 50, salary, repeat('n', 150) FROM users;
INSERT INTO include_users SELECT id, tenant, email, repeat('n', 150) FROM users WHERE id <= 2000;
INSERT INTO clustered_users SELECT id, tenant, email, 'n' FROM users WHERE id <= 2000;
INSERT INTO generated_users (id, tenant, email, note) SELECT id, tenant, email, repeat('n', 150) FROM users;
INSERT INTO wide SELECT id, email, repeat('w', 600) FROM users WHERE id <= 2000;
INSERT INTO descending SELECT id, tenant, salary, repeat('n', 150) FROM users;
INSERT INTO orders SELECT i, 1 + i % 5000, i * 1.5, CASE WHEN i % 3 = 0 THEN 'open' ELSE 'paid' END, 'o' FROM generate_series(1, 6000) i;
INSERT INTO staff SELECT i, i % 5, 100 + ('x' || substr(md5('{seed}p' || i), 1, 4))::bit(16)::int % 900, substr(md5('{seed}n' || i), 1, {length}), 'note ' || i
    FROM generate_series(1, 60) i;
UPDATE staff SET salary = CASE '{seed}' WHEN 'left' THEN 107 ELSE 108 END WHERE id = 7;
REFRESH MATERIALIZED VIEW by_rank;
REFRESH MATERIALIZED VIEW by_pay;
REFRESH MATERIALIZED VIEW by_array;
REFRESH MATERIALIZED VIEW counted;
INSERT INTO range_parts SELECT id, tenant, salary, 'n' FROM staff;
INSERT INTO list_parts SELECT id, tenant, substr(ssn, 1, 1), 'n' FROM staff;
INSERT INTO hash_parts SELECT id, tenant, ssn || '@x.example', 'n' FROM staff;
INSERT INTO expression_parts SELECT id, tenant, salary, 'n' FROM staff;
INSERT INTO fair_parts SELECT id, id % 300, salary, repeat('n', 150) FROM users;
INSERT INTO human SELECT id, tenant, 'h' || id, substr(email, 1, 8), email FROM users WHERE id <= 1000;
INSERT INTO robot SELECT i, i % 500, 'r', 'm' FROM generate_series(2001, 2100) i;
INSERT INTO measured SELECT i, CASE '{seed}' WHEN 'left' THEN 0.1 + 0.2 * i ELSE 0.3 * i END, '2030-01-01', '\xff', 'n' FROM generate_series(1, 20) i;
INSERT INTO checked SELECT id, salary, 1100, 1, 'n' FROM staff;
INSERT INTO only_unique SELECT id, ssn || '@x.example', 'n' FROM staff;
INSERT INTO strictly_unique VALUES (1, CASE '{seed}' WHEN 'left' THEN 'a' END, 'n');
INSERT INTO unique_by_default VALUES (1, CASE '{seed}' WHEN 'left' THEN 'a' ELSE 'b' END, 'n');
INSERT INTO unique_or_none VALUES (1, CASE '{seed}' WHEN 'left' THEN 'a' ELSE 'b' END, 'n');
INSERT INTO partial_unique SELECT id, id, ssn, 'n' FROM staff;
INSERT INTO copies SELECT id, email, 'n' FROM only_unique WHERE id <= 20;
INSERT INTO plain SELECT i, i % 5, 'p' || i, i FROM generate_series(1, 100) i;
INSERT INTO plain_log (line, n) SELECT 'line ' || i, i FROM generate_series(1, 10) i;
INSERT INTO walled SELECT i, 'w' FROM generate_series(1, 60) i;
INSERT INTO own_rows SELECT i, i % 6, 'o' FROM generate_series(1, 30) i;
INSERT INTO partly SELECT i, substr('abcdef', 1 + i % 6, 1) || substr(md5('{seed}a' || i), 1, {length}) || '@example.com',
    ((1980 + i % 20) || '-01-01')::date + ('x' || substr(md5('{seed}b' || i), 1, 4))::bit(16)::int % 360,
    substr(translate(md5('{seed}c' || i), 'abcdef', '123456'), 1, 12) || lpad(i::text, 4, '0'), 'n', substr(md5('{seed}g' || i), 1, {length})
    FROM generate_series(1, 40) i;
INSERT INTO changing_base SELECT i, 'text ' || i, substr(md5('{seed}' || i), 1, {length}) || '@x.example' FROM generate_series(1, 10) i;
INSERT INTO dropped SELECT i, substr(md5('{seed}d' || i), 1, {length}), 'n' FROM generate_series(1, 10) i;
INSERT INTO nested SELECT i, (i, 1, 100 + i + {length} + ascii('{seed}'), substr(md5('{seed}w' || i), 1, {length}), 'note', 5000)::staff, ARRAY['a', 'b'], '{"a": 1}', substr(md5('{seed}' || i), 1, {length}) FROM generate_series(1, 5) i;
INSERT INTO other.users SELECT i, substr(md5('{seed}o' || i), 1, {length}), 'plain' FROM generate_series(1, 5) i;
SELECT setval('numbered_salary_seq', 100 * ascii('{seed}'));
INSERT INTO numbered (id, note) SELECT i, 'n' FROM generate_series(1, 5) i;
INSERT INTO tenanted SELECT id, email, 'here' FROM users WHERE id < 5;
INSERT INTO other.tenanted SELECT id, email, 'there' FROM users WHERE id < 3;
INSERT INTO stamped SELECT i, 's', i FROM generate_series(1, 5) i;
INSERT INTO told SELECT i, substr(md5('{seed}t' || i), 1, {length}), 'n' FROM generate_series(1, 5) i;
INSERT INTO spied SELECT i, 's' FROM generate_series(1, 5) i;
INSERT INTO with_pair VALUES (1, (1, 'x')), (2, (2, 'y'));
INSERT INTO with_domain VALUES (1, 1, 'calm', '[1,3)'), (2, 2, 'cross', '[2,5)');
INSERT INTO sharing SELECT i, nextval('numbered_salary_seq'), 'n' FROM generate_series(1, 3) i;
INSERT INTO setting_parts SELECT i, CASE '{seed}' WHEN 'left' THEN 0.1::float8 + 0.2::float8 ELSE 0.3 END, 'n' FROM generate_series(1, 3) i;
INSERT INTO setting_bytes VALUES (1, CASE '{seed}' WHEN 'left' THEN 'abcdefghijkl' ELSE 'abcdefghijk\377' END::bytea, 'n');
INSERT INTO setting_spans VALUES (1, CASE '{seed}' WHEN 'left' THEN interval '1 hour' ELSE interval '26 hours' END, 'n');
INSERT INTO accounts (id, email, state, active) SELECT i, substr(md5('{seed}k' || i), 1, {length}), 'open', true FROM generate_series(1, 5) i;
INSERT INTO accounts (id, email, state, active) VALUES (6, CASE '{seed}' WHEN 'left' THEN 'guess' ELSE 'another' END, 'open', true), (7, 'guess', 'draft', false);
INSERT INTO kept VALUES (6, CASE '{seed}' WHEN 'left' THEN 'guess' ELSE 'another' END);
DO $$ BEGIN
    IF to_regclass('public.virtual_pay') IS NOT NULL THEN
        INSERT INTO public.virtual_pay SELECT i, CASE '{seed}' WHEN 'left' THEN 0.1::float8 + 0.2::float8 ELSE 12.5 END, 'v' FROM generate_series(1, 20) i;
    END IF;
END $$;
INSERT INTO kept (id, email) SELECT i, substr(md5('{seed}k' || i), 1, {length}) FROM generate_series(1, 5) i;
INSERT INTO updated SELECT i, 'n', substr(md5('{seed}u' || i), 1, {length}), '2030-01-01' FROM generate_series(1, 3) i;

INSERT INTO sales SELECT 1000 + i, 'us', 'open', ('x' || substr(md5('{seed}s' || i), 1, 2))::bit(8)::int, 0, '(' || substr(md5('{seed}' || i), 1, {length}), '[]', '2029-01-01'
    FROM generate_series(1, 10 + ascii('{seed}')) i;
INSERT INTO sales SELECT i, 'eu', 'open', i * 10, i / 2.0, i::text, '{"a": 1}', '2030-01-01'::date + i FROM generate_series(1, 40) i;
INSERT INTO sales SELECT 2000 + i, 'eu', 'void', 0, -1, 'x', '1', NULL FROM generate_series(1, {length}) i;
INSERT INTO sale_items SELECT i, 1 + i % 40, i FROM generate_series(1, 60) i;
INSERT INTO sale_parts SELECT i, 'eu', i FROM generate_series(1, 99) i;
INSERT INTO sale_parts SELECT 1000 + i, 'us', 0 FROM generate_series(1, ascii('{seed}') - {length}) i;
INSERT INTO sale_notes SELECT 6, i, '(' || substr(md5('{seed}' || i), 1, {length}), 0 FROM generate_series(1, {length}) i;
INSERT INTO sale_notes SELECT 5, i, 'n' || i, i FROM generate_series(1, 30) i;
INSERT INTO sale_log SELECT 1000 + i, 'us', 0 FROM generate_series(1, {length}) i;
INSERT INTO sale_log SELECT i, 'eu', i FROM generate_series(1, 20) i;
REFRESH MATERIALIZED VIEW sale_store;
INSERT INTO noted (id, tenant, email, note) SELECT id, tenant, email, repeat('n', 150) FROM users;
INSERT INTO dated (id, tenant, email, note) SELECT id, tenant, email, repeat('n', 150) FROM users;
INSERT INTO noted_child SELECT id, tenant, repeat('n', 150), email FROM users;
INSERT INTO counted_out SELECT id, 'n' FROM users;
INSERT INTO watched SELECT id, tenant, email FROM users;
