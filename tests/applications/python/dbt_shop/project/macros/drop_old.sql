{% macro drop_old() %}
  {% for schema in ['analytics'] %}
    {% set names = run_query("select table_name from information_schema.tables where table_schema = '" ~ schema ~ "' order by 1") %}
    {{ log('RELATIONS ' ~ names.columns[0].values() | join(', '), info=true) }}
  {% endfor %}
  {% do run_query('drop table if exists analytics.gone') %}
{% endmacro %}
{% macro grant_reports() %}
  {% do run_query("comment on table analytics.order_log is 'every order, once'") %}
{% endmacro %}
