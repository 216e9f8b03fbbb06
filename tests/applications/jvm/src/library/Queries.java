// What is asked of a library's tables in JPQL, HQL, by criteria and in SQL.

package library;

import static library.Library.money;
import static library.Library.within;
import static steps.Steps.step;

import jakarta.persistence.Tuple;
import jakarta.persistence.criteria.*;
import java.math.BigDecimal;
import java.time.LocalDate;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;
import library.Model.*;
import org.hibernate.Session;
import org.hibernate.SessionFactory;

final class Queries {
    private Queries() {}

    /** A line of a report. */
    public record Shelf(String branch, long members, LocalDate eldest) {}

    static void play(SessionFactory factory) {
        step("members by the beginning of the name", () -> within(factory, session ->
            session.createQuery("select m from Member m where lower(m.name) like :some order by m.name", Member.class)
                .setParameter("some", "a%").getResultList().stream().map(Reading::card).toList()));
        step("log in by e-mail address", () -> within(factory, session ->
            session.createQuery("select m.name from Member m where m.email = :email", String.class)
                .setParameter("email", "ben.yarrow@members.example").getResultList()));
        step("a named query", () -> within(factory, session -> session.createNamedQuery("Book.dearer", Book.class)
            .setParameter("price", new BigDecimal("10")).getResultList().stream().map(Book::title).toList()));
        step("members of each branch, as a report", () -> within(factory, session -> session.createQuery(
            "select new library.Queries$Shelf(b.name, count(m), min(m.joined)) from Member m join m.branch b group by b.name having count(m) > 1 order by count(m) desc",
            Shelf.class).getResultList()));
        step("the sum of salaries by branch", () -> within(factory, session -> session.createQuery(
            "select e.branch.name, sum(e.salary), max(e.salary) from Employee e group by e.branch.name order by 1", Object[].class)
            .getResultList().stream().map(row -> row[0] + " " + money((BigDecimal) row[1]) + " " + money((BigDecimal) row[2])).toList()));
        step("dates, cases and functions in HQL", () -> within(factory, session -> session.createQuery("""
            select l.copy.book.title, extract(month from l.since), case when l.returned is null then 'out' else 'back' end,
                (l.returned - l.since) by day, coalesce(nullif(upper(substring(l.member.name, 1, 3)), 'BEN'), 'other')
            from Loan l order by l.since""", Object[].class).getResultList().stream().map(Arrays::toString).toList()));
        step("by criteria, with conditions put together", () -> within(factory, Queries::criteria));
        step("by criteria, with a subquery and tuples", () -> within(factory, Queries::subquery));
        step("one kind of payment, treated as such", () -> within(factory, session -> session.createQuery(
            "select treat(p as CardPayment).cardNumber from Payment p where type(p) = CardPayment order by p.amount", String.class).getResultList()));
        step("a union in HQL", () -> within(factory, session -> session.createQuery(
            "select m.name from Member m where m.name like 'B%' union select e.name from Employee e", String.class).getResultList().stream().sorted().toList()));
        step("who reports to whom, recursively", () -> within(factory, session -> session.createQuery("""
            with line as (
                select e.id as id, e.name as name, 1 as depth from Employee e where e.manager is null
                union all
                select e.id as id, e.name as name, l.depth + 1 as depth from Employee e join line l on e.manager.id = l.id)
            select l.name, l.depth from line l order by l.depth""", Object[].class).getResultList().stream().map(Arrays::toString).toList()));
        step("window functions in HQL", () -> within(factory, session -> session.createQuery("""
            select m.name, row_number() over (partition by m.branch.id order by m.name desc), rank() over (order by length(m.name))
            from Member m where m.name < 'Reader 04' order by m.name""", Object[].class).getResultList().stream().map(Arrays::toString).toList()));
        step("the latest loan of each member, laterally", () -> within(factory, session -> session.createQuery("""
            select m.name, l.title from Member m
            join lateral (select b.title as title from Loan x join x.copy.book b where x.member = m order by x.since desc limit 1) l
            order by m.name""", Object[].class).getResultList().stream().map(Arrays::toString).toList()));
        step("names put together by an aggregate", () -> within(factory, session -> session.createQuery(
            "select b.name, listagg(m.name, ', ') within group (order by m.name) from Member m join m.branch b where m.name < 'Reader 07' group by b.name order by b.name",
            Object[].class).getResultList().stream().map(Arrays::toString).toList()));
        step("books by subject, in an array", () -> within(factory, session -> session.createQuery(
            "select b.title from Book b where array_contains(b.subjects, :subject) order by b.title", String.class)
            .setParameter("subject", "light").getResultList()));
        step("members with a tag", () -> within(factory, session -> session.createQuery(
            "select m.name from Member m join m.tags t where t in (:tags) group by m.name order by m.name", String.class)
            .setParameterList("tags", List.of("volunteer", "student")).getResultList()));
        step("entities from SQL", () -> within(factory, session -> session.createNativeQuery(
            "SELECT p.*, m.* FROM persons p JOIN members m USING (id) WHERE m.joined > ?1 AND p.name LIKE 'A%' ORDER BY p.id", Member.class)
            .setParameter(1, LocalDate.of(2024, 1, 1)).getResultList().stream().map(Reading::card).toList()));
        step("values from SQL", () -> within(factory, session -> session.createNativeQuery("""
            SELECT p.name, m.phone, extract(year FROM m.born)::int AS year, hours->>'sat' AS saturday
            FROM members m JOIN persons p ON p.id = m.id JOIN branches b ON b.id = m.branch_id
            WHERE b.name = :branch ORDER BY p.name LIMIT 3""", Tuple.class).setParameter("branch", "North").getResultList().stream()
            .map(row -> row.get("name") + " " + row.get("phone") + " " + row.get("year") + " " + row.get("saturday")).toList()));
        step("search over masked and other columns", () -> within(factory, session -> session.createQuery(
            "select m.name from Member m where m.phone like :number or m.name = :name order by m.name", String.class)
            .setParameter("number", "%0101").setParameter("name", "Ada Quill").getResultList()));
        step("how often e-mail domains occur", () -> within(factory, session -> session.createQuery(
            "select substring(p.email, locate('@', p.email) + 1), count(*) from Person p group by 1 order by 2", Object[].class)
            .getResultList().stream().map(Arrays::toString).toList()));
    }

