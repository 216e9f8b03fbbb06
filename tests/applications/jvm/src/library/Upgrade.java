// A new release of the library's application: Hibernate brings the tables to what the new classes say.

package library;

import static steps.Steps.step;

import jakarta.persistence.*;
import java.time.LocalDate;
import library.Model.Book;
import library.Model.Branch;
import org.hibernate.SessionFactory;
import org.hibernate.cfg.Configuration;
import org.hibernate.tool.schema.spi.SchemaManagementException;
import steps.Steps;

final class Upgrade {
    private Upgrade() {}

    @Entity(name = "Event")
    @Table(name = "events", indexes = @Index(name = "events_by_day", columnList = "held"))
    public static class Event {
        @Id @GeneratedValue(strategy = GenerationType.SEQUENCE) Long id;
        @Column(nullable = false) String title;
        LocalDate held;
        @ManyToOne Branch branch;
    }

    /** Columns that the tables of before do not have. */
    @Entity(name = "BranchMore")
    @Table(name = "branches")
    public static class BranchMore {
        @Id @GeneratedValue(strategy = GenerationType.IDENTITY) Long id;
        @Column(nullable = false, length = 80) String name;
        Integer parking;
    }

    @Entity(name = "PersonMore")
    @Table(name = "persons")
    public static class PersonMore {
        @Id @GeneratedValue(strategy = GenerationType.SEQUENCE, generator = "persons") Long id;
        String nickname;
    }

    static void play() {
        step("a release needs a table that is not there", () -> {
            SchemaManagementException error = Steps.fails(SchemaManagementException.class, () -> open("validate", Event.class));
            return error.getMessage();
        });
        step("the new table is made", () -> open("update", Event.class));
        step("the new table is used", () -> {
            try (SessionFactory factory = Library.configuration(Event.class).buildSessionFactory()) {
                return factory.fromTransaction(session -> {
                    Event event = new Event();
                    event.title = "Reading night";
                    event.held = LocalDate.of(2024, 9, 9);
                    event.branch = Library.branch(session, "South");
                    session.persist(event);
                    session.flush();
                    return session.createSelectionQuery("select e.title || ' in ' || e.branch.name from Event e", String.class).getResultList();
                });
            }
        });
        step("a column is added to a table that masks nothing", () -> {
            open("update", BranchMore.class);
            return Steps.rows("SELECT column_name, data_type FROM information_schema.columns WHERE table_name = 'branches' AND column_name = 'parking'");
        });
        step("a column is added to a table of persons", () -> {
            open("update", PersonMore.class);
            return Steps.rows("SELECT column_name, data_type FROM information_schema.columns WHERE table_name = 'persons' AND column_name = 'nickname'");
        });
        step("a second update changes nothing", () -> open("update", Event.class, BranchMore.class));
        step("books are as before", () -> {
            try (SessionFactory factory = Library.configuration().buildSessionFactory()) {
                return factory.fromTransaction(session -> session.find(Book.class, "9780000000031").title());
            }
        });
    }

    private static String open(String action, Class<?>... more) {
        Configuration configuration = Library.configuration(more).setProperty("hibernate.hbm2ddl.auto", action);
        configuration.buildSessionFactory().close();
        return action;
    }
}
