"""What a service does with the mapper: read, count, write in bulk, lock, and go back to savepoints."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal

from django.contrib.postgres.aggregates import ArrayAgg, StringAgg
from django.contrib.postgres.search import SearchQuery, SearchRank, SearchVector
from django.db import IntegrityError, connection, models, transaction
from django.db.models import Avg, Count, Exists, F, OuterRef, Prefetch, Q, Subquery, Sum, Value, Window
from django.db.models.functions import Cast, Coalesce, Concat, Lower, Rank, RowNumber, TruncMonth
from reporting import Programme

from django_shop.models import Customer, Line, Order, Product

_Use = Callable[[str], Callable[[Callable[[], object]], Callable[[], object]]]


def steps(programme: Programme) -> None:
    """What is done, in order."""
    for part in (_reading, _relations, _counting, _fields, _bulk, _single, _transactions):
        part(programme.use)


def _reading(use: _Use) -> None:
    @use("orm: all of the customers")
    def _() -> object:
        return list(Customer.objects.order_by("pk").values_list("pk", "name", "email", "phone", "card", "tier"))

    @use("orm: get by key, first, last, exists, in_bulk")
    def _() -> object:
        first = Customer.objects.order_by("pk").first()
        return (
            Customer.objects.get(pk=first.pk).name, Customer.objects.last().name,
            Customer.objects.filter(tier="gold").exists(), sorted(map(str, Customer.objects.in_bulk().values())),
        )  # fmt: skip

    @use("orm: find by e-mail address, whole and by its domain")
    def _() -> object:
        return (
            list(Customer.objects.filter(email="anna@north.example").values_list("name", flat=True)),
            list(Customer.objects.filter(email__iendswith="@north.example").order_by("pk").values_list("email")),
        )

    @use("orm: iterator in chunks by a cursor of the server")
    def _() -> object:
        return [one.name for one in Customer.objects.order_by("pk").iterator(chunk_size=2)]

    @use("orm: raw queries and a cursor")
    def _() -> object:
        raw = Customer.objects.raw("SELECT * FROM django_shop_customer WHERE tier = %s ORDER BY id", ["basic"])
        with connection.cursor() as cursor:
            cursor.execute("SELECT tier, count(*) FROM django_shop_customer GROUP BY tier ORDER BY tier")
            return [one.email for one in raw], cursor.fetchall()

    @use("orm: union, distinct on, slices")
    def _() -> object:
        both = Customer.objects.values_list("name").union(Product.objects.values_list("name")).order_by("name")
        latest = Order.objects.order_by("customer_id", "-placed").distinct("customer_id")
        return list(both[1:4]), [one.total for one in latest]


def _relations(use: _Use) -> None:
    @use("orm: select_related and prefetch_related")
    def _() -> object:
        orders = Order.objects.select_related("customer").prefetch_related("lines__product").order_by("pk")
        return [(one.customer.email, [line.product.sku for line in one.lines.all()]) for one in orders]

    @use("orm: a prefetch of its own query")
    def _() -> object:
        opened = Prefetch("orders", Order.objects.filter(status="open").order_by("pk"), to_attr="opened")
        return [(one.name, len(one.opened)) for one in Customer.objects.prefetch_related(opened).order_by("pk")]

    @use("orm: across relations, with Q")
    def _() -> object:
        wanted = Q(orders__lines__product__sku="P1") | Q(tier="gold")
        return list(Customer.objects.filter(wanted & ~Q(name="")).distinct().values_list("name", flat=True))


def _counting(use: _Use) -> None:
    @use("orm: aggregates and annotations")
    def _() -> object:
        each = Customer.objects.annotate(count=Count("orders"), spent=Coalesce(Sum("orders__total"), Decimal(0)))
        return (
            Order.objects.aggregate(Sum("total"), average=Avg("total", filter=Q(status="open"))),
            list(each.filter(count__gt=0).order_by("pk").values_list("name", "count", "spent")),
            list(Order.objects.annotate(month=TruncMonth("placed")).values("month").annotate(n=Count("pk")).order_by()),
        )

    @use("orm: F, expressions and functions")
    def _() -> object:
        value = models.ExpressionWrapper(F("price") * F("stock"), output_field=models.DecimalField())
        label = Concat(Lower("sku"), Value(": "), F("name"))
        return list(Product.objects.annotate(value=value, label=label).order_by("pk").values_list("label", "value"))

    @use("orm: subqueries, exists and windows")
    def _() -> object:
        last = Order.objects.filter(customer=OuterRef("pk")).order_by("-placed").values("total")[:1]
        ordered = Exists(Order.objects.filter(customer=OuterRef("pk")))
        spent = Window(Rank(), order_by=F("total").desc())
        number = Window(RowNumber(), partition_by="customer", order_by="pk")
        return (
            list(Customer.objects.filter(ordered).annotate(last=Subquery(last)).order_by("pk").values_list("last")),
            list(Order.objects.annotate(rank=spent, number=number).order_by("pk").values_list("rank", "number")),
        )

    @use("orm: arrays and texts by aggregates of PostgreSQL")
    def _() -> object:
        return list(
            Customer.objects.annotate(
                statuses=ArrayAgg("orders__status", order_by="orders__pk", default=Value([])),
                days=StringAgg(Cast("orders__placed", models.TextField()), ", ", order_by="orders__pk"),
            ).order_by("pk").values_list("name", "statuses", "days")
        )  # fmt: skip

    @use("orm: full text search with ranks")
    def _() -> object:
        vector, query = (
            SearchVector("name", config="simple"),
            SearchQuery("chair | lamp", search_type="raw", config="simple"),
        )
        found = Product.objects.annotate(rank=SearchRank(vector, query), found=vector).filter(found=query)
        return list(found.order_by("pk").values_list("name"))


def _fields(use: _Use) -> None:
    @use("orm: JSON by paths, keys and containment")
    def _() -> object:
        return (
            list(Customer.objects.filter(profile__language="sv").values_list("name")),
            list(Customer.objects.filter(profile__contains={"visits": 3}).values_list("name")),
            list(Customer.objects.filter(profile__has_key="visits").order_by("pk").values_list("profile__visits")),
        )

    @use("orm: arrays by overlap, length and index")
    def _() -> object:
        return (
            list(Customer.objects.filter(tags__overlap=["b"]).order_by("pk").values_list("name")),
            list(Customer.objects.filter(tags__len=2).order_by("pk").values_list("tags__0")),
            Customer.objects.filter(tags__contains=["a", "b"]).count(),
        )


def _bulk(use: _Use) -> None:
    @use("orm: bulk_create of products")
    def _() -> object:
        made = Product.objects.bulk_create(Product(sku=f"B{n}", name=f"Book {n}", price=n) for n in range(1, 30))
        return len(made), all(one.pk for one in made)

    @use("orm: bulk_create that updates what is there")
    def _() -> object:
        rows = [Product(sku="B1", name="Book 1", price=11), Product(sku="B99", name="Book 99", price=9)]
        Product.objects.bulk_create(rows, update_conflicts=True, unique_fields=["sku"], update_fields=["price"])
        ignored = Product.objects.bulk_create([Product(sku="B2", name="x", price=1)], ignore_conflicts=True)
        return len(ignored), list(
            Product.objects.filter(sku__in=["B1", "B2", "B99"]).order_by("pk").values_list("price")
        )

    @use("orm: bulk_update of products")
    def _() -> object:
        books = list(Product.objects.filter(sku__startswith="B").order_by("pk"))
        for one in books:
            one.stock, one.price = 5, one.price + 1
        return Product.objects.bulk_update(books, ["stock", "price"]), Product.objects.filter(stock=5).count()

    @use("orm: bulk_create of customers")
    def _() -> object:
        made = Customer.objects.bulk_create(
            Customer(name=f"Guest {n}", email=f"guest{n}@west.example", joined=date(2024, 7, n)) for n in range(1, 6)
        )
        return [one.name for one in made]

    @use("orm: bulk_update of the customers' tiers")
    def _() -> object:
        guests = list(Customer.objects.filter(name__startswith="Guest").order_by("pk"))
        for one in guests:
            one.tier = "gold"
        return Customer.objects.bulk_update(guests, ["tier"]), Customer.objects.filter(tier="gold").count()

    @use("orm: update and delete by query")
    def _() -> object:
        changed = Product.objects.filter(sku__startswith="B").update(stock=F("stock") + 1)
        by_customer = Order.objects.filter(customer__tier="gold").update(status="sent")
        return changed, by_customer, Product.objects.filter(sku__startswith="B").delete()


def _single(use: _Use) -> None:
    @use("orm: get_or_create and update_or_create of products")
    def _() -> object:
        first = Product.objects.get_or_create(sku="G1", defaults={"name": "Glass", "price": 4})[1]
        again = Product.objects.get_or_create(sku="G1", defaults={"name": "Glass", "price": 4})[1]
        one, made = Product.objects.update_or_create(sku="G1", defaults={"price": 5})
        return first, again, one.price, made, one.delete()

    @use("orm: get_or_create of a customer by e-mail address")
    def _() -> object:
        defaults = {"name": "Anna Twice", "joined": date(2024, 1, 1)}
        one, made = Customer.objects.get_or_create(email="anna@north.example", defaults=defaults)
        return one.name, made

    @use("orm: save a whole customer as it was read, and fields of one")
    def _() -> object:
        one = Customer.objects.get(name="Dora Rossi")
        one.profile = one.profile | {"visits": 8}
        one.save()
        one.tags = ["z"]
        one.save(update_fields=["tags"])
        one.refresh_from_db()
        return one.profile, one.tags

    @use("orm: products of an order, added and removed")
    def _() -> object:
        order = Order.objects.earliest("pk")
        table = Product.objects.get(sku="P3")
        order.products.add(table, through_defaults={"quantity": 4})
        before = order.products.count()
        order.products.remove(table)
        return before, order.products.count()


def _transactions(use: _Use) -> None:
    @use("orm: select_for_update, with nowait and skip_locked")
    def _() -> object:
        with transaction.atomic():
            one = Customer.objects.select_for_update(of=("self",)).get(name="Carl Moreau")
            free = Order.objects.select_for_update(skip_locked=True).order_by("pk")[:2]
            product = Product.objects.select_for_update(nowait=True).get(sku="P1")
            return one.name, len(free), product.stock

    @use("orm: savepoints, and an error between")
    def _() -> object:
        with transaction.atomic():
            Product.objects.create(sku="S1", name="Kept", price=1)
            try:
                with transaction.atomic():
                    Product.objects.create(sku="S1", name="Lost", price=1)
            except IntegrityError as error:
                name = error.__cause__.diag.constraint_name
            kept = Product.objects.filter(name="Kept").delete()[0]
        return kept, name.startswith("django_shop_product_sku"), Product.objects.filter(sku="S1").count()

    @use("orm: a protected product, a check, and what is undone")
    def _() -> object:
        said = []
        works: tuple[Callable[[], object], ...] = (
            lambda: Product.objects.get(sku="P1").delete(),
            lambda: Product.objects.create(sku="M1", name="Minus", price=-1),
            lambda: Line.objects.bulk_create([Line(order_id=Order.objects.earliest("pk").pk, product_id=999_999)]),
        )
        for work in works:
            try:
                with transaction.atomic():
                    work()
                    connection.check_constraints()
            except (models.ProtectedError, IntegrityError) as error:
                said.append(type(error).__name__)
        return said

    @use("orm: after the commit, and not after what was undone")
    def _() -> object:
        said: list[str] = []
        with transaction.atomic():
            transaction.on_commit(lambda: said.append("committed"))
        with transaction.atomic():
            transaction.on_commit(lambda: said.append("never"))
            transaction.set_rollback(True)
        return said
