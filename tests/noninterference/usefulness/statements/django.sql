SELECT "auth_user"."id", "auth_user"."password", "auth_user"."last_login", "auth_user"."is_superuser", "auth_user"."username", "auth_user"."first_name", "auth_user"."last_name", "auth_user"."email", "auth_user"."is_staff", "auth_user"."is_active", "auth_user"."date_joined" FROM "auth_user" WHERE "auth_user"."id" = 1 LIMIT 21;

SELECT "auth_user"."id", "auth_user"."username", "auth_user"."email" FROM "auth_user" WHERE "auth_user"."username" = 'user3' LIMIT 21;

SELECT (1) AS "a" FROM "auth_user" WHERE "auth_user"."username" = 'user3' LIMIT 1;

SELECT COUNT(*) AS "__count" FROM "auth_user" WHERE "auth_user"."is_active";

SELECT COUNT(*) AS "__count" FROM "auth_user" WHERE ("auth_user"."is_staff" AND NOT ("auth_user"."username" IN ('user1', 'user2')));

SELECT "auth_user"."id", "auth_user"."username", "auth_user"."email" FROM "auth_user" WHERE (UPPER("auth_user"."username"::text) LIKE UPPER('%USER1%') OR UPPER("auth_user"."first_name"::text) LIKE UPPER('%USER1%')) ORDER BY "auth_user"."username" ASC LIMIT 100;

SELECT "auth_user"."id", "auth_user"."email" FROM "auth_user" WHERE "auth_user"."username"::text LIKE 'user1%' ORDER BY "auth_user"."id" ASC;

SELECT "blog_post"."id", "blog_post"."title", "blog_post"."author_id", T2."email" FROM "blog_post" INNER JOIN "auth_user" T2 ON ("blog_post"."author_id" = T2."id") WHERE "blog_post"."published" ORDER BY "blog_post"."created" DESC, "blog_post"."id" DESC LIMIT 10 OFFSET 5;

SELECT "blog_post"."id", "blog_post"."title", "blog_post"."slug", "blog_post"."body", "blog_post"."published", "blog_post"."created", "blog_post"."views", "blog_post"."author_id", "blog_post"."data", "auth_user"."id", "auth_user"."password", "auth_user"."username", "auth_user"."email" FROM "blog_post" INNER JOIN "auth_user" ON ("blog_post"."author_id" = "auth_user"."id") ORDER BY "blog_post"."id" ASC;

SELECT "auth_user"."id", "auth_user"."email", COUNT("blog_post"."id") AS "posts" FROM "auth_user" LEFT OUTER JOIN "blog_post" ON ("auth_user"."id" = "blog_post"."author_id") GROUP BY "auth_user"."id" HAVING COUNT("blog_post"."id") > 2 ORDER BY "posts" DESC, "auth_user"."id" ASC;

SELECT DATE_TRUNC('month', "blog_post"."created" AT TIME ZONE 'UTC') AS "month", COUNT("blog_post"."id") AS "n" FROM "blog_post" GROUP BY 1 ORDER BY 1 ASC;

SELECT (EXTRACT(YEAR FROM "blog_post"."created" AT TIME ZONE 'UTC')) AS "year", SUM("blog_post"."views") AS "total" FROM "blog_post" GROUP BY 1 ORDER BY 1 ASC;

SELECT "blog_post"."id" FROM "blog_post" WHERE "blog_post"."created" BETWEEN '2029-06-05T00:00:00+00:00'::timestamptz AND '2029-06-15T00:00:00+00:00'::timestamptz ORDER BY "blog_post"."id" ASC;

SELECT "blog_post"."id", "blog_post"."title" FROM "blog_post" WHERE ("blog_post"."data" -> 'lang') = '"en"'::jsonb ORDER BY 1 ASC;

SELECT "blog_post"."id" FROM "blog_post" WHERE "blog_post"."data" ? 'lang' ORDER BY 1 ASC LIMIT 3;

SELECT "blog_post"."id" FROM "blog_post" WHERE "blog_post"."data" @> '{"lang": "de"}'::jsonb ORDER BY 1 ASC LIMIT 3;

SELECT "blog_tag"."id", "blog_tag"."name" FROM "blog_tag" INNER JOIN "blog_post_tags" ON ("blog_tag"."id" = "blog_post_tags"."tag_id") WHERE "blog_post_tags"."post_id" = 4 ORDER BY "blog_tag"."name" ASC;

SELECT ("blog_post_tags"."post_id") AS "_prefetch_related_val_post_id", "blog_tag"."id", "blog_tag"."name" FROM "blog_tag" INNER JOIN "blog_post_tags" ON ("blog_tag"."id" = "blog_post_tags"."tag_id") WHERE "blog_post_tags"."post_id" IN (1, 2, 3) ORDER BY 1, 2;

SELECT "blog_post"."id", EXISTS(SELECT 1 AS "a" FROM "blog_post_tags" U0 WHERE U0."post_id" = ("blog_post"."id") LIMIT 1) AS "tagged" FROM "blog_post" ORDER BY "blog_post"."id" ASC LIMIT 4;

SELECT "auth_user"."id", (SELECT U0."title" FROM "blog_post" U0 WHERE U0."author_id" = ("auth_user"."id") ORDER BY U0."created" DESC, U0."id" DESC LIMIT 1) AS "latest" FROM "auth_user" ORDER BY "auth_user"."id" ASC LIMIT 6;

