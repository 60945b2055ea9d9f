//! The values of a running stack, and their format in `.dev/env`: shell syntax, for scripts.
//!
//! The reader accepts only what the writer produces; it does not parse shell.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::tokens::Tokens;

pub struct Facts {
    pub url: String,
    /// `None` if the metrics listener is disabled.
    pub metrics_url: Option<String>,
    pub sim_url: String,
    /// The path of the simulated org's root certificate.
    pub sim_ca: String,
    pub sim_client_id: String,
    pub sim_client_secret: String,
    pub tokens: Tokens,
    pub database_url: String,
    pub pid: u32,
}

/// The variables in `.dev/env`. A shell that exports them may start the next `cargo dev`, which must not
/// mistake them for misspelt settings.
pub const NAMES: [&str; 11] = [
    "ODT_URL",
    "ODT_METRICS_URL",
    "ODT_SIM_URL",
    "ODT_SIM_CA",
    "ODT_SIM_CLIENT_ID",
    "ODT_SIM_CLIENT_SECRET",
    "ODT_TOKEN_ADMIN",
    "ODT_TOKEN_MDM",
    "ODT_TOKEN_TRUST",
    "ODT_TOKEN_OTHER_TENANT",
    "ODT_DEV_PID",
];

impl Facts {
    pub fn to_shell(&self) -> String {
        let mut text = String::from(
            "# Values of the running `cargo dev`, for scripts. Removed when it stops.\n",
        );
        let pid = self.pid.to_string();
        line(&mut text, "ODT_DEV_PID", &pid);
        line(&mut text, "ODT_URL", &self.url);
        line(&mut text, "ODT_METRICS_URL", self.metrics_url.as_deref().unwrap_or_default());
        text.push_str(
            "\n# The simulated Okta org. Its certificate is signed by the root in ODT_SIM_CA.\n",
        );
        line(&mut text, "ODT_SIM_URL", &self.sim_url);
        line(&mut text, "ODT_SIM_CA", &self.sim_ca);
        line(&mut text, "ODT_SIM_CLIENT_ID", &self.sim_client_id);
        line(&mut text, "ODT_SIM_CLIENT_SECRET", &self.sim_client_secret);
        text.push_str("\n# Bearer tokens, one for each kind of caller.\n");
        line(&mut text, "ODT_TOKEN_ADMIN", &self.tokens.admin);
        line(&mut text, "ODT_TOKEN_MDM", &self.tokens.mdm);
        line(&mut text, "ODT_TOKEN_TRUST", &self.tokens.trust);
        line(&mut text, "ODT_TOKEN_OTHER_TENANT", &self.tokens.other_tenant);
        text.push_str(
            "\n# PostgreSQL's superuser, to inspect the data: row-level security hides every row from the\n\
             # service's role and from the owner of the tables.\n",
        );
        line(&mut text, "DATABASE_URL", &self.database_url);
        text
    }

    /// Parses the file; returns `None` if another version wrote it.
    pub fn from_shell(text: &str) -> Option<Self> {
        let values: BTreeMap<&str, String> = text
            .lines()
            .filter_map(|line| line.split_once('='))
            .map(|(name, quoted)| (name, unquoted(quoted)))
            .collect();
        let get = |name: &str| values.get(name).cloned();
        Some(Self {
            url: get("ODT_URL")?,
            metrics_url: get("ODT_METRICS_URL").filter(|url| !url.is_empty()),
            sim_url: get("ODT_SIM_URL")?,
            sim_ca: get("ODT_SIM_CA")?,
            sim_client_id: get("ODT_SIM_CLIENT_ID")?,
            sim_client_secret: get("ODT_SIM_CLIENT_SECRET")?,
            tokens: Tokens {
                admin: get("ODT_TOKEN_ADMIN")?,
                mdm: get("ODT_TOKEN_MDM")?,
                trust: get("ODT_TOKEN_TRUST")?,
                other_tenant: get("ODT_TOKEN_OTHER_TENANT")?,
            },
            database_url: get("DATABASE_URL")?,
            pid: get("ODT_DEV_PID")?.parse().ok()?,
        })
    }
}

fn line(text: &mut String, name: &str, value: &str) {
    let _ = writeln!(text, "{name}={}", always_quoted(value));
}

/// Within single quotes a shell interprets no character but the quote.
fn always_quoted(value: &str) -> String {
    format!("'{}'", value.replace('\'', r"'\''"))
}

/// Quotes a value only if necessary, for text that people read.
pub fn quoted(value: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "@%+=:,./_-".contains(c);
    if value.chars().all(plain) { value.to_owned() } else { always_quoted(value) }
}

fn unquoted(quoted: &str) -> String {
    let inner = quoted.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\''));
    inner.unwrap_or(quoted).replace(r"'\''", "'")
}
