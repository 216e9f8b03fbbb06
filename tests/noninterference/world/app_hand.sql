-- The same masks, written by hand: what is stored is what the policy shows.
CREATE FUNCTION hand_email(text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT left($1, 1) || '***@' || split_part($1, '@', 2) $$;
CREATE FUNCTION hand_last_two(text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT repeat('*', length($1) - 2) || right($1, 2) $$;
CREATE FUNCTION hand() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE masked jsonb := '{}'; field record;
BEGIN
    FOR field IN SELECT key, value FROM jsonb_each_text(to_jsonb(NEW)) LOOP
        CONTINUE WHEN field.value IS NULL;
        CASE
            WHEN field.key IN ('email', 'Email', 'user_email') AND field.value LIKE '%@%' AND field.value NOT LIKE '_***@%' THEN
                masked := masked || jsonb_build_object(field.key, hand_email(field.value));
            WHEN field.key IN ('phone', 'PhoneNumber', 'card_number') THEN
                masked := masked || jsonb_build_object(field.key, hand_last_two(field.value));
            WHEN field.key IN ('password', 'encrypted_password', 'PasswordHash') THEN
                masked := masked || jsonb_build_object(field.key, '***');
            WHEN field.key = 'birth_date' THEN
                masked := masked || jsonb_build_object(field.key, left(field.value, 4) || '-01-01');
            ELSE NULL;
        END CASE;
    END LOOP;
    RETURN jsonb_populate_record(NEW, masked);
END $$;
DROP INDEX index_users_on_email;
DO $$ DECLARE name text; BEGIN
    FOR name IN SELECT DISTINCT table_name FROM information_schema.columns c JOIN information_schema.tables t USING (table_schema, table_name)
        WHERE table_schema = 'public' AND table_type = 'BASE TABLE' AND column_name IN ('email', 'Email', 'user_email', 'phone', 'PhoneNumber', 'card_number', 'password', 'encrypted_password', 'PasswordHash', 'birth_date')
    LOOP EXECUTE format('CREATE TRIGGER hand BEFORE INSERT OR UPDATE ON %I FOR EACH ROW EXECUTE FUNCTION hand()', name); END LOOP;
END $$;
