UPDATE employees SET department_id = 2 WHERE name = 'Pia Hume';
DELETE FROM employees WHERE name = 'Quin Iver';
