--liquibase formatted sql

--changeset hotel:first-rooms
INSERT INTO rooms (number, beds, price) VALUES (101, 2, 80.00), (102, 1, 55.50), (201, 4, 140.00);
--rollback DELETE FROM rooms;

--changeset hotel:first-guests splitStatements:true endDelimiter:;
INSERT INTO guests (name, email, passport, born) VALUES
    ('Rhea Stone', 'rhea.stone@guests.example', 'X1234567', '1979-05-06'),
    ('Sam Tull', 'sam.tull@guests.example', 'X7654321', '1988-12-24');
INSERT INTO bookings (room, guest_id, day) SELECT 101, id, date '2024-07-01' FROM guests;
--rollback DELETE FROM bookings;
--rollback DELETE FROM guests;
