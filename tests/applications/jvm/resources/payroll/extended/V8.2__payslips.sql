CREATE TABLE payslips (employee_id bigint PRIMARY KEY, worked numeric);
