--liquibase formatted sql

--changeset hotel:price-in splitStatements:false
CREATE FUNCTION price_in(numeric, numeric) RETURNS numeric LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    RETURN round($1 * $2, 2);
END;
$$;
--rollback DROP FUNCTION price_in(numeric, numeric);
