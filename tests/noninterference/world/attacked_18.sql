-- What only PostgreSQL 18 knows.
CREATE TABLE virtual_pay (
    id int PRIMARY KEY, pay float8, note text, shown text GENERATED ALWAYS AS (pay::text) VIRTUAL,
    CONSTRAINT shown_long CHECK (length(shown) > 3)
);
