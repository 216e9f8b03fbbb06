// The tables of a clinic in Drizzle. CLINIC_VERSION says in which version: the first, a grown one with more tables and
// columns, an extended one with another kind of visit, or a wide one with another column for patients.

import { relations, sql } from "drizzle-orm";
import {
  boolean,
  check,
  date,
  foreignKey,
  index,
  integer,
  jsonb,
  numeric,
  pgEnum,
  pgMaterializedView,
  pgTable,
  pgView,
  primaryKey,
  serial,
  text,
  timestamp,
  unique,
  uniqueIndex,
  varchar,
} from "drizzle-orm/pg-core";

const versions = ["first", "grown", "extended", "wide"];
const reached = versions.indexOf(process.env.CLINIC_VERSION ?? "first");
const [grown, extended, wide] = [1, 2, 3].map((version) => reached >= version);

export const state = pgEnum("state", ["planned", "held", "missed", ...(extended ? ["moved"] : [])]);

export const patients = pgTable(
  "patients",
  {
    id: serial().primaryKey(),
    name: varchar({ length: 80 }).notNull(),
    email: varchar({ length: 120 }).notNull(),
    insurance: varchar({ length: 20 }),
    born: date().notNull(),
    allergies: text().array(),
    contact: jsonb().notNull().default({}),
    ward: varchar({ length: 20 }).notNull().default("east"),
    seen: timestamp({ withTimezone: true }),
    ...(wide ? { nickname: varchar({ length: 40 }) } : {}),
  },
  (table) => [uniqueIndex("patients_email").on(table.email), index("patients_ward").on(table.ward, table.name)],
);

export const doctors = pgTable(
  "doctors",
  {
    id: integer("id").primaryKey().generatedAlwaysAsIdentity(),
    name: varchar("name", { length: 80 }).notNull(),
    field: varchar({ length: grown ? 80 : 40 }).notNull(),
    ...(grown ? { retired: boolean().notNull().default(false) } : {}),
  },
  (table) => [unique("doctors_name").on(table.name), ...(grown ? [index("doctors_field").on(table.field)] : [])],
);

export const visits = pgTable(
  "visits",
  {
    id: serial("id").primaryKey(),
    patientId: integer("patient_id")
      .notNull()
      .references(() => patients.id, { onDelete: "cascade" }),
    doctorId: integer("doctor_id")
      .notNull()
      .references(() => doctors.id),
    day: date("day").notNull(),
    state: state("state").notNull().default("planned"),
    fee: numeric("fee", { precision: 8, scale: 2 }).notNull().default("0"),
    remark: text(),
  },
  (table) => [
    check("visits_fee", sql`${table.fee} >= 0`),
    index("visits_day").on(table.day.desc().nullsLast()),
    unique("visits_slot").on(table.patientId, table.doctorId, table.day),
  ],
);

export const drugs = pgTable("drugs", {
  code: varchar({ length: 10 }).primaryKey(),
  name: varchar({ length: 60 }).notNull(),
  stock: integer().notNull().default(0),
});

export const prescriptions = pgTable(
  "prescriptions",
  {
    visitId: integer("visit_id").notNull(),
    drugCode: varchar("drug_code", { length: 10 })
      .notNull()
      .references(() => drugs.code),
    dose: varchar({ length: 20 }).notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.visitId, table.drugCode] }),
    foreignKey({ columns: [table.visitId], foreignColumns: [visits.id], name: "prescriptions_visit" }).onDelete(
      "cascade",
    ),
  ],
);

export const rooms = grown
  ? pgTable("rooms", {
      id: serial().primaryKey(),
      name: varchar({ length: 40 }).notNull().unique(),
      doctorId: integer("doctor_id").references(() => doctors.id, { onDelete: "set null" }),
    })
  : null;

export const calendar = pgView("calendar").as((query) =>
  query
    .select({ visit: visits.id, day: visits.day, doctor: doctors.name, state: visits.state })
    .from(visits)
    .innerJoin(doctors, sql`${doctors.id} = ${visits.doctorId}`),
);

export const fees = pgMaterializedView("fees").as((query) =>
  query
    .select({
      doctorId: visits.doctorId,
      total: sql`sum(${visits.fee})`.as("total"),
      number: sql`count(*)`.as("number"),
    })
    .from(visits)
    .groupBy(visits.doctorId),
);

export const patientRelations = relations(patients, ({ many }) => ({ visits: many(visits) }));
export const doctorRelations = relations(doctors, ({ many }) => ({ visits: many(visits) }));
export const visitRelations = relations(visits, ({ one, many }) => ({
  patient: one(patients, { fields: [visits.patientId], references: [patients.id] }),
  doctor: one(doctors, { fields: [visits.doctorId], references: [doctors.id] }),
  prescriptions: many(prescriptions),
}));
export const prescriptionRelations = relations(prescriptions, ({ one }) => ({
  visit: one(visits, { fields: [prescriptions.visitId], references: [visits.id] }),
  drug: one(drugs, { fields: [prescriptions.drugCode], references: [drugs.code] }),
}));
