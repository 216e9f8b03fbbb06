CREATE TABLE legacy.stock (never text);
