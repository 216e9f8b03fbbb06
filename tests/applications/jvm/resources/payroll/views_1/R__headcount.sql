CREATE OR REPLACE VIEW headcount AS
    SELECT d.name, count(h.employee_id) AS entries FROM departments d LEFT JOIN hours h ON h.employee_id = d.id GROUP BY d.name;
