CREATE INDEX CONCURRENTLY hours_by_day ON hours (day);
