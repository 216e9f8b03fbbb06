"""The shop: customers, products, orders and their lines."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models


class Customer(models.Model):
    name = models.CharField(max_length=100)
    email = models.EmailField(unique=True)
    phone = models.CharField(max_length=40, blank=True)
    card = models.CharField(max_length=40, blank=True)
    tier = models.CharField(max_length=10, choices=[("basic", "Basic"), ("gold", "Gold")], default="basic")
    tags = ArrayField(models.CharField(max_length=20), default=list, blank=True)
    profile = models.JSONField(default=dict, blank=True)
    joined = models.DateField()

    class Meta:
        ordering = ("name",)
        indexes = (GinIndex(fields=["profile"], name="customer_profile"),)

    def __str__(self) -> str:
        return str(self.name)


class Product(models.Model):
    sku = models.CharField(max_length=20, unique=True)
    name = models.CharField(max_length=100)
    price = models.DecimalField(max_digits=10, decimal_places=2)
    stock = models.IntegerField(default=0)

    class Meta:
        constraints = (models.CheckConstraint(condition=models.Q(price__gte=0), name="product_price"),)

    def __str__(self) -> str:
        return str(self.name)


class Order(models.Model):
    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="orders")
    status = models.CharField(max_length=10, choices=[("open", "Open"), ("paid", "Paid"), ("sent", "Sent")])
    total = models.DecimalField(max_digits=10, decimal_places=2, default=0)
    placed = models.DateField(db_index=True)
    products = models.ManyToManyField(Product, through="Line")

    def __str__(self) -> str:
        return f"order {self.pk}"


class Line(models.Model):
    order = models.ForeignKey(Order, on_delete=models.CASCADE, related_name="lines")
    product = models.ForeignKey(Product, on_delete=models.PROTECT)
    quantity = models.PositiveIntegerField(default=1)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["order", "product"], name="line_once"),)

    def __str__(self) -> str:
        return f"{self.quantity} x {self.product_id}"
