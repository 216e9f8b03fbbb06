--liquibase formatted sql

--changeset hotel:occupancy runOnChange:true
CREATE OR REPLACE VIEW occupancy AS SELECT r.number, count(b.id) AS nights FROM rooms r LEFT JOIN bookings b ON b.room = r.number GROUP BY r.number;
--rollback DROP VIEW occupancy;

--changeset hotel:prices runOnChange:true
CREATE OR REPLACE VIEW prices AS SELECT code, price, rank() OVER (ORDER BY price DESC, code) AS place FROM services;
--rollback DROP VIEW prices;
