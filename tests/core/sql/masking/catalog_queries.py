"""What tools and drivers ask the catalogs for, written anew from what they ask, and the commands of psql.

Tables are those of the twins.
"""

from __future__ import annotations

PSQL: tuple[str, ...] = (
    r"\d", r"\d+", r"\d_u", r"\d+_u", r"\d_v", r"\d+_v", r"\d_o", r"\d_split", r"\d+_split", r"\d_cust_low",
    r"\d_u_pkey", r"\d+_u_pkey", r"\d_log_id_seq", r"\sv_v", r"\sv+_v", r"\sf_peek", r"\sf+_peek", r"\dt+",
    r"\di+", r"\ds+", r"\dv+", r"\dm+", r"\dE+", r"\dP+", r"\dPi", r"\l", r"\l+", r"\db", r"\db+", r"\drds",
    r"\dd", r"\lo_list", r"\lo_list+", r"\df", r"\df+", r"\da", r"\dn", r"\dn+", r"\du", r"\du+", r"\dg",
    r"\dp", r"\z", r"\ddp", r"\dT", r"\dT+", r"\dC+", r"\dc", r"\dD+", r"\do", r"\do+", r"\dO+", r"\dx",
    r"\dx+", r"\dX", r"\dy", r"\dew+", r"\des+", r"\det+", r"\dA+", r"\dAc", r"\dAf", r"\dAo", r"\dAp", r"\dF+",
    r"\dFd+", r"\dFp", r"\dFt", r"\dL+", r"\dRp+", r"\dRs", r"\dRs+", r"\dconfig", r"\dt_pg_catalog.*",
    r"\df_pg_catalog.abs", r"\dS+_pg_class", r"\d+_information_schema.columns",
)  # fmt: skip

