// What a library's application stores: new rows in batches, changed and merged entities, collections, and what the
// database does not take.

package library;

import static library.Library.branch;
import static library.Library.member;
import static library.Library.within;
import static steps.Steps.step;

import java.math.BigDecimal;
import java.time.LocalDate;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.TreeSet;
import library.Model.*;
import org.hibernate.Session;
import org.hibernate.SessionFactory;
import org.hibernate.exception.ConstraintViolationException;
import steps.Steps;

final class Writing {
    private Writing() {}

    static void play(SessionFactory factory) {
        step("a hundred new members in batches, with numbers from a pooled sequence", () -> {
            List<Long> ids = within(factory, session -> {
                Branch north = branch(session, "North");
                List<Long> given = new ArrayList<>();
                for (int number = 1; number <= 100; number++) {
                    Member member = new Member("Guest %03d".formatted(number), "guest%03d@members.example".formatted(number), null, null, north);
                    session.persist(member);
                    given.add(member.id);
                }
                return given;
            });
            Steps.same(100, new HashSet<>(ids).size());
            return within(factory, session -> session.createSelectionQuery("select count(*) from Member where name like 'Guest%'", Long.class).getSingleResult());
        });
        step("a new branch, numbered by the database", () -> within(factory, session -> {
            Branch east = new Branch("East", new Address("9 Ferry Road", "Dunmore"), 12);
            session.persist(east);
            session.flush();
            return east.name + " has a number: " + (east.id > 3);
        }));
        step("a new employee with a salary", () -> within(factory, session -> {
            session.persist(new Employee("Kit Rowe", "kit.rowe@library.example", "30000.00", branch(session, "South"), null));
            return session.createSelectionQuery("select count(*) from Employee", Long.class).getSingleResult();
        }));
        step("a member's name changes, and the whole row is saved", () -> within(factory, session -> {
            Member ben = member(session, "Ben Yarrow");
            ben.name = "Benjamin Yarrow";
            session.flush();
            session.refresh(ben);
            return Reading.card(ben) + ", version " + ben.version;
        }));
        step("a detached member comes back from a form and is merged", () -> {
            Member form = within(factory, session -> {
                Member read = member(session, "Reader 05");
                read.tags.size();
                return read;
            });
            form.joined = LocalDate.of(2023, 7, 1);
            form.tags = new TreeSet<>(List.of("regular"));
            within(factory, session -> session.merge(form));
            return within(factory, session -> {
                Member after = member(session, "Reader 05");
                return Reading.card(after) + ", " + after.joined + ", " + after.tags + ", version " + after.version;
            });
        });
        step("a member made from a form that has every field, merged unread", () -> {
            Long id = within(factory, session -> member(session, "Reader 06").id);
            Member form = within(factory, session -> session.find(Member.class, id));
            form.name = "Reader 06 B";
            form.branch = null;
            within(factory, session -> {
                form.branch = branch(session, "South");
                return session.merge(form);
            });
            return within(factory, session -> Reading.card(session.find(Member.class, id)));
        });
        step("a member's e-mail address changes", () -> {
            within(factory, session -> member(session, "Reader 07").email = "seven@members.example");
            return within(factory, session -> member(session, "Reader 07").email);
        });
        step("an employee's salary changes", () -> {
            within(factory, session -> session.createSelectionQuery("from Employee where name = 'June Okoro'", Employee.class).getSingleResult().salary = new BigDecimal("40000.00"));
            return within(factory, session -> session.createSelectionQuery("select version from Employee where name = 'June Okoro'", Integer.class).getSingleResult());
        });
        step("only the changed column is saved", () -> within(factory, session -> {
            Book hedges = session.find(Book.class, "9780000000024");
            hedges.price = new BigDecimal("8.50");
            hedges.subjects = new String[] {"country", "walking"};
            session.flush();
            session.refresh(hedges);
            return hedges.price + " " + Arrays.toString(hedges.subjects) + " version " + hedges.version;
        }));
        step("a new book with a key of its own, merged", () -> {
            Book book = new Book("9780000000055", "Frost", "15.00", "winter");
            book.copy(1, Condition.NEW);
            within(factory, session -> session.merge(book));
            return within(factory, session -> session.find(Book.class, "9780000000055").copies.size());
        });
        step("copies come and go with their book", () -> {
            within(factory, session -> {
                Book frost = session.find(Book.class, "9780000000055");
                frost.copies.clear();
                session.flush();
                frost.copy(7, Condition.WORN);
                return frost;
            });
            return within(factory, session -> session.find(Book.class, "9780000000055").copies.stream().map(copy -> copy.id.number + " " + copy.condition).toList());
        });
        step("authors are added and taken away", () -> within(factory, session -> {
            Book frost = session.find(Book.class, "9780000000055");
            frost.authors.add(session.bySimpleNaturalId(Author.class).load("E. Brook"));
            session.flush();
            frost.authors.clear();
            frost.authors.add(session.bySimpleNaturalId(Author.class).load("T. Lamb"));
            session.flush();
            session.clear();
            return session.find(Book.class, "9780000000055").authors.stream().map(author -> author.name).toList();
        }));
        step("a cover, a large object, is stored", () -> {
            within(factory, session -> {
                session.persist(new Cover(session.find(Book.class, "9780000000031"), new byte[5000]));
                return null;
            });
            return within(factory, session -> session.find(Cover.class, "9780000000031").image.length);
        });
        step("opening hours are stored as JSON", () -> {
            within(factory, session -> branch(session, "South").hours.put("fri", "12-18"));
            return within(factory, session -> session.createNativeQuery("SELECT hours->>'fri' FROM branches WHERE name = 'South'", String.class).getSingleResult());
        });
        step("a loan with a remark", () -> within(factory, session -> {
            Loan loan = new Loan(member(session, "Reader 01"), session.find(Book.class, "9780000000031").copies.get(1), LocalDate.of(2024, 6, 1), "with a ribbon");
            session.persist(loan);
            session.flush();
            return session.createSelectionQuery("select count(*) from Loan where member.name = 'Reader 01'", Long.class).getSingleResult();
        }));
        step("a book is brought back", () -> within(factory, session -> {
            Loan loan = session.createSelectionQuery("from Loan l where l.member.name = 'Ada Quill' and l.copy.book.title = 'Hedges'", Loan.class).getSingleResult();
            loan.returned = LocalDate.of(2024, 6, 2);
            session.flush();
            return loan.copy.title() + " " + loan.returned;
        }));
        step("a payment by card", () -> within(factory, session -> {
            session.persist(new CardPayment(member(session, "Reader 01"), "9.90", "4929000000003333"));
            session.flush();
            return session.createSelectionQuery("select count(*) from CardPayment", Long.class).getSingleResult();
        }));
        step("a name that a branch has already", () -> {
            ConstraintViolationException error = Steps.fails(ConstraintViolationException.class,
                () -> within(factory, session -> { session.persist(new Branch("North", null, 1)); return null; }));
            return error.getConstraintName() + " " + error.getKind() + " " + error.getSQLState();
        });
        step("a book without a title, sent past Hibernate's own check", () -> {
            ConstraintViolationException error = Steps.fails(ConstraintViolationException.class, () -> within(factory, session ->
                session.createNativeMutationQuery("INSERT INTO books (isbn, version, title) VALUES ('9780000000062', 0, NULL)").executeUpdate()));
            return error.getKind() + " " + error.getConstraintName() + " " + error.getSQLState();
        });
        step("a copy in a condition that there is not", () -> {
            ConstraintViolationException error = Steps.fails(ConstraintViolationException.class, () -> within(factory, session ->
                session.createNativeMutationQuery("UPDATE copies SET condition = 'LOST' WHERE number = 1").executeUpdate()));
            return error.getConstraintName() + " " + error.getSQLState();
        });
        step("a branch that has members can't be deleted", () -> {
            ConstraintViolationException error = Steps.fails(ConstraintViolationException.class,
                () -> within(factory, session -> { session.remove(branch(session, "North")); return null; }));
            return error.getSQLState();
        });
        step("after an error in a transaction, the next one works", () -> within(factory, Writing::closedBranchGoes));
        step("a member leaves, with tags and all", () -> within(factory, session -> {
            Member leaving = member(session, "Reader 05");
            session.remove(leaving);
            session.flush();
            return session.createSelectionQuery("select count(*) from Member where name = 'Reader 05'", Long.class).getSingleResult();
        }));
    }

    private static String closedBranchGoes(Session session) {
        session.remove(branch(session, "Closed"));
        session.flush();
        return session.createSelectionQuery("select name from Branch order by name", String.class).getResultList().toString();
    }
}
