ALTER TABLE employees ADD CONSTRAINT employees_salary_check CHECK (salary > 0) NOT VALID;
