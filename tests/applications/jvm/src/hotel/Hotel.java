// A hotel whose tables Liquibase keeps: `prepare` updates an empty database to the first release, `use` goes on from
// there and back, and compares. The changelogs are in `resources/hotel`.

package hotel;

import static steps.Steps.check;
import static steps.Steps.fails;
import static steps.Steps.rows;
import static steps.Steps.run;
import static steps.Steps.same;
import static steps.Steps.step;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import liquibase.Scope;
import liquibase.changelog.FastCheckService;
import liquibase.command.CommandScope;
import liquibase.exception.LiquibaseException;
import liquibase.exception.LockException;
import steps.Steps;

public final class Hotel {
    private static final String FIRST = "hotel/first.xml";
    private static final String ALL = "hotel/all.xml";
    private static final String GUESTS = "hotel/guests.xml";
    private static final String GUARDED = "hotel/guarded.xml";

    private Hotel() {}

    public static void main(String[] arguments) throws Exception {
        System.setProperty("liquibase.analytics.enabled", "false");
        switch (arguments[0]) {
            case "prepare" -> prepare();
            case "use" -> use();
            case "only-update" -> liquibase("update", ALL);
            default -> throw new IllegalArgumentException("prepare or use, not " + arguments[0]);
        }
    }

    /** The command that runs this program once more, to do that. */
    private static List<String> again(String what) {
        return List.of(Path.of(System.getProperty("java.home"), "bin", "java").toString(), "-cp", System.getProperty("java.class.path"), Hotel.class.getName(), what);
    }

    /** What a command of Liquibase prints, as lines without empty ones and comments. */
    private static List<String> liquibase(String command, String changelog, Map<String, ?> arguments) throws Exception {
        // Each command as in a process of its own: nothing is remembered from the one before.
        Scope.getCurrentScope().getSingleton(FastCheckService.class).clearCache();
        CommandScope scope = new CommandScope(command.split(" "));
        scope.addArgumentValue("url", Steps.url()).addArgumentValue("username", Steps.user()).addArgumentValue("password", Steps.password());
        if (changelog != null) scope.addArgumentValue("changelogFile", changelog);
        for (Map.Entry<String, ?> argument : arguments.entrySet()) scope.addArgumentValue(argument.getKey(), argument.getValue());
        ByteArrayOutputStream output = new ByteArrayOutputStream();
        scope.setOutput(output).execute();
        return output.toString(StandardCharsets.UTF_8).lines().map(String::strip)
            .filter(line -> !line.isEmpty() && !line.startsWith("--")).toList();
    }

    private static List<String> liquibase(String command, String changelog, Object... arguments) throws Exception {
        Map<String, Object> named = new LinkedHashMap<>();
        for (int at = 0; at < arguments.length; at += 2) named.put((String) arguments[at], arguments[at + 1]);
        return liquibase(command, changelog, named);
    }

    /** Updates, and tells what is there afterwards. */
    private static String updated(String changelog, Object... arguments) throws Exception {
        liquibase("update", changelog, arguments);
        return newest();
    }

    private static String newest() throws Exception {
        return "up to " + rows("SELECT id, exectype FROM databasechangelog ORDER BY orderexecuted DESC LIMIT 1") + ", "
            + rows("SELECT count(*) FROM databasechangelog");
    }

    /** What Liquibase says of a failure, without the place in its own sources. */
    private static String said(LiquibaseException failure) {
        return Steps.oneLine(failure.getMessage()).replaceAll("since .*", "since …");
    }

    private static void prepare() {
        step("update an empty database", () -> updated(FIRST));
        step("nothing more to update", () -> updated(FIRST));
        step("the rooms", () -> rows("SELECT * FROM rooms ORDER BY number"));
        step("tag the first release", () -> liquibase("tag", null, "tag", "first"));
    }

    private static void use() {
        forward();
        back();
        locks();
        comparisons();
        conditions();
        guests();
        end();
    }

    private static void forward() {
        step("the changelog is valid", () -> liquibase("validate", ALL));
        step("how many changes are missing", () -> without(liquibase("status", ALL, "verbose", true)));
        step("SQL of the update, not run", () -> liquibase("updateSql", ALL).stream().filter(line -> line.startsWith("CREATE")).toList());
        step("one change", () -> {
            liquibase("updateCount", ALL, "count", 1);
            return newest() + rows("SELECT column_name, data_type FROM information_schema.columns WHERE table_name = 'services' ORDER BY ordinal_position");
        });
        step("rows from a file", () -> {
            liquibase("updateCount", ALL, "count", 1);
            return newest() + rows("SELECT code, label, price FROM services ORDER BY code");
        });
        step("columns and constraints of rooms", () -> {
            liquibase("updateCount", ALL, "count", 4);
            return newest() + rows("SELECT number, beds, floor, balcony FROM rooms ORDER BY number");
        });
        step("a table with foreign keys", () -> {
            liquibase("updateCount", ALL, "count", 2);
            return newest();
        });
        step("all the rest", () -> updated(ALL) + rows("SELECT code, title FROM services ORDER BY code"));
        step("the views are there", () -> rows("SELECT * FROM occupancy ORDER BY number") + "" + rows("SELECT * FROM prices ORDER BY place"));
        step("nothing is missing now", () -> without(liquibase("status", ALL)));
        step("tag the second release", () -> {
            liquibase("tag", null, "tag", "second");
            return liquibase("tagExists", null, "tag", "second");
        });
        step("the history", () -> liquibase("history", null).stream().filter(line -> line.contains("::") || line.contains("hotel")).map(Hotel::withoutTime).toList());
    }

