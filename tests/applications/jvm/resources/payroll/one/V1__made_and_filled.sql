CREATE TABLE colours (name text PRIMARY KEY);
INSERT INTO colours VALUES ('green'), ('grey');
CREATE INDEX colours_by_length ON colours (length(name));
