--liquibase formatted sql

--changeset hotel:made-and-filled splitStatements:true
CREATE TABLE colours (name text PRIMARY KEY);
INSERT INTO colours VALUES ('green'), ('grey');
--rollback DROP TABLE colours;
