// The tables of a lending library as Hibernate maps them: associations, three kinds of inheritance, embedded and
// composite keys, collections, JSON, arrays and large objects. What is done with them is `Library.java`'s.

package library;

import jakarta.persistence.*;
import java.io.Serializable;
import java.math.BigDecimal;
import java.time.LocalDate;
import java.util.*;
import org.hibernate.annotations.BatchSize;
import org.hibernate.annotations.DynamicUpdate;
import org.hibernate.annotations.Filter;
import org.hibernate.annotations.FilterDef;
import org.hibernate.annotations.JdbcTypeCode;
import org.hibernate.annotations.NaturalId;
import org.hibernate.annotations.ParamDef;
import org.hibernate.type.SqlTypes;

public final class Model {
    private Model() {}

    static final Class<?>[] ENTITIES = {
        Branch.class, Person.class, Member.class, Employee.class, Author.class, Book.class, Cover.class, Copy.class, Loan.class,
        Payment.class, CardPayment.class, CashPayment.class,
    };

    @Embeddable
    public static class Address {
        String street;
        String city;

        protected Address() {}

        Address(String street, String city) {
            this.street = street;
            this.city = city;
        }
    }

    @Entity(name = "Branch")
    @Table(name = "branches", uniqueConstraints = @UniqueConstraint(name = "branches_name_key", columnNames = "name"))
    public static class Branch {
        @Id @GeneratedValue(strategy = GenerationType.IDENTITY) Long id;
        @Column(nullable = false, length = 80) String name;
        @Embedded Address address;
        @JdbcTypeCode(SqlTypes.JSON) Map<String, String> hours = new TreeMap<>();
        int shelves;

        protected Branch() {}

        Branch(String name, Address address, int shelves) {
            this.name = name;
            this.address = address;
            this.shelves = shelves;
        }

        public String place() {
            return name + ", " + address.city;
        }
    }

    @Entity(name = "Person")
    @Table(name = "persons")
    @Inheritance(strategy = InheritanceType.JOINED)
    public static abstract class Person {
        @Id
        @GeneratedValue(strategy = GenerationType.SEQUENCE, generator = "persons")
        @SequenceGenerator(name = "persons", sequenceName = "persons_seq", allocationSize = 20)
        Long id;
        @Version int version;
        @Column(nullable = false) String name;
        @Column(nullable = false, unique = true) String email;

        public String name() {
            return name;
        }
    }

    @Entity(name = "Member")
    @Table(name = "members", indexes = @Index(name = "members_by_branch", columnList = "branch_id, phone"))
    @FilterDef(name = "inBranch", parameters = @ParamDef(name = "branch", type = Long.class))
    @Filter(name = "inBranch", condition = "branch_id = :branch")
    public static class Member extends Person {
        String phone;
        LocalDate born;
        LocalDate joined;
        @ManyToOne(fetch = FetchType.LAZY, optional = false) Branch branch;
        @ElementCollection @CollectionTable(name = "member_tags") @Column(name = "tag") Set<String> tags = new TreeSet<>();
        @OneToMany(mappedBy = "member") @OrderBy("since") @BatchSize(size = 16) List<Loan> loans = new ArrayList<>();

        protected Member() {}

        Member(String name, String email, String phone, LocalDate born, Branch branch) {
            this.name = name;
            this.email = email;
            this.phone = phone;
            this.born = born;
            this.joined = LocalDate.of(2024, 1, 1).plusDays(name.length());
            this.branch = branch;
        }

        public Branch branch() {
            return branch;
        }
    }

    @Entity(name = "Employee")
    @Table(name = "employees")
    public static class Employee extends Person {
        @Column(precision = 10, scale = 2) BigDecimal salary;
        @ManyToOne(fetch = FetchType.EAGER) Branch branch;
        @ManyToOne(fetch = FetchType.LAZY) Employee manager;

        protected Employee() {}

        Employee(String name, String email, String salary, Branch branch, Employee manager) {
            this.name = name;
            this.email = email;
            this.salary = new BigDecimal(salary);
            this.branch = branch;
            this.manager = manager;
        }
    }

    @Entity(name = "Author")
    @Table(name = "authors")
    public static class Author {
        @Id @GeneratedValue(strategy = GenerationType.SEQUENCE) Long id;
        @NaturalId String name;
        @ManyToMany(mappedBy = "authors") Set<Book> books = new HashSet<>();

        protected Author() {}

        Author(String name) {
            this.name = name;
        }
    }

