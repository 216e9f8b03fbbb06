CREATE TABLE half_done (id int);
INSERT INTO half_done SELECT no_such_column FROM shifts;
