"""A column of the customers, an index on one that may be masked, and data that is made of it."""

import sqlalchemy as sa
from alembic import op

revision = "r8"
down_revision = "r7"


def upgrade() -> None:
    op.add_column("customers", sa.Column("domain", sa.String(100)))
    op.execute("UPDATE customers SET domain = split_part(email, '@', 2)")
    op.create_index("ix_customers_domain", "customers", ["domain", "email"])


def downgrade() -> None:
    op.drop_index("ix_customers_domain", "customers")
    op.drop_column("customers", "domain")
