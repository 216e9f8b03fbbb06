select id as order_id, customer_id, status, total, placed_at from {{ source('shop', 'orders') }}
