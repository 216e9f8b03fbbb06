// Two sessions that want the same row: by versions, by row locks, and queues that skip what is locked.

package library;

import static library.Library.member;
import static library.Library.within;
import static steps.Steps.step;

import jakarta.persistence.LockModeType;
import jakarta.persistence.OptimisticLockException;
import jakarta.persistence.PessimisticLockException;
import java.util.List;
import java.util.Map;
import library.Model.*;
import org.hibernate.LockOptions;
import org.hibernate.Session;
import org.hibernate.SessionFactory;
import org.hibernate.StaleStateException;
import org.hibernate.jpa.SpecHints;
import steps.Steps;

final class Locking {
    private Locking() {}

    static void play(SessionFactory factory) {
        step("who saves last, fails by the version", () -> {
            try (Session first = factory.openSession(); Session second = factory.openSession()) {
                Book mine = first.find(Book.class, "9780000000048");
                Book theirs = second.find(Book.class, "9780000000048");
                second.beginTransaction();
                theirs.title = "Maps of Somewhere";
                second.getTransaction().commit();
                first.beginTransaction();
                mine.title = "Maps of Elsewhere";
                OptimisticLockException error = Steps.fails(OptimisticLockException.class, () -> { first.getTransaction().commit(); return null; });
                return error.getCause().getClass().getSimpleName();
            }
        });
        step("an old form of a member is not merged", () -> {
            Member form = within(factory, session -> member(session, "Reader 08"));
            within(factory, session -> member(session, "Reader 08").joined = form.joined.plusDays(1));
            form.name = "Reader Eight";
            OptimisticLockException error = Steps.fails(OptimisticLockException.class, () -> within(factory, session -> session.merge(form)));
            Steps.check(error.getCause() instanceof StaleStateException, "another cause: " + error.getCause());
            return within(factory, session -> member(session, "Reader 08").version);
        });
        step("a version that is counted up without a change", () -> within(factory, session -> {
            Member found = member(session, "Reader 09");
            int before = found.version;
            session.lock(found, LockModeType.OPTIMISTIC_FORCE_INCREMENT);
            session.flush();
            return "one more";
        }));
        step("a locked member is not got by another session at once", () -> {
            try (Session first = factory.openSession(); Session second = factory.openSession()) {
                first.beginTransaction();
                Member mine = first.find(Member.class, member(first, "Reader 10").id, LockModeType.PESSIMISTIC_WRITE);
                second.beginTransaction();
                // A row lock that is not had at once; PostgreSQL's dialect makes NOWAIT of a timeout of 0.
                Throwable error = Steps.fails(jakarta.persistence.PersistenceException.class, () -> second.find(Member.class, mine.id,
                    LockModeType.PESSIMISTIC_WRITE, Map.of(SpecHints.HINT_SPEC_LOCK_TIMEOUT, LockOptions.NO_WAIT)));
                second.getTransaction().rollback();
                mine.joined = mine.joined.plusDays(1);
                first.getTransaction().commit();
                return error.getClass().getSimpleName();
            }
        });
        step("shared locks of two sessions", () -> {
            try (Session first = factory.openSession(); Session second = factory.openSession()) {
                first.beginTransaction();
                second.beginTransaction();
                String one = first.find(Book.class, "9780000000017", LockModeType.PESSIMISTIC_READ).title;
                String two = second.find(Book.class, "9780000000017", LockModeType.PESSIMISTIC_READ).title;
                first.getTransaction().commit();
                second.getTransaction().commit();
                return one + " " + two;
            }
        });
        step("a queue: the next loans that nobody works on", () -> {
            try (Session first = factory.openSession(); Session second = factory.openSession()) {
                first.beginTransaction();
                second.beginTransaction();
                List<Loan> mine = next(first);
                List<Loan> theirs = next(second);
                Steps.check(!mine.get(0).id.equals(theirs.get(0).id), "both got the same loan");
                first.getTransaction().commit();
                second.getTransaction().commit();
                return mine.get(0).since + " " + theirs.get(0).since;
            }
        });
        step("members locked by a query with a join", () -> within(factory, session ->
            session.createSelectionQuery("select m from Member m join m.branch b where b.name = 'South' and m.name < 'Reader 10' order by m.name", Member.class)
                .setLockMode("m", org.hibernate.LockMode.PESSIMISTIC_WRITE).getResultList().stream().map(Member::name).toList()));
        step("a savepoint's work is undone, the rest stays", () -> within(factory, session -> {
            session.doWork(connection -> {
                java.sql.Savepoint point = connection.setSavepoint("before");
                try (java.sql.Statement statement = connection.createStatement()) {
                    statement.executeUpdate("UPDATE books SET price = 0 WHERE isbn = '9780000000017'");
                    connection.rollback(point);
                    statement.executeUpdate("UPDATE books SET price = price + 1 WHERE isbn = '9780000000024'");
                }
            });
            return session.createSelectionQuery("select price from Book where isbn in ('9780000000017', '9780000000024') order by isbn", java.math.BigDecimal.class).getResultList();
        }));
    }

    private static List<Loan> next(Session session) {
        return session.createSelectionQuery("from Loan order by since", Loan.class).setMaxResults(1)
            .setHibernateLockMode(org.hibernate.LockMode.UPGRADE_SKIPLOCKED).getResultList();
    }
}
