// Many rows at once: HQL that updates, deletes and inserts (through temporary tables where a class has several), and a
// session without a memory.

package library;

import static library.Library.branch;
import static library.Library.within;
import static steps.Steps.step;

import java.math.BigDecimal;
import java.time.LocalDate;
import library.Model.*;
import org.hibernate.SessionFactory;
import org.hibernate.StatelessSession;
import steps.Steps;

final class Bulk {
    private Bulk() {}

    static void play(SessionFactory factory) {
        step("prices rise by HQL", () -> within(factory, session ->
            session.createMutationQuery("update versioned Book b set b.price = b.price * 1.1 where b.price < :limit").setParameter("limit", new BigDecimal("20")).executeUpdate()));
        step("an update with conditions by criteria", () -> within(factory, session -> {
            var builder = session.getCriteriaBuilder();
            var update = builder.createCriteriaUpdate(Copy.class);
            var copy = update.getRoot() == null ? update.from(Copy.class) : update.getRoot();
            update.set(copy.<Condition>get("condition"), Condition.GOOD).where(builder.equal(copy.get("condition"), Condition.NEW));
            return session.createMutationQuery(update).executeUpdate();
        }));
        step("members in two tables are updated at once", () -> within(factory, session ->
            session.createMutationQuery("update Member set joined = :day, name = concat(name, '*') where name like 'Guest 00%'")
                .setParameter("day", LocalDate.of(2024, 8, 1)).executeUpdate()));
        step("phone numbers of some are removed", () -> within(factory, session ->
            session.createMutationQuery("update Member set phone = null where name like 'Guest 01%'").executeUpdate()));
        step("loans that were returned long ago go", () -> within(factory, session ->
            session.createMutationQuery("delete Loan where returned < :day").setParameter("day", LocalDate.of(2024, 5, 1)).executeUpdate()));
        step("members in two tables are deleted at once", () -> within(factory, session ->
            session.createMutationQuery("delete Member where name like 'Guest 09%'").executeUpdate()));
        step("books copied by HQL", () -> within(factory, session -> session.createMutationQuery(
            "insert into Book (isbn, version, title, price) select concat('B', substring(b.isbn, 2)), 0, concat(b.title, ' II'), b.price from Book b where b.title = 'Tides'")
            .executeUpdate()));
        step("members made by HQL from employees", () -> within(factory, session -> session.createMutationQuery(
            "insert into Member (version, name, email, joined, branch) select 0, e.name, concat('m.', e.name), current_date, e.branch from Employee e where e.branch is not null")
            .executeUpdate()));
        step("a row put in or updated, by HQL", () -> within(factory, session -> session.createMutationQuery(
            "insert into Branch (name, shelves) values ('East', 99) on conflict(name) do update set shelves = excluded.shelves").executeUpdate()
            + " " + branch(session, "East").shelves));
        step("a session without a memory inserts, updates and deletes", () -> {
            try (StatelessSession session = factory.openStatelessSession()) {
                session.setJdbcBatchSize(1);
                session.beginTransaction();
                session.insert(new Book("9780000000079", "Reeds", "3.00"));
                Book reeds = session.get(Book.class, "9780000000079");
                reeds.price = new BigDecimal("4.00");
                session.update(reeds);
                session.refresh(reeds);
                String shown = reeds.title + " " + reeds.price;
                session.delete(reeds);
                session.getTransaction().commit();
                return shown + " " + session.get(Book.class, "9780000000079");
            }
        });
        step("a session without a memory reads and saves a member as read", () -> {
            try (StatelessSession session = factory.openStatelessSession()) {
                session.beginTransaction();
                Member found = session.createSelectionQuery("from Member where name = 'Reader 11'", Member.class).getSingleResult();
                found.joined = LocalDate.of(2022, 2, 2);
                session.update(found);
                session.getTransaction().commit();
                return Reading.card(found) + " " + found.joined;
            }
        });
        step("a session without a memory puts in or updates", () -> {
            try (StatelessSession session = factory.openStatelessSession()) {
                session.beginTransaction();
                session.upsert(new Copy(session.get(Book.class, "9780000000017"), 1, Condition.WORN));
                session.upsert(new Copy(session.get(Book.class, "9780000000017"), 9, Condition.NEW));
                session.getTransaction().commit();
                return session.createSelectionQuery("select concat(c.id.number, ' ', c.condition) from Copy c where c.id.isbn = '9780000000017' order by c.id.number", String.class)
                    .getResultList();
            }
        });
        step("many inserts without a memory, in batches", () -> {
            try (StatelessSession session = factory.openStatelessSession()) {
                session.setJdbcBatchSize(25);
                session.beginTransaction();
                for (int number = 0; number < 60; number++) session.insert(new Author("Author %02d".formatted(number)));
                session.getTransaction().commit();
                return session.createSelectionQuery("select count(*) from Author", Long.class).getSingleResult();
            }
        });
        step("large rows in one transaction, read again", () -> within(factory, session -> {
            session.createNativeMutationQuery("CREATE TEMPORARY TABLE heap (line text) ON COMMIT DROP").executeUpdate();
            session.createNativeMutationQuery("INSERT INTO heap SELECT repeat('x', 1000) FROM generate_series(1, 300)").executeUpdate();
            Object length = session.createNativeQuery("SELECT sum(length(line)) FROM heap", Long.class).getSingleResult();
            Steps.same(300000L, length);
            return length;
        }));
    }
}
