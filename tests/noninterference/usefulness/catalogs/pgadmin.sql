-- login
SELECT oid as id, rolname as name, rolsuper as is_superuser, CASE WHEN rolsuper THEN true ELSE rolcreaterole END as can_create_role, CASE WHEN rolsuper THEN true ELSE rolcreatedb END as can_create_db FROM pg_catalog.pg_roles WHERE rolname = current_user;

-- settings at login
SELECT set_config('bytea_output','hex',false) FROM pg_show_all_settings() WHERE name = 'bytea_output';

-- databases
SELECT db.oid as did, db.datname, db.datallowconn, pg_catalog.pg_encoding_to_char(db.encoding) AS serverencoding, pg_catalog.has_database_privilege(db.oid, 'CREATE') as cancreate, datistemplate FROM pg_catalog.pg_database db WHERE db.datname = current_database();

-- schemas
SELECT nsp.oid, nsp.nspname as name, pg_catalog.has_schema_privilege(nsp.oid, 'CREATE') as can_create, pg_catalog.has_schema_privilege(nsp.oid, 'USAGE') as has_usage, des.description FROM pg_catalog.pg_namespace nsp LEFT OUTER JOIN pg_catalog.pg_description des ON (des.objoid=nsp.oid AND des.classoid='pg_namespace'::regclass) WHERE nspname NOT LIKE E'pg\\_%' ORDER BY nspname;

-- tables
SELECT rel.oid, rel.relname AS name, (SELECT count(*) FROM pg_catalog.pg_trigger WHERE tgrelid=rel.oid AND tgisinternal = FALSE) AS triggercount, rel.relispartition AS is_partition, rel.relkind FROM pg_catalog.pg_class rel WHERE rel.relkind IN ('r','s','t','p') AND rel.relnamespace = 'public'::regnamespace AND NOT rel.relispartition ORDER BY rel.relname;

-- one table
SELECT rel.oid, rel.relname AS name, rel.reltablespace AS spcoid, rel.relacl AS relacl_str, nsp.nspname AS schema, pg_catalog.pg_get_userbyid(rel.relowner) AS relowner, rel.relkind, rel.relhassubclass, rel.reltuples::bigint, des.description, con.conname, con.conkey, rel.reloptions, rel.relpersistence FROM pg_catalog.pg_class rel LEFT OUTER JOIN pg_catalog.pg_description des ON (des.objoid=rel.oid AND des.objsubid=0 AND des.classoid='pg_class'::regclass) LEFT OUTER JOIN pg_catalog.pg_constraint con ON con.conrelid=rel.oid AND con.contype='p' JOIN pg_catalog.pg_namespace nsp ON nsp.oid = rel.relnamespace WHERE rel.oid = 'users'::regclass;

-- columns
SELECT DISTINCT att.attname as name, att.attnum as "OID", pg_catalog.format_type(ty.oid,NULL) AS datatype, pg_catalog.format_type(ty.oid,att.atttypmod) AS displaytypname, att.attnotnull as not_null, CASE WHEN att.atthasdef OR att.attidentity != '' OR ty.typdefault IS NOT NULL THEN True ELSE False END as has_default_val, des.description, seq.seqtypid FROM pg_catalog.pg_attribute att JOIN pg_catalog.pg_type ty ON ty.oid=atttypid JOIN pg_catalog.pg_namespace tn ON tn.oid=ty.typnamespace JOIN pg_catalog.pg_class cl ON cl.oid=att.attrelid LEFT OUTER JOIN pg_catalog.pg_description des ON (des.objoid=att.attrelid AND des.objsubid=att.attnum AND des.classoid='pg_class'::regclass) LEFT OUTER JOIN (pg_catalog.pg_depend INNER JOIN pg_catalog.pg_class cs ON classid='pg_class'::regclass AND objid=cs.oid AND cs.relkind='S') ON refobjid=att.attrelid AND refobjsubid=att.attnum LEFT OUTER JOIN pg_catalog.pg_sequence seq ON cs.oid=seq.seqrelid WHERE att.attrelid = 'users'::regclass AND att.attnum > 0 AND att.attisdropped IS FALSE ORDER BY att.attnum;

-- defaults
SELECT pg_catalog.pg_get_expr(def.adbin, def.adrelid) AS defval, att.attname FROM pg_catalog.pg_attribute att LEFT JOIN pg_catalog.pg_attrdef def ON adrelid=att.attrelid AND adnum=att.attnum WHERE att.attrelid = 'orders'::regclass AND att.attnum > 0 ORDER BY att.attnum;

-- indexes
SELECT DISTINCT ON(cls.relname) cls.oid, cls.relname as name, indrelid, indkey, indisclustered, indisvalid, indisunique, indisprimary, pg_catalog.pg_get_expr(indpred, indrelid, true) AS indconstraint FROM pg_catalog.pg_index idx JOIN pg_catalog.pg_class cls ON cls.oid=indexrelid WHERE indrelid = 'users'::regclass ORDER BY cls.relname;

-- constraints
SELECT conname, contype, condeferrable, pg_catalog.pg_get_constraintdef(oid, true) FROM pg_catalog.pg_constraint WHERE conrelid = 'blog_post'::regclass ORDER BY conname;

-- views
SELECT c.oid, c.relname AS name, pg_catalog.pg_get_viewdef(c.oid, true) AS definition FROM pg_catalog.pg_class c WHERE c.relkind = 'v' AND c.relnamespace = 'public'::regnamespace ORDER BY c.relname;

-- functions
SELECT pr.oid, pr.proname AS name, pg_catalog.pg_get_function_identity_arguments(pr.oid) AS args, lanname, pg_catalog.pg_get_userbyid(proowner) as funcowner FROM pg_catalog.pg_proc pr JOIN pg_catalog.pg_language lng ON lng.oid=pr.prolang WHERE pr.pronamespace = 'public'::regnamespace ORDER BY proname LIMIT 5;

-- sequences
SELECT cl.oid, relname as name, seqstart, seqincrement FROM pg_catalog.pg_class cl JOIN pg_catalog.pg_sequence ON seqrelid = cl.oid WHERE relkind = 'S' ORDER BY relname;

-- statistics of a table
SELECT n_tup_ins AS "Tuples inserted", last_vacuum, pg_catalog.pg_size_pretty(pg_catalog.pg_relation_size(stat.relid)) AS "Table size" FROM pg_catalog.pg_stat_all_tables stat WHERE stat.relid = 'users'::regclass;

-- dashboard
SELECT 'session_stats' AS chart_name, row_to_json(t) IS NOT NULL AS chart_data FROM (SELECT (SELECT count(*) FROM pg_catalog.pg_stat_activity WHERE datname = current_database()) AS "Total") t;
