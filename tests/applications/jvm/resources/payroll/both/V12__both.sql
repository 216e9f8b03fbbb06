CREATE TABLE both_sides (id int);
