{{ config(materialized='materialized_view') }}
select n.name, sum(t.total) as total
from {{ ref('customer_totals') }} t join {{ ref('stg_customers') }} c using (customer_id)
join {{ ref('countries') }} n on n.code = c.country
group by n.name
