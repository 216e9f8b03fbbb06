-- What only PostgreSQL 18 knows.
CREATE TABLE virtual_pay (
    id int PRIMARY KEY, pay float8, note text, shown text GENERATED ALWAYS AS (pay::text) VIRTUAL,
    CONSTRAINT shown_short CHECK (length(shown) < 16)
);
INSERT INTO virtual_pay SELECT i, 0.1 + 0.2 * i, 'v' FROM generate_series(1, 20) i;
