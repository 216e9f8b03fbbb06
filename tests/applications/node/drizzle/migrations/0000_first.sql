CREATE TYPE "public"."state" AS ENUM('planned', 'held', 'missed');--> statement-breakpoint
CREATE TABLE "doctors" (
	"id" integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "doctors_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 2147483647 START WITH 1 CACHE 1),
	"name" varchar(80) NOT NULL,
	"field" varchar(40) NOT NULL,
	CONSTRAINT "doctors_name" UNIQUE("name")
);
--> statement-breakpoint
CREATE TABLE "drugs" (
	"code" varchar(10) PRIMARY KEY NOT NULL,
	"name" varchar(60) NOT NULL,
	"stock" integer DEFAULT 0 NOT NULL
);
--> statement-breakpoint
CREATE TABLE "patients" (
	"id" serial PRIMARY KEY NOT NULL,
	"name" varchar(80) NOT NULL,
	"email" varchar(120) NOT NULL,
	"insurance" varchar(20),
	"born" date NOT NULL,
	"allergies" text[],
	"contact" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"ward" varchar(20) DEFAULT 'east' NOT NULL,
	"seen" timestamp with time zone
);
--> statement-breakpoint
CREATE TABLE "prescriptions" (
	"visit_id" integer NOT NULL,
	"drug_code" varchar(10) NOT NULL,
	"dose" varchar(20) NOT NULL,
	CONSTRAINT "prescriptions_visit_id_drug_code_pk" PRIMARY KEY("visit_id","drug_code")
);
--> statement-breakpoint
CREATE TABLE "visits" (
	"id" serial PRIMARY KEY NOT NULL,
	"patient_id" integer NOT NULL,
	"doctor_id" integer NOT NULL,
	"day" date NOT NULL,
	"state" "state" DEFAULT 'planned' NOT NULL,
	"fee" numeric(8, 2) DEFAULT '0' NOT NULL,
	"remark" text,
	CONSTRAINT "visits_slot" UNIQUE("patient_id","doctor_id","day"),
	CONSTRAINT "visits_fee" CHECK ("visits"."fee" >= 0)
);
--> statement-breakpoint
ALTER TABLE "prescriptions" ADD CONSTRAINT "prescriptions_drug_code_drugs_code_fk" FOREIGN KEY ("drug_code") REFERENCES "public"."drugs"("code") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "prescriptions" ADD CONSTRAINT "prescriptions_visit" FOREIGN KEY ("visit_id") REFERENCES "public"."visits"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "visits" ADD CONSTRAINT "visits_patient_id_patients_id_fk" FOREIGN KEY ("patient_id") REFERENCES "public"."patients"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "visits" ADD CONSTRAINT "visits_doctor_id_doctors_id_fk" FOREIGN KEY ("doctor_id") REFERENCES "public"."doctors"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE UNIQUE INDEX "patients_email" ON "patients" USING btree ("email");--> statement-breakpoint
CREATE INDEX "patients_ward" ON "patients" USING btree ("ward","name");--> statement-breakpoint
CREATE INDEX "visits_day" ON "visits" USING btree ("day" DESC NULLS LAST);--> statement-breakpoint
CREATE VIEW "public"."calendar" AS (select "visits"."id", "visits"."day", "doctors"."name", "visits"."state" from "visits" inner join "doctors" on "doctors"."id" = "visits"."doctor_id");--> statement-breakpoint
CREATE MATERIALIZED VIEW "public"."fees" AS (select "doctor_id", sum("fee") as "total", count(*) as "number" from "visits" group by "visits"."doctor_id");