// The shop's customers and their addresses.
module.exports = {
  up: (queryInterface, Sequelize) =>
    queryInterface.sequelize.transaction(async (transaction) => {
      const stamps = {
        created_at: { type: Sequelize.DATE, allowNull: false },
        updated_at: { type: Sequelize.DATE, allowNull: false },
      };
      await queryInterface.createTable(
        "customers",
        {
          id: { type: Sequelize.INTEGER, primaryKey: true, autoIncrement: true },
          name: { type: Sequelize.STRING(80), allowNull: false },
          email: { type: Sequelize.STRING(120), allowNull: false, unique: true },
          phone: Sequelize.STRING(30),
          notes: Sequelize.TEXT,
          status: { type: Sequelize.ENUM("lead", "active", "blocked"), allowNull: false, defaultValue: "lead" },
          preferences: { type: Sequelize.JSONB, allowNull: false, defaultValue: {} },
          labels: { type: Sequelize.ARRAY(Sequelize.TEXT), allowNull: false, defaultValue: [] },
          version: { type: Sequelize.INTEGER, allowNull: false, defaultValue: 0 },
          ...stamps,
          deleted_at: Sequelize.DATE,
        },
        { transaction },
      );
      await queryInterface.createTable(
        "addresses",
        {
          id: { type: Sequelize.INTEGER, primaryKey: true, autoIncrement: true },
          kind: { type: Sequelize.STRING(20), allowNull: false },
          customer_id: {
            type: Sequelize.INTEGER,
            allowNull: false,
            references: { model: "customers", key: "id" },
            onDelete: "CASCADE",
          },
          street: Sequelize.STRING(120),
          city: { type: Sequelize.STRING(60), allowNull: false },
        },
        { transaction },
      );
      await queryInterface.addConstraint("addresses", {
        type: "unique",
        fields: ["kind", "customer_id"],
        name: "address_kind",
        transaction,
      });
      await queryInterface.addIndex("customers", ["labels"], { using: "gin", transaction });
    }),
  down: async (queryInterface) => {
    await queryInterface.dropTable("addresses");
    await queryInterface.dropTable("customers");
  },
};
