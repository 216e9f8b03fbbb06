CREATE TABLE pauses (shift_id bigint, minutes smallint DEFAULT 30);
