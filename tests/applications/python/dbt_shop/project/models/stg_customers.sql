{{ config(materialized='table') }}
select id as customer_id, name, email, phone, lower(country) as country from {{ source('shop', 'customers') }}
