"""A column of the customers, and an index on it."""

from __future__ import annotations

from django.db import migrations


class Migration(migrations.Migration):
    initial = True
    dependencies = (("django_shop", "0001_initial"),)
    operations = (
        migrations.RunSQL(
            "ALTER TABLE django_shop_customer ADD COLUMN contact varchar(20) DEFAULT 'post' NOT NULL",
            "ALTER TABLE django_shop_customer DROP COLUMN contact",
        ),
    )
