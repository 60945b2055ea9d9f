//! Refuses to run with a database role that row-level security does not restrict.

use diesel::prelude::*;
use diesel::sql_types::{Array, Bool, Text};

use crate::store::{Store, StoreError};

/// Why the service must not run with its database role.
#[derive(Debug, thiserror::Error)]
pub enum RoleError {
    #[error("the database role {0:?} is a superuser: row-level security does not apply to it")]
    Superuser(String),
    #[error("the database role {0:?} has BYPASSRLS: row-level security does not apply to it")]
    BypassesRowSecurity(String),
    #[error(
        "the database role {role:?} owns or can become the owner of {tables:?}: it could switch row-level security off"
    )]
    OwnsTables { role: String, tables: Vec<String> },
    #[error(
        "the database role {0:?} has CREATEROLE, with which it can grant itself ownership of the tables before PostgreSQL 16: remove it with ALTER ROLE … NOCREATEROLE"
    )]
    CreatesRoles(String),
    #[error("row-level security is not forced on {0:?}: run `okta-device-trust migrate`")]
    Unprotected(Vec<String>),
    #[error("the database role could not be checked")]
    Store(#[from] StoreError),
}

#[derive(QueryableByName)]
struct RoleFacts {
    #[diesel(sql_type = Text)]
    role: String,
    #[diesel(sql_type = Bool)]
    superuser: bool,
    #[diesel(sql_type = Bool)]
    bypasses: bool,
    #[diesel(sql_type = Bool)]
    grants_itself: bool,
    #[diesel(sql_type = Array<Text>)]
    owned: Vec<String>,
    #[diesel(sql_type = Array<Text>)]
    unprotected: Vec<String>,
}

/// Memberships are included, because a role can switch to them with `SET ROLE`; also those of the session
/// user, to which `RESET ROLE` returns. Before PostgreSQL 16, a role with `CREATEROLE` can grant itself any
/// role that is not a superuser.
/// Every table with a column `tenant_id` must have row-level security, except `jobs` and `hook_routes`,
/// which are read before the tenant is known and contain no customer data.
const FACTS: &str = "
    SELECT session_user::text AS role,
           bool_or(r.rolsuper) AS superuser,
           bool_or(r.rolbypassrls) AS bypasses,
           bool_or(r.rolcreaterole) AND current_setting('server_version_num')::int < 160000
               AS grants_itself,
           ARRAY(SELECT c.relname::text FROM pg_class c
                  WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace
                    AND (pg_has_role(session_user, c.relowner, 'MEMBER')
                         OR pg_has_role(current_user, c.relowner, 'MEMBER')) ORDER BY 1) AS owned,
           ARRAY(SELECT c.relname::text FROM pg_class c
                  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id'
                  WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace
                    AND c.relname NOT IN ('jobs', 'hook_routes', 'jwks_routes')
                    AND NOT (c.relrowsecurity AND c.relforcerowsecurity) ORDER BY 1) AS unprotected
      FROM pg_roles r
     WHERE pg_has_role(session_user, r.oid, 'MEMBER') OR pg_has_role(current_user, r.oid, 'MEMBER')";

impl Store {
    /// Checks that row-level security restricts the service's role.
    ///
    /// # Errors
    /// [`RoleError`] if it does not, or if the check failed.
    pub async fn ensure_role_is_safe(&self) -> Result<(), RoleError> {
        let facts = self
            .pool
            .transaction(|connection| {
                Ok(diesel::sql_query(FACTS).get_result::<RoleFacts>(connection)?)
            })
            .await?;
        check(facts)
    }
}

fn check(facts: RoleFacts) -> Result<(), RoleError> {
    if facts.superuser {
        Err(RoleError::Superuser(facts.role))
    } else if facts.bypasses {
        Err(RoleError::BypassesRowSecurity(facts.role))
    } else if !facts.owned.is_empty() {
        Err(RoleError::OwnsTables { role: facts.role, tables: facts.owned })
    } else if facts.grants_itself {
        Err(RoleError::CreatesRoles(facts.role))
    } else if !facts.unprotected.is_empty() {
        Err(RoleError::Unprotected(facts.unprotected))
    } else {
        Ok(())
    }
}
