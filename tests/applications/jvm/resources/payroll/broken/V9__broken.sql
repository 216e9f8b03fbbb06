CREATE TABLE not_to_stay (id int);
INSERT INTO holidays (day, name) VALUES ('2024-06-01', 'Picnic');
INSERT INTO no_such_table VALUES (1);
