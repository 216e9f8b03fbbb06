"""Orders' notes, an index and a check: several changes of one table at once."""

import sqlalchemy as sa
from alembic import op

revision = "r5"
down_revision = "r4"


def upgrade() -> None:
    with op.batch_alter_table("orders") as orders:
        orders.add_column(sa.Column("note", sa.String(50)))
        orders.create_check_constraint(op.f("ck_orders_total"), "total >= 0")
        orders.create_index("ix_orders_status_placed", ["status", "placed"])
    op.alter_column("orders", "note", new_column_name="comment", type_=sa.Text)


def downgrade() -> None:
    with op.batch_alter_table("orders") as orders:
        orders.drop_index("ix_orders_status_placed")
        orders.drop_constraint(op.f("ck_orders_total"))
        orders.drop_column("comment")