    /** Neither addresses nor times. */
    private static List<String> without(List<String> lines) {
        return lines.stream().map(line -> line.replaceAll("\\S+@jdbc:\\S+", "here")).toList();
    }

    private static String withoutTime(String line) {
        return line.replaceAll("\\d{1,2}/\\d{1,2}/\\d{2},? \\d{1,2}:\\d{2}.?[AP]M", "then").replaceAll("\\d{4}-\\d\\d-\\d\\d[T ]\\S+", "then").replaceAll("\\b\\d{10}\\b", "N").replaceAll("[\\s|]+", " ").strip();
    }

    private static void back() {
        step("SQL of going back, not run", () -> liquibase("rollbackCountSql", ALL, "count", 2).stream().filter(line -> line.startsWith("DROP")).toList());
        step("back by two", () -> {
            liquibase("rollbackCount", ALL, "count", 2);
            return newest();
        });
        step("and on again", () -> updated(ALL));
        step("going back is tried beforehand", () -> {
            liquibase("updateTestingRollback", ALL);
            return newest();
        });
        step("back to the first release", () -> {
            liquibase("rollback", ALL, "tag", "first");
            return newest() + rows("SELECT * FROM rooms ORDER BY number") + rows("SELECT to_regclass('services'), to_regclass('occupancy')");
        });
        step("on to the second release", () -> updated(ALL) + rows("SELECT count(*) FROM services"));
        step("a change that fails is undone", () -> {
            LiquibaseException error = fails(LiquibaseException.class, () -> liquibase("update", "hotel/broken.xml"));
            return said(error) + rows("SELECT to_regclass('not_to_stay')") + liquibase("listLocks", null).stream().filter(line -> line.contains("No")).toList();
        });
    }

    private static void locks() {
        step("another one holds the lock", () -> {
            run("UPDATE databasechangeloglock SET locked = true, lockedby = 'another host', lockgranted = now() WHERE id = 1");
            LockException error = fails(LockException.class, () -> Scope.child(Map.of("liquibase.changelogLockWaitTimeInMinutes", 0), () -> liquibase("update", GUESTS)));
            return said(error);
        });
        step("whose lock it is", () -> liquibase("listLocks", null).stream().filter(line -> line.contains("another host")).map(line -> line.replaceAll("at .*", "")).toList());
        step("the lock is taken away", () -> {
            liquibase("releaseLocks", null);
            return rows("SELECT id, locked, lockedby FROM databasechangeloglock");
        });
        step("two programs update at the same time", () -> {
            liquibase("rollbackCount", ALL, "count", 1);
            List<Process> programs = new ArrayList<>();
            for (int number = 0; number < 2; number++) programs.add(new ProcessBuilder(again("only-update")).redirectOutput(ProcessBuilder.Redirect.DISCARD).redirectError(ProcessBuilder.Redirect.INHERIT).start());
            for (Process one : programs) same(0, one.waitFor());
            return newest();
        });
    }

    private static void comparisons() {
        step("a schema compared with itself", () -> liquibase("diff", null, reference("public", "public")).stream()
            .filter(line -> line.matches("(Missing|Unexpected|Changed).*") && !line.endsWith("NONE")).toList());
        step("a schema compared with an older one", () -> {
            run("CREATE SCHEMA older", "CREATE TABLE older.rooms (number int PRIMARY KEY, beds bigint)");
            return liquibase("diff", null, reference("older", "public")).stream()
                .filter(line -> line.contains("rooms.") || line.contains("type changed")).toList();
        });
        step("a changelog made of what there is", () -> {
            Path place = Files.createTempDirectory("hotel").resolve("made.xml");
            liquibase("generateChangelog", place.toString(), "diffTypes", "tables,columns,primaryKeys,foreignKeys,indexes,uniqueConstraints,sequences,views");
            return summary(place);
        });
        step("a changelog made of a difference", () -> {
            Path place = Files.createTempDirectory("hotel").resolve("difference.xml");
            liquibase("diffChangelog", place.toString(), reference("public", "older"));
            return summary(place);
        });
        step("a changelog with the rows of rooms", () -> {
            Path place = Files.createTempDirectory("hotel").resolve("data.xml");
            liquibase("generateChangelog", place.toString(), "diffTypes", "data", "includeObjects", "table:rooms");
            return attributes(place, "valueNumeric");
        });
        step("a changelog with the rows of guests", () -> {
            Path place = Files.createTempDirectory("hotel").resolve("data.xml");
            liquibase("generateChangelog", place.toString(), "diffTypes", "data", "includeObjects", "table:guests");
            return attributes(place, "value");
        });
        step("a snapshot", () -> liquibase("snapshot", null).stream().filter(line -> line.matches("(rooms|guests|bookings|services|occupancy|number|passport)")).sorted().toList());
    }

