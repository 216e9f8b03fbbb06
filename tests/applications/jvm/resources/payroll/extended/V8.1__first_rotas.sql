CREATE INDEX rotas_by_shift ON rotas (shift_id);
INSERT INTO rotas SELECT e.id, s.id, date '2024-04-01' FROM employees e CROSS JOIN shifts s WHERE s.name = 'late';
