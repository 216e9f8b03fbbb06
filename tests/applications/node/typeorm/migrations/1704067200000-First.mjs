/**
 * @typedef {import('typeorm').MigrationInterface} MigrationInterface
 * @typedef {import('typeorm').QueryRunner} QueryRunner
 */

/**
 * @class
 * @implements {MigrationInterface}
 */
export class First1704067200000 {
  name = "First1704067200000";

  /**
   * @param {QueryRunner} queryRunner
   */
  async up(queryRunner) {
    await queryRunner.query(`
            CREATE TABLE "departments" (
                "id" SERIAL NOT NULL,
                "name" character varying(60) NOT NULL,
                "parentId" integer,
                CONSTRAINT "UQ_8681da666ad9699d568b3e91064" UNIQUE ("name"),
                CONSTRAINT "PK_839517a681a86bb84cbcc6a1e9d" PRIMARY KEY ("id")
            )
        `);
    await queryRunner.query(`
            CREATE TYPE "public"."employee_level" AS ENUM('junior', 'senior', 'lead')
        `);
    await queryRunner.query(`
            CREATE TABLE "employees" (
                "id" SERIAL NOT NULL,
                "name" character varying(80) NOT NULL,
                "email" character varying(120) NOT NULL,
                "iban" character varying(34),
                "salary" numeric(10, 2) NOT NULL,
                "level" "public"."employee_level" NOT NULL DEFAULT 'junior',
                "skills" text array NOT NULL DEFAULT '{}',
                "profile" jsonb NOT NULL DEFAULT '{}',
                "hired" date NOT NULL,
                "version" integer NOT NULL,
                "created" TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT now(),
                "updated" TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT now(),
                "removed" TIMESTAMP WITH TIME ZONE,
                "department_id" integer,
                "manager_id" integer,
                "address_Street" character varying(120),
                "address_City" character varying(60),
                CONSTRAINT "employees_email" UNIQUE ("email"),
                CONSTRAINT "PK_b9535a98350d5b26e7eb0c26af4" PRIMARY KEY ("id")
            )
        `);
    await queryRunner.query(`
            CREATE TABLE "badges" (
                "id" SERIAL NOT NULL,
                "number" character varying(20) NOT NULL,
                "employee_id" integer,
                CONSTRAINT "badges_number" UNIQUE ("number"),
                CONSTRAINT "REL_e7fa845874a36af9cba73b07f9" UNIQUE ("employee_id"),
                CONSTRAINT "PK_8a651318b8de577e8e217676466" PRIMARY KEY ("id")
            )
        `);
    await queryRunner.query(`
            CREATE TABLE "projects" (
                "id" SERIAL NOT NULL,
                "code" character varying(20) NOT NULL,
                "title" character varying(120) NOT NULL,
                "budget" numeric(12, 2) NOT NULL DEFAULT '0',
                "tags" text NOT NULL DEFAULT '',
                "plan" text,
                CONSTRAINT "projects_code" UNIQUE ("code"),
                CONSTRAINT "projects_budget" CHECK ("budget" >= 0),
                CONSTRAINT "PK_6271df0a7aed1d6c0691ce6ac50" PRIMARY KEY ("id")
            )
        `);
    await queryRunner.query(`
            CREATE TABLE "contracts" (
                "id" SERIAL NOT NULL,
                "since" date NOT NULL,
                "days" integer,
                "rate" numeric(8, 2),
                "kind" character varying NOT NULL,
                "employee_id" integer,
                CONSTRAINT "PK_2c7b8f3a7b1acdd49497d83d0fb" PRIMARY KEY ("id")
            )
        `);
    await queryRunner.query(`
            CREATE INDEX "IDX_91d501baac0c9fb643c049d6a0" ON "contracts" ("kind")
        `);
    await queryRunner.query(`
            CREATE TABLE "project_members" (
                "employee_id" integer NOT NULL,
                "project_id" integer NOT NULL,
                CONSTRAINT "PK_aaa34508c27e9a86c90fc250e1f" PRIMARY KEY ("employee_id", "project_id")
            )
        `);
    await queryRunner.query(`
            CREATE INDEX "IDX_983edb29503f23c905f843c032" ON "project_members" ("employee_id")
        `);
    await queryRunner.query(`
            CREATE INDEX "IDX_b5729113570c20c7e214cf3f58" ON "project_members" ("project_id")
        `);
    await queryRunner.query(`
            CREATE TABLE "departments_closure" (
                "id_ancestor" integer NOT NULL,
                "id_descendant" integer NOT NULL,
                CONSTRAINT "PK_3e4ee55a233bef0e3464728cc15" PRIMARY KEY ("id_ancestor", "id_descendant")
            )
        `);
    await queryRunner.query(`
            CREATE INDEX "IDX_f23b3abb6caa54454a2a72da59" ON "departments_closure" ("id_ancestor")
        `);
    await queryRunner.query(`
            CREATE INDEX "IDX_276148abd382d667072d533af4" ON "departments_closure" ("id_descendant")
        `);
    await queryRunner.query(`
            ALTER TABLE "departments"
            ADD CONSTRAINT "FK_2c0c254d34be97f6982d3138fc7" FOREIGN KEY ("parentId") REFERENCES "departments"("id") ON DELETE NO ACTION ON UPDATE NO ACTION
        `);
    await queryRunner.query(`
            ALTER TABLE "employees"
            ADD CONSTRAINT "employees_department" FOREIGN KEY ("department_id") REFERENCES "departments"("id") ON DELETE NO ACTION ON UPDATE NO ACTION
        `);
    await queryRunner.query(`
            ALTER TABLE "employees"
            ADD CONSTRAINT "FK_bcdf921072a19dd2758a628c5c0" FOREIGN KEY ("manager_id") REFERENCES "employees"("id") ON DELETE NO ACTION ON UPDATE NO ACTION
        `);
    await queryRunner.query(`
            ALTER TABLE "badges"
            ADD CONSTRAINT "FK_e7fa845874a36af9cba73b07f99" FOREIGN KEY ("employee_id") REFERENCES "employees"("id") ON DELETE CASCADE ON UPDATE NO ACTION
        `);
    await queryRunner.query(`
            ALTER TABLE "contracts"
            ADD CONSTRAINT "FK_c8e795ea857e404f9a2b6133208" FOREIGN KEY ("employee_id") REFERENCES "employees"("id") ON DELETE CASCADE ON UPDATE NO ACTION
        `);
    await queryRunner.query(`
            ALTER TABLE "project_members"
            ADD CONSTRAINT "FK_983edb29503f23c905f843c0322" FOREIGN KEY ("employee_id") REFERENCES "employees"("id") ON DELETE CASCADE ON UPDATE CASCADE
        `);
    await queryRunner.query(`
            ALTER TABLE "project_members"
            ADD CONSTRAINT "FK_b5729113570c20c7e214cf3f58d" FOREIGN KEY ("project_id") REFERENCES "projects"("id") ON DELETE CASCADE ON UPDATE CASCADE
        `);
    await queryRunner.query(`
            ALTER TABLE "departments_closure"
            ADD CONSTRAINT "FK_f23b3abb6caa54454a2a72da591" FOREIGN KEY ("id_ancestor") REFERENCES "departments"("id") ON DELETE CASCADE ON UPDATE NO ACTION
        `);
    await queryRunner.query(`
            ALTER TABLE "departments_closure"
            ADD CONSTRAINT "FK_276148abd382d667072d533af49" FOREIGN KEY ("id_descendant") REFERENCES "departments"("id") ON DELETE CASCADE ON UPDATE NO ACTION
        `);
    await queryRunner.query(`
            CREATE VIEW "headcount" AS
            SELECT d.id AS id,
                d.name AS name,
                count(e.id)::int AS people
            FROM departments d
                LEFT JOIN employees e ON e.department_id = d.id
            GROUP BY d.id,
                d.name
        `);
    await queryRunner.query(
      `
            INSERT INTO "typeorm_metadata"(
                    "database",
                    "schema",
                    "table",
                    "type",
                    "name",
                    "value"
                )
            VALUES (DEFAULT, $1, DEFAULT, $2, $3, $4)
        `,
      [
        "public",
        "VIEW",
        "headcount",
        "SELECT d.id AS id, d.name AS name, count(e.id)::int AS people FROM departments d LEFT JOIN employees e ON e.department_id = d.id GROUP BY d.id, d.name",
      ],
    );
  }

