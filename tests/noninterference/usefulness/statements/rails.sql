SELECT "users".* FROM "users" WHERE "users"."id" = $1 LIMIT $2; -- $ 3 | 1

SELECT "users".* FROM "users" ORDER BY "users"."id" ASC LIMIT $1; -- $ 1

SELECT "users".* FROM "users" WHERE "users"."admin" = $1 ORDER BY "users"."created_at" DESC LIMIT $2 OFFSET $3; -- $ f | 10 | 20

SELECT COUNT(*) FROM "users" WHERE "users"."company_id" = $1; -- $ 2

SELECT 1 AS one FROM "users" WHERE "users"."name" = $1 LIMIT $2; -- $ Name 4 | 1

SELECT "users"."id", "users"."email" FROM "users" WHERE "users"."company_id" IN ($1, $2) ORDER BY "users"."id"; -- $ 1 | 2

SELECT "orders".* FROM "orders" WHERE "orders"."user_id" = $1 ORDER BY "orders"."id"; -- $ 5

SELECT "orders".* FROM "orders" INNER JOIN "users" ON "users"."id" = "orders"."user_id" WHERE "users"."company_id" = $1 AND "orders"."status" = $2 ORDER BY "orders"."id"; -- $ 1 | paid

SELECT "users"."id" AS t0_r0, "users"."name" AS t0_r1, "users"."email" AS t0_r2, "orders"."id" AS t1_r0, "orders"."total" AS t1_r1 FROM "users" LEFT OUTER JOIN "orders" ON "orders"."user_id" = "users"."id" WHERE "users"."id" < 5 ORDER BY "users"."id", "orders"."id";

SELECT SUM("orders"."total") AS "sum_total", "orders"."status" AS "orders_status" FROM "orders" GROUP BY "orders"."status" ORDER BY "orders"."status";

SELECT "users".*, COUNT(orders.id) AS orders_count FROM "users" LEFT OUTER JOIN "orders" ON "orders"."user_id" = "users"."id" GROUP BY "users"."id" ORDER BY orders_count DESC, users.id LIMIT 5;

SELECT "line_items".* FROM "line_items" WHERE "line_items"."order_id" IN (1, 2, 3) ORDER BY "line_items"."id";

SELECT "products".* FROM "products" WHERE (title ILIKE '%product 1%') ORDER BY "products"."price" DESC;

SELECT "products".* FROM "products" WHERE ('t1' = ANY (tags)) ORDER BY id;

SELECT "users"."name" FROM "users" WHERE (settings @> '{}') ORDER BY id LIMIT 2;

SELECT "users".* FROM "users" WHERE "users"."id" IN (SELECT "orders"."user_id" FROM "orders" WHERE "orders"."total" > 300) ORDER BY "users"."id";

SELECT DISTINCT "users"."company_id" FROM "users" ORDER BY "users"."company_id" ASC;

SELECT "users".* FROM "users" WHERE "users"."id" > 10 ORDER BY "users"."id" ASC LIMIT 1000;

SELECT DATE(created_at) AS d, COUNT(*) AS n FROM "orders" GROUP BY DATE(created_at) ORDER BY d;

INSERT INTO "users" ("name", "email", "encrypted_password", "phone", "admin", "sign_in_count", "company_id", "created_at", "updated_at") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING "id"; -- $ New | fresh@example.com | hash | +49 1 | f | 0 | 1 | 2030-01-01 | 2030-01-01

INSERT INTO "orders" ("user_id", "status", "total", "card_number", "created_at", "updated_at") VALUES ($1, $2, $3, $4, $5, $6) RETURNING "id"; -- $ 1 | open | 12.5 | 4111 1111 1111 9999 | 2030-01-01 | 2030-01-01

INSERT INTO "products" ("sku","title","price") VALUES ('SKU-1', 'Again', 1.0), ('SKU-99', 'New', 2.0) ON CONFLICT ("sku") DO UPDATE SET "title"=excluded."title","price"=excluded."price" RETURNING "id";

UPDATE "users" SET "sign_in_count" = $1, "updated_at" = $2 WHERE "users"."id" = $3; -- $ 5 | 2030-01-02 | 4

UPDATE "users" SET "name" = $1, "lock_version" = $2 WHERE "users"."id" = $3 AND "users"."lock_version" = $4; -- $ N | 1 | 4 | 0

UPDATE "orders" SET "status" = $1 WHERE "orders"."status" = $2; -- $ sent | paid

UPDATE "users" SET "sign_in_count" = COALESCE("sign_in_count", 0) + 1 WHERE "users"."id" = $1; -- $ 2

DELETE FROM "line_items" WHERE "line_items"."id" = $1; -- $ 7

SELECT "users".* FROM "users" WHERE "users"."id" = $1 LIMIT $2 FOR UPDATE; -- $ 3 | 1

SELECT "schema_migrations"."version" FROM "schema_migrations" ORDER BY "schema_migrations"."version" ASC;

SELECT * FROM ar_internal_metadata WHERE "key" = 'environment' LIMIT 1;

SELECT pg_try_advisory_lock(4242424242);

SELECT "companies"."name", AVG("orders"."total") FROM "companies" JOIN "users" ON "users"."company_id" = "companies"."id" JOIN "orders" ON "orders"."user_id" = "users"."id" GROUP BY "companies"."name" ORDER BY 1;
