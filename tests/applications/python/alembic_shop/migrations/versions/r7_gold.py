"""Data only: who has ordered for more than a hundred is of the tier gold."""

import sqlalchemy as sa
from alembic import op

revision = "r7"
down_revision = "r6"


def upgrade() -> None:
    op.execute(
        "UPDATE customers SET tier = 'gold' WHERE id IN "
        "(SELECT customer_id FROM orders GROUP BY customer_id HAVING sum(total) > 100)"
    )
    connection = op.get_bind()
    for (number,) in connection.execute(sa.text("SELECT id FROM customers WHERE name LIKE 'Berta%'")).all():
        connection.execute(
            sa.text("UPDATE customers SET profile = profile || CAST(:more AS jsonb) WHERE id = :id"),
            {"more": '{"founder": true}', "id": number},
        )


def downgrade() -> None:
    op.execute("UPDATE customers SET tier = 'basic'")
    op.execute("UPDATE customers SET profile = profile - 'founder'")