    private static String criteria(Session session) {
        CriteriaBuilder builder = session.getCriteriaBuilder();
        CriteriaQuery<Member> query = builder.createQuery(Member.class);
        Root<Member> member = query.from(Member.class);
        member.fetch("branch");
        List<Predicate> conditions = new ArrayList<>();
        conditions.add(builder.like(member.get("name"), "Reader%"));
        conditions.add(builder.between(member.get("born"), LocalDate.of(1951, 1, 1), LocalDate.of(1953, 12, 31)));
        conditions.add(builder.or(builder.isNotNull(member.get("phone")), builder.isNull(member.get("joined"))));
        query.where(conditions.toArray(Predicate[]::new)).orderBy(builder.desc(member.get("name")), builder.asc(member.get("id")));
        return session.createQuery(query).setFirstResult(1).setMaxResults(3).getResultList().stream()
            .map(found -> found.name + " " + found.branch.name).collect(Collectors.joining(", "));
    }

    private static String subquery(Session session) {
        CriteriaBuilder builder = session.getCriteriaBuilder();
        CriteriaQuery<Tuple> query = builder.createTupleQuery();
        Root<Book> book = query.from(Book.class);
        Subquery<Long> out = query.subquery(Long.class);
        Root<Loan> loan = out.from(Loan.class);
        out.select(builder.count(loan)).where(builder.equal(loan.get("copy").get("book"), book), builder.isNull(loan.get("returned")));
        query.multiselect(book.get("title").alias("title"), out.alias("out")).orderBy(builder.asc(book.get("title")));
        return session.createQuery(query).getResultList().stream().map(row -> row.get("title") + " " + row.get("out")).collect(Collectors.joining(", "));
    }
}