  /**
   * @param {QueryRunner} queryRunner
   */
  async down(queryRunner) {
    await queryRunner.query(
      `
            DELETE FROM "typeorm_metadata"
            WHERE "type" = $1
                AND "name" = $2
                AND "schema" = $3
        `,
      ["VIEW", "headcount", "public"],
    );
    await queryRunner.query(`
            DROP VIEW "headcount"
        `);
    await queryRunner.query(`
            ALTER TABLE "departments_closure" DROP CONSTRAINT "FK_276148abd382d667072d533af49"
        `);
    await queryRunner.query(`
            ALTER TABLE "departments_closure" DROP CONSTRAINT "FK_f23b3abb6caa54454a2a72da591"
        `);
    await queryRunner.query(`
            ALTER TABLE "project_members" DROP CONSTRAINT "FK_b5729113570c20c7e214cf3f58d"
        `);
    await queryRunner.query(`
            ALTER TABLE "project_members" DROP CONSTRAINT "FK_983edb29503f23c905f843c0322"
        `);
    await queryRunner.query(`
            ALTER TABLE "contracts" DROP CONSTRAINT "FK_c8e795ea857e404f9a2b6133208"
        `);
    await queryRunner.query(`
            ALTER TABLE "badges" DROP CONSTRAINT "FK_e7fa845874a36af9cba73b07f99"
        `);
    await queryRunner.query(`
            ALTER TABLE "employees" DROP CONSTRAINT "FK_bcdf921072a19dd2758a628c5c0"
        `);
    await queryRunner.query(`
            ALTER TABLE "employees" DROP CONSTRAINT "employees_department"
        `);
    await queryRunner.query(`
            ALTER TABLE "departments" DROP CONSTRAINT "FK_2c0c254d34be97f6982d3138fc7"
        `);
    await queryRunner.query(`
            DROP INDEX "public"."IDX_276148abd382d667072d533af4"
        `);
    await queryRunner.query(`
            DROP INDEX "public"."IDX_f23b3abb6caa54454a2a72da59"
        `);
    await queryRunner.query(`
            DROP TABLE "departments_closure"
        `);
    await queryRunner.query(`
            DROP INDEX "public"."IDX_b5729113570c20c7e214cf3f58"
        `);
    await queryRunner.query(`
            DROP INDEX "public"."IDX_983edb29503f23c905f843c032"
        `);
    await queryRunner.query(`
            DROP TABLE "project_members"
        `);
    await queryRunner.query(`
            DROP INDEX "public"."IDX_91d501baac0c9fb643c049d6a0"
        `);
    await queryRunner.query(`
            DROP TABLE "contracts"
        `);
    await queryRunner.query(`
            DROP TABLE "projects"
        `);
    await queryRunner.query(`
            DROP TABLE "badges"
        `);
    await queryRunner.query(`
            DROP TABLE "employees"
        `);
    await queryRunner.query(`
            DROP TYPE "public"."employee_level"
        `);
    await queryRunner.query(`
            DROP TABLE "departments"
        `);
  }
}
