SELECT status AS status, COUNT(*) AS count FROM public.orders GROUP BY status ORDER BY count DESC, status LIMIT 1000;

SELECT DATE_TRUNC('day', created_at) AS __timestamp, status AS status, SUM(total) AS "SUM(total)" FROM public.orders WHERE created_at >= TO_TIMESTAMP('2029-03-01 00:00:00.000000', 'YYYY-MM-DD HH24:MI:SS.US') AND created_at < TO_TIMESTAMP('2029-03-20 00:00:00.000000', 'YYYY-MM-DD HH24:MI:SS.US') GROUP BY DATE_TRUNC('day', created_at), status ORDER BY 1, 2 LIMIT 50000;

SELECT country AS country, COUNT(DISTINCT user_id) AS users FROM (SELECT c.country, o.user_id FROM orders o JOIN users u ON u.id = o.user_id JOIN companies c ON c.id = u.company_id) AS virtual_table GROUP BY country ORDER BY users DESC, country LIMIT 100;

SELECT category AS category, AVG(price) AS "AVG(price)", MAX(stock) AS m FROM public.products GROUP BY category ORDER BY category LIMIT 100;

SELECT host AS host, DATE_TRUNC('minute', time) AS __timestamp, AVG(cpu) AS "AVG(cpu)" FROM public.metrics JOIN (SELECT host AS host__, AVG(cpu) AS mme_inner__ FROM public.metrics GROUP BY host ORDER BY mme_inner__ DESC LIMIT 2) AS series_limit ON host = host__ GROUP BY host, DATE_TRUNC('minute', time) ORDER BY 1, 2 LIMIT 30;

SELECT email AS email, phone AS phone FROM public.users ORDER BY id ASC LIMIT 10;

SELECT COUNT(*) AS rowcount FROM (SELECT status FROM public.orders GROUP BY status) AS rowcount_qry;

SELECT DISTINCT status AS status FROM public.orders ORDER BY status LIMIT 1000;

SELECT CASE WHEN total > 100 THEN 'large' ELSE 'small' END AS size, COUNT(*) FROM public.orders GROUP BY CASE WHEN total > 100 THEN 'large' ELSE 'small' END ORDER BY 1 LIMIT 10;

SELECT user_id, SUM(total) / COUNT(*) AS mean, STDDEV(total) IS NOT NULL AS s FROM public.orders GROUP BY user_id HAVING (SUM(total) > 100) ORDER BY user_id LIMIT 10;

SELECT * FROM public.users ORDER BY id LIMIT 101;

SELECT birth_date AS birth_date, COUNT(*) FROM public.account GROUP BY birth_date ORDER BY 1 LIMIT 100;

SELECT c.name, (SELECT COUNT(*) FROM users u WHERE u.company_id = c.id) AS n FROM companies c ORDER BY n DESC, c.name LIMIT 5;
