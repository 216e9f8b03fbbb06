// What people of the staff office write: rows, upserts, transactions, and what constraints answer.

import { In } from "typeorm";
import { failure } from "../steps.mjs";
import { office, repository, plain, constraint } from "./office.mjs";

export const writing = {
  "a new colleague": async () => {
    const person = await repository("Employee").save(
      repository("Employee").create({
        name: "Rita Sand",
        email: "rita.sand@firm.example",
        iban: "DE02120300000000202051",
        salary: 4000,
        hired: "2024-01-01",
        badge: { number: "B-900" },
        address: { city: "Wels" },
      }),
    );
    return [person.version, person.badge.number, person.level];
  },
  "an e-mail address twice": () =>
    constraint(() =>
      repository("Employee").insert({ name: "Again", email: "rita.sand@firm.example", salary: 1, hired: "2024-01-01" }),
    ),
  "a project twice is told by its constraint": () =>
    constraint(() => repository("Project").insert({ code: "P-1", title: "Again" })),
  "a budget below nothing is told by its check": () =>
    constraint(() => repository("Project").update({ code: "P-1" }, { budget: -1 })),
  "a department that is none is told by its foreign key": () =>
    constraint(() => repository("Employee").update(2, { department: { id: 999 } })),
  "a title that is missing is told by its column": async () =>
    (
      await failure(
        () => office.query("INSERT INTO projects (code) VALUES ('P-9')"),
        (error) => error.driverError?.code === "23502",
      )
    ).driverError.column,
  "a new name": async () => {
    const person = await repository("Employee").findOneByOrFail({ id: 2 });
    person.name = "Jan Ritter-Hall";
    return (await repository("Employee").save(person)).version;
  },
  "a whole row written back": async () => {
    const row = (await office.query("SELECT id, name, email, iban, salary, level FROM employees WHERE id = 4"))[0];
    const { affected } = await repository("Employee").update(row.id, { ...row, name: "Lars von Thun" });
    return affected;
  },
  "a raise": async () => (await repository("Employee").update({ id: 5 }, { salary: 6789.5 })).affected,
  "projects, new and old": async () =>
    plain(
      (
        await repository("Project").upsert(
          [
            { code: "P-1", title: "Project one", budget: 50 },
            { code: "P-8", title: "Project 8", budget: 80 },
          ],
          { conflictPaths: ["code"], skipUpdateIfNoValuesChanged: true },
        )
      ).identifiers.length,
    ),
  "an insert that leaves what is there": async () =>
    (
      await office
        .createQueryBuilder()
        .insert()
        .into("Project")
        .values({ code: "P-8", title: "Other" })
        .orIgnore()
        .execute()
    ).raw.length,
  "an insert with chosen columns of the old row": async () =>
    (
      await office
        .createQueryBuilder()
        .insert()
        .into("Project")
        .values([{ code: "P-8", title: "Eight", budget: 88 }])
        .orUpdate(["title", "budget"], ["code"])
        .returning(["code", "title"])
        .execute()
    ).raw,
  "an update that tells what it did": async () =>
    (
      await office
        .createQueryBuilder()
        .update("Project")
        .set({ budget: () => "budget + 10" })
        .where("code LIKE 'P-%'")
        .returning("code, budget")
        .execute()
    ).raw.sort((one, other) => (one.code < other.code ? -1 : 1)),
  counters: async () => {
    await repository("Project").increment({ code: "P-2" }, "budget", 5);
    await repository("Project").decrement({ code: "P-3" }, "budget", 5);
    return (await repository("Project").findBy({ code: In(["P-2", "P-3"]) })).map((one) => one.budget).sort();
  },
  "members come and go": async () => {
    const project = await repository("Project").findOne({ where: { code: "P-3" }, relations: { members: true } });
    project.members = project.members
      .filter((person) => person.id !== 5)
      .concat(await repository("Employee").findOneBy({ id: 1 }));
    await repository("Project").save(project);
    await office.createQueryBuilder().relation("Project", "members").of(project).add(2);
    return (await repository("Project").findOne({ where: { code: "P-3" }, relations: { members: true } })).members
      .map((person) => person.id)
      .sort();
  },
  "a transaction with a savepoint": () =>
    office.transaction("REPEATABLE READ", async (manager) => {
      await manager.insert("Project", { code: "P-20", title: "Twenty" });
      await manager
        .transaction((inner) => inner.insert("Project", { code: "P-1", title: "again" }))
        .catch((error) => {
          if (error.driverError?.code !== "23505") throw error;
        });
      await manager.update("Project", { code: "P-20" }, { title: "Twenty one" });
      return plain(await manager.findOneBy("Project", { code: "P-20" })).title;
    }),
  "a transaction that is given up": async () => {
    await failure(
      () =>
        office.transaction(async (manager) => {
          await manager.createQueryBuilder().delete().from("Project").where("code = 'P-20'").execute();
          throw new Error("given up");
        }),
      (error) => error.message === "given up",
    );
    return repository("Project").existsBy({ code: "P-20" });
  },
  "a person is locked for a change": () =>
    office.transaction(async (manager) => {
      const person = await manager.findOne("Employee", { where: { id: 6 }, lock: { mode: "pessimistic_write" } });
      const skipped = await office
        .createQueryBuilder("Employee", "e")
        .setLock("pessimistic_read")
        .setOnLocked("skip_locked")
        .where("e.id = 7")
        .getOne()
        .catch((error) => error.name);
      return [person.id, skipped === "PessimisticLockTransactionRequiredError"];
    }),
  "a version that is no longer there": async () =>
    (
      await failure(
        () => repository("Employee").findOne({ where: { id: 2 }, lock: { mode: "optimistic", version: 1 } }),
        (error) => error.name === "OptimisticLockVersionMismatchError",
      )
    ).name,
  "a person removed softly, and back": async () => {
    await repository("Employee").softDelete(8);
    const gone = await repository("Employee").findOneBy({ id: 8 });
    const found = await repository("Employee").findOne({ where: { id: 8 }, withDeleted: true });
    await repository("Employee").restore(8);
    return [gone, found.name, await repository("Employee").countBy({ id: 8 })];
  },
  "a person removed for good": async () => {
    const person = await repository("Employee").findOneBy({ name: "Rita Sand" });
    await repository("Employee").remove(person);
    return repository("Badge").countBy({ number: "B-900" });
  },
  "what is left": async () =>
    plain([
      await repository("Employee").find({ order: { id: "ASC" }, select: { name: true, email: true, version: true } }),
      await repository("Project").find({ order: { code: "ASC" }, select: { code: true, title: true, budget: true } }),
    ]),
};
