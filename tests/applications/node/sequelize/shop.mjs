// The back office of a shop, in Sequelize: its migrations and first rows, and a day of what people do with it.

import { createRequire } from "node:module";
import path from "node:path";
import { fn, col, literal, Op, QueryTypes, Sequelize } from "sequelize";
import { command, failure, play } from "../steps.mjs";
import { connect, models } from "./models.mjs";

const here = import.meta.dirname;
const cli = createRequire(import.meta.url).resolve("sequelize-cli/lib/sequelize");
const sequelize = connect();
const { Customer, Address, Product, Category, Order, OrderItem } = models(sequelize);
const STAMPS = ["createdAt", "updatedAt", "deletedAt"];
const plain = (found) => JSON.parse(JSON.stringify(found, (key, value) => (STAMPS.includes(key) ? undefined : value)));
const unique = (error) => error instanceof Sequelize.UniqueConstraintError;
const migrate = (...args) =>
  command([
    cli,
    ...args,
    "--url",
    process.env.DATABASE_URL,
    "--migrations-path",
    path.join(here, "migrations"),
    "--seeders-path",
    path.join(here, "seeders"),
  ]);
const steps = (printed) =>
  printed
    .split("\n")
    .filter((line) => line.startsWith("== "))
    .map((line) => line.replace(/ \([\d.]+s\)/, ""));

const prepare = {
  "run the migrations": () => steps(migrate("db:migrate")),
  "plant the first rows": () => steps(migrate("db:seed:all")),
  "count what is there": async () => ({
    customers: await Customer.count(),
    orders: await Order.count(),
    items: await OrderItem.count(),
  }),
};

const reading = {
  "open the connection": () => sequelize.authenticate().then(() => "connected"),
  "list the customers": async () => plain(await Customer.findAll({ order: [["id", "ASC"]] })),
  "a page of orders with how many there are": async () =>
    plain(
      await Order.findAndCountAll({ where: { status: "open" }, order: [["placedOn", "DESC"]], limit: 3, offset: 2 }),
    ),
  "one customer with addresses and orders": async () =>
    plain(
      await Customer.findByPk(3, {
        include: [{ association: "addresses" }, { association: "orders", include: ["products"] }],
        order: [
          ["addresses", "id"],
          ["orders", "id"],
        ],
      }),
    ),
  "a page of customers with joined orders": async () =>
    plain(
      await Customer.findAndCountAll({
        include: [{ association: "orders", required: true, where: { status: "open" } }],
        distinct: true,
        order: [
          ["name", "ASC"],
          [{ model: Order, as: "orders" }, "id", "ASC"],
        ],
        limit: 2,
      }),
    ),
  "orders loaded by a query of their own": async () =>
    plain(
      await Customer.findAll({
        include: [{ association: "orders", separate: true, limit: 2, order: [["number", "DESC"]] }],
        order: [["id", "ASC"]],
        attributes: ["id", "email"],
      }),
    ),
  scopes: async () =>
    plain(
      await Customer.scope("active", { method: ["labelled", "vip"] }).findAll({
        attributes: ["id", "name", "labels"],
        order: ["id"],
      }),
    ),
  "conditions on JSON and arrays": async () =>
    plain(
      await Customer.findAll({
        where: { preferences: { theme: { dark: true } }, labels: { [Op.overlap]: ["vip", "none"] } },
        attributes: ["id", "preferences"],
        order: ["id"],
      }),
    ),
  "search by name and e-mail": async () =>
    plain(
      await Customer.findAll({
        where: { [Op.or]: [{ name: { [Op.iLike]: "%winter%" } }, { email: { [Op.startsWith]: "d" } }] },
        attributes: ["id", "name", "email"],
        order: ["id"],
      }),
    ),
  "products with their categories": async () =>
    plain(
      await Product.findAll({
        include: [{ association: "categories", through: { attributes: [] } }],
        order: ["id", [{ model: Category, as: "categories" }, "name"]],
      }),
    ),
  "sums by group": async () =>
    plain(
      await OrderItem.findAll({
        attributes: ["productId", [fn("sum", col("quantity")), "pieces"], [fn("count", literal("*")), "lines"]],
        group: ["productId"],
        having: literal("sum(quantity) > 3"),
        order: ["productId"],
        raw: true,
      }),
    ),
  "a subquery in the attributes": async () =>
    plain(
      await Customer.findAll({
        attributes: [
          "id",
          [literal('(SELECT count(*) FROM orders AS o WHERE o.customer_id = "Customer".id)'), "orderCount"],
        ],
        order: [
          [literal('"orderCount"'), "DESC"],
          ["id", "ASC"],
        ],
      }),
    ),
  aggregates: async () => [
    await Product.max("price"),
    await Product.sum("stock"),
    await Order.min("placedOn"),
    await Customer.count({ group: ["status"] }).then((all) =>
      all.sort((one, other) => (one.status < other.status ? -1 : 1)),
    ),
  ],
  "many rows in portions": async () => {
    const numbers = [];
    for (let last = 0; ; ) {
      const portion = await Order.findAll({
        where: { id: { [Op.gt]: last } },
        order: ["id"],
        limit: 5,
        include: [{ association: "customer", attributes: ["email"] }],
      });
      if (!portion.length) return numbers;
      numbers.push(portion.map((order) => `${order.number} ${order.customer.email}`));
      last = portion.at(-1).id;
    }
  },
  "a raw query with replacements": () =>
    sequelize.query(
      "SELECT c.name, c.email, count(o.id)::int AS orders FROM customers c LEFT JOIN orders o ON o.customer_id = c.id WHERE c.status IN (:statuses) GROUP BY c.id ORDER BY c.id",
      { replacements: { statuses: ["active", "lead"] }, type: QueryTypes.SELECT },
    ),
  "a raw query with bound parameters, as models": async () =>
    plain(
      await sequelize.query("SELECT id, name, phone FROM customers WHERE id = ANY($ids) ORDER BY id", {
        bind: { ids: [1, 4] },
        model: Customer,
        mapToModel: true,
      }),
    ),
  "eight requests at once": async () =>
    (await Promise.all(Array.from({ length: 8 }, (_, at) => Customer.findByPk((at % 5) + 1)))).map(
      (customer) => customer.phone,
    ),
};

