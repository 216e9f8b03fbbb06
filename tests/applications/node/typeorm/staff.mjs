// The staff office of a company, in TypeORM: its tables and first rows, and a day of what people do with it.

import { play } from "../steps.mjs";
import { Freelance, Permanent } from "./entities.mjs";
import { kept, typeorm } from "./tool.mjs";
import { office, repository, plain } from "./office.mjs";
import { reading } from "./reading.mjs";
import { writing } from "./writing.mjs";

const prepare = {
  "run the migration": () => /executed successfully/.test(typeorm("migration:run", { STAFF_MIGRATIONS: kept })),
  "open the pool": async () => {
    await office.initialize();
    await office.createQueryRunner().query("SELECT 1");
    return "open";
  },
  "make the table of the cache": async () => {
    await office.queryResultCache.synchronize();
    return "made";
  },
  "departments as a tree": async () => {
    const company = await repository("Department").save({ name: "Company" });
    const sales = await repository("Department").save({ name: "Sales", parent: company });
    await repository("Department").save([
      { name: "North", parent: sales },
      { name: "South", parent: sales },
      { name: "Works", parent: company },
    ]);
    return plain(await office.getTreeRepository("Department").findTrees());
  },
  "people, badges and contracts": async () => {
    const names = [
      "Ines Falk",
      "Jan Ritter",
      "Kim Borg",
      "Lars Thun",
      "Mia Voss",
      "Nils Oster",
      "Olga Prinz",
      "Paul Quist",
    ];
    const departments = await repository("Department").find({ order: { id: "ASC" } });
    let manager = null;
    for (const [at, name] of names.entries()) {
      const employee = await repository("Employee").save({
        name,
        email: `${name.toLowerCase().replace(" ", ".")}@firm.example`,
        iban: `DE8937040044053201300${at}`,
        salary: 3210.5 + at * 415,
        level: ["junior", "senior", "lead"][at % 3],
        skills: ["sql", "go", "js"].slice(0, (at % 3) + 1),
        profile: { desk: at, tools: { editor: at % 2 ? "vi" : "ed" } },
        hired: `20${10 + at}-05-01`,
        address: { street: `Lindenallee ${at + 31}`, city: at % 2 ? "Graz" : "Linz" },
        department: departments[at % 5],
        manager,
        badge: { number: `B-${500 + at}` },
      });
      manager ??= employee;
      await repository(at % 2 ? Freelance : Permanent).save({
        since: "2020-01-01",
        employee,
        ...(at % 2 ? { rate: 80 + at } : { days: 28 }),
      });
    }
    return repository("Employee").count();
  },
  "projects and their members": async () => {
    const people = await repository("Employee").find({ order: { id: "ASC" } });
    for (const at of [0, 1, 2, 3]) {
      await repository("Project").save({
        code: `P-${at}`,
        title: `Project ${at}`,
        budget: 1000 * at,
        tags: ["a", `t${at}`],
        plan: { steps: at },
        members: people.slice(at, at + 3),
      });
    }
    return repository("Project").count();
  },
};

await play({ prepare, use: { ...reading, ...writing } });
if (office.isInitialized) await office.destroy();
