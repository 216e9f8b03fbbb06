// Where drizzle-kit finds the clinic's tables, its database, and the folder of its migrations.

export default {
  dialect: "postgresql",
  schema: "./drizzle/schema.mjs",
  out: process.env.CLINIC_MIGRATIONS,
  dbCredentials: { url: process.env.DATABASE_URL },
};
