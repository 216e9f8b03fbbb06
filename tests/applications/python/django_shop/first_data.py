"""What is in the shop before anybody looks."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from django.contrib.auth.models import User

from django_shop.models import Customer, Line, Order, Product

_CUSTOMERS: tuple[tuple[str, str, str, str, str, list[str], str, int], ...] = (
    ("Anna Vogel", "anna@north.example", "+49 30 5550101", "4111-0000-0000-1881", "basic", ["a", "b"], "de", 3),
    ("Berta Lund", "berta@south.example", "+46 8 5550102", "4111-0000-0000-2772", "gold", ["b"], "sv", 12),
    ("Carl Moreau", "carl@north.example", "+33 1 5550103", "4111-0000-0000-3663", "basic", [], "fr", 1),
    ("Dora Rossi", "dora@east.example", "", "", "basic", ["c", "a"], "it", 7),
    ("Frank Ande", "frank@east.example", "+39 06 5550106", "", "gold", [], "it", 2),
)


def fill() -> str:
    """Users, products, customers and orders."""
    User.objects.create_superuser("admin", "root@staff.example", "admin")
    User.objects.create_user("sales", "sam.sales@staff.example", "sales", is_staff=True)
    products = [
        Product.objects.create(sku=f"P{number}", name=name, price=Decimal(price), stock=number)
        for number, (name, price) in enumerate([("Lamp", "49.90"), ("Chair", "89"), ("Table", "249.50")], 1)
    ]
    customers = [
        Customer.objects.create(
            name=name, email=email, phone=phone, card=card, tier=tier, tags=tags,
            profile={"language": language, "visits": visits}, joined=date(2024, 1, 1 + number),
        )
        for number, (name, email, phone, card, tier, tags, language, visits) in enumerate(_CUSTOMERS)
    ]  # fmt: skip
    for customer, lines, status, day in (
        (customers[0], {0: 2}, "paid", 1), (customers[0], {2: 1}, "open", 2),
        (customers[1], {1: 1, 0: 1}, "sent", 3), (customers[2], {}, "open", 4),
    ):  # fmt: skip
        total = sum((products[place].price * quantity for place, quantity in lines.items()), Decimal(0))
        order = Order.objects.create(customer=customer, status=status, total=total, placed=date(2024, 5, day))
        for place, quantity in lines.items():
            Line.objects.create(order=order, product=products[place], quantity=quantity)
    return "done"
