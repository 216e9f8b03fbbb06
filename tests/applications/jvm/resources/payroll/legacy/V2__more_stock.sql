ALTER TABLE legacy.stock ADD COLUMN place varchar(20) DEFAULT 'cellar';
UPDATE legacy.stock SET place = 'loft' WHERE item = 'pears';
