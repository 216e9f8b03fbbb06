// Entities and what hangs together with them, loaded one by one, lazily, eagerly, in pages and as streams.

package library;

import static library.Library.within;
import static steps.Steps.step;

import jakarta.persistence.EntityGraph;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import library.Model.*;
import org.hibernate.Hibernate;
import org.hibernate.ScrollMode;
import org.hibernate.ScrollableResults;
import org.hibernate.SessionFactory;
import org.hibernate.query.KeyedPage;
import org.hibernate.query.KeyedResultList;
import org.hibernate.query.Order;
import org.hibernate.query.Page;
import steps.Steps;

final class Reading {
    private Reading() {}

    static String card(Member member) {
        return String.join(", ", member.name, member.email, String.valueOf(member.phone), String.valueOf(member.born));
    }

    static void play(SessionFactory factory) {
        step("open a member", () -> within(factory, session -> {
            Member found = session.find(Member.class, Library.member(session, "Ada Quill").id);
            return card(found) + ", " + found.tags;
        }));
        step("a branch is loaded when it is looked at", () -> within(factory, session -> {
            Member found = Library.member(session, "Ben Yarrow");
            Steps.check(!Hibernate.isInitialized(found.branch), "it was loaded at once");
            return found.name + " in " + found.branch.place();
        }));
        step("loans of several members, loaded in batches", () -> within(factory, session -> {
            List<Member> all = session.createSelectionQuery("from Member m where m.loans is not empty order by m.name", Member.class).getResultList();
            return all.stream().map(member -> member.name + ": " + member.loans.stream()
                .map(loan -> loan.copy.title() + " since " + loan.since + " (" + loan.remark + ")").toList()).toList();
        }));
        step("members with loans, copies and books in one query", () -> within(factory, session -> session.createSelectionQuery(
            "select distinct m from Member m join fetch m.loans l join fetch l.copy c join fetch c.book join fetch m.branch where l.returned is null order by m.id",
            Member.class).getResultList().stream().map(member -> member.name + " " + member.branch.name + " " + member.loans.size()).toList()));
        step("a book with all that a named graph names", () -> within(factory, session -> {
            EntityGraph<?> graph = session.getEntityGraph("Book.all");
            Book book = session.find(Book.class, "9780000000031", Map.of("jakarta.persistence.loadgraph", graph));
            Steps.check(Hibernate.isInitialized(book.authors), "the authors were not loaded");
            return book.title + " " + book.authors.stream().map(author -> author.name).sorted().toList() + " " + book.copies.size()
                + " " + Arrays.toString(book.subjects);
        }));
        step("an author by natural id", () -> within(factory, session ->
            session.bySimpleNaturalId(Author.class).load("T. Lamb").books.stream().map(Book::title).sorted().toList()));
        step("several books by their keys", () -> within(factory, session ->
            session.byMultipleIds(Book.class).multiLoad("9780000000024", "9780000000048", "none").stream()
                .map(book -> book == null ? "none" : book.title).toList()));
        step("members of one branch by a filter", () -> within(factory, session -> {
            Long south = Library.branch(session, "South").id;
            session.enableFilter("inBranch").setParameter("branch", south);
            return session.createSelectionQuery("from Member", Member.class).getResultList().size();
        }));
        step("persons of all kinds", () -> within(factory, session ->
            session.createSelectionQuery("from Person p where p.name not like 'Reader%' order by p.name", Person.class).getResultList().stream()
                .map(person -> person.getClass().getSimpleName() + " " + person.name + " " + person.email).toList()));
        step("payments of all kinds, with what one kind has", () -> within(factory, session ->
            session.createSelectionQuery("from Payment p join fetch p.member order by p.id", Payment.class).getResultList().stream()
                .map(payment -> payment instanceof CardPayment card ? "card " + card.cardNumber : "till " + ((CashPayment) payment).till)
                .collect(Collectors.joining(", "))));
        step("the third page of members", () -> within(factory, session ->
            session.createSelectionQuery("from Member order by name", Member.class).setPage(Page.page(5, 2)).getResultList().stream()
                .map(Reading::card).toList()));
        step("pages by the last key", () -> within(factory, session -> {
            List<String> pages = new ArrayList<>();
            KeyedPage<Member> page = Page.first(25).keyedBy(List.of(Order.asc(Member.class, "name"), Order.asc(Member.class, "id")));
            while (page != null) {
                KeyedResultList<Member> found = session.createSelectionQuery("from Member", Member.class).getKeyedResultList(page);
                if (found.getResultList().isEmpty()) break;
                pages.add(found.getResultList().get(0).name + " (" + found.getResultList().size() + ")");
                page = found.getNextPage();
            }
            return pages;
        }));
        step("how many pages there are", () -> within(factory, session ->
            session.createSelectionQuery("from Member m where m.branch.name = 'North' order by m.email", Member.class).getResultCount()));
        step("scroll through the members with a cursor", () -> within(factory, session -> {
            int seen = 0;
            int length = 0;
            try (ScrollableResults<Member> results = session.createSelectionQuery("from Member order by id", Member.class)
                    .setFetchSize(7).scroll(ScrollMode.FORWARD_ONLY)) {
                while (results.next()) {
                    seen++;
                    length += results.get().name.length();
                    if (seen % 20 == 0) session.clear();
                }
            }
            return seen + " members, " + length + " letters";
        }));
        step("a stream of names", () -> within(factory, session ->
            session.createSelectionQuery("select name from Member where name like :some order by name", String.class)
                .setParameter("some", "Reader 0%").setFetchSize(3).getResultStream().collect(Collectors.joining(" "))));
        step("read what is stored as JSON", () -> within(factory, session -> Library.branch(session, "North").hours));
        step("read a cover, a large object", () -> within(factory, session ->
            new String(session.find(Cover.class, "9780000000017").image, StandardCharsets.UTF_8)));
    }
}
