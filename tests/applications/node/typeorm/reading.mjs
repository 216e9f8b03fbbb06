// What people of the staff office read: relations, pages, trees, streams, a cache.

import { Between, Brackets, In, IsNull, Like, MoreThan, Not, Raw } from "typeorm";
import { Contract, Freelance, Permanent } from "./entities.mjs";
import { office, repository, plain } from "./office.mjs";

export const reading = {
  "open the pool": async () => {
    await office.initialize();
    return "open";
  },
  "list the staff": async () => plain(await repository("Employee").find({ order: { id: "ASC" } })),
  "one person with everything": async () =>
    plain(
      await repository("Employee").findOne({
        where: { id: 3 },
        relations: { department: { parent: true }, manager: true, badge: true, projects: true, contracts: true },
        order: { projects: { id: "ASC" } },
      }),
    ),
  "relations by queries of their own": async () =>
    plain(
      await repository("Employee").find({
        where: { level: "senior" },
        relations: { projects: true, badge: true },
        relationLoadStrategy: "query",
        order: { id: "ASC" },
      }),
    ),
  "a page with how many there are": async () =>
    plain(
      await repository("Employee").findAndCount({
        where: { salary: MoreThan(100) },
        order: { name: "DESC" },
        skip: 2,
        take: 3,
        select: { id: true, name: true, salary: true },
      }),
    ),
  "a page over a join": async () =>
    plain(
      await repository("Employee")
        .createQueryBuilder("e")
        .leftJoinAndSelect("e.projects", "p")
        .orderBy("e.name")
        .addOrderBy("p.id")
        .skip(1)
        .take(3)
        .getManyAndCount(),
    ),
  "conditions of many kinds": async () =>
    plain(
      await repository("Employee").find({
        where: [
          { hired: Between("2011-01-01", "2014-12-31"), name: Not(Like("J%")) },
          { id: In([7]), manager: { id: 1 }, removed: IsNull() },
        ],
        order: { id: "ASC" },
        select: { id: true, name: true },
      }),
    ),
  "conditions on JSON and arrays": async () =>
    plain(
      await repository("Employee").find({
        where: {
          skills: Raw((alias) => `${alias} @> :some`, { some: ["go"] }),
          profile: Raw((alias) => `${alias} -> 'tools' ->> 'editor' = 'vi'`),
        },
        order: { id: "ASC" },
        select: { id: true, skills: true, profile: true },
      }),
    ),
  "search by name or e-mail": async () =>
    plain(
      await repository("Employee")
        .createQueryBuilder("e")
        .where(new Brackets((some) => some.where("e.name ILIKE :text").orWhere("e.email LIKE :start")))
        .setParameters({ text: "%ritter%", start: "m%" })
        .orderBy("e.id")
        .select(["e.id", "e.email"])
        .getMany(),
    ),
  "sums by department": async () =>
    office
      .createQueryBuilder()
      .select("d.name", "department")
      .addSelect("count(*)::int", "people")
      .addSelect("sum(e.salary)", "salaries")
      .from("Employee", "e")
      .innerJoin("e.department", "d")
      .groupBy("d.id")
      .having("count(*) > 1")
      .orderBy("d.name")
      .getRawMany(),
  "above the average of their level": async () =>
    plain(
      await repository("Employee")
        .createQueryBuilder("e")
        .where(
          (query) =>
            `e.salary > ${query.subQuery().select("avg(o.salary)").from("Employee", "o").where("o.level = e.level").getQuery()}`,
        )
        .orderBy("e.id")
        .select(["e.id", "e.level"])
        .getMany(),
    ),
  "a query with a table of its own": async () =>
    office
      .createQueryBuilder()
      .addCommonTableExpression(
        office
          .createQueryBuilder()
          .select("c.employee_id", "person")
          .addSelect("count(*)", "contracts")
          .from(Contract, "c")
          .groupBy("c.employee_id"),
        "counted",
      )
      .select("e.name", "name")
      .addSelect("counted.contracts", "contracts")
      .from("Employee", "e")
      .innerJoin("counted", "counted", "counted.person = e.id")
      .orderBy("e.id")
      .getRawMany(),
  "a tree of departments": async () =>
    plain(await office.getTreeRepository("Department").findTrees({ relations: ["employees"] })),
  "ancestors and descendants": async () => {
    const trees = office.getTreeRepository("Department");
    const north = await repository("Department").findOneByOrFail({ name: "North" });
    const root = await repository("Department").findOneByOrFail({ name: "Company" });
    return [(await trees.findAncestors(north)).map((one) => one.name).sort(), await trees.countDescendants(root)];
  },
  "contracts of each kind": async () =>
    plain([
      await repository(Permanent).find({ order: { id: "ASC" } }),
      await repository(Contract).count(),
      await repository(Freelance).find({ relations: { employee: true }, order: { id: "ASC" } }),
    ]),
  "the view of headcounts": async () => plain(await repository("Headcount").find({ order: { id: "ASC" } })),
  "rows as a stream": async () => {
    const seen = [];
    for await (const row of await repository("Employee")
      .createQueryBuilder("e")
      .select(["e.id", "e.iban"])
      .orderBy("e.id")
      .stream())
      seen.push(Object.values(row).join(" "));
    return seen;
  },
  "the same question from the cache": async () => {
    const ask = () =>
      repository("Project").find({ order: { id: "ASC" }, cache: { id: "projects", milliseconds: 60000 } });
    const [first, second] = [await ask(), await ask()];
    await office.queryResultCache.remove(["projects"]);
    return [first.length, second.length];
  },
  "aggregates of a repository": async () => [
    await repository("Employee").sum("salary", {}),
    await repository("Employee").maximum("hired", {}),
    await repository("Project").average("budget"),
    await repository("Employee").exists({ where: { level: "lead" } }),
  ],
  "a raw query": () =>
    office.query(
      "SELECT e.name, e.iban, row_number() OVER (PARTITION BY e.level ORDER BY e.id)::int AS place FROM employees e WHERE e.id = ANY($1) ORDER BY e.id",
      [[1, 2, 3]],
    ),
};
