// The steps of a program: each prints one line of JSON to stdout, what it showed or what went wrong. All else that the
// tools print goes to stderr. What the steps do is the programs'.

package steps;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.ResultSetMetaData;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.Callable;
import org.postgresql.util.PSQLException;
import org.postgresql.util.ServerErrorMessage;

public final class Steps {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final PrintStream OUT = System.out;

    static {
        System.setOut(System.err);
    }

    private Steps() {}

    /** Run a step and print what became of it; a failure does not end the program. */
    public static void step(String name, Callable<?> play) {
        Map<String, Object> line = new LinkedHashMap<>();
        line.put("step", name);
        try {
            Object shown = play.call();
            line.put("ok", true);
            line.put("shows", shown == null ? "" : shown.toString());
        } catch (Exception | AssertionError failure) {
            System.err.println("== " + name);
            failure.printStackTrace();
            line.put("ok", false);
            line.put("error", words(failure));
        }
        try {
            OUT.write((JSON.writeValueAsString(line) + "\n").getBytes(StandardCharsets.UTF_8));
            OUT.flush();
        } catch (java.io.IOException broken) {
            throw new IllegalStateException(broken);
        }
    }

    /** The innermost server error of a failure in one line, else the failure's own words. */
    public static String words(Throwable failure) {
        Throwable innermost = failure;
        for (Throwable cause = failure; cause != null; cause = cause.getCause()) {
            innermost = cause;
            if (cause instanceof PSQLException error && error.getServerErrorMessage() != null) {
                ServerErrorMessage said = error.getServerErrorMessage();
                String words = said.getMessage();
                for (String more : new String[] {said.getDetail(), said.getHint()}) {
                    if (more != null) words += " | " + more;
                }
                return oneLine(said.getSQLState() + ": " + words);
            }
        }
        return oneLine(innermost.getClass().getSimpleName() + ": " + innermost.getMessage());
    }

    public static String oneLine(String text) {
        return String.valueOf(text).replaceAll("\\s+", " ").strip();
    }

    public static void check(boolean holds, String otherwise) {
        if (!holds) throw new AssertionError(otherwise);
    }

    public static void same(Object expected, Object found) {
        check(Objects.equals(expected, found), "expected " + expected + ", found " + found);
    }

    /** What a call fails with; it has to fail. */
    public static <T extends Throwable> T fails(Class<T> with, Callable<?> what) {
        try {
            what.call();
        } catch (Throwable failure) {
            for (Throwable cause = failure; cause != null; cause = cause.getCause()) {
                if (with.isInstance(cause)) return with.cast(cause);
            }
            throw new AssertionError("it failed otherwise: " + words(failure), failure);
        }
        throw new AssertionError("it did not fail");
    }

    public static String url() {
        Map<String, String> place = System.getenv();
        return "jdbc:postgresql://" + place.get("PGHOST") + ":" + place.get("PGPORT") + "/" + place.get("PGDATABASE") + "?sslmode=prefer";
    }

    public static String user() {
        return System.getenv("PGUSER");
    }

    public static String password() {
        return System.getenv("PGPASSWORD");
    }

    public static Connection connect() throws SQLException {
        return DriverManager.getConnection(url(), user(), password());
    }

    /** The rows of a query as text. */
    public static List<String> rows(String query) throws SQLException {
        List<String> found = new ArrayList<>();
        try (Connection connection = connect(); Statement statement = connection.createStatement(); ResultSet rows = statement.executeQuery(query)) {
            ResultSetMetaData columns = rows.getMetaData();
            while (rows.next()) {
                List<String> values = new ArrayList<>();
                for (int at = 1; at <= columns.getColumnCount(); at++) values.add(rows.getString(at));
                found.add(String.join(" ", values.stream().map(String::valueOf).toList()));
            }
        }
        return found;
    }

    public static void run(String... texts) throws SQLException {
        try (Connection connection = connect(); Statement statement = connection.createStatement()) {
            for (String text : texts) statement.execute(text);
        }
    }
}
