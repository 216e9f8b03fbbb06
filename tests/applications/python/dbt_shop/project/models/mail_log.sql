{{ config(materialized='incremental', unique_key='id', incremental_strategy='merge', on_schema_change='append_new_columns') }}
select id, email, name {% if var('wide', false) %}, country {% endif %} from {{ source('shop', 'customers') }}
