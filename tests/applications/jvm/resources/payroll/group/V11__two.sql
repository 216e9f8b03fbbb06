INSERT INTO grouped VALUES (1), ('x');
