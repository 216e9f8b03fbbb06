SELECT "time" AS "time", cpu AS "cpu" FROM metrics WHERE "time" BETWEEN '2030-01-01T00:00:00Z' AND '2030-01-01T01:00:00Z' AND host = 'host1' ORDER BY 1;

SELECT floor(extract(epoch from "time")/300)*300 AS "time", host AS metric, avg(cpu) AS "cpu" FROM metrics WHERE "time" BETWEEN '2030-01-01T00:00:00Z' AND '2030-01-01T03:00:00Z' GROUP BY 1, 2 ORDER BY 1, 2;

SELECT extract(epoch from date_trunc('hour', "time"))::bigint AS time, max(mem) FROM metrics WHERE "time" >= '2030-01-01' GROUP BY 1 ORDER BY 1;

SELECT DISTINCT host FROM metrics ORDER BY host;

SELECT host AS "__text", host AS "__value" FROM metrics GROUP BY host ORDER BY 1;

SELECT "time", mem - lag(mem) OVER (PARTITION BY host ORDER BY "time") AS delta FROM metrics ORDER BY "time" LIMIT 20;

SELECT user_email, count(*) FROM metrics GROUP BY user_email ORDER BY user_email;

SELECT min("time") AS time, max("time") AS timeend, 'maintenance' AS text, host AS tags FROM metrics WHERE cpu > 95 GROUP BY host ORDER BY 1, 4;

SELECT percentile_disc(0.95) WITHIN GROUP (ORDER BY cpu) FROM metrics;

SELECT to_timestamp(floor(extract(epoch from created_at) / 86400) * 86400) AS time, sum(total) AS value, status AS metric FROM orders GROUP BY 1, 3 ORDER BY 1, 3;

SELECT now() IS NOT NULL AS time, count(*) AS users FROM users WHERE sign_in_count > 2;

SELECT u.email, sum(o.total) AS spent FROM users u JOIN orders o ON o.user_id = u.id GROUP BY u.id, u.email ORDER BY spent DESC, u.id LIMIT 10;

SELECT width_bucket(cpu, 0, 100, 10) AS bucket, count(*) FROM metrics GROUP BY 1 ORDER BY 1;

SELECT generate_series('2030-01-01'::timestamptz, '2030-01-01 01:00', '10 min') AS time ORDER BY 1;
