CREATE TABLE shifts (id bigserial PRIMARY KEY, name text NOT NULL);