    @Entity(name = "Book")
    @Table(name = "books")
    @DynamicUpdate
    @NamedEntityGraph(name = "Book.all", attributeNodes = {@NamedAttributeNode("authors"), @NamedAttributeNode("copies")})
    @NamedQuery(name = "Book.dearer", query = "select b from Book b where b.price > :price order by b.price desc, b.isbn")
    public static class Book {
        @Id @Column(length = 13) String isbn;
        @Version int version;
        @Column(nullable = false) String title;
        @Column(precision = 8, scale = 2) BigDecimal price;
        @Column(columnDefinition = "text[]") String[] subjects = {};
        @ManyToMany @JoinTable(name = "book_authors") Set<Author> authors = new HashSet<>();
        @OneToMany(mappedBy = "book", cascade = CascadeType.ALL, orphanRemoval = true) @OrderBy("id.number") List<Copy> copies = new ArrayList<>();

        protected Book() {}

        Book(String isbn, String title, String price, String... subjects) {
            this.isbn = isbn;
            this.title = title;
            this.price = new BigDecimal(price);
            this.subjects = subjects;
        }

        Copy copy(int number, Condition condition) {
            Copy copy = new Copy(this, number, condition);
            copies.add(copy);
            return copy;
        }

        public String title() {
            return title;
        }
    }

    @Entity(name = "Cover")
    @Table(name = "covers")
    public static class Cover {
        @Id @Column(length = 13) String isbn;
        @MapsId @OneToOne(fetch = FetchType.LAZY) @JoinColumn(name = "isbn") Book book;
        @Lob byte[] image;

        protected Cover() {}

        Cover(Book book, byte[] image) {
            this.book = book;
            this.image = image;
        }
    }

    public enum Condition { NEW, GOOD, WORN }

    @Embeddable
    public static class CopyId implements Serializable {
        @Column(length = 13) String isbn;
        int number;

        protected CopyId() {}

        CopyId(String isbn, int number) {
            this.isbn = isbn;
            this.number = number;
        }

        @Override
        public boolean equals(Object other) {
            return other instanceof CopyId id && id.isbn.equals(isbn) && id.number == number;
        }

        @Override
        public int hashCode() {
            return Objects.hash(isbn, number);
        }
    }

    @Entity(name = "Copy")
    @Table(name = "copies")
    public static class Copy {
        @EmbeddedId CopyId id;
        @MapsId("isbn") @ManyToOne(fetch = FetchType.LAZY) @JoinColumn(name = "isbn") Book book;
        @Enumerated(EnumType.STRING) @Column(nullable = false) Condition condition;

        protected Copy() {}

        Copy(Book book, int number, Condition condition) {
            this.id = new CopyId(book.isbn, number);
            this.book = book;
            this.condition = condition;
        }

        public String title() {
            return book.title();
        }
    }

    @Entity(name = "Loan")
    @Table(name = "loans")
    public static class Loan {
        @Id @GeneratedValue(strategy = GenerationType.UUID) UUID id;
        @ManyToOne(fetch = FetchType.LAZY, optional = false) Member member;
        @ManyToOne(fetch = FetchType.LAZY, optional = false) Copy copy;
        @Column(nullable = false) LocalDate since;
        LocalDate returned;
        @Column(columnDefinition = "text") String remark;

        protected Loan() {}

        Loan(Member member, Copy copy, LocalDate since, String remark) {
            this.member = member;
            this.copy = copy;
            this.since = since;
            this.remark = remark;
        }
    }

    @Entity(name = "Payment")
    @Table(name = "payments")
    @Inheritance(strategy = InheritanceType.SINGLE_TABLE)
    @DiscriminatorColumn(name = "kind")
    public static abstract class Payment {
        @Id @GeneratedValue(strategy = GenerationType.IDENTITY) Long id;
        @ManyToOne(fetch = FetchType.LAZY) Member member;
        @Column(precision = 8, scale = 2) BigDecimal amount;
    }

    @Entity(name = "CardPayment")
    @DiscriminatorValue("card")
    public static class CardPayment extends Payment {
        @Column(name = "card_number", length = 19) String cardNumber;

        protected CardPayment() {}

        CardPayment(Member member, String amount, String cardNumber) {
            this.member = member;
            this.amount = new BigDecimal(amount);
            this.cardNumber = cardNumber;
        }
    }

    @Entity(name = "CashPayment")
    @DiscriminatorValue("cash")
    public static class CashPayment extends Payment {
        @Column(name = "till") Integer till;

        protected CashPayment() {}

        CashPayment(Member member, String amount, int till) {
            this.member = member;
            this.amount = new BigDecimal(amount);
            this.till = till;
        }
    }
}
