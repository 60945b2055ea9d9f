DROP FUNCTION facts_many(text, uuid, text[], text[], text[]);