SELECT "blog_post"."id", ROW_NUMBER() OVER (PARTITION BY "blog_post"."author_id" ORDER BY "blog_post"."views" DESC) AS "rank" FROM "blog_post" ORDER BY 1 ASC;

SELECT DISTINCT "auth_user"."last_name" FROM "auth_user" WHERE "auth_user"."is_active" ORDER BY "auth_user"."last_name" ASC;

SELECT DISTINCT ON ("blog_post"."author_id") "blog_post"."author_id", "blog_post"."id" FROM "blog_post" ORDER BY "blog_post"."author_id" ASC, "blog_post"."created" DESC, "blog_post"."id" ASC;

SELECT "auth_user"."username", CASE WHEN "auth_user"."is_superuser" THEN 'root' WHEN "auth_user"."is_staff" THEN 'staff' ELSE 'user' END AS "role" FROM "auth_user" ORDER BY "auth_user"."id" ASC;

SELECT CONCAT("auth_user"."first_name", (CONCAT((' ')::text, ("auth_user"."last_name")::text)))::text AS "full" FROM "auth_user" ORDER BY "auth_user"."id" ASC LIMIT 3;

SELECT STRING_AGG("blog_tag"."name", (',')::text ORDER BY "blog_tag"."name") AS "names" FROM "blog_tag";

SELECT ARRAY_AGG("blog_post"."id" ORDER BY "blog_post"."id") FROM "blog_post" WHERE "blog_post"."author_id" = 2;

SELECT "blog_post"."id", ts_rank(to_tsvector(COALESCE("blog_post"."body", '')), (plainto_tsquery('body'))) > 0 AS "hit" FROM "blog_post" WHERE to_tsvector(COALESCE("blog_post"."body", '')) @@ (plainto_tsquery('body')) ORDER BY "blog_post"."id" ASC LIMIT 3;

INSERT INTO "auth_user" ("password", "last_login", "is_superuser", "username", "first_name", "last_name", "email", "is_staff", "is_active", "date_joined") VALUES ('pbkdf2$x', NULL, false, 'new', 'New', 'Person', 'new@example.com', false, true, '2030-01-01T00:00:00+00:00'::timestamptz) RETURNING "auth_user"."id";

INSERT INTO "blog_post" ("title", "slug", "body", "published", "created", "views", "author_id", "data") VALUES ('T', 't', 'B', true, '2030-01-01'::timestamptz, 0, 1, '{"lang": "en"}') RETURNING "blog_post"."id";

INSERT INTO "blog_tag" ("name") SELECT * FROM UNNEST((ARRAY['a', 'b'])::varchar[]) RETURNING "blog_tag"."id";

INSERT INTO "blog_post_tags" ("post_id", "tag_id") VALUES (1, 1) ON CONFLICT DO NOTHING;

INSERT INTO "blog_tag" ("name") VALUES ('sql') ON CONFLICT("name") DO UPDATE SET "name" = EXCLUDED."name" RETURNING "blog_tag"."id";

INSERT INTO "django_session" ("session_key", "session_data", "expire_date") VALUES ('key9', 'd', '2031-01-01'::timestamptz);

UPDATE "django_session" SET "session_data" = 'x', "expire_date" = '2031-01-02'::timestamptz WHERE "django_session"."session_key" = 'key1';

UPDATE "auth_user" SET "last_login" = '2030-05-01T00:00:00+00:00'::timestamptz WHERE "auth_user"."id" = 1;

UPDATE "blog_post" SET "views" = ("blog_post"."views" + 1) WHERE "blog_post"."id" = 3;

UPDATE "blog_post" SET "published" = false WHERE "blog_post"."id" IN (SELECT U0."id" FROM "blog_post" U0 WHERE U0."views" < 50);

UPDATE "blog_post" SET "title" = (CASE WHEN ("blog_post"."id" = 1) THEN 'one' WHEN ("blog_post"."id" = 2) THEN 'two' ELSE NULL END)::varchar(200) WHERE "blog_post"."id" IN (1, 2);

DELETE FROM "blog_post_tags" WHERE "blog_post_tags"."post_id" IN (5);

DELETE FROM "django_session" WHERE "django_session"."expire_date" < '2030-06-01'::timestamptz;

SELECT "blog_post"."id" FROM "blog_post" WHERE "blog_post"."id" = 1 FOR UPDATE;

SELECT "blog_post"."id" FROM "blog_post" WHERE NOT "blog_post"."published" ORDER BY "blog_post"."id" ASC LIMIT 1 FOR UPDATE SKIP LOCKED;

SELECT "django_migrations"."app", "django_migrations"."name" FROM "django_migrations" ORDER BY 1, 2;

SELECT "django_content_type"."id", "django_content_type"."app_label", "django_content_type"."model" FROM "django_content_type" WHERE ("django_content_type"."app_label" = 'auth' AND "django_content_type"."model" = 'user') LIMIT 21;

SELECT AVG("blog_post"."views") AS "views__avg", MAX("blog_post"."created") AS "created__max" FROM "blog_post";

SELECT COUNT(*) FROM (SELECT DISTINCT "blog_post"."author_id" AS "col1" FROM "blog_post") subquery;

EXPLAIN SELECT "blog_tag"."id" FROM "blog_tag" WHERE "blog_tag"."id" = 1;
