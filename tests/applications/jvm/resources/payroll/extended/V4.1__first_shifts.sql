-- A row for each part of the day; the semicolon in the text ends nothing.
INSERT INTO shifts (name, starts, ends) VALUES ('early; the first', '06:00', '14:00'), ('late', '14:00', '22:00');
