CREATE TABLE grouped (id int);
