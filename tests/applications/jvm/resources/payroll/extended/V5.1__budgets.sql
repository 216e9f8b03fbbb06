UPDATE departments SET budget = 1000 * id WHERE budget IS NULL;
ALTER TABLE departments ALTER COLUMN budget SET NOT NULL;
ALTER TABLE departments ADD CONSTRAINT departments_budget_check CHECK (budget >= 0);
ALTER TABLE departments RENAME COLUMN budget TO yearly_budget;
