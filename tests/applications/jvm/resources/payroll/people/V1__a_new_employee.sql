INSERT INTO employees (name, email, iban, salary, department_id) VALUES
    ('Quin Iver', 'quin.iver@staff.example', 'GB00TEST00000000000104', 29000.00, 2);
