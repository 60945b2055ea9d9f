//! The token issuer of the stack, and a token for each kind of caller.
//!
//! The issuer's key is stored, so that tokens stay valid after a restart of the stack.

use std::io;

use testkit::tokens::{Claims, KeyKind, TokenIssuer};

use crate::folder::Folder;

pub const ISSUER: &str = "https://tokens.dev.example";
pub const AUDIENCE: &str = "okta-device-trust";

/// The tenant of all tokens but the last one.
pub const TENANT: &str = "acme";
const OTHER_TENANT: &str = "globex";

const THIRTY_DAYS: i64 = 30 * 24 * 3600;

pub const ADMIN: [&str; 3] = ["odt:read", "odt:write", "trust:read"];
pub const MDM: [&str; 3] = ["odt:deploy", "odt:inventory", "trust:read"];
pub const TRUST: [&str; 1] = ["trust:read"];
const ALL_SCOPES: [&str; 5] =
    ["odt:read", "odt:write", "odt:deploy", "odt:inventory", "trust:read"];

pub struct Tokens {
    pub admin: String,
    pub mdm: String,
    pub trust: String,
    pub other_tenant: String,
}

/// P-256, because its tokens are half as long as RSA's and people paste them.
pub fn issuer(folder: &Folder) -> io::Result<TokenIssuer> {
    let key = folder.file("token-issuer.pem");
    TokenIssuer::load_or_create(&key, ISSUER, AUDIENCE, KeyKind::Es256)
}

pub fn for_every_caller(issuer: &TokenIssuer) -> Tokens {
    Tokens {
        admin: token(issuer, "admin@acme.example", TENANT, &ADMIN),
        mdm: token(issuer, "mdm-back-end", TENANT, &MDM),
        trust: token(issuer, "gateway", TENANT, &TRUST),
        other_tenant: token(issuer, "admin@globex.example", OTHER_TENANT, &ALL_SCOPES),
    }
}

pub fn token(issuer: &TokenIssuer, subject: &str, tenant: &str, scopes: &[&str]) -> String {
    issuer.sign(&Claims::new(subject).tenant(tenant).scopes(scopes).expires_in(THIRTY_DAYS))
}
