// A clinic, in Drizzle over node-postgres and Postgres.js: its tables and first rows, and a day of what people do with it.

import path from "node:path";
import { sql } from "drizzle-orm";
import { migrate } from "drizzle-orm/node-postgres/migrator";
import { play } from "../steps.mjs";
import { patients, doctors, visits, drugs, prescriptions, fees, pool, client, db } from "./database.mjs";
import { reading } from "./reading.mjs";
import { writing } from "./writing.mjs";

const prepare = {
  "run the migrations": async () => {
    await migrate(db, { migrationsFolder: path.join(import.meta.dirname, "migrations") });
    return (await db.execute(sql`SELECT count(*)::int AS n FROM drizzle.__drizzle_migrations`)).rows;
  },
  people: async () => {
    await db.insert(doctors).values([
      { name: "Dr. Amsel", field: "heart" },
      { name: "Dr. Fink", field: "bones" },
      { name: "Dr. Star", field: "eyes" },
    ]);
    const names = ["Tilo Brand", "Ute Casper", "Vera Dorn", "Willi Ebert", "Xenia Fuchs", "Yannick Graf"];
    return (
      await db
        .insert(patients)
        .values(
          names.map((name, at) => ({
            name,
            email: `${name.toLowerCase().replace(" ", ".")}@inbox.example`,
            insurance: `K77123400${at}`,
            born: `19${60 + at * 5}-03-1${at}`,
            allergies: ["nuts", "dust", "bees"].slice(0, at % 4),
            contact: { phone: `0170 5550${at}`, next: { of: at % 2 ? "kin" : "none" } },
            ward: at % 2 ? "west" : "east",
          })),
        )
        .returning({ id: patients.id })
    ).length;
  },
  "visits and prescriptions": async () => {
    await db.insert(drugs).values([
      { code: "IBU", name: "Ibuprofen", stock: 40 },
      { code: "ASS", name: "Aspirin", stock: 30 },
      { code: "VIT", name: "Vitamins", stock: 90 },
    ]);
    await db.insert(visits).values(
      Array.from({ length: 14 }, (_, at) => ({
        patientId: (at % 6) + 1,
        doctorId: (at % 3) + 1,
        day: `2024-05-${String(at + 1).padStart(2, "0")}`,
        state: ["planned", "held", "missed"][at % 3],
        fee: String(20 + at * 2.5),
        remark: at % 2 ? `complains of number ${8800 + at}` : null,
      })),
    );
    await db.insert(prescriptions).values(
      Array.from({ length: 9 }, (_, at) => ({
        visitId: at + 1,
        drugCode: ["IBU", "ASS", "VIT"][at % 3],
        dose: `${at + 1} a day`,
      })),
    );
    await db.refreshMaterializedView(fees);
    return db.$count(visits);
  },
};

await play({ prepare, use: { ...reading, ...writing } });
await client.end();
await pool.end();
