// The models of a shop's back office in Sequelize: what it stores, and how its tables hang together.

import { DataTypes, Op, Sequelize } from "sequelize";

export function connect(options = {}) {
  return new Sequelize(process.env.DATABASE_URL, {
    dialect: "postgres",
    logging: (text) => process.stderr.write(`${text}\n`),
    pool: { max: 4, min: 1, idle: 2000 },
    define: { underscored: true },
    ...options,
  });
}

export function models(sequelize) {
  const Customer = sequelize.define(
    "Customer",
    {
      name: { type: DataTypes.STRING(80), allowNull: false, validate: { len: [2, 80] } },
      email: { type: DataTypes.STRING(120), allowNull: false, unique: true, validate: { isEmail: true } },
      phone: DataTypes.STRING(30),
      notes: DataTypes.TEXT,
      status: { type: DataTypes.ENUM("lead", "active", "blocked"), allowNull: false, defaultValue: "lead" },
      preferences: { type: DataTypes.JSONB, allowNull: false, defaultValue: {} },
      labels: { type: DataTypes.ARRAY(DataTypes.TEXT), allowNull: false, defaultValue: [] },
    },
    {
      tableName: "customers",
      paranoid: true,
      version: true,
      scopes: {
        active: { where: { status: "active" } },
        labelled: (label) => ({ where: { labels: { [Op.contains]: [label] } } }),
      },
    },
  );
  const Address = sequelize.define(
    "Address",
    {
      kind: { type: DataTypes.STRING(20), allowNull: false, unique: "address_kind" },
      customerId: { type: DataTypes.INTEGER, allowNull: false, unique: "address_kind" },
      street: DataTypes.STRING(120),
      city: { type: DataTypes.STRING(60), allowNull: false },
    },
    { tableName: "addresses", timestamps: false },
  );
  const Product = sequelize.define(
    "Product",
    {
      sku: { type: DataTypes.STRING(20), allowNull: false, unique: true },
      name: { type: DataTypes.STRING(80), allowNull: false },
      price: { type: DataTypes.DECIMAL(10, 2), allowNull: false },
      stock: { type: DataTypes.INTEGER, allowNull: false, defaultValue: 0 },
      attributes: { type: DataTypes.JSON, allowNull: false, defaultValue: {} },
    },
    { tableName: "products" },
  );
  const Category = sequelize.define(
    "Category",
    {
      name: { type: DataTypes.STRING(40), allowNull: false, unique: true },
    },
    { tableName: "categories", timestamps: false },
  );
  const Order = sequelize.define(
    "Order",
    {
      number: { type: DataTypes.STRING(20), allowNull: false, unique: true },
      status: { type: DataTypes.STRING(20), allowNull: false, defaultValue: "open" },
      placedOn: { type: DataTypes.DATEONLY, allowNull: false },
    },
    { tableName: "orders" },
  );
  const OrderItem = sequelize.define(
    "OrderItem",
    {
      quantity: { type: DataTypes.INTEGER, allowNull: false, defaultValue: 1 },
      price: { type: DataTypes.DECIMAL(10, 2), allowNull: false },
    },
    { tableName: "order_items", timestamps: false },
  );

  Customer.hasMany(Address, { as: "addresses", foreignKey: "customerId", onDelete: "CASCADE" });
  Address.belongsTo(Customer, { as: "customer", foreignKey: "customerId", onDelete: "CASCADE" });
  Customer.hasMany(Order, { as: "orders", foreignKey: { name: "customerId", allowNull: false } });
  Order.belongsTo(Customer, { as: "customer", foreignKey: { name: "customerId", allowNull: false } });
  Order.belongsToMany(Product, { as: "products", through: OrderItem, foreignKey: "orderId", otherKey: "productId" });
  Product.belongsToMany(Order, { as: "orders", through: OrderItem, foreignKey: "productId", otherKey: "orderId" });
  Order.hasMany(OrderItem, { as: "items", foreignKey: "orderId" });
  OrderItem.belongsTo(Product, { as: "product", foreignKey: "productId" });
  Product.belongsToMany(Category, {
    as: "categories",
    through: "product_categories",
    foreignKey: "productId",
    timestamps: false,
  });
  Category.belongsToMany(Product, {
    as: "products",
    through: "product_categories",
    foreignKey: "categoryId",
    timestamps: false,
  });
  return { Customer, Address, Product, Category, Order, OrderItem };
}
