CREATE TABLE IF NOT EXISTS half_done (id int);
INSERT INTO half_done SELECT id FROM shifts;
