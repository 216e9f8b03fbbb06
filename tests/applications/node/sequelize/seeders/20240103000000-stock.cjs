// What a new shop has in its database: customers, products, and the first orders.
module.exports = {
  up: async (queryInterface) => {
    const stamps = { created_at: new Date("2024-01-03T10:00:00Z"), updated_at: new Date("2024-01-03T10:00:00Z") };
    const people = [
      ["Ada Winter", "ada.winter@mail.example"],
      ["Boris Klee", "boris.klee@mail.example"],
      ["Chen Sommer", "chen.sommer@post.example"],
      ["Dora Herbst", "dora.herbst@post.example"],
      ["Emil Lenz", "emil.lenz@mail.example"],
    ];
    await queryInterface.bulkInsert(
      "customers",
      people.map(([name, email], at) => ({
        name,
        email,
        phone: `+49 30 555010${at}`,
        notes: `pays by invoice number ${7000 + at}`,
        status: at % 2 ? "lead" : "active",
        preferences: JSON.stringify({ news: at % 2 === 0, theme: { dark: at > 2 } }),
        labels: at > 1 ? ["vip", "early"] : ["early"],
        ...stamps,
      })),
      {},
      { labels: { type: new (require("sequelize").DataTypes.ARRAY)(require("sequelize").DataTypes.TEXT) } },
    );
    await queryInterface.bulkInsert(
      "addresses",
      people.flatMap((_, at) =>
        ["home", "work"].map((kind) => ({
          kind,
          customer_id: at + 1,
          street: `${kind === "home" ? "Birkenweg" : "Hafenstrasse"} ${at + 11}`,
          city: at % 2 ? "Kiel" : "Ulm",
        })),
      ),
    );
    await queryInterface.bulkInsert("categories", [{ name: "kitchen" }, { name: "garden" }]);
    await queryInterface.bulkInsert(
      "products",
      [
        ["CUP-1", "Cup", 4.5],
        ["POT-1", "Pot", 19],
        ["RAKE-1", "Rake", 25.25],
        ["SEED-1", "Seeds", 1.2],
      ].map(([sku, name, price], at) => ({
        sku,
        name,
        price,
        stock: 10 * (at + 1),
        attributes: JSON.stringify({ weight: at * 100, colours: ["red", "blue"].slice(0, at) }),
        ...stamps,
      })),
    );
    await queryInterface.bulkInsert(
      "product_categories",
      [
        [1, 1],
        [2, 1],
        [2, 2],
        [3, 2],
        [4, 2],
      ].map(([product_id, category_id]) => ({ product_id, category_id })),
    );
    await queryInterface.bulkInsert(
      "orders",
      Array.from({ length: 12 }, (_, at) => ({
        number: `N-${100 + at}`,
        customer_id: (at % 5) + 1,
        status: at % 3 ? "open" : "paid",
        placed_on: `2024-01-${String(at + 1).padStart(2, "0")}`,
        ...stamps,
      })),
    );
    await queryInterface.bulkInsert(
      "order_items",
      Array.from({ length: 12 }, (_, at) => ({
        order_id: at + 1,
        product_id: (at % 4) + 1,
        quantity: (at % 3) + 1,
        price: 2.5 * (at + 1),
      })),
    );
  },
  down: async (queryInterface) => {
    for (const table of [
      "order_items",
      "orders",
      "product_categories",
      "categories",
      "addresses",
      "products",
      "customers",
    ])
      await queryInterface.bulkDelete(table, {});
  },
};
