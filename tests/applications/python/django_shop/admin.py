"""The shop's admin: lists with search, filters and actions, forms with lines inside."""

from __future__ import annotations

import csv
from typing import Any

from django.contrib import admin
from django.http import HttpResponse

from django_shop.models import Customer, Line, Order, Product


class LineInline(admin.TabularInline):
    model = Line
    extra = 1
    autocomplete_fields = ("product",)


@admin.register(Customer)
class CustomerAdmin(admin.ModelAdmin):
    list_display = ("name", "email", "phone", "card", "tier", "order_count")
    list_filter = ("tier", "joined")
    search_fields = ("name", "email")
    list_per_page = 4
    date_hierarchy = "joined"
    actions = ("make_gold", "export")

    @admin.display(description="orders")
    def order_count(self, customer: Customer) -> int:
        return int(customer.orders.count())

    @admin.action(description="Make gold")
    def make_gold(self, request: Any, customers: Any) -> None:
        self.message_user(request, f"{customers.update(tier='gold')} made gold")

    @admin.action(description="Export")
    def export(self, request: Any, customers: Any) -> HttpResponse:
        response = HttpResponse(content_type="text/csv")
        csv.writer(response).writerows(customers.order_by("pk").values_list("name", "email", "phone").iterator())
        return response


@admin.register(Product)
class ProductAdmin(admin.ModelAdmin):
    list_display = ("sku", "name", "price", "stock")
    list_editable = ("stock",)
    search_fields = ("name", "sku")
    ordering = ("sku",)


@admin.register(Order)
class OrderAdmin(admin.ModelAdmin):
    list_display = ("id", "customer", "status", "total", "placed")
    list_select_related = ("customer",)
    list_filter = ("status", ("customer", admin.RelatedOnlyFieldListFilter))
    search_fields = ("customer__name", "customer__email")
    autocomplete_fields = ("customer",)
    date_hierarchy = "placed"
    inlines = (LineInline,)