const writing = {
  "a new customer with addresses": async () =>
    plain(
      await Customer.create(
        {
          name: "Frida Sand",
          email: "frida.sand@mail.example",
          phone: "+49 30 5550900",
          labels: ["new"],
          preferences: { news: true },
          addresses: [{ kind: "home", street: "Am Wall 9", city: "Bonn" }],
        },
        { include: ["addresses"], returning: ["id", "version"] },
      ),
    ),
  "the same address again is told by its columns": async () => {
    const error = await failure(
      () => Customer.create({ name: "Frida Sand", email: "frida.sand@mail.example" }),
      unique,
    );
    return { name: error.name };
  },
  "a product twice is told by its column": async () => {
    const error = await failure(() => Product.create({ sku: "CUP-1", name: "Another", price: 1 }), unique);
    return {
      fields: Object.keys(error.fields),
      paths: error.errors.map((item) => item.path),
      constraint: error.parent.constraint,
    };
  },
  "an order for nobody is told by its foreign key": async () => {
    const error = await failure(
      () => Order.create({ number: "N-900", placedOn: "2024-02-01", customerId: 4711 }),
      (found) => found instanceof Sequelize.ForeignKeyConstraintError,
    );
    return { index: error.index, table: error.table };
  },
  "stock below nothing is told by its check": async () => {
    const error = await failure(
      () => Product.decrement("stock", { by: 1000, where: { sku: "CUP-1" } }),
      (found) => found.parent?.code === "23514",
    );
    return { constraint: error.parent.constraint };
  },
  "validation before the database": async () =>
    (
      await failure(
        () => Customer.create({ name: "x", email: "none" }),
        (found) => found instanceof Sequelize.ValidationError,
      )
    ).errors.map((item) => item.validatorKey),
  "rename a customer": async () =>
    plain(await (await Customer.findByPk(2)).update({ name: "Boris Kleeberg", labels: ["early", "renamed"] })).version,
  "save a customer with all its fields": async () => {
    const customer = await Customer.findByPk(1);
    customer.name = "Ada Winters";
    await customer.save({
      fields: Object.keys(Customer.rawAttributes).filter((name) => name !== "id" && name !== "version"),
    });
    return plain(await Customer.findByPk(1, { attributes: ["name", "version"] }));
  },
  "change a phone number": async () => Customer.update({ phone: "+49 30 5550777" }, { where: { id: 2 } }),
  "two people save the same customer": async () => {
    const [one, other] = await Promise.all([Customer.findByPk(4), Customer.findByPk(4)]);
    await one.update({ status: "active" });
    return (
      await failure(
        () => other.update({ status: "blocked" }),
        (found) => found instanceof Sequelize.OptimisticLockError,
      )
    ).name;
  },
  "change part of a JSON": async () => {
    const customer = await Customer.findByPk(5);
    await customer.set("preferences.theme.dark", false).save();
    return (await customer.reload()).preferences;
  },
  "many products, new and old": async () =>
    plain(
      await Product.bulkCreate(
        [
          { sku: "CUP-1", name: "Cup", price: 5 },
          { sku: "VASE-1", name: "Vase", price: 12, stock: 3, attributes: { weight: 5 } },
        ],
        { updateOnDuplicate: ["price", "updatedAt"], conflictAttributes: ["sku"] },
      ),
    ).map((product) => [product.sku, product.price]),
  "many customers at once": async () =>
    (
      await Customer.bulkCreate(
        [
          { name: "Gero Moor", email: "gero.moor@post.example" },
          { name: "Hedi Fels", email: "hedi.fels@post.example", phone: "+49 30 5550800" },
        ],
        { validate: true },
      )
    ).length,
  "an upsert of a product": async () => {
    const [product, created] = await Product.upsert({ sku: "VASE-1", name: "Vase, tall", price: 14 });
    return [plain(product).name, created];
  },
  "an upsert of a customer's address": async () =>
    (
      await Address.upsert(
        { customerId: 1, kind: "home", city: "Mainz" },
        { conflictFields: ["kind", "customer_id"], returning: ["id", "city"] },
      )
    ).map((item) => plain(item)?.city ?? null),
  "find a category or make it": async () => {
    const first = await Category.findOrCreate({ where: { name: "office" } });
    const again = await Category.findOrCreate({ where: { name: "office" } });
    return [first[1], again[1]];
  },
  "find a product, make it, find it": async () =>
    (await Product.findCreateFind({ where: { sku: "PEN-1" }, defaults: { name: "Pen", price: 2 } }))[1],
  "put a product into categories": async () => {
    const product = await Product.findOne({ where: { sku: "VASE-1" } });
    await product.setCategories([1, 2]);
    await product.removeCategory(2);
    return [await product.countCategories(), await product.hasCategory(1)];
  },
  "an order in a transaction with a savepoint": () =>
    sequelize.transaction(async (transaction) => {
      const order = await Order.create({ number: "N-500", placedOn: "2024-03-01", customerId: 1 }, { transaction });
      const product = await Product.findOne({ where: { sku: "POT-1" }, transaction, lock: transaction.LOCK.UPDATE });
      await order.addProduct(product, { through: { quantity: 2, price: product.price }, transaction });
      await product.decrement({ stock: 2 }, { transaction });
      await sequelize
        .transaction({ transaction }, async (inner) => {
          await Order.create({ number: "N-100", placedOn: "2024-03-02", customerId: 1 }, { transaction: inner });
        })
        .catch((error) => {
          if (!unique(error)) throw error;
        });
      return plain(await order.reload({ transaction, include: ["items"] }));
    }),
  "an order that is given up": async () => {
    await failure(
      () =>
        sequelize.transaction(async (transaction) => {
          await Order.destroy({ where: { status: "paid" }, transaction });
          throw new Error("given up");
        }),
      (found) => found.message === "given up",
    );
    return Order.count({ where: { status: "paid" } });
  },
  "a transaction that reads one state": () =>
    sequelize.transaction(
      { isolationLevel: Sequelize.Transaction.ISOLATION_LEVELS.REPEATABLE_READ, readOnly: true },
      (transaction) => Customer.count({ transaction }),
    ),
  "customers that are locked are skipped": () =>
    sequelize.transaction(async (transaction) => {
      await Customer.findByPk(1, { transaction, lock: true });
      return sequelize.transaction(async (other) =>
        (
          await Customer.findAll({
            transaction: other,
            lock: true,
            skipLocked: true,
            attributes: ["id"],
            where: { id: { [Op.lte]: 3 } },
            order: ["id"],
          })
        ).map((customer) => customer.id),
      );
    }),
  counters: async () => {
    await Product.increment({ stock: 5 }, { where: { sku: { [Op.like]: "%-1" } } });
    return Product.sum("stock");
  },
  "remove a customer softly, and bring it back": async () => {
    await Customer.destroy({ where: { id: 5 } });
    const gone = [await Customer.findByPk(5), (await Customer.findByPk(5, { paranoid: false })).deletedAt !== null];
    await Customer.restore({ where: { id: 5 } });
    return [...gone, (await Customer.findByPk(5)).email];
  },
  "remove a customer for good": async () => {
    const customer = await Customer.findOne({ where: { name: "Frida Sand" } });
    await customer.destroy({ force: true });
    return Address.count({ where: { customerId: customer.id } });
  },
  "an update that tells the rows": async () =>
    plain(
      (
        await Product.update({ price: literal("price * 2") }, { where: { sku: "CUP-1" }, returning: ["sku", "price"] })
      )[1],
    ),
  "what is left": async () =>
    plain({
      products: await Product.findAll({ order: ["sku"], attributes: { exclude: ["id"] } }),
      customers: await Customer.findAll({ order: ["name"], attributes: ["name", "email", "phone", "version"] }),
    }),
};

await play({ prepare, use: { ...reading, ...writing } });
await sequelize.close();
