"""A new table with first rows, and the products' stock."""

import sqlalchemy as sa
from alembic import op

revision = "r6"
down_revision = "r5"


def upgrade() -> None:
    coupons = op.create_table(
        "coupons",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("code", sa.String(20), nullable=False),
        sa.Column("percent", sa.Integer, nullable=False),
        sa.Column("made", sa.Date, server_default=sa.func.current_date(), nullable=False),
        sa.UniqueConstraint("code", name="uq_coupons_code"),
    )
    op.bulk_insert(coupons, [{"code": "SPRING", "percent": 10}, {"code": "AUTUMN", "percent": 20}])
    op.add_column("products", sa.Column("stock", sa.Integer, server_default=sa.text("0"), nullable=False))


def downgrade() -> None:
    op.drop_column("products", "stock")
    op.drop_table("coupons")
