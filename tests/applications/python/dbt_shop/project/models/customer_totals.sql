{{ config(materialized='table', indexes=[{'columns': ['email'], 'type': 'btree'}]) }}
select
    c.customer_id::integer as customer_id,
    c.email::text as email,
    count(o.order_id)::bigint as orders,
    coalesce(sum(o.total), 0)::numeric as total
from {{ ref('stg_customers') }} c left join {{ ref('paid_orders') }} o using (customer_id)
group by 1, 2