    private static Map<String, String> reference(String theirs, String ours) {
        return Map.of("referenceUrl", Steps.url() + "&currentSchema=" + theirs, "referenceUsername", Steps.user(),
            "referencePassword", Steps.password(), "referenceSchemas", theirs, "schemas", ours);
    }

    /** Which changes a changelog that was made has, and of what. */
    private static List<String> summary(Path changelog) throws Exception {
        List<String> found = new ArrayList<>();
        var matches = Pattern.compile("<(create|add|drop|modify)(\\w+) [^>]*?((?:baseTable|table|index|sequence|view)Name=\"[a-z_]+\")").matcher(Files.readString(changelog));
        while (matches.find()) found.add(matches.group(1) + matches.group(2) + " " + matches.group(3));
        return found.stream().filter(line -> !line.contains("databasechangelog")).sorted().toList();
    }

    private static List<String> attributes(Path changelog, String name) throws Exception {
        List<String> found = new ArrayList<>();
        var matches = Pattern.compile(" " + name + "=\"([^\"]*)\"").matcher(Files.readString(changelog));
        while (matches.find()) found.add(matches.group(1));
        check(!found.isEmpty(), "no rows in " + changelog);
        return found;
    }

    private static void conditions() {
        step("changes with conditions, contexts and labels", () -> updated(GUARDED, "contextFilter", "production", "labelFilter", "seasonal") + rows("SELECT id, exectype FROM databasechangelog WHERE filename LIKE '%guarded%' ORDER BY orderexecuted"));
        step("all labels but one", () -> updated(GUARDED, "contextFilter", "production", "labelFilter", "!never") + rows("SELECT number, view FROM rooms ORDER BY number"));
        step("a condition that does not hold stops it", () -> said(fails(LiquibaseException.class, () -> liquibase("update", GUARDED, "contextFilter", "production"))));
        step("changes are marked as done, not run", () -> {
            liquibase("changelogSync", GUARDED, "contextFilter", "production");
            return newest();
        });
        step("checksums are taken anew", () -> {
            liquibase("clearChecksums", null);
            String empty = rows("SELECT count(*) FROM databasechangelog WHERE md5sum IS NULL").toString();
            liquibase("update", ALL);
            return empty + " " + rows("SELECT count(*) FROM databasechangelog WHERE md5sum IS NULL AND filename NOT LIKE '%guarded%'");
        });
        step("a change that was edited afterwards is found", () -> {
            run("UPDATE databasechangelog SET md5sum = '9:00000000000000000000000000000000' WHERE id = 'services'");
            String words = said(fails(LiquibaseException.class, () -> liquibase("update", ALL)));
            return words.replaceAll("[0-9a-f]{32}", "N");
        });
        step("it is taken as it is", () -> {
            run("UPDATE databasechangelog SET md5sum = NULL WHERE id = 'services'");
            return updated(ALL);
        });
        step("a view that was changed is made again", () -> {
            run("UPDATE databasechangelog SET md5sum = '9:00000000000000000000000000000000' WHERE id = 'occupancy'");
            liquibase("update", ALL);
            return rows("SELECT exectype FROM databasechangelog WHERE id = 'occupancy'");
        });
    }

    private static void guests() {
        step("a new guest by a change", () -> {
            liquibase("updateCount", GUESTS, "count", 1);
            return newest() + rows("SELECT name FROM guests ORDER BY id");
        });
        step("a guest is renamed", () -> {
            liquibase("updateCount", GUESTS, "count", 1);
            return rows("SELECT name FROM guests ORDER BY id");
        });
        step("guests and changes back", () -> {
            liquibase("rollbackCount", GUESTS, "count", 2);
            return rows("SELECT name FROM guests ORDER BY id");
        });
        step("guests get a column", () -> updated(GUESTS) + rows("SELECT name, language FROM guests ORDER BY id"));
        step("what an operator reads in the end", () -> rows("SELECT g.name, g.email, g.passport, g.born, b.room FROM guests g JOIN bookings b ON b.guest_id = g.id ORDER BY g.id"));
    }

    private static void end() {
        step("documentation of the database", () -> {
            Path place = Files.createTempDirectory("hotel");
            liquibase("dbDoc", ALL, "outputDirectory", place.toString());
            try (Stream<Path> pages = Files.walk(place)) {
                return pages.map(page -> place.relativize(page).toString()).filter(name -> name.matches(".*(rooms|guests|services)\\.html")).sorted().toList();
            }
        });
        step("a function is made", () -> updated("hotel/function.sql") + rows("SELECT price_in(price, 1.1) FROM rooms ORDER BY number"));
        step("a table is made and filled in one change", () -> updated("hotel/one.sql") + rows("SELECT name FROM colours ORDER BY 1"));
        step("everything is dropped", () -> {
            liquibase("dropAll", null, "requireForce", false);
            return rows("SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'v', 'S') AND relname NOT LIKE 'databasechangelog%' ORDER BY 1");
        });
    }
}
