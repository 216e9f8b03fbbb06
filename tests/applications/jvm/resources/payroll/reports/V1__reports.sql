CREATE TABLE ${flyway:defaultSchema}.summaries (month date PRIMARY KEY, total numeric, note text DEFAULT '${note}');
CREATE SEQUENCE reports_seq START 100;
