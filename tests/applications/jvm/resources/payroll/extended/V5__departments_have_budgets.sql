ALTER TABLE departments ADD COLUMN budget numeric(12, 2);
