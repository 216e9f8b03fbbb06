"""What people do in the admin: log in, look for, add, change and delete, look at the history, manage users."""

from __future__ import annotations

import re
from collections.abc import Callable

from reporting import Programme

from django_shop.browser import Browser, form, shown
from django_shop.models import Customer, Order, Product

_browser = Browser()
_PASSWORD = "correct horse 7"


def steps(programme: Programme) -> None:
    """What is done, in order."""
    for part in (_logging_in, _looking, _customers, _orders, _products, _users, _deleting, _leaving):
        part(programme.use)


_Use = Callable[[str], Callable[[Callable[[], object]], Callable[[], object]]]


def _post(path: str, **fields: object) -> str:
    return shown(_browser.post(path, fields))


def _changed(path: str, **fields: object) -> str:
    """Fetch a form, change fields of it, and send it back as a whole."""
    return shown(_browser.post(path, form(_browser.get(path)) | fields))


def _logging_in(use: _Use) -> None:
    use("log in with a wrong password")(lambda: _post("login/", username="admin", password="wrong"))
    use("log in")(lambda: _post("login/?next=/admin/", username="admin", password="admin"))
    use("the index with recent actions")(lambda: shown(_browser.get("")))


def _looking(use: _Use) -> None:
    def list_of(path: str, **query: object) -> Callable[[], object]:
        return lambda: shown(_browser.get(f"django_shop/{path}/", **query))

    use("list of customers")(list_of("customer"))
    use("second page")(list_of("customer", p=2))
    use("all on one page")(list_of("customer", all=""))
    use("search by name")(list_of("customer", q="an"))
    use("search by domain of the e-mail address")(list_of("customer", q="north.example"))
    use("filter by tier and year")(list_of("customer", tier__exact="gold", joined__year=2024))
    use("order by tier, then name backwards")(list_of("customer", o="5.-1"))
    use("order by e-mail")(list_of("customer", o="2"))
    use("list of orders with customers")(list_of("order"))
    use("orders of one customer, by a search")(list_of("order", q="Berta"))
    use("orders of a status in a month")(list_of("order", status__exact="open", placed__year=2024, placed__month=5))
    use("drill down by date")(list_of("order", placed__year=2024))

    @use("autocomplete of customers")
    def _() -> str:
        query = {"app_label": "django_shop", "model_name": "order", "field_name": "customer", "term": "an"}
        return str(_browser.get("autocomplete/", **query).json())


def _customers(use: _Use) -> None:
    path = "django_shop/customer/"
    fields = {"name": "Emil Weber", "email": "emil@west.example", "phone": "+41 44 5550105", "tier": "basic"}
    fields |= {"joined": "2024-06-01", "profile": "{}", "tags": "new", "card": ""}
    use("add a customer")(lambda: _post(f"{path}add/", **fields))
    use("add one with a mistake")(lambda: _post(f"{path}add/", **fields | {"email": "no address"}))
    use("add one whose e-mail address is taken")(
        lambda: _post(f"{path}add/", **fields | {"email": "berta@south.example"})
    )
    use("look at a customer")(lambda: shown(_browser.get(f"{path}{_key('Anna Vogel')}/change/")))
    use("change a customer's name")(lambda: _changed(f"{path}{_key('Anna Vogel')}/change/", name="Anna Vogel-Berg"))
    use("change a customer's phone")(lambda: _changed(f"{path}{_key('Carl Moreau')}/change/", phone="+33 1 5550199"))

    @use("what is stored after the changes")
    def _() -> object:
        return list(Customer.objects.order_by("pk").values_list("name", "email", "phone", "card"))

    use("history of a customer")(
        lambda: re.sub(
            r"\w+\.? \d+, \d+, [^|]*\|",
            "(when) |",
            shown(_browser.get(f"{path}{_key('Anna Vogel-Berg')}/history/")),
        )
    )

    def action(name: str) -> str:
        chosen = Customer.objects.filter(tier="basic").order_by("pk").values_list("pk", flat=True)[:2]
        response = _browser.post(path, {"action": name, "_selected_action": list(chosen), "index": "0"})
        return shown(response) if name != "export" else response.content.decode()

    use("export some by an action")(lambda: action("export"))
    use("make some gold by an action")(lambda: action("make_gold"))


