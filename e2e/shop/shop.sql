-- The database that the end-to-end tests govern. All made up; the card numbers are test numbers.
CREATE ROLE gate LOGIN PASSWORD 'gate-password';
CREATE TABLE customers (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL,
    email varchar(120) NOT NULL UNIQUE
);
CREATE TABLE payments (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer_id integer NOT NULL REFERENCES customers,
    card_number varchar(19) NOT NULL,
    amount numeric(10, 2) NOT NULL
);
CREATE TABLE orders (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, item text NOT NULL);
INSERT INTO customers (name, email) VALUES ('Ada Example', 'ada@example.com'), ('Bruno Muster', 'bruno@example.org');
INSERT INTO payments (customer_id, card_number, amount) VALUES (1, '4111111111111111', 12.50), (2, '5555555555554444', 99);
INSERT INTO orders (item) VALUES ('water clock'), ('brass valve');
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO gate;
-- What the gate's role may also change the form of.
CREATE TABLE ledger (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, entry text NOT NULL);
ALTER TABLE ledger OWNER TO gate;
