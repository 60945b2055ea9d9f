//! The database as an operator would make it: one role owns the tables and migrates, another one
//! serves and owns nothing. Neither is a superuser.

use secrecy::SecretString;
use testkit::postgres::Postgres;
use uuid::Uuid;

use crate::Failure;
use crate::folder::Folder;

const DATABASE: &str = "odt";

pub struct Urls {
    pub migrations: String,
    pub service: String,
    /// For people who want to see all rows.
    pub superuser: String,
}

/// Makes what is missing; on data of an earlier run that is nothing.
pub fn prepare(postgres: &Postgres, folder: &Folder) -> Result<Urls, Failure> {
    let owner = folder.keep_secret("odt_owner.password", random_password)?;
    let service = folder.keep_secret("odt_service.password", random_password)?;
    if !postgres.database_exists(DATABASE)? {
        postgres.create_database(DATABASE, None)?;
    }
    postgres.execute(DATABASE, &roles(&owner, &service))?;
    Ok(Urls {
        migrations: postgres.url("odt_owner", &owner, DATABASE),
        service: postgres.url("odt_service", &service, DATABASE),
        superuser: postgres.superuser_url(DATABASE),
    })
}

/// As `okta-device-trust migrate` does it; says which migrations ran.
pub fn migrate(urls: &Urls) -> Result<Vec<String>, Failure> {
    let url = SecretString::from(urls.migrations.clone());
    Ok(okta_device_trust::store::migrations::migrate(&url)?)
}

fn random_password() -> String {
    Uuid::new_v4().simple().to_string()
}

/// The group `odt_app` is made here, by the superuser, so that the owner needs no right to make roles.
/// The passwords are hexadecimal digits and can be quoted as they are.
fn roles(owner: &str, service: &str) -> String {
    format!(
        "DO $$
         DECLARE role text;
         BEGIN
             FOREACH role IN ARRAY ARRAY['odt_app', 'odt_owner', 'odt_service'] LOOP
                 IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) THEN
                     EXECUTE format('CREATE ROLE %I', role);
                 END IF;
             END LOOP;
         END
         $$;
         ALTER ROLE odt_app NOLOGIN;
         ALTER ROLE odt_owner LOGIN PASSWORD '{owner}';
         ALTER ROLE odt_service LOGIN PASSWORD '{service}';
         GRANT odt_app TO odt_service;
         ALTER DATABASE {DATABASE} OWNER TO odt_owner;
         ALTER SCHEMA public OWNER TO odt_owner;"
    )
}
