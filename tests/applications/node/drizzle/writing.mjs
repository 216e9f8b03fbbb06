// What people of the clinic write: rows, upserts, transactions, and what constraints answer.

import { and, count, eq, inArray, or, sql, TransactionRollbackError } from "drizzle-orm";
import { failure } from "../steps.mjs";
import { patients, doctors, visits, drugs, prescriptions, fees, client, db, js, constraint } from "./database.mjs";

export const writing = {
  "a new patient": () =>
    db
      .insert(patients)
      .values({
        name: "Zoe Held",
        email: "zoe.held@inbox.example",
        insurance: "K999000111",
        born: "1990-01-01",
        allergies: ["milk"],
      })
      .returning({ name: patients.name, ward: patients.ward }),
  "the same patient again": () =>
    constraint(() => db.insert(patients).values({ name: "Zoe", email: "zoe.held@inbox.example", born: "1990-01-01" })),
  "a doctor twice is told by the constraint": () =>
    constraint(() => db.insert(doctors).values({ name: "Dr. Fink", field: "none" })),
  "a visit of nobody is told by the foreign key": () =>
    constraint(() => db.insert(visits).values({ patientId: 1, doctorId: 99, day: "2024-06-01" })),
  "a fee below nothing is told by the check": () =>
    constraint(() => db.update(visits).set({ fee: "-1" }).where(eq(visits.id, 1))),
  "Postgres.js: a drug twice is told by the constraint": () =>
    constraint(() => js.insert(drugs).values({ code: "IBU", name: "Again" })),
  "a patient moves": () =>
    db
      .update(patients)
      .set({ ward: "north", contact: { phone: "none" } })
      .where(eq(patients.id, 1))
      .returning({ id: patients.id, ward: patients.ward }),
  "a row saved as it was read": async () => {
    const [row] = await db.select().from(patients).where(eq(patients.id, 2));
    const { id, born, ...rest } = row;
    return (
      await db
        .update(patients)
        .set({ ...rest, ward: "north" })
        .where(eq(patients.id, id))
    ).rowCount;
  },
  "another insurance": async () =>
    (await db.update(patients).set({ insurance: "K555000222" }).where(eq(patients.id, 3))).rowCount,
  "drugs, new and old": () =>
    db
      .insert(drugs)
      .values([
        { code: "IBU", name: "Ibuprofen", stock: 5 },
        { code: "CAL", name: "Calcium", stock: 7 },
      ])
      .onConflictDoUpdate({ target: drugs.code, set: { stock: sql`${drugs.stock} + excluded.stock` } })
      .returning(),
  "a patient, new or known by the address": async () =>
    (
      await db
        .insert(patients)
        .values({ name: "Ute Casper", email: "ute.casper@inbox.example", born: "1965-03-11" })
        .onConflictDoNothing({ target: patients.email })
    ).rowCount,
  "a conflict that does nothing": async () =>
    (await db.insert(drugs).values({ code: "VIT", name: "Other" }).onConflictDoNothing()).rowCount,
  "rows made of others": async () =>
    (
      await db.insert(prescriptions).select(
        db
          .select({ visitId: visits.id, drugCode: sql`'CAL'`.as("drug_code"), dose: sql`'1 a day'`.as("dose") })
          .from(visits)
          .where(eq(visits.state, "held")),
      )
    ).rowCount,
  "an update from another table": () =>
    db
      .update(visits)
      .set({ remark: sql`'with ' || ${doctors.name}` })
      .from(doctors)
      .where(and(eq(doctors.id, visits.doctorId), eq(visits.id, 4)))
      .returning({ remark: visits.remark }),
  "a transaction with a savepoint": () =>
    db.transaction(
      async (tx) => {
        const [visit] = await tx
          .insert(visits)
          .values({ patientId: 4, doctorId: 1, day: "2024-07-01", fee: "10" })
          .returning();
        await tx
          .transaction(async (inner) => {
            await inner.delete(visits).where(eq(visits.patientId, 4));
            inner.rollback();
          })
          .catch((error) => {
            if (!(error instanceof TransactionRollbackError)) throw error;
          });
        await tx
          .update(drugs)
          .set({ stock: sql`${drugs.stock} - 1` })
          .where(eq(drugs.code, "IBU"));
        return [await tx.$count(visits, eq(visits.patientId, 4)), visit.state];
      },
      { isolationLevel: "serializable" },
    ),
  "a transaction that is given up": async () => {
    await failure(
      () =>
        db.transaction(async (tx) => {
          await tx.delete(prescriptions);
          tx.rollback();
        }),
      (error) => error instanceof TransactionRollbackError,
    );
    return db.$count(prescriptions);
  },
  "rows that are locked are skipped": () =>
    db.transaction(async (tx) => {
      await tx.select().from(drugs).where(eq(drugs.code, "IBU")).for("update");
      return db.transaction((other) =>
        other.select({ code: drugs.code }).from(drugs).orderBy(drugs.code).for("update", { skipLocked: true }),
      );
    }),
  "Postgres.js: a transaction with a savepoint": () =>
    client.begin(async (tx) => {
      await tx`UPDATE drugs SET stock = stock + 1 WHERE code = 'ASS'`;
      await tx
        .savepoint((inner) => inner`INSERT INTO drugs (code, name) VALUES ('ASS', 'Again')`)
        .catch((error) => {
          if (error.code !== "23505") throw error;
        });
      return tx`SELECT stock FROM drugs WHERE code = 'ASS'`;
    }),
  "Postgres.js: many rows at once": async () =>
    (
      await client`INSERT INTO drugs ${client([
        { code: "D1", name: "One" },
        { code: "D2", name: "Two" },
      ])} RETURNING code`
    ).map((row) => row.code),
  "remove a visit with its prescriptions": async () => [
    (await db.delete(visits).where(eq(visits.id, 2))).rowCount,
    await db.$count(prescriptions, eq(prescriptions.visitId, 2)),
  ],
  "remove a patient with the visits": async () => [
    (await db.delete(patients).where(eq(patients.id, 6)).returning({ id: patients.id })).length,
    await db.$count(visits, inArray(visits.patientId, [6])),
  ],
  "the view again": async () => {
    await db.refreshMaterializedView(fees);
    return db.select().from(fees).orderBy(fees.doctorId);
  },
  "what is left": async () => [
    await db.select().from(drugs).orderBy(drugs.code),
    await db
      .select({ name: patients.name, email: patients.email, ward: patients.ward })
      .from(patients)
      .orderBy(patients.name),
  ],
};
