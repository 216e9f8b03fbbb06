ALTER TABLE employees ADD COLUMN title text;
UPDATE employees SET title = 'cook' WHERE department_id = 1;
