CREATE TABLE shifts (
    id bigserial PRIMARY KEY,
    name text NOT NULL,
    starts time NOT NULL,
    ends time NOT NULL,
    UNIQUE (name, starts)
);
