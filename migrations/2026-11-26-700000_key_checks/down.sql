DROP FUNCTION tenant_of_key(text);
ALTER TABLE sealing_keys DROP COLUMN check_value;
