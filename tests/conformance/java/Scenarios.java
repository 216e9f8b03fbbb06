// What applications do with pgjdbc, whose package holds no tests. Each scenario prints one line of JSON: whether it
// passed, and what went wrong if not. Where to connect is in the environment, as for libpq.

import java.io.StringReader;
import java.io.StringWriter;
import java.math.BigDecimal;
import java.sql.*;
import java.time.LocalDate;
import java.time.OffsetDateTime;
import java.util.*;
import java.util.concurrent.*;
import org.postgresql.PGConnection;
import org.postgresql.largeobject.LargeObject;
import org.postgresql.largeobject.LargeObjectManager;
import org.postgresql.util.PSQLException;
import org.postgresql.util.ServerErrorMessage;

public class Scenarios {
    interface Play { void with(Connection connection) throws Exception; }

    static final Map<String, Play> SCENARIOS = new LinkedHashMap<>();

    static Connection connect(String... options) throws SQLException {
        Map<String, String> place = System.getenv();
        String url = "jdbc:postgresql://" + place.get("PGHOST") + ":" + place.get("PGPORT") + "/" + place.get("PGDATABASE")
            + "?sslmode=prefer&" + String.join("&", options);
        return DriverManager.getConnection(url, place.get("PGUSER"), place.get("PGPASSWORD"));
    }

    static void same(Object expected, Object found) {
        if (!Objects.deepEquals(expected, found)) throw new AssertionError("expected " + expected + ", found " + found);
    }

    static SQLException fails(String sqlstate, Callable<?> what) throws Exception {
        try {
            what.call();
        } catch (SQLException error) {
            same(sqlstate, error.getSQLState());
            return error;
        }
        throw new AssertionError("no error where " + sqlstate + " was due");
    }

    static void refused(Callable<?> what) throws Exception {
        try {
            what.call();
        } catch (PSQLException error) {
            ServerErrorMessage said = error.getServerErrorMessage();
            same("ERROR", said.getSeverity());
            if ("42501".equals(error.getSQLState()) && said.getDetail() != null && said.getHint() != null) return;
            same("58P01", error.getSQLState());
            return;
        }
        throw new AssertionError("it was not refused");
    }

    static List<Object> column(ResultSet rows, String name) throws SQLException {
        List<Object> values = new ArrayList<>();
        while (rows.next()) values.add(rows.getObject(name));
        return values;
    }

