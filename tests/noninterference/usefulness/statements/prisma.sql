SELECT "public"."User"."id", "public"."User"."email", "public"."User"."name", "public"."User"."role"::text, "public"."User"."createdAt" FROM "public"."User" WHERE ("public"."User"."id" = $1 AND 1=1) LIMIT $2 OFFSET $3; -- $ 3 | 1 | 0

SELECT "public"."User"."id", "public"."User"."email" FROM "public"."User" WHERE 1=1 ORDER BY "public"."User"."id" ASC LIMIT $1 OFFSET $2; -- $ 5 | 2

SELECT "public"."Post"."id", "public"."Post"."title", "public"."Post"."authorId" FROM "public"."Post" WHERE "public"."Post"."authorId" IN ($1,$2,$3) OFFSET $4; -- $ 1 | 2 | 3 | 0

SELECT "public"."User"."id", "public"."User"."name" FROM "public"."User" WHERE ("public"."User"."id") IN (SELECT "t1"."authorId" FROM "public"."Post" AS "t1" WHERE ("t1"."published" = $1 AND "t1"."authorId" IS NOT NULL)) ORDER BY "public"."User"."id" ASC OFFSET $2; -- $ t | 0

SELECT COUNT(*) FROM (SELECT "public"."User"."id" FROM "public"."User" WHERE 1=1 OFFSET $1) AS "sub"; -- $ 0

SELECT COUNT(*) AS "_count._all", "public"."Post"."published" FROM "public"."Post" WHERE 1=1 GROUP BY "public"."Post"."published" ORDER BY "public"."Post"."published" ASC OFFSET $1; -- $ 0

SELECT AVG("id"), MAX("id"), SUM("authorId") FROM (SELECT "public"."Post"."id", "public"."Post"."authorId" FROM "public"."Post" WHERE "public"."Post"."published" = $1 OFFSET $2) AS "sub"; -- $ t | 0

SELECT "t1"."id", "t1"."title", COALESCE("aggr_selection_0_Tag"."_aggr_count_tags", 0) AS "_aggr_count_tags" FROM "public"."Post" AS "t1" LEFT JOIN (SELECT "t2"."A", COUNT(*) AS "_aggr_count_tags" FROM "public"."_PostToTag" AS "t2" WHERE 1=1 GROUP BY "t2"."A") AS "aggr_selection_0_Tag" ON ("t1"."id" = "aggr_selection_0_Tag"."A") WHERE 1=1 ORDER BY "t1"."id" ASC;

SELECT "t1"."A", "t1"."B" FROM "public"."_PostToTag" AS "t1" WHERE "t1"."A" IN ($1,$2) ORDER BY 1, 2; -- $ 1 | 2

SELECT "t0"."id", "t0"."email", "User_posts"."__prisma_data__" AS "posts" FROM "public"."User" AS "t0" LEFT JOIN LATERAL (SELECT COALESCE(JSONB_AGG("__prisma_data__"), '[]') AS "__prisma_data__" FROM (SELECT "t3"."__prisma_data__" FROM (SELECT JSONB_BUILD_OBJECT('id', "t2"."id", 'title', "t2"."title") AS "__prisma_data__", "t2"."id" FROM (SELECT "t1".* FROM "public"."Post" AS "t1" WHERE "t0"."id" = "t1"."authorId") AS "t2" ORDER BY "t2"."id") AS "t3") AS "t4") AS "User_posts" ON TRUE ORDER BY "t0"."id" LIMIT $1; -- $ 4

SELECT "public"."User"."id" FROM "public"."User" WHERE "public"."User"."name"::text LIKE $1 ORDER BY 1 OFFSET $2; -- $ P1% | 0

SELECT "public"."User"."id" FROM "public"."User" WHERE "public"."User"."role" = CAST($1::text AS "public"."Role") ORDER BY 1; -- $ ADMIN

INSERT INTO "public"."User" ("email","name","role","createdAt") VALUES ($1,$2,CAST($3::text AS "public"."Role"),$4) RETURNING "public"."User"."id", "public"."User"."email", "public"."User"."name", "public"."User"."role"::text; -- $ zoe@example.com | Zoe | USER | 2030-02-02

INSERT INTO "public"."Post" ("title","content","published","authorId") VALUES ($1,$2,$3,$4) RETURNING "public"."Post"."id"; -- $ T | C | t | 1

INSERT INTO "public"."Tag" ("label") VALUES ($1) ON CONFLICT ("label") DO UPDATE SET "label" = $2 WHERE ("public"."Tag"."label" = $3 AND 1=1) RETURNING "public"."Tag"."id", "public"."Tag"."label"; -- $ one | uno | one

INSERT INTO "public"."_PostToTag" ("B","A") VALUES ($1,$2) ON CONFLICT DO NOTHING; -- $ 1 | 1

UPDATE "public"."User" SET "name" = $1 WHERE ("public"."User"."id" = $2 AND 1=1) RETURNING "public"."User"."id", "public"."User"."email", "public"."User"."name"; -- $ Z | 2

UPDATE "public"."Post" SET "published" = $1 WHERE ("public"."Post"."id" IN ($2,$3) AND 1=1); -- $ t | 1 | 2

DELETE FROM "public"."Post" WHERE ("public"."Post"."id" = $1 AND 1=1) RETURNING "public"."Post"."id", "public"."Post"."title"; -- $ 4

SELECT "id", "checksum", "finished_at", "migration_name", "logs", "rolled_back_at", "started_at", "applied_steps_count" FROM "_prisma_migrations" ORDER BY "started_at" ASC;

SELECT 1;

SELECT pg_advisory_lock(72707369);
