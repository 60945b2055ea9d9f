-- Takes everything away but the role odt_app, which other databases of the server may use.
DROP TABLE idempotency_keys, events, prerequisite_attestations, prerequisite_findings, credentials,
    integrations, sealing_keys, tenants;
REVOKE USAGE ON SCHEMA public FROM odt_app;
