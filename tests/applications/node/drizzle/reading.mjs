// What people of the clinic read: joins, relations, windows, views, prepared statements, cursors.

import {
  and,
  arrayContains,
  arrayOverlaps,
  asc,
  avg,
  between,
  count,
  countDistinct,
  desc,
  eq,
  exists,
  gt,
  ilike,
  isNull,
  max,
  ne,
  not,
  or,
  sql,
  sum,
} from "drizzle-orm";
import { alias, except, unionAll } from "drizzle-orm/pg-core";
import { patients, doctors, visits, calendar, fees, client, db, js } from "./database.mjs";

export const reading = {
  "list the patients": () => db.select().from(patients).orderBy(patients.id),
  "chosen columns, made of others": () =>
    db
      .select({
        label: sql`${patients.name} || ' <' || ${patients.email} || '>'`,
        year: sql`extract(year from ${patients.born})::int`,
      })
      .from(patients)
      .orderBy(asc(patients.id)),
  "a page": () =>
    db
      .select({ id: visits.id, day: visits.day, state: visits.state })
      .from(visits)
      .where(ne(visits.state, "missed"))
      .orderBy(desc(visits.day))
      .limit(4)
      .offset(2),
  "the number of patients per ward": () =>
    db
      .select({ ward: patients.ward, n: count(), oldest: sql`min(${patients.id})::int` })
      .from(patients)
      .groupBy(patients.ward)
      .orderBy(patients.ward),
  "patients with visits and prescriptions": () =>
    db.query.patients.findMany({
      with: {
        visits: {
          with: {
            doctor: { columns: { name: true } },
            prescriptions: { with: { drug: true }, orderBy: (one, { asc: up }) => up(one.drugCode) },
          },
          orderBy: (one, { desc: down }) => down(one.day),
        },
      },
      orderBy: (one, { asc: up }) => up(one.id),
      limit: 3,
    }),
  "one patient with part of the visits": () =>
    db.query.patients.findFirst({
      where: (one, { eq: is }) => is(one.id, 2),
      columns: { name: true, email: true },
      with: {
        visits: {
          where: (one, { gt: over }) => over(one.fee, "25"),
          columns: { day: true, fee: true },
          orderBy: visits.day,
        },
      },
      extras: { shout: sql`upper(${patients.name})`.as("shout") },
    }),
  "visits with whom they are": () =>
    db.query.visits.findMany({
      with: { patient: { columns: { name: true, insurance: true } }, doctor: true },
      orderBy: visits.id,
      offset: 3,
      limit: 3,
    }),
  "an inner join": () =>
    db
      .select({ patient: patients.name, doctor: doctors.name, day: visits.day })
      .from(visits)
      .innerJoin(patients, eq(patients.id, visits.patientId))
      .innerJoin(doctors, eq(doctors.id, visits.doctorId))
      .where(eq(visits.state, "held"))
      .orderBy(visits.id),
  "a left join with what may be missing": () =>
    db
      .select()
      .from(doctors)
      .leftJoin(visits, and(eq(visits.doctorId, doctors.id), gt(visits.fee, "50")))
      .orderBy(doctors.id, visits.id),
  "pairs of the same ward": () => {
    const other = alias(patients, "other");
    return db
      .select({ one: patients.id, other: other.id })
      .from(patients)
      .innerJoin(other, and(eq(patients.ward, other.ward), gt(other.id, patients.id)))
      .orderBy(patients.id, other.id);
  },
  "conditions on arrays and JSON": () =>
    db
      .select({ id: patients.id, allergies: patients.allergies, of: sql`${patients.contact} -> 'next' ->> 'of'` })
      .from(patients)
      .where(and(arrayOverlaps(patients.allergies, ["nuts", "cats"]), not(arrayContains(patients.allergies, ["bees"]))))
      .orderBy(patients.id),
  search: () =>
    db
      .select({ id: patients.id, email: patients.email })
      .from(patients)
      .where(or(ilike(patients.name, "%dorn%"), ilike(patients.email, "u%")))
      .orderBy(patients.id),
  "who has visits that cost": () =>
    db
      .select({ id: patients.id })
      .from(patients)
      .where(
        exists(
          db
            .select({ one: sql`1` })
            .from(visits)
            .where(and(eq(visits.patientId, patients.id), gt(visits.fee, "45"))),
        ),
      )
      .orderBy(patients.id),
  "a table of its own in front": () => {
    const paid = db.$with("paid").as(
      db
        .select({ doctor: visits.doctorId, total: sum(visits.fee).as("total") })
        .from(visits)
        .groupBy(visits.doctorId),
    );
    return db
      .with(paid)
      .select({ name: doctors.name, total: paid.total })
      .from(doctors)
      .innerJoin(paid, eq(paid.doctor, doctors.id))
      .orderBy(desc(paid.total));
  },
  "all and all but": async () => [
    await unionAll(
      db.select({ name: patients.name }).from(patients).where(eq(patients.id, 1)),
      db.select({ name: doctors.name }).from(doctors),
    ).orderBy(sql`1`),
    await except(
      db.select({ id: patients.id }).from(patients),
      db.select({ id: visits.patientId }).from(visits).where(gt(visits.fee, "40")),
    ).orderBy(sql`1`),
  ],
  "the last visit of each patient": () =>
    db
      .selectDistinctOn([visits.patientId], { patient: visits.patientId, day: visits.day })
      .from(visits)
      .orderBy(visits.patientId, desc(visits.day)),
  "a lateral join": () => {
    const last = db
      .select({ day: visits.day, fee: visits.fee })
      .from(visits)
      .where(eq(visits.patientId, patients.id))
      .orderBy(desc(visits.day))
      .limit(1)
      .as("last");
    return db
      .select({ name: patients.name, day: last.day })
      .from(patients)
      .leftJoinLateral(last, sql`true`)
      .orderBy(patients.id);
  },
  windows: () =>
    db
      .select({
        id: visits.id,
        place: sql`rank() over (partition by ${visits.doctorId} order by ${visits.fee} desc)::int`,
        before: sql`lag(${visits.day}) over (order by ${visits.id})`,
      })
      .from(visits)
      .orderBy(visits.id)
      .limit(6),
  aggregates: () =>
    db.select({ most: max(visits.fee), mean: avg(visits.fee), whom: countDistinct(visits.patientId) }).from(visits),
  "the views": async () => [
    await db
      .select()
      .from(calendar)
      .where(between(calendar.day, "2024-05-02", "2024-05-04"))
      .orderBy(calendar.visit),
    await db.select().from(fees).orderBy(fees.doctorId),
  ],
  "a prepared statement, many times": async () => {
    const byWard = db
      .select({ name: patients.name })
      .from(patients)
      .where(and(eq(patients.ward, sql.placeholder("ward")), gt(patients.id, sql.placeholder("after"))))
      .orderBy(patients.id)
      .limit(sql.placeholder("most"))
      .prepare("by_ward");
    return Promise.all(["east", "west", "east"].map((ward, at) => byWard.execute({ ward, after: at, most: 2 })));
  },
  "a dynamic query": () => {
    const page = (query, at) => query.limit(2).offset(at * 2);
    return page(
      db
        .select({ id: patients.id, insurance: patients.insurance })
        .from(patients)
        .where(isNull(patients.seen))
        .orderBy(patients.id)
        .$dynamic(),
      1,
    );
  },
  "raw SQL": async () =>
    (
      await db.execute(
        sql`SELECT p.name, p.born, array_agg(v.day ORDER BY v.day) AS days FROM ${patients} p JOIN ${visits} v ON v.patient_id = p.id WHERE p.id IN ${[1, 2]} GROUP BY p.id ORDER BY p.id`,
      )
    ).rows,
  "Postgres.js: many at once over few connections": async () =>
    (
      await Promise.all(
        Array.from({ length: 9 }, (_, at) =>
          js
            .select({ name: patients.name, insurance: patients.insurance })
            .from(patients)
            .where(eq(patients.id, (at % 6) + 1)),
        ),
      )
    ).flat(),
  "Postgres.js: relations": () =>
    js.query.doctors.findMany({
      with: {
        visits: {
          columns: { day: true },
          with: { patient: { columns: { email: true } } },
          orderBy: visits.id,
          limit: 2,
        },
      },
      orderBy: doctors.id,
    }),
  "Postgres.js: a cursor": async () => {
    const seen = [];
    for await (const rows of client`SELECT id, email FROM patients ORDER BY id`.cursor(2))
      seen.push(rows.map((row) => row.email));
    return seen;
  },
  "Postgres.js: fragments and lists": () =>
    client`SELECT ${client("id", "name")} FROM ${client("patients")} WHERE ward = ${"east"} AND id IN ${client([1, 3, 5])} ${client`ORDER BY id DESC`}`,
  "Postgres.js: describe a statement": async () =>
    (await client`SELECT id, email FROM patients WHERE id = ${1}`.describe()).columns.map((column) => column.name),
  "Postgres.js: rows by COPY": async () => {
    let size = 0;
    for await (const chunk of await client`COPY (SELECT id, email FROM patients ORDER BY id) TO STDOUT`.readable())
      size += String(chunk).split("\n").length - 1;
    return size;
  },
};
