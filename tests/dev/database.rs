//! Creates the database as an operator would: one role owns the tables and runs migrations, the
//! service's role owns nothing. Neither is a superuser.

use secrecy::SecretString;
use testkit::postgres::Postgres;
use uuid::Uuid;

use crate::Failure;
use crate::folder::Folder;

const DATABASE: &str = "odt";

pub struct Urls {
    pub migrations: String,
    pub service: String,
    /// For developers who want to see all rows.
    pub superuser: String,
}

/// Creates the roles and the database if they do not exist.
pub fn prepare(postgres: &Postgres, folder: &Folder) -> Result<Urls, Failure> {
    let owner = folder.load_or_create_secret("odt_owner.password", random_password)?;
    let service = folder.load_or_create_secret("odt_service.password", random_password)?;
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

/// Runs the migrations like `okta-device-trust migrate` and returns the names of those that ran.
pub fn migrate(urls: &Urls) -> Result<Vec<String>, Failure> {
    let url = SecretString::from(urls.migrations.clone());
    Ok(okta_device_trust::store::migrations::migrate(&url)?)
}

fn random_password() -> String {
    Uuid::new_v4().simple().to_string()
}

/// Creates `odt_app` as the superuser, so that the owner needs no CREATEROLE. The passwords are
/// hexadecimal and need no escaping.
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
