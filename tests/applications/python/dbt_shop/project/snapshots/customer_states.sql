{% snapshot customer_states %}
{{ config(target_schema='history', unique_key='id', strategy='check', check_cols=['email', 'name']) }}
select id, name, email from {{ source('shop', 'customers') }}
{% endsnapshot %}
