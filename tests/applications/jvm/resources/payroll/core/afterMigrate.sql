INSERT INTO migration_log (line) VALUES ('migrated to ${release}');
