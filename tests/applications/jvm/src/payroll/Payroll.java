// A payroll whose tables Flyway keeps: `prepare` migrates an empty database to the first release, `use` brings it to
// later ones, with all that goes wrong on the way. The migrations are in `resources/payroll`.

package payroll;

import static steps.Steps.check;
import static steps.Steps.fails;
import static steps.Steps.rows;
import static steps.Steps.run;
import static steps.Steps.same;
import static steps.Steps.step;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Stream;
import org.flywaydb.core.Flyway;
import org.flywaydb.core.api.FlywayException;
import org.flywaydb.core.api.MigrationInfo;
import org.flywaydb.core.api.callback.Callback;
import org.flywaydb.core.api.callback.Context;
import org.flywaydb.core.api.callback.Event;
import org.flywaydb.core.api.configuration.FluentConfiguration;
import org.flywaydb.core.api.output.MigrateResult;
import org.flywaydb.core.api.output.ValidateResult;
import steps.Steps;

public final class Payroll {
    private static final String[] FIRST = {"core", "views_1"};
    private static final String[] SECOND = {"core", "extended", "views_2"};

    private Payroll() {}

    public static void main(String[] arguments) {
        switch (arguments[0]) {
            case "prepare" -> prepare();
            case "use" -> use();
            default -> throw new IllegalArgumentException("prepare or use, not " + arguments[0]);
        }
    }

    private static FluentConfiguration at(String... folders) {
        return Flyway.configure().dataSource(Steps.url(), Steps.user(), Steps.password())
            .locations(Stream.of(folders).map(folder -> "classpath:payroll/" + folder).toArray(String[]::new))
            .placeholders(Map.of("release", "the release", "note", "by Flyway"));
    }

    private static FluentConfiguration sessionLocks(FluentConfiguration configuration) {
        return (FluentConfiguration) configuration.configuration(Map.of("flyway.postgresql.transactional.lock", "false"));
    }

    private static String migrated(FluentConfiguration configuration) {
        MigrateResult result = configuration.load().migrate();
        return result.initialSchemaVersion + " to " + result.targetSchemaVersion + ": "
            + result.migrations.stream().map(one -> (one.version.isEmpty() ? "R" : one.version) + " " + one.description).toList();
    }

    private static List<String> info(FluentConfiguration configuration) {
        return Arrays.stream(configuration.load().info().all()).map(Payroll::line).toList();
    }

    private static String line(MigrationInfo one) {
        return (one.getVersion() == null ? "R" : one.getVersion()) + " " + one.getDescription() + " " + one.getState();
    }

    /** What Flyway says of a failure, without where this machine keeps its files. */
    private static String said(FlywayException failure) {
        return Steps.oneLine(failure.getMessage().replaceAll("\\((/|[A-Z]:)[^)]*\\)", "").replaceAll("checksum\\s+: -?\\d+", "checksum").replaceAll(" ?-> ?", ": "));
    }

    private static String said(FluentConfiguration configuration) {
        return said(fails(FlywayException.class, () -> configuration.load().migrate()));
    }

    private static void prepare() {
        step("migrate an empty database", () -> migrated(at(FIRST)));
        step("nothing more to migrate", () -> migrated(at(FIRST)));
        step("validate", () -> {
            at(FIRST).load().validate();
            return "valid";
        });
        step("histories of other modules begin", () -> {
            people().load().baseline();
            one().load().baseline();
            reports().load().baseline();
            return rows("SELECT version FROM people_history UNION ALL SELECT version FROM one_history UNION ALL SELECT version FROM reports.history WHERE version IS NOT NULL");
        });
        step("who is employed", () -> rows("SELECT name, department_id FROM employees ORDER BY id"));
    }

    private static void use() {
        forward();
        failures();
        others();
        modules();
        step("the history at the end", () -> rows(
            "SELECT installed_rank, version, description, type, script, success FROM flyway_schema_history ORDER BY installed_rank"));
    }

    private static void forward() {
        step("what is pending", () -> info(at(SECOND)));
        step("the first release is valid", () -> {
            at(FIRST).load().validate();
            return "valid";
        });
        step("validation names what is pending", () -> {
            ValidateResult result = at(SECOND).load().validateWithResult();
            return result.validationSuccessful + " " + result.invalidMigrations.stream().map(one -> one.version + " " + one.errorDetails.errorCode).toList();
        });
        step("a new table", () -> migrated(at(SECOND).target("4.1")) + rows("SELECT name FROM shifts ORDER BY id"));
        step("new columns, filled and constrained", () -> migrated(at(SECOND).target("5.1")) + rows("SELECT name, yearly_budget FROM departments ORDER BY id"));
        // With its lock in a transaction Flyway would wait for itself.
        step("an index made outside a transaction", () -> migrated(sessionLocks(at(SECOND).target("6"))));
        step("rows by COPY", () -> migrated(at(SECOND).target("7.1")) + rows("SELECT day, name FROM holidays ORDER BY 1"));
        step("a table that refers to employees", () -> migrated(at(SECOND).target("8.2")) + rows("SELECT count(*) FROM rotas"));
        step("a view that was changed is made again", () -> migrated(at(SECOND)) + rows("SELECT * FROM headcount ORDER BY 1"));
        step("its callback wrote a line each time", () -> rows("SELECT line, count(*) FROM migration_log GROUP BY 1"));
        step("a migration in Java", () -> migrated(at(SECOND).javaMigrations(new V8_3__FirstPayslips())) + rows("SELECT count(*), sum(worked) FROM payslips"));
        step("callbacks in Java", () -> {
            Calls calls = new Calls();
            at(SECOND).javaMigrations(new V8_3__FirstPayslips()).callbacks(calls).load().migrate();
            return calls.seen;
        });
        step("what is applied now", () -> info(at(SECOND).javaMigrations(new V8_3__FirstPayslips())));
    }

