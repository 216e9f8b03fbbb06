"""A new table, with indexes and a foreign key."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True
    dependencies = (("django_shop", "0001_initial"),)
    operations = (
        migrations.CreateModel(
            name="Voucher",
            fields=[
                ("id", models.BigAutoField(primary_key=True)),
                ("code", models.CharField(max_length=20, unique=True)),
                ("percent", models.SmallIntegerField()),
                ("order", models.ForeignKey("django_shop.Order", on_delete=models.SET_NULL, null=True)),
            ],
        ),
        migrations.AddIndex("Voucher", models.Index(fields=["percent", "code"], name="voucher_code")),
    )
