INSERT INTO summaries (month, total) SELECT date_trunc('month', day)::date, sum(worked) FROM public.hours GROUP BY 1;
CREATE VIEW totals AS SELECT sum(total) AS total FROM summaries;
CREATE MATERIALIZED VIEW kept AS SELECT month, total FROM summaries;
