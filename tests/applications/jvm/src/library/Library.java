// A lending library's application on Hibernate ORM: `prepare` makes its tables and what is in them, `use` does what such
// an application does all day, and its upgrades. The tables are `Model.java`'s.

package library;

import static steps.Steps.step;

import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.time.LocalDate;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.Function;
import library.Model.*;
import org.hibernate.Session;
import org.hibernate.SessionFactory;
import org.hibernate.cfg.Configuration;
import steps.Steps;

public final class Library {
    static final int READERS = 60;

    private Library() {}

    public static void main(String[] arguments) {
        switch (arguments[0]) {
            case "prepare" -> prepare();
            case "use" -> use();
            default -> throw new IllegalArgumentException("prepare or use, not " + arguments[0]);
        }
    }

    static Configuration configuration(Class<?>... more) {
        Configuration configuration = new Configuration()
            .setProperty("hibernate.connection.url", Steps.url())
            .setProperty("hibernate.connection.username", Steps.user())
            .setProperty("hibernate.connection.password", Steps.password())
            .setProperty("hibernate.connection.pool_size", 4)
            .setProperty("hibernate.jdbc.batch_size", 20)
            .setProperty("hibernate.order_inserts", true)
            .setProperty("hibernate.order_updates", true)
            .setProperty("hibernate.hbm2ddl.halt_on_error", true)
            .setProperty("hibernate.criteria.literal_handling_mode", "bind");
        for (Class<?> entity : Model.ENTITIES) configuration.addAnnotatedClass(entity);
        for (Class<?> entity : more) configuration.addAnnotatedClass(entity);
        return configuration;
    }

    static <T> T within(SessionFactory factory, Function<Session, T> work) {
        return factory.fromTransaction(work);
    }

    private static void prepare() {
        try (SessionFactory factory = configuration().buildSessionFactory()) {
            step("make the tables", () -> {
                factory.getSchemaManager().exportMappedObjects(true);
                return Steps.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1");
            });
            seed(factory, "branches", Library::branches);
            seed(factory, "employees", Library::employees);
            seed(factory, "books", Library::books);
            seed(factory, "members", Library::members);
            seed(factory, "loans and payments", Library::loansAndPayments);
            step("the tables are as they are mapped", () -> {
                factory.getSchemaManager().validateMappedObjects();
                return "valid";
            });
        }
    }

    private static void seed(SessionFactory factory, String what, Consumer<Session> work) {
        step("seed " + what, () -> {
            factory.inTransaction(work);
            return what;
        });
    }

    private static void branches(Session session) {
        Branch north = new Branch("North", new Address("1 Mill Lane", "Ashby"), 40);
        north.hours.put("mon", "9-17");
        north.hours.put("sat", "10-14");
        session.persist(north);
        session.persist(new Branch("South", new Address("22 Quay Street", "Brill"), 25));
        session.persist(new Branch("Closed", new Address("3 Old Road", "Corby"), 0));
    }

    static Branch branch(Session session, String name) {
        return session.createSelectionQuery("from Branch where name = :name", Branch.class).setParameter("name", name).getSingleResult();
    }

    private static void employees(Session session) {
        Employee head = new Employee("Hester Vale", "hester.vale@library.example", "71234.56", branch(session, "North"), null);
        Employee second = new Employee("Ivo Marsh", "ivo.marsh@library.example", "51987.65", branch(session, "South"), head);
        session.persist(head);
        session.persist(second);
        session.persist(new Employee("June Okoro", "june.okoro@library.example", "32109.87", branch(session, "South"), second));
    }

    private static void books(Session session) {
        Author brook = new Author("E. Brook");
        Author lamb = new Author("T. Lamb");
        session.persist(brook);
        session.persist(lamb);
        List<Book> books = List.of(
            new Book("9780000000017", "Tides", "12.50", "sea", "science"), new Book("9780000000024", "Hedges", "8.00", "country"),
            new Book("9780000000031", "Lanterns", "19.90", "craft", "light"), new Book("9780000000048", "Maps of Nowhere", "35.00", "travel"));
        books.get(0).authors.add(brook);
        books.get(1).authors.add(lamb);
        books.get(2).authors.addAll(List.of(brook, lamb));
        for (Book book : books) {
            book.copy(1, Condition.NEW);
            book.copy(2, Condition.GOOD);
            session.persist(book);
        }
        session.persist(new Cover(books.get(0), "cover of Tides".getBytes(StandardCharsets.UTF_8)));
    }

    private static void members(Session session) {
        Branch north = branch(session, "North");
        Branch south = branch(session, "South");
        Member ada = new Member("Ada Quill", "ada.quill@members.example", "+44 20 7946 0101", LocalDate.of(1985, 3, 17), north);
        ada.tags.addAll(List.of("student", "volunteer"));
        session.persist(ada);
        session.persist(new Member("Ben Yarrow", "ben.yarrow@members.example", "+44 20 7946 0102", LocalDate.of(1990, 11, 2), south));
        for (int number = 1; number <= READERS; number++) {
            session.persist(new Member(
                "Reader %02d".formatted(number), "reader%02d@members.example".formatted(number), "+44 20 7946 1%03d".formatted(number),
                LocalDate.of(1950, 6, 15).plusDays(number * 150L), number % 3 == 0 ? south : north));
        }
    }

    static Member member(Session session, String name) {
        return session.createSelectionQuery("from Member where name = :name", Member.class).setParameter("name", name).getSingleResult();
    }

    private static void loansAndPayments(Session session) {
        Member ada = member(session, "Ada Quill");
        Member ben = member(session, "Ben Yarrow");
        Book tides = session.find(Book.class, "9780000000017");
        Book hedges = session.find(Book.class, "9780000000024");
        session.persist(new Loan(ada, tides.copies.get(0), LocalDate.of(2024, 5, 1), "owes an apology to Mr Vane"));
        session.persist(new Loan(ada, hedges.copies.get(0), LocalDate.of(2024, 5, 3), null));
        Loan back = new Loan(ben, hedges.copies.get(1), LocalDate.of(2024, 4, 2), "returned it wet");
        back.returned = LocalDate.of(2024, 4, 20);
        session.persist(back);
        session.persist(new CardPayment(ada, "3.20", "4929000000001111"));
        session.persist(new CardPayment(ben, "1.10", "4929000000002222"));
        session.persist(new CashPayment(ben, "0.50", 3));
    }

    static String money(BigDecimal amount) {
        return amount == null ? "null" : amount.toPlainString();
    }

    private static void use() {
        step("the tables are as they are mapped, when it starts", () -> {
            configuration().setProperty("hibernate.hbm2ddl.auto", "validate").buildSessionFactory().close();
            return "valid";
        });
        try (SessionFactory factory = configuration().buildSessionFactory()) {
            Reading.play(factory);
            Queries.play(factory);
            Writing.play(factory);
            Locking.play(factory);
            Bulk.play(factory);
        }
        Upgrade.play();
    }
}
