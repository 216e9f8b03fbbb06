"""What the shop's service does: customers, orders and stock, through SQLAlchemy's mapper and without it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal

from alembic_shop.models import Coupon, Customer, Line, Order, Product, Status
from alembic_shop.place import engine
from reporting import Programme
from sqlalchemy import String, bindparam, case, cast, delete, func, insert, literal, select, text, tuple_, update
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, aliased, joinedload, selectinload, subqueryload

_Work = Callable[[Session], object]


def steps(programme: Programme) -> None:
    """What is done, in order."""

    def use(name: str) -> Callable[[_Work], _Work]:
        """A step in a session of its own, which is committed."""

        def keep(work: _Work) -> _Work:
            def within() -> object:
                with Session(engine) as session, session.begin():
                    return work(session)

            programme.use(name)(within)
            return work

        return keep

    for part in (_reading, _relations, _counting, _documents, _writing, _upserts, _customers, _concurrency):
        part(use)


def _reading(use: Callable[[str], Callable[[_Work], _Work]]) -> None:
    @use("list of customers with their contact data")
    def _(session: Session) -> object:
        rows = session.scalars(select(Customer).order_by(Customer.id))
        return [(one.id, one.name, one.email, one.phone, one.card, one.tags, one.profile) for one in rows]

    @use("get one customer by key, and again from the session")
    def _(session: Session) -> object:
        one = session.get_one(Customer, 2)
        return one.name, session.get(Customer, 2) is one, session.get(Customer, 99)

    @use("search by name and page")
    def _(session: Session) -> object:
        query = select(Customer.name).where(Customer.name.ilike("%a%")).order_by(Customer.name).limit(2).offset(1)
        return session.scalars(query).all()

    @use("find by several keys at once")
    def _(session: Session) -> object:
        found = session.execute(
            select(Order.id, Order.status)
            .where(tuple_(Order.customer_id, Order.status).in_([(1, Status.open), (2, Status.sent)]))
            .order_by(Order.id)
        )
        return found.all()

    @use("rows in parts from a cursor of the server")
    def _(session: Session) -> object:
        parts = session.execute(select(Customer.id, Customer.name).order_by(Customer.id).execution_options(yield_per=2))
        return [[row.name for row in part] for part in parts.partitions()]

    @use("a cursor of the server over a generated series")
    def _(session: Session) -> object:
        series = select(func.generate_series(1, 5000).label("number"))
        connection = session.connection().execution_options(stream_results=True, max_row_buffer=100)
        return sum(row.number for row in connection.execute(series))

    @use("a union of two tables")
    def _(session: Session) -> object:
        both = select(Product.name).union_all(select(Customer.name)).order_by("name").limit(3)
        return session.execute(both).all()


def _relations(use: Callable[[str], Callable[[_Work], _Work]]) -> None:
    @use("orders with customers by a join")
    def _(session: Session) -> object:
        orders = session.scalars(select(Order).options(joinedload(Order.customer)).order_by(Order.id))
        return [(one.id, one.customer.name, one.customer.email, one.total) for one in orders]

    @use("customers with orders and lines by selectinload")
    def _(session: Session) -> object:
        loaded = selectinload(Customer.orders).selectinload(Order.lines).joinedload(Line.product)
        customers = session.scalars(select(Customer).options(loaded).order_by(Customer.id))
        return [(one.name, [[line.product.sku for line in order.lines] for order in one.orders]) for one in customers]

    @use("customers with orders by subqueryload, a page of them")
    def _(session: Session) -> object:
        query = select(Customer).options(subqueryload(Customer.orders)).order_by(Customer.id).limit(2)
        return [(one.name, [order.id for order in one.orders]) for one in session.scalars(query)]

    @use("lazy loading, one query after the other")
    def _(session: Session) -> object:
        order = session.get_one(Order, 3)
        return order.customer.name, [(line.product.name, line.quantity) for line in order.lines]

    @use("who has no order, by an outer join and by exists")
    def _(session: Session) -> object:
        outer = select(Customer.name).outerjoin(Customer.orders).where(Order.id.is_(None))
        exists = select(Customer.name).where(~Customer.orders.any())
        return session.scalars(outer).all(), session.scalars(exists).all()

    @use("each customer's last order by a lateral join")
    def _(session: Session) -> object:
        last = (
            select(Order.id, Order.total).where(Order.customer_id == Customer.id).order_by(Order.placed.desc()).limit(1)
        ).lateral()
        return session.execute(select(Customer.name, last.c.total).join(last, text("true")).order_by(Customer.id)).all()


def _counting(use: Callable[[str], Callable[[_Work], _Work]]) -> None:
    @use("turnover by customer")
    def _(session: Session) -> object:
        query = (
            select(Customer.name, func.count(Order.id), func.coalesce(func.sum(Order.total), 0))
            .outerjoin(Customer.orders).group_by(Customer.id).having(func.count() > 0).order_by(Customer.id)
        )  # fmt: skip
        return session.execute(query).all()

    @use("rank and running total by windows")
    def _(session: Session) -> object:
        rank = func.rank().over(order_by=Order.total.desc())
        running = func.sum(Order.total).over(order_by=Order.id, rows=(None, 0))
        return session.execute(select(Order.id, rank, running).order_by(Order.id)).all()

    @use("aggregates with filter, order and arrays")
    def _(session: Session) -> object:
        return session.execute(
            select(
                func.count().filter(Order.status == Status.open),
                func.array_agg(aggregate_order_by(Order.id, Order.id.desc())),
                func.string_agg(cast(Order.status, String), aggregate_order_by(literal(","), Order.id)),
                func.percentile_cont(0.5).within_group(Order.total),
                case((func.max(Order.total) > 100, "big"), else_="small"),
            )
        ).all()

    @use("a recursive query")
    def _(session: Session) -> object:
        days = select(literal(date(2024, 5, 1)).label("day")).cte("days", recursive=True)
        days = days.union_all(select(days.c.day + 1).where(days.c.day < date(2024, 5, 4)))
        query = (
            select(days.c.day, func.count(Order.id)).outerjoin(Order, Order.placed == days.c.day).group_by(days.c.day)
        ).order_by(days.c.day)
        return session.execute(query).all()


def _documents(use: Callable[[str], Callable[[_Work], _Work]]) -> None:
    @use("JSON: paths, containment, keys")
    def _(session: Session) -> object:
        profile = Customer.profile
        return [
            session.execute(select(Customer.name, profile["language"].astext).order_by(Customer.id)).all(),
            session.scalars(select(Customer.name).where(profile.contains({"language": "sv"}))).all(),
            session.scalars(select(Customer.name).where(profile["visits"].as_integer() > 5).order_by("name")).all(),
            session.scalar(select(func.count()).where(profile.has_key("visits"))),
            session.scalars(select(func.jsonb_object_keys(profile)).distinct().order_by(text("1"))).all(),
        ]

    @use("arrays: any, overlap, unnest")
    def _(session: Session) -> object:
        tags = func.unnest(Customer.tags).table_valued("tag", joins_implicitly=True).render_derived()
        return [
            session.scalars(select(Customer.name).where(Customer.tags.any("b")).order_by(Customer.id)).all(),
            session.scalars(select(Customer.name).where(Customer.tags.overlap(["c"])).order_by(Customer.id)).all(),
            session.execute(
                select(tags.c.tag, func.count(Customer.id)).group_by(tags.c.tag).order_by(tags.c.tag)
            ).all(),
        ]

    @use("change a document and a list in place")
    def _(session: Session) -> object:
        one = session.get_one(Customer, 4)
        one.profile = {**one.profile, "visits": 8}
        one.tags = [*one.tags, "d"]
        session.flush()
        session.refresh(one)
        return one.profile, one.tags


def _writing(use: Callable[[str], Callable[[_Work], _Work]]) -> None:
    @use("an order with its lines, and the key that it got")
    def _(session: Session) -> object:
        order = Order(customer_id=4, status=Status.open, total=Decimal("138.90"), placed=date(2024, 6, 1))
        order.lines = [Line(product_id=1, quantity=1), Line(product_id=2, quantity=1)]
        session.add(order)
        session.flush()
        return order.id, [line.id for line in order.lines], order.comment

    @use("many rows at once with what they got, in order")
    def _(session: Session) -> object:
        rows = [{"sku": f"B{number}", "name": f"Book {number}", "price": Decimal(number)} for number in range(1, 40)]
        made = session.scalars(insert(Product).returning(Product.id, sort_by_parameter_order=True), rows).all()
        return made == sorted(made), len(made), session.scalar(select(func.max(Product.stock)))

    @use("update by query with what became of it")
    def _(session: Session) -> object:
        change = update(Product).where(Product.sku.like("B_")).values(stock=Product.stock + 5)
        return sorted(session.execute(change.returning(Product.sku, Product.stock)).all())

    @use("update many rows by key")
    def _(session: Session) -> object:
        session.execute(update(Product), [{"id": 1, "stock": 11}, {"id": 2, "stock": 12}])
        change = update(Product.__table__).where(Product.__table__.c.sku == bindparam("which"))
        session.connection().execute(change.values(price=bindparam("new")), [{"which": "P3", "new": Decimal(200)}])
        return session.execute(select(Product.sku, Product.stock, Product.price).limit(3).order_by(Product.id)).all()

    @use("update of a customer's own columns from another table")
    def _(session: Session) -> object:
        total = select(func.sum(Order.total)).where(Order.customer_id == Customer.id).scalar_subquery()
        session.execute(
            update(Customer).where(total > 200).values(tier="gold"), execution_options={"synchronize_session": False}
        )
        return session.execute(select(Customer.name, Customer.tier).order_by(Customer.id)).all()

    @use("delete with lines, by the mapper and by query")
    def _(session: Session) -> object:
        session.delete(session.get_one(Order, 3))
        gone = session.execute(delete(Product).where(Product.sku.like("B%")).returning(Product.id)).all()
        session.flush()
        return len(gone), session.scalar(select(func.count(Line.id)))


def _upserts(use: Callable[[str], Callable[[_Work], _Work]]) -> None:
    @use("upsert of products")
    def _(session: Session) -> object:
        rows = [{"sku": "P1", "name": "Lamp", "price": 45}, {"sku": "P9", "name": "Shelf", "price": 70}]
        put = upsert(Product).values(rows)
        put = put.on_conflict_do_update(
            index_elements=[Product.sku], set_={"price": put.excluded.price, "stock": Product.stock + 1}
        )
        return sorted(session.execute(put.returning(Product.sku, Product.price, Product.stock)).all())

    @use("insert unless it is there")
    def _(session: Session) -> object:
        put = upsert(Coupon).values(code="SPRING", percent=15).on_conflict_do_nothing()
        return session.execute(put.returning(Coupon.id)).all()


def _customers(use: Callable[[str], Callable[[_Work], _Work]]) -> None:
    @use("a new customer")
    def _(session: Session) -> object:
        one = Customer(email="emil@west.example", name="Emil Weber", phone="+41 44 5550105")
        session.add(one)
        session.flush()
        session.refresh(one)
        return one.name, one.email, one.tier, one.tags

    @use("upsert of a customer by e-mail")
    def _(session: Session) -> object:
        put = upsert(Customer).values(email="emil@west.example", name="Emil Weber-Koch")
        put = put.on_conflict_do_update(index_elements=[Customer.email], set_={"name": put.excluded.name})
        return session.execute(put.returning(Customer.name, Customer.phone)).all()

    @use("change a customer's phone and name")
    def _(session: Session) -> object:
        one = session.get_one(Customer, 1)
        one.name, one.phone = "Anna Vogel-Berg", "+49 30 5550199"
        session.flush()
        return session.execute(select(Customer.name, Customer.phone).where(Customer.id == 1)).all()

    @use("an e-mail that is taken fails, and the transaction goes on")
    def _(session: Session) -> object:
        try:
            with session.begin_nested():
                session.add(Customer(email="carl@north.example", name="Carl Again"))
                session.flush()
        except IntegrityError as error:
            return error.orig.sqlstate, session.scalar(select(func.count(Customer.id)))
        return "it was not"

    @use("delete a customer with all orders")
    def _(session: Session) -> object:
        session.execute(delete(Customer).where(Customer.id == 3))
        return session.scalars(select(Order.id).order_by(Order.id)).all()

    @use("find a customer by e-mail")
    def _(session: Session) -> object:
        return session.execute(select(Customer.id, Customer.name).where(Customer.email == "berta@south.example")).all()


def _concurrency(use: Callable[[str], Callable[[_Work], _Work]]) -> None:
    @use("lock a customer while an order is made")
    def _(session: Session) -> object:
        one = session.scalars(select(Customer).where(Customer.id == 2).with_for_update()).one()
        free = session.scalars(
            select(Order.id).order_by(Order.id).limit(1).with_for_update(skip_locked=True, of=Order)
        ).all()
        return one.name, free

    @use("the same table twice under aliases")
    def _(session: Session) -> object:
        one, other = aliased(Customer), aliased(Customer)
        query = select(one.name, other.name).join(other, one.id < other.id).order_by(one.id, other.id)
        return session.execute(query).all()

    @use("a constraint's name in the error")
    def _(session: Session) -> object:
        try:
            with session.begin_nested():
                session.execute(insert(Coupon).values(code="SPRING", percent=1))
        except IntegrityError as error:
            return error.orig.diag.constraint_name, error.orig.diag.table_name
        return "none"

    @use("isolation levels and read-only transactions")
    def _(session: Session) -> object:
        with engine.connect().execution_options(isolation_level="SERIALIZABLE", postgresql_readonly=True) as one:
            level = one.scalar(text("SHOW transaction_isolation"))
            return level, one.scalar(text("SHOW transaction_read_only")), one.scalar(select(func.count(Coupon.id)))
