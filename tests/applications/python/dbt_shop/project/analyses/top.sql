select email, total from {{ ref('customer_totals') }} order by total desc
