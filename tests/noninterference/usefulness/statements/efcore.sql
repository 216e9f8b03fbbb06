SELECT b."BlogId", b."OwnerId", b."Rating", b."Url" FROM "Blogs" AS b WHERE b."Rating" > 2 ORDER BY b."BlogId";

SELECT b."BlogId", b."Url", p."PostId", p."Title" FROM "Blogs" AS b LEFT JOIN "Posts" AS p ON b."BlogId" = p."BlogId" ORDER BY b."BlogId", p."PostId";

SELECT b0."BlogId", b0."Url" FROM (SELECT b."BlogId", b."Url" FROM "Blogs" AS b ORDER BY b."Rating", b."BlogId" LIMIT $1 OFFSET $2) AS b0 ORDER BY b0."BlogId"; -- $ 4 | 1

SELECT count(*)::int FROM "Posts" AS p WHERE p."BlogId" = $1; -- $ 3

SELECT EXISTS (SELECT 1 FROM "Posts" AS p WHERE p."Title" LIKE 'Entry%');

SELECT a."Id", a."AccessFailedCount", a."Email", a."LockoutEnabled", a."NormalizedUserName", a."PasswordHash", a."PhoneNumber", a."UserName" FROM "AspNetUsers" AS a WHERE a."NormalizedUserName" = $1 LIMIT 2; -- $ NET3

SELECT a."Id", a."Email" FROM "AspNetUsers" AS a WHERE a."UserName" = ANY ($1::text[]) ORDER BY a."Id"; -- $ {net1,net2}

SELECT b."OwnerId", count(*)::int AS "Count", avg(b."Rating"::double precision) AS "Average" FROM "Blogs" AS b GROUP BY b."OwnerId" ORDER BY b."OwnerId";

SELECT b."BlogId", (SELECT count(*)::int FROM "Posts" AS p WHERE b."BlogId" = p."BlogId") AS "Posts" FROM "Blogs" AS b ORDER BY b."BlogId";

SELECT b."BlogId", p1."PostId", p1."Title" FROM "Blogs" AS b LEFT JOIN (SELECT p0."PostId", p0."Title", p0."BlogId" FROM (SELECT p."PostId", p."Title", p."BlogId", ROW_NUMBER() OVER(PARTITION BY p."BlogId" ORDER BY p."PostId" DESC) AS row FROM "Posts" AS p) AS p0 WHERE p0.row <= 1) AS p1 ON b."BlogId" = p1."BlogId" ORDER BY b."BlogId";

SELECT COALESCE(sum(b."Rating"), 0)::int FROM "Blogs" AS b;

SELECT a."Id", lower(a."UserName"), a."UserName" || '!' FROM "AspNetUsers" AS a ORDER BY a."Id";

SELECT CASE WHEN b."Rating" > 3 THEN 'good' ELSE 'fair' END FROM "Blogs" AS b ORDER BY b."BlogId";

INSERT INTO "Blogs" ("OwnerId", "Rating", "Url") VALUES ($1, $2, $3) RETURNING "BlogId"; -- $ id-1 | 4 | https://new.example

INSERT INTO "AspNetUsers" ("Id", "AccessFailedCount", "Email", "LockoutEnabled", "NormalizedUserName", "PasswordHash", "PhoneNumber", "UserName") VALUES ($1, $2, $3, $4, $5, $6, $7, $8); -- $ id-99 | 0 | new@example.com | t | NEW | hash | +1 5 | new

UPDATE "Blogs" SET "Rating" = $1 WHERE "BlogId" = $2; -- $ 5 | 1

UPDATE "Posts" AS p SET "Content" = 'x' FROM "Blogs" AS b WHERE p."BlogId" = b."BlogId" AND b."Rating" > 3;

DELETE FROM "Posts" AS p WHERE p."BlogId" = 2;

DELETE FROM "Posts" WHERE "PostId" = $1; -- $ 3

SELECT "MigrationId", "ProductVersion" FROM "__EFMigrationsHistory" ORDER BY "MigrationId";

SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid=c.relnamespace WHERE n.nspname='public' AND c.relname='__EFMigrationsHistory');

LOCK TABLE "__EFMigrationsHistory" IN ACCESS EXCLUSIVE MODE;

SELECT b.xmin IS NOT NULL AS x, b."BlogId" FROM "Blogs" AS b WHERE b."BlogId" = 1;
