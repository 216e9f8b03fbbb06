{% snapshot order_states %}
{{ config(target_schema='history', unique_key='id', strategy='check', check_cols=['status']) }}
select id, customer_id, status from {{ source('shop', 'orders') }}
{% endsnapshot %}
