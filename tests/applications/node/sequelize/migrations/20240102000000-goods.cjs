// Products, their categories, and orders.
module.exports = {
  up: async (queryInterface, Sequelize) => {
    const id = { type: Sequelize.INTEGER, primaryKey: true, autoIncrement: true };
    const stamps = {
      created_at: { type: Sequelize.DATE, allowNull: false },
      updated_at: { type: Sequelize.DATE, allowNull: false },
    };
    const key = (model) => ({
      type: Sequelize.INTEGER,
      primaryKey: true,
      references: { model, key: "id" },
      onDelete: "CASCADE",
    });
    await queryInterface.createTable("products", {
      id,
      sku: { type: Sequelize.STRING(20), allowNull: false, unique: true },
      name: { type: Sequelize.STRING(80), allowNull: false },
      price: { type: Sequelize.DECIMAL(10, 2), allowNull: false },
      stock: { type: Sequelize.INTEGER, allowNull: false, defaultValue: 0 },
      attributes: { type: Sequelize.JSON, allowNull: false, defaultValue: {} },
      ...stamps,
    });
    await queryInterface.addConstraint("products", {
      type: "check",
      fields: ["stock"],
      name: "products_stock_positive",
      where: { stock: { [Sequelize.Op.gte]: 0 } },
    });
    await queryInterface.createTable("categories", {
      id,
      name: { type: Sequelize.STRING(40), allowNull: false, unique: true },
    });
    await queryInterface.createTable("product_categories", {
      product_id: key("products"),
      category_id: key("categories"),
    });
    await queryInterface.createTable("orders", {
      id,
      number: { type: Sequelize.STRING(20), allowNull: false, unique: true },
      customer_id: { type: Sequelize.INTEGER, allowNull: false, references: { model: "customers", key: "id" } },
      status: { type: Sequelize.STRING(20), allowNull: false, defaultValue: "open" },
      placed_on: { type: Sequelize.DATEONLY, allowNull: false },
      ...stamps,
    });
    await queryInterface.createTable("order_items", {
      order_id: key("orders"),
      product_id: key("products"),
      quantity: { type: Sequelize.INTEGER, allowNull: false, defaultValue: 1 },
      price: { type: Sequelize.DECIMAL(10, 2), allowNull: false },
    });
    await queryInterface.addIndex("orders", ["customer_id", "placed_on"], { name: "orders_by_customer" });
    await queryInterface.addIndex("orders", ["placed_on"], { name: "orders_open", where: { status: "open" } });
  },
  down: async (queryInterface) => {
    for (const table of ["order_items", "orders", "product_categories", "categories", "products"])
      await queryInterface.dropTable(table);
  },
};
