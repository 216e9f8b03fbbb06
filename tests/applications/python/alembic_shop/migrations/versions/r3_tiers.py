"""Customers' tiers."""

import sqlalchemy as sa
from alembic import op

revision = "r3"
down_revision = "r2"


def upgrade() -> None:
    op.add_column("customers", sa.Column("tier", sa.String(10), server_default="basic", nullable=False))


def downgrade() -> None:
    op.drop_column("customers", "tier")
