select id, name, email from {{ source('shop', 'customers') }}
