SELECT "id", "firstName", "email", "phone", "isActive", "createdAt", "updatedAt", "deletedAt" FROM "Users" AS "User" WHERE ("User"."deletedAt" IS NULL AND "User"."id" = 3);

SELECT "id", "firstName", "email" FROM "Users" AS "User" WHERE "User"."deletedAt" IS NULL ORDER BY "User"."createdAt" DESC, "User"."id" LIMIT 5 OFFSET 0;

SELECT count(*) AS "count" FROM "Users" AS "User" WHERE "User"."deletedAt" IS NULL;

SELECT "User"."id", "User"."firstName", "User"."email", "Tasks"."id" AS "Tasks.id", "Tasks"."title" AS "Tasks.title" FROM "Users" AS "User" LEFT OUTER JOIN "Tasks" AS "Tasks" ON "User"."id" = "Tasks"."UserId" WHERE "User"."id" < 4 ORDER BY "User"."id", "Tasks"."id";

SELECT "User".*, "Tasks"."id" AS "Tasks.id" FROM (SELECT "User"."id", "User"."email" FROM "Users" AS "User" WHERE "User"."isActive" = true ORDER BY "User"."id" LIMIT 2) AS "User" LEFT OUTER JOIN "Tasks" AS "Tasks" ON "User"."id" = "Tasks"."UserId" ORDER BY "User"."id", "Tasks"."id";

SELECT "id", "title" FROM "Tasks" AS "Task" WHERE "Task"."title" ILIKE '%task 1%' ORDER BY "id";

SELECT "id" FROM "Tasks" AS "Task" WHERE "Task"."priority" IN (1, 2) AND ("Task"."done" = true OR "Task"."UserId" = 1) ORDER BY "id";

SELECT "UserId", COUNT("id") AS "n" FROM "Tasks" AS "Task" GROUP BY "UserId" ORDER BY "UserId";

SELECT max("priority") AS "max" FROM "Tasks" AS "Task";

SELECT "User"."id", (SELECT COUNT(*) FROM "Tasks" WHERE "Tasks"."UserId" = "User"."id") AS "taskCount" FROM "Users" AS "User" ORDER BY "User"."id";

INSERT INTO "Users" ("id","firstName","email","phone","isActive","createdAt","updatedAt") VALUES (DEFAULT,$1,$2,$3,$4,$5,$6) RETURNING "id","firstName","email","phone","isActive","createdAt","updatedAt","deletedAt"; -- $ Seq | seq@example.com | +33 1 222222 | t | 2030-01-01 | 2030-01-01

INSERT INTO "Tasks" ("id","title","done","createdAt","updatedAt") VALUES (DEFAULT,'a',false,'2030-01-01','2030-01-01'),(DEFAULT,'b',false,'2030-01-01','2030-01-01') RETURNING "id","title","done","priority","UserId","createdAt","updatedAt";

INSERT INTO "Tasks" ("id","title","createdAt","updatedAt") VALUES ($1,$2,$3,$4) ON CONFLICT ("id") DO UPDATE SET "title"=EXCLUDED."title","updatedAt"=EXCLUDED."updatedAt" RETURNING "id","title"; -- $ 1 | up | 2030-01-01 | 2030-01-01

UPDATE "Users" SET "firstName"=$1,"updatedAt"=$2 WHERE ("deletedAt" IS NULL AND "id" = $3) RETURNING *; -- $ F | 2030-01-01 | 2

UPDATE "Users" SET "deletedAt"=$1 WHERE "id" = $2; -- $ 2030-01-01 | 2

UPDATE "Tasks" SET "priority"="priority"+ 1,"updatedAt"='2030-01-01' WHERE "id" = 4 RETURNING *;

DELETE FROM "Tasks" WHERE "id" = 5;

SELECT "id" FROM "Users" AS "User" WHERE "User"."id" = 1 FOR UPDATE;

SELECT 1+1 AS result;

SHOW SERVER_VERSION;

START TRANSACTION;
SELECT "id" FROM "Tasks" AS "Task" WHERE "Task"."id" = 1;
COMMIT;
