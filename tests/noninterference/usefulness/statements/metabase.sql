SELECT "public"."users"."id" AS "id", "public"."users"."name" AS "name", "public"."users"."email" AS "email", "public"."users"."created_at" AS "created_at" FROM "public"."users" ORDER BY "public"."users"."id" ASC LIMIT 2000;

SELECT COUNT(*) AS "count" FROM "public"."orders";

SELECT DATE_TRUNC('month', "public"."orders"."created_at") AS "created_at", COUNT(*) AS "count" FROM "public"."orders" GROUP BY DATE_TRUNC('month', "public"."orders"."created_at") ORDER BY DATE_TRUNC('month', "public"."orders"."created_at") ASC;

SELECT CAST("public"."orders"."created_at" AS date) AS "created_at", SUM("public"."orders"."total") AS "sum" FROM "public"."orders" GROUP BY CAST("public"."orders"."created_at" AS date) ORDER BY 1 ASC;

SELECT "Users"."company_id" AS "Users__company_id", AVG("public"."orders"."total") AS "avg" FROM "public"."orders" LEFT JOIN "public"."users" AS "Users" ON "public"."orders"."user_id" = "Users"."id" GROUP BY "Users"."company_id" ORDER BY "Users"."company_id" ASC;

SELECT "source"."status" AS "status", COUNT(*) AS "count" FROM (SELECT "public"."orders"."status" AS "status", "public"."orders"."total" AS "total" FROM "public"."orders" WHERE "public"."orders"."total" > 50) AS "source" GROUP BY "source"."status" ORDER BY "count" DESC, "source"."status" ASC;

SELECT FLOOR((("public"."orders"."total" - 0.0) / 50.0)) * 50.0 + 0.0 AS "total", COUNT(*) AS "count" FROM "public"."orders" GROUP BY 1 ORDER BY 1 ASC;

SELECT "public"."products"."category" AS "category", COUNT(DISTINCT "public"."products"."id") AS "count" FROM "public"."products" GROUP BY "public"."products"."category" ORDER BY "public"."products"."category" ASC;

SELECT "source"."created_at", SUM("source"."count") OVER (ORDER BY "source"."created_at" ASC ROWS UNBOUNDED PRECEDING) AS "sum" FROM (SELECT DATE_TRUNC('week', "public"."orders"."created_at") AS "created_at", COUNT(*) AS "count" FROM "public"."orders" GROUP BY 1) AS "source" ORDER BY 1 ASC;

SELECT COUNT(*) AS "count" FROM "public"."orders" WHERE ("public"."orders"."created_at" >= DATE_TRUNC('day', (CAST('2029-03-05' AS timestamp) + (INTERVAL '-1 day'))) AND "public"."orders"."status" = 'paid');

SELECT PERCENTILE_CONT(0.9) within group (order by "public"."orders"."total") AS "p90" FROM "public"."orders";

SELECT EXTRACT(dow from "public"."orders"."created_at") + 1 AS "dow", COUNT(*) AS "count" FROM "public"."orders" GROUP BY 1 ORDER BY 1;

SELECT "public"."users"."email" AS "email", COUNT(*) AS "count" FROM "public"."users" GROUP BY "public"."users"."email" ORDER BY "public"."users"."email" ASC LIMIT 20;

SELECT MIN(CAST("public"."orders"."created_at" AS date)), MAX("public"."orders"."total") FROM "public"."orders";

SELECT (CAST(COUNT(CASE WHEN "public"."orders"."status" = 'paid' THEN 1 END) AS float) / NULLIF(COUNT(*), 0)) AS "share" FROM "public"."orders";

SELECT SUBSTRING("public"."users"."name", 1, 1234) AS "substring" FROM "public"."users" ORDER BY "public"."users"."id" ASC LIMIT 10;

SELECT "public"."users"."id" AS "id" FROM "public"."users" WHERE LOWER("public"."users"."name") LIKE '%name 1%' ORDER BY 1 LIMIT 100;

SELECT "day", "n", "total" FROM "public"."daily_orders" ORDER BY "day" LIMIT 5;

SELECT "id", "email" FROM "public"."active_users" ORDER BY "id" LIMIT 5;
