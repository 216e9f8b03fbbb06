-- A small shop. Every name, address and number is made up; the card numbers are the payment industry's test numbers.
CREATE TABLE customers (
    id          integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name        text NOT NULL,
    email       varchar(120) NOT NULL UNIQUE,
    country     char(2) NOT NULL,
    note        text
);
CREATE TABLE payments (
    id          integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer_id integer NOT NULL REFERENCES customers,
    card_number varchar(19) NOT NULL,
    amount      numeric(10, 2) NOT NULL,
    paid_on     date NOT NULL
);
CREATE TABLE orders (
    id          integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer_id integer NOT NULL,
    item        text NOT NULL,
    status      text NOT NULL DEFAULT 'open'
);
CREATE VIEW big_spenders AS
    SELECT c.name, c.email, sum(p.amount) AS spent
    FROM customers c JOIN payments p ON p.customer_id = c.id
    GROUP BY c.id;

INSERT INTO customers (name, email, country, note) VALUES
    ('Ada Example',    'ada@example.com',     'GB', 'prefers e-mail'),
    ('Bruno Muster',   'bruno@example.org',   'DE', NULL),
    ('Chloé Modèle',   'chloe@example.net',   'FR', 'moved in spring'),
    ('Dinesh Sample',  'dinesh@example.com',  'IN', NULL),
    ('Eva Esempio',    'eva@example.org',     'IT', 'asks for invoices');
INSERT INTO payments (customer_id, card_number, amount, paid_on) VALUES
    (1, '4111111111111111', 120.00, '2026-01-14'),
    (1, '4111111111111111',  35.50, '2026-02-02'),
    (2, '5555555555554444', 980.00, '2026-02-11'),
    (3, '378282246310005',   64.90, '2026-03-01'),
    (4, '6011111111111117', 410.25, '2026-03-07'),
    (5, '3530111333300000',  15.00, '2026-03-20');
INSERT INTO orders (customer_id, item) VALUES
    (1, 'water clock'), (2, 'sluice model'), (3, 'brass valve'), (4, 'flow meter'), (5, 'rain gauge');
ANALYZE;
