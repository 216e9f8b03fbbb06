--- Extensions: what they add to types, operators and functions, harmless or not.

-- needs: citext
SELECT 'A'::citext = 'a'::citext, note::citext FROM staff ORDER BY id LIMIT 1;

-- needs: citext
SELECT id FROM staff WHERE ssn::citext > 'M'::citext ORDER BY id;

-- needs: hstore
SELECT 'a=>1'::hstore -> 'a', hstore('x', note) FROM staff ORDER BY id LIMIT 1;

-- needs: hstore
SELECT hstore(s) FROM staff s ORDER BY id LIMIT 1;

-- needs: hstore
SELECT hstore(s) -> 'ssn' FROM staff s ORDER BY id LIMIT 1;

-- needs: hstore
SELECT populate_record(NULL::staff, 'salary=>5'::hstore);

-- needs: hstore
SELECT (each(hstore(s))).value FROM staff s WHERE id = 1;

-- needs: pg_trgm
SELECT similarity(ssn, 'abc'), ssn % 'abc', ssn <-> 'abc' FROM staff ORDER BY id;

-- needs: pg_trgm
SELECT show_trgm(ssn) FROM staff ORDER BY id;

-- needs: pg_trgm
SELECT id FROM staff ORDER BY ssn <-> 'abc', id LIMIT 3;

-- needs: pgcrypto
SELECT digest(ssn, 'md5'), hmac(ssn, 'k', 'sha1'), crypt(ssn, '$1$abcdefgh') FROM staff ORDER BY id LIMIT 2;

-- needs: pgcrypto
SELECT pgp_sym_decrypt(ssn::bytea, 'k') FROM staff WHERE id = 1;

-- needs: uuid-ossp
SELECT uuid_generate_v5(uuid_ns_dns(), ssn) FROM staff ORDER BY id;

-- needs: vector
SELECT '[1,2]'::vector <-> '[2,3]'::vector, vector_dims('[1,2]'::vector);

-- needs: vector
SELECT id FROM staff ORDER BY ('[' || salary || ']')::vector <-> '[500]'::vector, id LIMIT 3;

CREATE EXTENSION IF NOT EXISTS dblink;

CREATE EXTENSION pageinspect;

SELECT * FROM heap_page_items(get_raw_page('staff', 0));

SELECT * FROM pgstattuple('staff');

SELECT * FROM crosstab('SELECT id, tenant, salary FROM staff') AS t(a int, b int);

SELECT * FROM pg_available_extensions WHERE name = 'plpgsql';
