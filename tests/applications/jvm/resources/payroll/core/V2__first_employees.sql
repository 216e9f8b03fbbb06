INSERT INTO departments (id, name) VALUES (1, 'Kitchen'), (2, 'Garden'), (3, 'Office');
INSERT INTO employees (name, email, iban, salary, department_id) VALUES
    ('Nora Fell', 'nora.fell@staff.example', 'GB00TEST00000000000101', 41230.50, 1),
    ('Otto Gray', 'otto.gray@staff.example', 'GB00TEST00000000000102', 38990.00, 1),
    ('Pia Hume', 'pia.hume@staff.example', NULL, 52340.75, 3);
