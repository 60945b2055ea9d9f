-- Secrets before the previous one that are still accepted: an admin who rotates twice within a day must
-- not shut out the secret that Okta still has. A list of {sha256, valid_until}, newest first.
ALTER TABLE event_hooks ADD COLUMN older_secrets jsonb NOT NULL DEFAULT '[]';
