"""A shop on SQLAlchemy 2 whose tables Alembic makes: what its service does with them, and its next migrations."""

from __future__ import annotations

import sys
from datetime import date
from decimal import Decimal

from alembic_shop import migrating, selling
from alembic_shop.models import Customer, Line, Order, Product, Status
from alembic_shop.place import engine, programme
from sqlalchemy.orm import Session


@programme.prepare("upgrade to the newest revision")
def _upgrade() -> str:
    return migrating.alembic("upgrade", "head")


@programme.prepare("first data")
def _first_data() -> str:
    with Session(engine) as session, session.begin():
        products = [
            Product(sku=f"P{number}", name=name, price=Decimal(price), stock=number)
            for number, (name, price) in enumerate([("Lamp", "49.90"), ("Chair", "89"), ("Table", "249.50")], 1)
        ]
        customers = [
            Customer(
                email=f"{name.split()[0].lower()}@{domain}", name=name, phone=phone, card=card, tags=tags,
                profile={"language": language, "visits": visits},
            )
            for name, domain, phone, card, tags, language, visits in (
                ("Anna Vogel", "north.example", "+49 30 5550101", "4111-0000-0000-1881", ["a", "b"], "de", 3),
                ("Berta Lund", "south.example", "+46 8 5550102", "4111-0000-0000-2772", ["b"], "sv", 12),
                ("Carl Moreau", "north.example", "+33 1 5550103", "4111-0000-0000-3663", [], "fr", 1),
                ("Dora Rossi", "east.example", None, None, ["c", "a"], "it", 7),
            )
        ]  # fmt: skip
        session.add_all([*products, *customers])
        session.flush()
        for customer, lines, status, day in (
            (customers[0], [(products[0], 2)], Status.paid, 1), (customers[0], [(products[2], 1)], Status.open, 2),
            (customers[1], [(products[1], 1), (products[0], 1)], Status.sent, 3), (customers[2], [], Status.open, 4),
        ):  # fmt: skip
            total = sum((product.price * quantity for product, quantity in lines), Decimal(0))
            order = Order(customer=customer, status=status, total=total, placed=date(2024, 5, day))
            order.lines = [Line(product=product, quantity=quantity) for product, quantity in lines]
            session.add(order)
    return "done"


selling.steps(programme)
migrating.steps(programme)

if __name__ == "__main__":
    programme.run()
    engine.dispose()
    sys.exit(0)
