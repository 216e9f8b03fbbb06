CREATE TABLE rotas (
    employee_id bigint NOT NULL REFERENCES employees (id) ON DELETE CASCADE,
    shift_id bigint NOT NULL REFERENCES shifts,
    day date NOT NULL,
    PRIMARY KEY (employee_id, day)
);
