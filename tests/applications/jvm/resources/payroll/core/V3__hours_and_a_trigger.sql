CREATE TABLE hours (
    employee_id bigint NOT NULL REFERENCES employees ON DELETE CASCADE,
    day date NOT NULL,
    worked numeric(4, 2) NOT NULL CHECK (worked BETWEEN 0 AND 24),
    PRIMARY KEY (employee_id, day)
);
INSERT INTO hours SELECT id, date '2024-03-01' + n, 7.5 FROM employees, generate_series(0, 4) AS n;

CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.changed := timestamptz '2024-02-02 00:00:00+00';
    RETURN NEW;
END
$$;
CREATE TRIGGER departments_touch BEFORE UPDATE ON departments FOR EACH ROW EXECUTE FUNCTION touch();
CREATE TABLE migration_log (line text NOT NULL);