    private static FluentConfiguration third(String... more) {
        return at(Stream.concat(Stream.of(SECOND), Stream.of(more)).toArray(String[]::new)).javaMigrations(new V8_3__FirstPayslips());
    }

    private static void failures() {
        step("a migration fails, and is undone", () -> said(third("broken")) + rows("SELECT to_regclass('not_to_stay')") + rows("SELECT count(*) FROM holidays"));
        step("a migration without a transaction fails half-way", () -> said(third("half")) + rows("SELECT count(*) FROM half_done"));
        step("what it did stays, and is in the way", () -> said(third("half")) + info(third("half")).stream().filter(one -> one.startsWith("9")).toList());
        step("the mended one is migrated", () -> migrated(third("mended")) + rows("SELECT count(*) FROM half_done"));
        step("a script that was changed afterwards is found", () -> {
            FlywayException error = fails(FlywayException.class, () -> {
                at("core", "changed").load().validate();
                return null;
            });
            return said(error).replaceAll("-?\\d{5,}", "N");
        });
        step("repair takes the changed script as it is", () -> {
            third("mended").load().repair();
            third("mended").load().validate();
            return "valid";
        });
        step("one that comes late is not migrated unasked", () -> said(third("mended", "late")));
        step("out of order, when it is asked for", () -> migrated(third("mended", "late").outOfOrder(true)) + rows("SELECT to_regclass('pauses')"));
        step("a group of migrations is undone as one", () -> said(third("mended", "late", "group").group(true).outOfOrder(true)) + rows("SELECT to_regclass('grouped')"));
        step("two programs migrate at the same time", Payroll::both);
    }

    private static String both() throws Exception {
        ExecutorService programs = Executors.newFixedThreadPool(2);
        try {
            List<Future<Integer>> runs = new ArrayList<>();
            for (int number = 0; number < 2; number++) {
                runs.add(programs.submit(() -> third("mended", "late", "both").outOfOrder(true).load().migrate().migrationsExecuted));
            }
            same(1, runs.get(0).get() + runs.get(1).get());
            return "once: " + rows("SELECT to_regclass('both_sides')");
        } finally {
            programs.shutdown();
        }
    }

    private static void others() {
        FluentConfiguration legacy = at("legacy").schemas("legacy").createSchemas(false);
        step("a schema that is older than Flyway is not touched", () -> {
            run("CREATE SCHEMA legacy", "CREATE TABLE legacy.stock (item text, pieces int)", "INSERT INTO legacy.stock VALUES ('apples', 5), ('pears', 3)");
            return said(legacy);
        });
        step("a baseline, and on from there", () -> {
            legacy.baselineVersion("1").baselineDescription("as it was").load().baseline();
            return migrated(legacy) + rows("SELECT * FROM legacy.stock ORDER BY 1") + info(legacy);
        });
        FluentConfiguration reports = reports();
        step("a schema of its own, with placeholders, views and a materialized view", () -> migrated(reports) + rows("SELECT note FROM reports.summaries") + rows("SELECT total FROM reports.totals"));
        step("cleaning is off unless one says so", () -> said(fails(FlywayException.class, () -> reports.load().clean())));
        step("a schema is cleaned", () -> {
            reports.cleanDisabled(false).load().clean();
            return rows("SELECT count(*) FROM pg_class WHERE relnamespace = to_regnamespace('reports')");
        });
        step("what an operator reads in the end", () -> rows("SELECT e.name, e.email, e.iban, e.salary, d.name FROM employees e JOIN departments d ON d.id = e.department_id ORDER BY e.id"));
    }

    /** Another module, with a history of its own, that changes the table of employees. */
    private static FluentConfiguration people() {
        return at("people").table("people_history").baselineVersion("0");
    }

    /** A module that has a schema of its own, which Flyway makes. */
    private static FluentConfiguration reports() {
        return at("reports").schemas("reports").table("history").baselineVersion("0").initSql("SET application_name = 'payroll-migrations'");
    }

    private static FluentConfiguration one() {
        return at("one").table("one_history").baselineVersion("0");
    }

    private static void modules() {
        step("a table is made, filled and indexed in one migration", () -> migrated(one()) + rows("SELECT name FROM colours ORDER BY 1"));
        FluentConfiguration people = people();
        step("a new employee by a migration", () -> migrated(people.target("1")));
        step("employees are moved and deleted", () -> migrated(people.target("2")) + rows("SELECT name, department_id FROM employees ORDER BY id"));
        step("employees get a column", () -> migrated(people.target("3")) + rows("SELECT name, title FROM employees ORDER BY id"));
        step("addresses are changed to small letters", () -> migrated(people.target("4")));
        step("salaries get a constraint", () -> migrated(people.target("5")));
    }

    private static final class Calls implements Callback {
        final List<String> seen = new ArrayList<>();

        @Override
        public boolean supports(Event event, Context context) {
            return List.of(Event.BEFORE_MIGRATE, Event.AFTER_MIGRATE, Event.BEFORE_VALIDATE).contains(event);
        }

        @Override
        public boolean canHandleInTransaction(Event event, Context context) {
            return true;
        }

        @Override
        public void handle(Event event, Context context) {
            check(context.getConnection() != null, "no connection");
            seen.add(event.getId());
        }

        @Override
        public String getCallbackName() {
            return "calls";
        }
    }
}