QUERIES: dict[str, str] = {
    # ---- pgAdmin
    "pgadmin: login": "SELECT set_config('bytea_output', 'hex', false) FROM pg_show_all_settings()"
    " WHERE name = 'bytea_output'",
    "pgadmin: role": "SELECT roles.oid AS id, roles.rolname AS name, roles.rolsuper AS is_superuser,"
    " CASE WHEN roles.rolsuper THEN true ELSE roles.rolcreaterole END AS can_create_role"
    " FROM pg_catalog.pg_roles AS roles WHERE rolname = current_user",
    "pgadmin: gss": "SELECT gss_authenticated, encrypted FROM pg_catalog.pg_stat_gssapi WHERE pid = pg_backend_pid()",
    "pgadmin: recovery": "SELECT CASE WHEN usesuper THEN pg_is_in_recovery() ELSE false END AS inrecovery,"
    " CASE WHEN usesuper AND pg_is_in_recovery() THEN pg_is_wal_replay_paused() ELSE false END AS isreplaypaused"
    " FROM pg_user WHERE usename = current_user",
    "pgadmin: databases": "SELECT db.oid AS did, db.datname, db.datallowconn, pg_encoding_to_char(db.encoding) AS enc,"
    " has_database_privilege(db.oid, 'CREATE') AS cancreate, datconnlimit, datistemplate, descr.description"
    " FROM pg_catalog.pg_database db LEFT JOIN pg_catalog.pg_tablespace ta ON db.dattablespace = ta.oid"
    " LEFT JOIN pg_catalog.pg_shdescription descr ON db.oid = descr.objoid"
    " AND descr.classoid = 'pg_database'::regclass WHERE db.datname = current_database() ORDER BY datname",
    "pgadmin: tables": "SELECT rel.oid, rel.relname AS name, (SELECT count(*) FROM pg_catalog.pg_trigger"
    " WHERE tgrelid = rel.oid AND tgisinternal = FALSE) AS triggercount, (SELECT count(1) FROM pg_catalog.pg_inherits"
    " WHERE inhrelid = rel.oid LIMIT 1) AS is_inherits, rel.relispartition, rel.reltuples::bigint AS rows_estimate"
    " FROM pg_catalog.pg_class rel WHERE rel.relkind IN ('r', 's', 't', 'p') AND rel.relnamespace = 2200::oid"
    " ORDER BY rel.relname",
    "pgadmin: table": "SELECT rel.*, rel.oid, st.setting AS more, pg_get_userbyid(rel.relowner) AS relowner,"
    " substring(array_to_string(rel.reloptions, ',') FROM 'fillfactor=([0-9]*)') AS fillfactor"
    " FROM pg_catalog.pg_class rel, pg_catalog.pg_settings st WHERE st.name = 'autovacuum' AND rel.relname = 'u'",
    "pgadmin: columns": "SELECT att.attname AS name, att.*, def.*, pg_catalog.pg_get_expr(def.adbin, def.adrelid) AS"
    " defval, pg_catalog.format_type(ty.oid, NULL) AS typname, des.description FROM pg_catalog.pg_attribute att"
    " JOIN pg_catalog.pg_type ty ON ty.oid = atttypid LEFT JOIN pg_catalog.pg_attrdef def ON adrelid = att.attrelid"
    " AND adnum = att.attnum LEFT JOIN pg_catalog.pg_description des ON des.objoid = att.attrelid"
    " AND des.objsubid = att.attnum WHERE att.attrelid = 'u'::regclass AND att.attnum > 0"
    " AND att.attisdropped IS FALSE ORDER BY att.attnum",
    "pgadmin: functions": "SELECT pr.oid, pr.prosrc, pr.*, format_type(typ.oid, NULL) AS prorettypename, lanname,"
    " pg_get_functiondef(pr.oid) FROM pg_catalog.pg_proc pr JOIN pg_catalog.pg_type typ ON typ.oid = prorettype"
    " JOIN pg_catalog.pg_language lng ON lng.oid = prolang WHERE proname = 'peek'",
    "pgadmin: views": "SELECT c.oid, c.xmin, c.relname AS name, pg_catalog.pg_get_viewdef(c.oid, true) AS definition"
    " FROM pg_catalog.pg_class c WHERE c.relkind = 'v' AND c.relname = 'v'",
    "pgadmin: statistics of tables": "SELECT st.relname, n_tup_ins, n_live_tup, last_vacuum, pg_size_pretty("
    "pg_relation_size(st.relid) + CASE WHEN cl.reltoastrelid = 0 THEN 0 ELSE pg_relation_size(cl.reltoastrelid) END)"
    " FROM pg_catalog.pg_stat_all_tables st JOIN pg_catalog.pg_class cl ON cl.oid = st.relid"
    " WHERE schemaname = 'public' ORDER BY relname",
    "pgadmin: locks": "SELECT locktype, relation::regclass, mode, granted FROM pg_locks l"
    " LEFT JOIN pg_database d ON l.database = d.oid WHERE datname IS NULL OR datname = current_database()",
    # ---- DBeaver
    "dbeaver: tables": "SELECT c.oid, c.*, d.description, pg_catalog.pg_get_expr(c.relpartbound, c.oid) AS"
    " partition_expr, pg_catalog.pg_get_partkeydef(c.oid) AS partition_key FROM pg_catalog.pg_class c"
    " LEFT OUTER JOIN pg_catalog.pg_description d ON d.objoid = c.oid AND d.objsubid = 0"
    " AND d.classoid = 'pg_class'::regclass WHERE c.relnamespace = 2200 AND c.relkind NOT IN ('i', 'I', 'c')",
    "dbeaver: columns": "SELECT c.relname, a.*, pg_catalog.pg_get_expr(ad.adbin, ad.adrelid, true) AS def_value,"
    " dsc.description, dep.objid FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON (a.attrelid = c.oid)"
    " LEFT OUTER JOIN pg_catalog.pg_attrdef ad ON (a.attrelid = ad.adrelid AND a.attnum = ad.adnum)"
    " LEFT OUTER JOIN pg_catalog.pg_description dsc ON (c.oid = dsc.objoid AND a.attnum = dsc.objsubid)"
    " LEFT OUTER JOIN pg_depend dep ON dep.refobjid = a.attrelid AND dep.deptype = 'i' AND dep.refobjsubid = a.attnum"
    " AND dep.classid = dep.refclassid WHERE NOT a.attisdropped AND c.relkind NOT IN ('i', 'I', 'c')"
    " AND c.oid = 'u'::regclass ORDER BY a.attnum",
    "dbeaver: constraints": "SELECT c.oid, c.*, t.relname AS tabrelname, rt.relnamespace AS refnamespace,"
    " d.description, CASE c.contype WHEN 'c' THEN substring(pg_catalog.pg_get_constraintdef(c.oid), 7) END"
    " FROM pg_catalog.pg_constraint c JOIN pg_catalog.pg_class t ON t.oid = c.conrelid"
    " LEFT OUTER JOIN pg_catalog.pg_class rt ON rt.oid = c.confrelid LEFT OUTER JOIN pg_catalog.pg_description d"
    " ON d.objoid = c.oid AND d.objsubid = 0 WHERE c.conrelid = 'o'::regclass ORDER BY c.oid",
    "dbeaver: indexes": "SELECT i.*, i.indkey AS keys, c.relname, c.relnamespace, c.relam, c.reltablespace,"
    " tc.relname AS tabrelname, pg_catalog.pg_get_expr(i.indpred, i.indrelid) AS pred_expr,"
    " pg_catalog.pg_get_expr(i.indexprs, i.indrelid, true) AS expr, pg_catalog.pg_relation_size(i.indexrelid) AS"
    " index_rel_size, pg_catalog.pg_stat_get_numscans(i.indexrelid) AS index_num_scans FROM pg_catalog.pg_index i"
    " JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid JOIN pg_catalog.pg_class tc ON tc.oid = i.indrelid"
    " WHERE i.indrelid = 'u'::regclass ORDER BY tabrelname, c.relname",
    "dbeaver: types": "SELECT t.oid, t.*, c.relkind, format_type(nullif(t.typbasetype, 0), t.typtypmod) AS"
    " base_type_name, d.description FROM pg_catalog.pg_type t LEFT OUTER JOIN pg_catalog.pg_type et"
    " ON et.oid = t.typelem LEFT OUTER JOIN pg_catalog.pg_class c ON c.oid = t.typrelid"
    " LEFT OUTER JOIN pg_catalog.pg_description d ON t.oid = d.objoid WHERE t.typname IS NOT NULL"
    " AND (c.relkind IS NULL OR c.relkind = 'c') AND (et.typcategory IS NULL OR et.typcategory <> 'C')",
    "dbeaver: functions": "SELECT p.oid AS poid, p.*, CASE WHEN p.prokind = 'a' THEN 'f' ELSE 'a' END,"
    " pg_catalog.pg_get_expr(p.proargdefaults, 0) AS arg_defaults, d.description FROM pg_catalog.pg_proc p"
    " LEFT OUTER JOIN pg_catalog.pg_description d ON d.objoid = p.oid WHERE p.pronamespace = 2200 ORDER BY p.proname",
    "dbeaver: sizes": "SELECT c.oid, pg_catalog.pg_total_relation_size(c.oid) AS total_rel_size,"
    " pg_catalog.pg_relation_size(c.oid) AS rel_size FROM pg_class c WHERE c.relnamespace = 2200",
    "dbeaver: database": "SELECT db.oid, db.*, pg_catalog.pg_database_size(db.oid) FROM pg_catalog.pg_database db"
    " WHERE datallowconn AND NOT datistemplate AND db.datname = current_database()",
    # ---- pgjdbc's DatabaseMetaData
    "jdbc: tables": "SELECT NULL AS table_cat, n.nspname AS table_schem, c.relname AS table_name, CASE n.nspname ~"
    " '^pg_'"
    " OR n.nspname = 'information_schema' WHEN true THEN 'SYSTEM TABLE' ELSE 'TABLE' END AS table_type, d.description"
    " FROM pg_catalog.pg_namespace n, pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_description d ON (c.oid = d.objoid"
    " AND d.objsubid = 0 AND d.classoid = 'pg_class'::regclass) WHERE c.relnamespace = n.oid AND n.nspname LIKE"
    " 'public'"
    " ORDER BY table_type, table_schem, table_name",
    "jdbc: columns": "SELECT * FROM (SELECT current_database() IS NOT NULL AS cat, n.nspname, c.relname, a.attname,"
    " a.atttypid, a.attnotnull OR (t.typtype = 'd' AND t.typnotnull) AS attnotnull, a.atttypmod, a.attlen,"
    " t.typtypmod, row_number() OVER (PARTITION BY a.attrelid ORDER BY a.attnum) AS attnum,"
    " nullif(a.attidentity, '') AS attidentity, nullif(a.attgenerated, '') AS attgenerated,"
    " pg_catalog.pg_get_expr(def.adbin, def.adrelid) AS adsrc, dsc.description, t.typbasetype, t.typtype"
    " FROM pg_catalog.pg_namespace n JOIN pg_catalog.pg_class c ON (c.relnamespace = n.oid)"
    " JOIN pg_catalog.pg_attribute a ON (a.attrelid = c.oid) JOIN pg_catalog.pg_type t ON (a.atttypid = t.oid)"
    " LEFT JOIN pg_catalog.pg_attrdef def ON (a.attrelid = def.adrelid AND a.attnum = def.adnum)"
    " LEFT JOIN pg_catalog.pg_description dsc ON (c.oid = dsc.objoid AND a.attnum = dsc.objsubid)"
    " WHERE c.relkind IN ('r', 'p', 'v', 'f', 'm') AND a.attnum > 0 AND NOT a.attisdropped"
    " AND n.nspname LIKE 'public') c WHERE true AND attname LIKE '%' ORDER BY nspname, c.relname, attnum",
    "jdbc: primary keys": "SELECT result.table_schem, result.table_name, result.column_name, result.key_seq,"
    " result.pk_name FROM (SELECT n.nspname AS table_schem, ct.relname AS table_name, a.attname AS column_name,"
    " (information_schema._pg_expandarray(i.indkey)).n AS key_seq, ci.relname AS pk_name,"
    " information_schema._pg_expandarray(i.indkey) AS keys, a.attnum AS a_attnum FROM pg_catalog.pg_class ct"
    " JOIN pg_catalog.pg_attribute a ON (ct.oid = a.attrelid) JOIN pg_catalog.pg_namespace n"
    " ON (ct.relnamespace = n.oid) JOIN pg_catalog.pg_index i ON (a.attrelid = i.indrelid) JOIN pg_catalog.pg_class ci"
    " ON (ci.oid = i.indexrelid) WHERE true AND ct.relname = 'u' AND i.indisprimary) result"
    " WHERE result.a_attnum = (result.keys).x ORDER BY result.table_name, result.pk_name, result.key_seq",
    "jdbc: indexes": "SELECT tmp.table_name, tmp.non_unique, tmp.index_name, trim(BOTH '\"' FROM"
    " pg_catalog.pg_get_indexdef(tmp.ci_oid, tmp.ordinal_position, false)) AS column_name, tmp.cardinality, tmp.pages,"
    " tmp.filter_condition FROM (SELECT ct.relname AS table_name, NOT i.indisunique AS non_unique, ci.relname AS"
    " index_name, (information_schema._pg_expandarray(i.indkey)).n AS ordinal_position, ci.reltuples AS cardinality,"
    " ci.relpages AS pages, pg_catalog.pg_get_expr(i.indpred, i.indrelid) AS filter_condition, ci.oid AS ci_oid"
    " FROM pg_catalog.pg_class ct JOIN pg_catalog.pg_namespace n ON (ct.relnamespace = n.oid)"
    " JOIN pg_catalog.pg_index i ON (ct.oid = i.indrelid) JOIN pg_catalog.pg_class ci ON (ci.oid = i.indexrelid)"
    " JOIN pg_catalog.pg_am am ON (ci.relam = am.oid) WHERE true AND ct.relname = 'u') AS tmp ORDER BY non_unique,"
    " index_name, ordinal_position",
    "jdbc: imported keys": "SELECT fkn.nspname, fkc.relname, fka.attname, pos.n AS key_seq, con.conname,"
    " con.condeferrable"
    " FROM pg_catalog.pg_namespace pkn, pg_catalog.pg_class pkc, pg_catalog.pg_attribute pka,"
    " pg_catalog.pg_namespace fkn, pg_catalog.pg_class fkc, pg_catalog.pg_attribute fka, pg_catalog.pg_constraint con,"
    " pg_catalog.generate_series(1, 32) pos(n), pg_catalog.pg_class pkic WHERE pkn.oid = pkc.relnamespace"
    " AND pkc.oid = pka.attrelid AND pka.attnum = con.confkey[pos.n] AND con.confrelid = pkc.oid"
    " AND fkn.oid = fkc.relnamespace AND fkc.oid = fka.attrelid AND fka.attnum = con.conkey[pos.n]"
    " AND con.conrelid = fkc.oid AND con.contype = 'f' AND pkic.relkind = 'i' AND con.conindid = pkic.oid"
    " AND fkc.relname = 'o' ORDER BY pkn.nspname, pkc.relname, con.conname, pos.n",
    "jdbc: functions": "SELECT n.nspname, p.proname, d.description, p.proname || '_' || p.oid AS specific_name"
    " FROM pg_catalog.pg_proc p INNER JOIN pg_catalog.pg_namespace n ON p.pronamespace = n.oid"
    " LEFT JOIN pg_catalog.pg_description d ON p.oid = d.objoid WHERE true AND n.nspname LIKE 'public'"
    " ORDER BY 1, 2, 4",
    "jdbc: type": "SELECT n.nspname = ANY (current_schemas(true)), n.nspname, t.typname FROM pg_catalog.pg_type t"
    " JOIN pg_catalog.pg_namespace n ON t.typnamespace = n.oid WHERE t.oid = 25",
    "jdbc: keywords": "SELECT string_agg(word, ',') FROM pg_catalog.pg_get_keywords()"
    " WHERE word <> ALL ('{a,abs}'::text[])",
    # ---- Metabase
    "metabase: tables": "SELECT n.nspname AS schema, c.relname AS name, CASE c.relkind WHEN 'r' THEN 'TABLE' WHEN 'v'"
    " THEN 'VIEW' ELSE '' END AS type, d.description AS description, stat.n_live_tup AS estimated_row_count"
    " FROM pg_catalog.pg_class AS c INNER JOIN pg_catalog.pg_namespace AS n ON c.relnamespace = n.oid"
    " LEFT JOIN pg_catalog.pg_description AS d ON c.oid = d.objoid AND d.objsubid = 0 LEFT JOIN"
    " pg_stat_user_tables AS stat ON n.nspname = stat.schemaname AND c.relname = stat.relname"
    " WHERE (c.relnamespace = n.oid) AND (n.nspname !~ '^information_schema|catalog_history|pg_')"
    " AND c.relkind IN ('r', 'p', 'v', 'f', 'm') ORDER BY type, schema, name",
    "metabase: rows": "SELECT reltuples::bigint AS estimate FROM pg_class WHERE oid = 'public.u'::regclass",
    # ---- Sequelize
    "sequelize: tables": "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' AND table_type"
    " LIKE '%TABLE' AND table_name != 'spatial_ref_sys'",
    "sequelize: comments": 'SELECT pk.constraint_type AS "Constraint", c.column_name AS "Field", c.column_default,'
    " c.is_nullable, CASE WHEN c.udt_name = 'hstore' THEN c.udt_name ELSE c.data_type END || (CASE WHEN"
    " c.character_maximum_length IS NOT NULL THEN '(' || c.character_maximum_length || ')' ELSE '' END) AS \"Type\","
    " (SELECT array_agg(e.enumlabel) FROM pg_catalog.pg_type t JOIN pg_catalog.pg_enum e ON t.oid = e.enumtypid WHERE"
    ' t.typname = c.udt_name) AS "special", (SELECT pgd.description FROM pg_catalog.pg_statio_all_tables AS st INNER'
    " JOIN pg_catalog.pg_description pgd ON (pgd.objoid = st.relid) WHERE c.ordinal_position = pgd.objsubid AND"
    ' c.table_name = st.relname) AS "Comment" FROM information_schema.columns c LEFT JOIN (SELECT tc.table_schema,'
    " tc.table_name, cu.column_name, tc.constraint_type FROM information_schema.TABLE_CONSTRAINTS tc JOIN"
    " information_schema.KEY_COLUMN_USAGE cu ON tc.table_schema = cu.table_schema AND tc.table_name = cu.table_name AND"
    " tc.constraint_name = cu.constraint_name AND tc.constraint_type = 'PRIMARY KEY') pk ON"
    " pk.table_schema = c.table_schema AND pk.table_name = c.table_name AND pk.column_name = c.column_name"
    " WHERE c.table_name = 'u' AND c.table_schema = 'public'",
    "sequelize: indexes": "SELECT i.relname AS name, ix.indisprimary AS primary, ix.indisunique AS unique, ix.indkey AS"
    " indkey, array_agg(a.attnum) AS column_indexes, array_agg(a.attname) AS column_names,"
    " pg_get_indexdef(ix.indexrelid) AS definition FROM pg_class t, pg_class i, pg_index ix, pg_attribute a,"
    " pg_namespace s"
    " WHERE t.oid = ix.indrelid AND i.oid = ix.indexrelid AND a.attrelid = t.oid AND t.relkind = 'r' AND t.relname ="
    " 'u'"
    " AND s.oid = t.relnamespace AND s.nspname = 'public' GROUP BY i.relname, ix.indexrelid, ix.indisprimary,"
    " ix.indisunique, ix.indkey ORDER BY i.relname",
    # ---- Prisma's introspection
    "prisma: tables": "SELECT tbl.relname AS table_name, namespace.nspname AS namespace, (tbl.relhassubclass AND"
    " tbl.relkind = 'p') AS is_partition, tbl.relrowsecurity AS has_row_level_security, reloptions,"
    " obj_description(tbl.oid, 'pg_class') AS description FROM pg_class AS tbl INNER JOIN pg_namespace AS namespace"
    " ON namespace.oid = tbl.relnamespace WHERE tbl.relkind IN ('r', 'p') AND namespace.nspname = ANY ('{public}')"
    " ORDER BY namespace, table_name",
    "prisma: views": "SELECT views.viewname AS view_name, views.definition AS view_sql, views.schemaname AS namespace,"
    " obj_description(class.oid, 'pg_class') AS description FROM pg_catalog.pg_views views INNER JOIN"
    " pg_catalog.pg_namespace ns ON views.schemaname = ns.nspname INNER JOIN pg_catalog.pg_class class"
    " ON class.relnamespace = ns.oid AND class.relname = views.viewname WHERE schemaname = ANY ('{public}')",
    "prisma: procedures": "SELECT p.proname AS name, n.nspname AS namespace, CASE WHEN l.lanname = 'internal' THEN"
    " p.prosrc ELSE pg_get_functiondef(p.oid) END AS definition FROM pg_proc p LEFT JOIN pg_namespace n"
    " ON p.pronamespace = n.oid LEFT JOIN pg_language l ON p.prolang = l.oid WHERE n.nspname = ANY ('{public}')"
    " AND p.prokind = 'f'",
    "prisma: indexes": "WITH rawindex AS (SELECT indrelid, indexrelid, indisunique, indisprimary, unnest(indkey) AS"
    " indkeyid, generate_subscripts(indkey, 1) AS indkeyidx, unnest(indclass) AS indclass, unnest(indoption) AS"
    " indoption FROM pg_index WHERE indpred IS NULL AND NOT indisexclusion) SELECT schemainfo.nspname,"
    " indexinfo.relname"
    " AS index_name, tableinfo.relname AS table_name, columninfo.attname AS column_name, rawindex.indisunique,"
    " rawindex.indisprimary, rawindex.indkeyidx, CASE rawindex.indoption & 1 WHEN 1 THEN 'DESC' ELSE 'ASC' END AS"
    " column_order FROM rawindex JOIN pg_class AS tableinfo ON tableinfo.oid = rawindex.indrelid JOIN pg_class AS"
    " indexinfo ON indexinfo.oid = rawindex.indexrelid JOIN pg_namespace AS schemainfo ON schemainfo.oid ="
    " tableinfo.relnamespace LEFT JOIN pg_attribute AS columninfo ON columninfo.attrelid = tableinfo.oid AND"
    " columninfo.attnum = rawindex.indkeyid WHERE schemainfo.nspname = ANY ('{public}') ORDER BY 1, 3, 2, 7",
    "prisma: sequences": "SELECT sequence_name, sequence_schema AS namespace, start_value::int8, minimum_value,"
    " maximum_value, increment FROM information_schema.sequences WHERE sequence_schema = ANY ('{public}')",
    # ---- others
    "any functions": "SELECT EXISTS (SELECT * FROM pg_proc WHERE proname = 'uuid_generate_v4')",
    "rows of a catalog": "SELECT count(p.*) FROM pg_proc p WHERE p.proname = 'now'",
    "superset: sizes of tables": "SELECT relname, pg_size_pretty(pg_total_relation_size(relid)) FROM"
    " pg_catalog.pg_statio_user_tables ORDER BY pg_total_relation_size(relid) DESC, relname",
    "grafana: tables": 'SELECT quote_ident(table_name) AS "table" FROM information_schema.tables WHERE'
    " quote_ident(table_schema) NOT IN ('information_schema', 'pg_catalog') ORDER BY 1",
    "rails: columns": "SELECT a.attname, format_type(a.atttypid, a.atttypmod), pg_get_expr(d.adbin, d.adrelid),"
    " a.attnotnull, a.atttypid, a.atttypmod, c.collname, col_description(a.attrelid, a.attnum) AS comment,"
    " attidentity, attgenerated FROM pg_attribute a LEFT JOIN pg_attrdef d ON a.attrelid = d.adrelid AND"
    " a.attnum = d.adnum LEFT JOIN pg_type t ON a.atttypid = t.oid LEFT JOIN pg_collation c ON a.attcollation ="
    " c.oid AND"
    " a.attcollation <> t.typcollation WHERE a.attrelid = '\"u\"'::regclass AND a.attnum > 0 AND NOT a.attisdropped"
    " ORDER BY a.attnum",
    "rails: sequences": "SELECT attr.attname, nsp.nspname, seq.relname FROM pg_class seq, pg_attribute attr, pg_depend"
    " dep, pg_constraint cons, pg_namespace nsp WHERE seq.oid = dep.objid AND seq.relkind = 'S' AND attr.attrelid ="
    " dep.refobjid AND attr.attnum = dep.refobjsubid AND attr.attrelid = cons.conrelid AND attr.attnum = cons.conkey[1]"
    " AND seq.relnamespace = nsp.oid AND cons.contype = 'p' AND dep.classid = 'pg_class'::regclass AND dep.refobjid ="
    " '\"log\"'::regclass",
    "hibernate: sequences": "SELECT * FROM information_schema.sequences",
    "flyway: history": "SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n"
    " ON n.oid = c.relnamespace WHERE n.nspname = 'public' AND c.relname = 'flyway_schema_history'"
    " AND c.relkind = 'r')",
    "typeorm: views": 'SELECT t.*, v.check_option, pg_get_viewdef(\'"public"."v"\'::regclass, true) AS definition FROM'
    " information_schema.tables t JOIN information_schema.views v ON v.table_name = t.table_name"
    " WHERE t.table_schema = 'public' AND t.table_name = 'v'",
    "dependencies of views": "SELECT DISTINCT source.relname, dependent.relname FROM pg_depend JOIN pg_rewrite ON"
    " pg_depend.objid = pg_rewrite.oid JOIN pg_class AS dependent ON pg_rewrite.ev_class = dependent.oid JOIN pg_class"
    " AS source ON pg_depend.refobjid = source.oid WHERE source.relname = 'u'",
}
