"""Changes of a table that is there, and its first rows."""

from __future__ import annotations

from typing import Any

from django.db import migrations, models


def _fill(apps: Any, schema_editor: Any) -> None:
    vouchers = apps.get_model("django_later", "Voucher").objects
    order = apps.get_model("django_shop", "Order").objects.earliest("pk")
    for code, percent in (("SPRING", 10), ("AUTUMN", 20)):
        vouchers.create(code=code, percent=percent, first_order=order)


def _empty(apps: Any, schema_editor: Any) -> None:
    apps.get_model("django_later", "Voucher").objects.all().delete()


class Migration(migrations.Migration):
    dependencies = (("django_later", "0001_vouchers"),)
    operations = (
        migrations.AddField("Voucher", "ends", models.DateField(null=True)),
        migrations.AlterField("Voucher", "percent", models.IntegerField()),
        migrations.RemoveIndex("Voucher", "voucher_code"),
        migrations.AddIndex("Voucher", models.Index(fields=["percent", "ends"], name="voucher_percent")),
        migrations.AddConstraint(
            "Voucher", models.CheckConstraint(condition=models.Q(percent__lte=90), name="voucher_percent_most")
        ),
        migrations.RenameField("Voucher", "order", "first_order"),
        migrations.RunPython(_fill, _empty),
    )