def _key(name: str) -> int:
    return int(Customer.objects.values_list("pk", flat=True).get(name=name))


def _orders(use: _Use) -> None:
    path = "django_shop/order/"

    @use("an order with a line")
    def _() -> str:
        lamp = Product.objects.get(sku="P1")
        fields = {
            "customer": _key("Dora Rossi"), "status": "open", "total": "99.80", "placed": "2024-06-02",
            "lines-TOTAL_FORMS": 1, "lines-INITIAL_FORMS": 0, "lines-0-product": lamp.pk, "lines-0-quantity": 2,
        }  # fmt: skip
        return _post(f"{path}add/", **fields)

    use("look at an order and its lines")(lambda: shown(_browser.get(f"{path}{_first()}/change/")))
    use("change an order, and one line of it")(
        lambda: _changed(f"{path}{_first()}/change/", status="sent", **{"lines-0-quantity": 3})
    )


def _first() -> int:
    return int(Order.objects.earliest("pk").pk)


def _products(use: _Use) -> None:
    path = "django_shop/product/"

    @use("change stocks in the list")
    def _() -> str:
        fields: dict[str, object] = {"form-TOTAL_FORMS": 3, "form-INITIAL_FORMS": 3, "_save": "Save"}
        for place, product in enumerate(Product.objects.order_by("sku")):
            fields |= {f"form-{place}-id": product.pk, f"form-{place}-stock": product.stock + 10}
        return shown(_browser.post(path, fields))

    use("add a product that there is already")(
        lambda: _post(f"{path}add/", sku="P1", name="Another lamp", price="1", stock="0")
    )


def _users(use: _Use) -> None:
    path = "auth/user/"
    use("list of users")(lambda: shown(_browser.get(path)))
    use("search for users by e-mail address")(lambda: shown(_browser.get(path, q="staff.example")))
    use("add a user")(
        lambda: _post(f"{path}add/", username="clerk", password1=_PASSWORD, password2=_PASSWORD, usable_password="true")
    )

    @use("change a user's rights")
    def _() -> str:
        key = _user("sales")
        fields = {
            "username": "sales", "first_name": "Sam", "last_name": "Sales", "is_active": "on", "is_staff": "on",
            "email": _browser.get(f"{path}{key}/change/").context["adminform"].form["email"].value(),
            "date_joined_0": "2024-01-01", "date_joined_1": "00:00:00", "user_permissions": [25, 26],
        }  # fmt: skip
        return shown(_browser.post(f"{path}{key}/change/", fields))

    use("set a user's password")(
        lambda: _post(
            f"{path}{_user('sales')}/password/", password1=_PASSWORD, password2=_PASSWORD, usable_password="true"
        )
    )
    use("a group with rights")(lambda: _post("auth/group/add/", name="Clerks", permissions=[25, 26, 28]))
    use("change one's own password")(
        lambda: _post("password_change/", old_password="admin", new_password1=_PASSWORD, new_password2=_PASSWORD)
    )


def _user(name: str) -> int:
    from django.contrib.auth.models import User

    return int(User.objects.values_list("pk", flat=True).get(username=name))


def _deleting(use: _Use) -> None:
    path = "django_shop/customer/"
    use("be asked before a customer is deleted")(
        lambda: re.sub(r"\s+", " ", shown(_browser.get(f"{path}{_key('Berta Lund')}/delete/")))
    )
    use("delete a customer with orders and lines")(
        lambda: f"{_post(path + str(_key('Berta Lund')) + '/delete/', post='yes')} {Order.objects.count()} orders"
    )

    @use("delete some by an action, asked first")
    def _() -> str:
        chosen = list(Customer.objects.filter(name__in=["Emil Weber", "Frank Ande"]).values_list("pk", flat=True))
        fields = {"action": "delete_selected", "_selected_action": chosen, "index": "0"}
        asked = shown(_browser.post(path, fields))
        return f"{asked}\n{_post(path, **fields, post='yes')}"

    use("a product that is ordered is not deleted")(
        lambda: shown(_browser.get(f"django_shop/product/{Product.objects.get(sku='P1').pk}/delete/"))
    )


def _leaving(use: _Use) -> None:
    use("log out, and in with the new password")(
        lambda: _post("logout/") + _post("login/?next=/admin/", username="admin", password=_PASSWORD)
    )
