// A company's staff office in TypeORM: its entities in three versions: the first one, a grown one
// with more of all that holds no people's data, and a wide one with another column for employees.

import { EntitySchema } from "typeorm";

export class Contract {}
export class Permanent extends Contract {}
export class Freelance extends Contract {}

const address = new EntitySchema({
  name: "Address",
  columns: {
    street: { type: "varchar", length: 120, nullable: true },
    city: { type: "varchar", length: 60, nullable: true },
  },
});

export function entities(version = "first") {
  const grown = version === "grown";
  const wide = version === "wide";
  const department = new EntitySchema({
    name: "Department",
    tableName: "departments",
    columns: {
      id: { type: "int", primary: true, generated: true },
      name: { type: "varchar", length: 60, unique: true },
    },
    trees: [{ type: "closure-table" }],
    relations: {
      parent: { type: "many-to-one", target: "Department", treeParent: true, nullable: true },
      children: { type: "one-to-many", target: "Department", inverseSide: "parent", treeChildren: true },
      employees: { type: "one-to-many", target: "Employee", inverseSide: "department" },
    },
  });
  const employee = new EntitySchema({
    name: "Employee",
    tableName: "employees",
    columns: {
      id: { type: "int", primary: true, generated: true },
      name: { type: "varchar", length: 80 },
      email: { type: "varchar", length: 120 },
      iban: { type: "varchar", length: 34, nullable: true },
      salary: { type: "numeric", precision: 10, scale: 2 },
      level: { type: "enum", enum: ["junior", "senior", "lead"], enumName: "employee_level", default: "junior" },
      skills: { type: "text", array: true, default: [] },
      profile: { type: "jsonb", default: {} },
      hired: { type: "date" },
      version: { type: "int", version: true },
      created: { type: "timestamptz", createDate: true },
      updated: { type: "timestamptz", updateDate: true },
      removed: { type: "timestamptz", deleteDate: true, nullable: true },
      ...(wide ? { nickname: { type: "varchar", length: 40, nullable: true } } : {}),
    },
    embeddeds: { address: { schema: address, prefix: "address_" } },
    uniques: [{ name: "employees_email", columns: ["email"] }],
    relations: {
      department: {
        type: "many-to-one",
        target: "Department",
        inverseSide: "employees",
        nullable: true,
        joinColumn: { name: "department_id", foreignKeyConstraintName: "employees_department" },
      },
      manager: { type: "many-to-one", target: "Employee", nullable: true, joinColumn: { name: "manager_id" } },
      badge: { type: "one-to-one", target: "Badge", inverseSide: "employee", cascade: true },
      contracts: { type: "one-to-many", target: "Contract", inverseSide: "employee" },
      projects: {
        type: "many-to-many",
        target: "Project",
        inverseSide: "members",
        joinTable: {
          name: "project_members",
          joinColumn: { name: "employee_id" },
          inverseJoinColumn: { name: "project_id" },
        },
      },
    },
  });
  const badge = new EntitySchema({
    name: "Badge",
    tableName: "badges",
    columns: {
      id: { type: "int", primary: true, generated: true },
      number: { type: "varchar", length: 20 },
      ...(grown ? { colour: { type: "varchar", length: 20, default: "grey" } } : {}),
    },
    uniques: [{ name: "badges_number", columns: ["number"] }],
    relations: {
      employee: {
        type: "one-to-one",
        target: "Employee",
        inverseSide: "badge",
        joinColumn: { name: "employee_id" },
        onDelete: "CASCADE",
      },
    },
  });
  const project = new EntitySchema({
    name: "Project",
    tableName: "projects",
    columns: {
      id: { type: "int", primary: true, generated: true },
      code: { type: "varchar", length: 20 },
      title: { type: "varchar", length: 120, ...(grown ? { comment: "as it stands on the contract" } : {}) },
      budget: { type: "numeric", precision: 12, scale: 2, default: 0 },
      tags: { type: "simple-array", default: "" },
      plan: { type: "simple-json", nullable: true },
      ...(grown ? { archived: { type: "boolean", default: false } } : {}),
    },
    uniques: [{ name: "projects_code", columns: ["code"] }],
    checks: [{ name: "projects_budget", expression: '"budget" >= 0' }],
    indices: grown ? [{ name: "projects_title", columns: ["title"] }] : [],
    relations: { members: { type: "many-to-many", target: "Employee", inverseSide: "projects" } },
  });
  const contract = new EntitySchema({
    name: "Contract",
    target: Contract,
    tableName: "contracts",
    inheritance: { pattern: "STI", column: { name: "kind", type: "varchar" } },
    columns: { id: { type: "int", primary: true, generated: true }, since: { type: "date" } },
    relations: {
      employee: {
        type: "many-to-one",
        target: "Employee",
        inverseSide: "contracts",
        joinColumn: { name: "employee_id" },
        onDelete: "CASCADE",
      },
    },
  });
  const permanent = new EntitySchema({
    name: "Permanent",
    target: Permanent,
    type: "entity-child",
    discriminatorValue: "permanent",
    columns: { ...contract.options.columns, days: { type: "int", nullable: true } },
    relations: contract.options.relations,
  });
  const freelance = new EntitySchema({
    name: "Freelance",
    target: Freelance,
    type: "entity-child",
    discriminatorValue: "freelance",
    columns: { ...contract.options.columns, rate: { type: "numeric", precision: 8, scale: 2, nullable: true } },
    relations: contract.options.relations,
  });
  const headcount = new EntitySchema({
    name: "Headcount",
    tableName: "headcount",
    type: "view",
    expression:
      "SELECT d.id AS id, d.name AS name, count(e.id)::int AS people FROM departments d LEFT JOIN employees e ON e.department_id = d.id GROUP BY d.id, d.name",
    columns: { id: { type: "int" }, name: { type: "varchar" }, people: { type: "int" } },
  });
  const room = new EntitySchema({
    name: "Room",
    tableName: "rooms",
    columns: {
      id: { type: "int", primary: true, generated: true },
      name: { type: "varchar", length: 40 },
      seats: { type: "smallint", default: 4 },
    },
    relations: { department: { type: "many-to-one", target: "Department", onDelete: "SET NULL" } },
  });
  return [department, employee, badge, project, contract, permanent, freelance, headcount, ...(grown ? [room] : [])];
}