    static void run(Connection connection, String... texts) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            for (String text : texts) statement.execute(text);
        }
    }

    static Object one(Connection connection, String text) throws SQLException {
        try (Statement statement = connection.createStatement(); ResultSet rows = statement.executeQuery(text)) {
            rows.next();
            return rows.getObject(1);
        }
    }

    static {
        SCENARIOS.put("the database's metadata", connection -> {
            run(connection, "CREATE SCHEMA meta", "CREATE TYPE meta.mood AS ENUM ('good', 'bad')",
                "CREATE TABLE meta.owners (id serial PRIMARY KEY, name varchar(20) NOT NULL UNIQUE)",
                "CREATE TABLE meta.pets (id int, owner int REFERENCES meta.owners, mood meta.mood DEFAULT 'good', weight numeric(5, 2), PRIMARY KEY (id, owner))",
                "CREATE VIEW meta.heavy AS SELECT id FROM meta.pets WHERE weight > 10",
                "CREATE FUNCTION meta.twice(n int) RETURNS int LANGUAGE sql AS 'SELECT n * 2'",
                "COMMENT ON COLUMN meta.pets.weight IS 'in kilograms'");
            DatabaseMetaData meta = connection.getMetaData();
            same(List.of("heavy", "owners", "pets"), sorted(column(meta.getTables(null, "meta", "%", new String[] {"TABLE", "VIEW"}), "TABLE_NAME")));
            same(List.of("id", "owner", "mood", "weight"), column(meta.getColumns(null, "meta", "pets", "%"), "COLUMN_NAME"));
            same(Arrays.asList(null, null, null, "in kilograms"), column(meta.getColumns(null, "meta", "pets", "%"), "REMARKS"));
            same(List.of("id", "owner"), sorted(column(meta.getPrimaryKeys(null, "meta", "pets"), "COLUMN_NAME")));
            same(List.of("owners"), column(meta.getImportedKeys(null, "meta", "pets"), "PKTABLE_NAME"));
            same(List.of("pets"), column(meta.getExportedKeys(null, "meta", "owners"), "FKTABLE_NAME"));
            same(List.of("owners_name_key", "owners_pkey"), sorted(column(meta.getIndexInfo(null, "meta", "owners", true, false), "INDEX_NAME")));
            same(List.of("twice"), column(meta.getFunctions(null, "meta", "%"), "FUNCTION_NAME"));
            same(List.of("returnValue", "n"), column(meta.getFunctionColumns(null, "meta", "twice", "%"), "COLUMN_NAME"));
            same(true, column(meta.getSchemas(), "TABLE_SCHEM").contains("meta"));
            same(true, column(meta.getTypeInfo(), "TYPE_NAME").contains("int4"));
            same(true, !column(meta.getTablePrivileges(null, "meta", "pets"), "PRIVILEGE").isEmpty());
        });
        SCENARIOS.put("a result's and a parameter's metadata", connection -> {
            run(connection, "CREATE TEMP TABLE things (id serial PRIMARY KEY, name varchar(10) NOT NULL, price numeric(8, 2))");
            try (PreparedStatement statement = connection.prepareStatement("SELECT id, name, price, ?::int + 1 AS more FROM things")) {
                ResultSetMetaData meta = statement.getMetaData();
                same(4, meta.getColumnCount());
                same("things", meta.getTableName(1));
                same(true, meta.isAutoIncrement(1));
                same(ResultSetMetaData.columnNoNulls, meta.isNullable(2));
                same(8, meta.getPrecision(3));
                same(Types.INTEGER, statement.getParameterMetaData().getParameterType(1));
            }
        });
        SCENARIOS.put("values of many types come back as they went", connection -> {
            String text = "SELECT ?::text, ?::int8, ?::numeric, ?::bool, ?::bytea, ?::date, ?::timestamptz, ?::uuid, ?::int[], ?::float8";
            UUID id = UUID.randomUUID();
            OffsetDateTime when = OffsetDateTime.parse("2024-02-29T12:30:00.123456Z");
            try (PreparedStatement statement = connection.prepareStatement(text)) {
                // Again and again: prepared by name from the fifth time on, and then binary.
                for (int round = 0; round < 12; round++) {
                    statement.setString(1, round % 3 == 0 ? null : "o'clock \\ \u00e9");
                    statement.setLong(2, Long.MAX_VALUE - round);
                    statement.setBigDecimal(3, new BigDecimal("12345678901234567890.123"));
                    statement.setBoolean(4, true);
                    statement.setBytes(5, new byte[] {0, -1});
                    statement.setObject(6, LocalDate.of(2024, 2, 29));
                    statement.setObject(7, when);
                    statement.setObject(8, id);
                    statement.setArray(9, connection.createArrayOf("int4", new Integer[] {1, null, 3}));
                    statement.setDouble(10, 0.1);
                    try (ResultSet rows = statement.executeQuery()) {
                        rows.next();
                        same(round % 3 == 0 ? null : "o'clock \\ \u00e9", rows.getString(1));
                        same(Long.MAX_VALUE - round, rows.getLong(2));
                        same(new BigDecimal("12345678901234567890.123"), rows.getBigDecimal(3));
                        same(true, rows.getBoolean(4));
                        same(true, Arrays.equals(new byte[] {0, -1}, rows.getBytes(5)));
                        same(LocalDate.of(2024, 2, 29), rows.getObject(6, LocalDate.class));
                        same(when, rows.getObject(7, OffsetDateTime.class));
                        same(id, rows.getObject(8));
                        same(true, Arrays.equals(new Integer[] {1, null, 3}, (Object[]) rows.getArray(9).getArray()));
                        same(0.1, rows.getDouble(10));
                    }
                }
            }
        });
        SCENARIOS.put("rows in portions", connection -> {
            connection.setAutoCommit(false);
            try (PreparedStatement statement = connection.prepareStatement("SELECT n FROM generate_series(1, ?) n")) {
                statement.setFetchSize(100);
                statement.setInt(1, 25000);
                long sum = 0;
                try (ResultSet rows = statement.executeQuery()) {
                    while (rows.next()) sum += rows.getInt(1);
                }
                same(25000L * 25001 / 2, sum);
                // Two at a time, one of which is left early.
                try (ResultSet rows = statement.executeQuery()) {
                    rows.next();
                    same(7, one(connection, "SELECT 7"));
                    for (int at = 2; at < 500; at++) rows.next();
                    same(499, rows.getInt(1));
                }
            }
            connection.commit();
        });
        SCENARIOS.put("a scrollable and updatable result", connection -> {
            run(connection, "CREATE TEMP TABLE things (id int PRIMARY KEY, name text)", "INSERT INTO things SELECT n, 'x' FROM generate_series(1, 5) n");
            try (Statement statement = connection.createStatement(ResultSet.TYPE_SCROLL_INSENSITIVE, ResultSet.CONCUR_UPDATABLE);
                 ResultSet rows = statement.executeQuery("SELECT id, name FROM things ORDER BY id")) {
                rows.last();
                rows.updateString("name", "y");
                rows.updateRow();
                rows.first();
                rows.deleteRow();
            }
            same("x,x,x,y", one(connection, "SELECT string_agg(name, ',' ORDER BY id) FROM things"));
        });
        for (String option : List.of("reWriteBatchedInserts=false", "reWriteBatchedInserts=true", "preferQueryMode=simple")) {
            SCENARIOS.put("batches, " + option, ignored -> {
                try (Connection connection = connect(option)) {
                    run(connection, "CREATE TEMP TABLE things (id serial PRIMARY KEY, n int CHECK (n <> 1500), name text)");
                    connection.setAutoCommit(false);
                    String insert = "INSERT INTO things (n, name) VALUES (?, ?)";
                    try (PreparedStatement statement = connection.prepareStatement(insert, Statement.RETURN_GENERATED_KEYS)) {
                        for (int at = 0; at < 1200; at++) {
                            statement.setInt(1, at);
                            statement.setString(2, "name " + at);
                            statement.addBatch();
                        }
                        same(1200, statement.executeBatch().length);
                        int keys = 0;
                        for (ResultSet rows = statement.getGeneratedKeys(); rows.next();) same(++keys, rows.getInt(1));
                        same(1200, keys);
                        connection.commit();
                        for (int at = 1200; at < 1800; at++) {
                            statement.setInt(1, at);
                            statement.setString(2, null);
                            statement.addBatch();
                        }
                        fails("23514", statement::executeBatch);
                    }
                    fails("25P02", () -> one(connection, "SELECT 1"));
                    connection.rollback();
                    same(1200L, one(connection, "SELECT count(*) FROM things"));
                }
            });
        }
        SCENARIOS.put("COPY both ways", connection -> {
            run(connection, "CREATE TEMP TABLE lines (id int, text text)");
            var copy = connection.unwrap(PGConnection.class).getCopyAPI();
            StringBuilder lines = new StringBuilder();
            for (int at = 0; at < 30000; at++) lines.append(at).append('\t').append("x".repeat(at % 100)).append('\n');
            same(30000L, copy.copyIn("COPY lines FROM STDIN", new StringReader(lines.toString())));
            StringWriter read = new StringWriter();
            copy.copyOut("COPY (SELECT id, text FROM lines ORDER BY id) TO STDOUT", read);
            same(lines.toString(), read.toString());
            fails("22P02", () -> copy.copyIn("COPY lines FROM STDIN", new StringReader("none\tx\n")));
            var given = copy.copyIn("COPY lines FROM STDIN");
            given.writeToCopy("1\tx\n".getBytes(), 0, 4);
            given.cancelCopy();
            same(30000L, one(connection, "SELECT count(*) FROM lines"));
        });
        SCENARIOS.put("large objects, by the fast-path call", connection -> {
            connection.setAutoCommit(false);
            LargeObjectManager manager = connection.unwrap(PGConnection.class).getLargeObjectAPI();
            long id = manager.createLO();
            try (LargeObject object = manager.open(id, LargeObjectManager.READWRITE)) {
                object.write("x".repeat(100_000).getBytes());
                object.seek(50_000);
                same(50_000, object.read(100_000).length);
            }
            manager.delete(id);
            fails("42704", () -> manager.open(id));
            connection.rollback();
        });
        SCENARIOS.put("a statement is cancelled, and one is late", connection -> {
            try (Statement statement = connection.createStatement()) {
                var waiting = Executors.newSingleThreadScheduledExecutor();
                waiting.schedule(() -> { statement.cancel(); return null; }, 300, TimeUnit.MILLISECONDS);
                fails("57014", () -> statement.execute("SELECT pg_sleep(30)"));
                waiting.shutdown();
                statement.setQueryTimeout(1);
                fails("57014", () -> statement.execute("SELECT pg_sleep(30)"));
            }
            same(1, one(connection, "SELECT 1"));
        });
        SCENARIOS.put("transactions, savepoints and errors within", connection -> {
            run(connection, "CREATE TEMP TABLE t (n int PRIMARY KEY)");
            connection.setAutoCommit(false);
            connection.setTransactionIsolation(Connection.TRANSACTION_SERIALIZABLE);
            run(connection, "INSERT INTO t VALUES (1)");
            Savepoint here = connection.setSavepoint("here");
            SQLException error = fails("23505", () -> { run(connection, "INSERT INTO t VALUES (1)"); return null; });
            same(true, error.getMessage().contains("Key (n)=(1) already exists."));
            connection.rollback(here);
            connection.commit();
            same(1L, one(connection, "SELECT count(*) FROM t"));
            connection.commit();
            connection.setReadOnly(true);
            fails("25006", () -> { run(connection, "CREATE TABLE never (n int)"); return null; });
            connection.rollback();
        });
        SCENARIOS.put("a statement that is refused", connection -> {
            // The server refuses it for want of the file, a gate because it leads to the server's files.
            String text = "SELECT pg_read_file('there_is_no_such_file')";
            for (int at = 0; at < 12; at++) {
                refused(() -> one(connection, text));
                refused(() -> {
                    try (PreparedStatement statement = connection.prepareStatement("SELECT pg_read_file(?)")) {
                        statement.setString(1, "there_is_no_such_file");
                        return statement.executeQuery();
                    }
                });
            }
            same(1, one(connection, "SELECT 1"));
            connection.setAutoCommit(false);
            refused(() -> one(connection, text));
            fails("25P02", () -> one(connection, "SELECT 1"));
            connection.rollback();
            connection.setAutoCommit(true);
            same(2, one(connection, "SELECT 2"));
        });

        SCENARIOS.put("autosave keeps a transaction alive", ignored -> {
            try (Connection connection = connect("autosave=always")) {
                run(connection, "CREATE TEMP TABLE t (n int PRIMARY KEY)");
                connection.setAutoCommit(false);
                run(connection, "INSERT INTO t VALUES (1)");
                fails("23505", () -> { run(connection, "INSERT INTO t VALUES (1)"); return null; });
                run(connection, "INSERT INTO t VALUES (2)");
                connection.commit();
                same(2L, one(connection, "SELECT count(*) FROM t"));
            }
        });
        SCENARIOS.put("a prepared statement whose table changes", connection -> {
            run(connection, "CREATE TEMP TABLE t (n int)", "INSERT INTO t VALUES (1)");
            try (PreparedStatement statement = connection.prepareStatement("SELECT * FROM t")) {
                for (int round = 0; round < 8; round++) statement.executeQuery().close();
                run(connection, "ALTER TABLE t ADD COLUMN more text DEFAULT 'new'");
                try (ResultSet rows = statement.executeQuery()) {
                    rows.next();
                    same("new", rows.getString("more"));
                }
            }
        });
        SCENARIOS.put("a function is called", connection -> {
            run(connection, "CREATE FUNCTION pg_temp.parts(IN a int, OUT b int, OUT c text) LANGUAGE sql AS 'SELECT a + 1, ''c'' || a'");
            try (CallableStatement call = connection.prepareCall("{call pg_temp.parts(?, ?, ?)}")) {
                call.setInt(1, 4);
                call.registerOutParameter(2, Types.INTEGER);
                call.registerOutParameter(3, Types.VARCHAR);
                call.execute();
                same(5, call.getInt(2));
                same("c4", call.getString(3));
            }
        });
        SCENARIOS.put("several results of one text", connection -> {
            try (Statement statement = connection.createStatement()) {
                same(true, statement.execute("SELECT 1; CREATE TEMP TABLE t (n int); INSERT INTO t VALUES (1), (2); SELECT n FROM t"));
                same(false, statement.getMoreResults());
                same(false, statement.getMoreResults());
                same(2, statement.getUpdateCount());
                same(true, statement.getMoreResults());
                same(List.of(1, 2), column(statement.getResultSet(), "n"));
            }
        });
        SCENARIOS.put("notices and notifications", connection -> {
            try (Statement statement = connection.createStatement()) {
                statement.execute("DO $$ BEGIN RAISE WARNING 'heard'; END $$");
                same("heard", statement.getWarnings().getMessage());
                statement.execute("LISTEN news");
            }
            try (Connection other = connect()) {
                run(other, "NOTIFY news, 'it works'");
            }
            var heard = connection.unwrap(PGConnection.class).getNotifications(5000);
            same("it works", heard[0].getParameter());
        });
        SCENARIOS.put("a session that the server ends", connection -> {
            int pid = connection.unwrap(PGConnection.class).getBackendPID();
            try (Connection other = connect()) {
                same(pid, one(other, "SELECT pid FROM pg_stat_activity WHERE pid = " + pid));
                // In code, for the gate lets nobody call it by name.
                run(other, "DO $$ BEGIN PERFORM pg_terminate_backend(" + pid + "); END $$");
            }
            fails("57P01", () -> one(connection, "SELECT 1"));
            same(false, connection.isValid(1));
        });
        SCENARIOS.put("many connections at once", ignored -> {
            var pool = Executors.newFixedThreadPool(12);
            List<Future<Object>> answers = new ArrayList<>();
            for (int at = 0; at < 60; at++) {
                int number = at;
                answers.add(pool.submit(() -> {
                    try (Connection own = connect()) { return one(own, "SELECT " + number + " FROM pg_sleep(0.01)"); }
                }));
            }
            for (int at = 0; at < 60; at++) same(at, answers.get(at).get());
            pool.shutdown();
        });
    }

    static List<Object> sorted(List<Object> values) {
        return values.stream().sorted(Comparator.comparing(Object::toString)).toList();
    }

    static String quoted(String text) {
        StringBuilder quoted = new StringBuilder("\"");
        for (char letter : text.toCharArray()) {
            if (letter == '"' || letter == '\\' || letter < ' ' || letter > '~') quoted.append(String.format("\\u%04x", (int) letter));
            else quoted.append(letter);
        }
        return quoted.append('"').toString();
    }

    public static void main(String[] only) {
        for (var scenario : SCENARIOS.entrySet()) {
            if (only.length > 0 && !Arrays.asList(only).contains(scenario.getKey())) continue;
            String result = "passed", message = "";
            try (Connection connection = connect()) {
                scenario.getValue().with(connection);
            } catch (Throwable error) {
                StringWriter written = new StringWriter();
                error.printStackTrace(new java.io.PrintWriter(written));
                result = "failed";
                message = written.toString();
            }
            System.out.println("{\"test\": " + quoted(scenario.getKey()) + ", \"result\": \"" + result + "\", \"message\": " + quoted(message) + "}");
        }
        System.exit(0);
    }
}
