//! The host names of an org.

use super::PayloadError;

/// Maximum length of a host name in bytes (RFC 1035 §2.3.4).
const MAX_HOST_LEN: usize = 253;

/// The host names of an org without duplicates. The first one is where its users sign in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrgHosts {
    sign_in: String,
    others: Vec<String>,
}

impl OrgHosts {
    /// Creates the list of hosts.
    ///
    /// # Errors
    /// `InvalidHost` for a text that is not a plain host name.
    pub fn new<'a>(
        sign_in: &str,
        others: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, PayloadError> {
        let mut hosts = Self { sign_in: host(sign_in)?, others: Vec::new() };
        for other in others {
            let other = host(other)?;
            // Apple refuses a host that is in two payloads. Duplicates in one payload are untested.
            if hosts.iter().all(|known| known != other) {
                hosts.others.push(other);
            }
        }
        Ok(hosts)
    }

    /// Returns the host where the org's users sign in: the custom domain if there is one.
    pub fn sign_in(&self) -> &str {
        &self.sign_in
    }

    pub fn iter(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.sign_in.as_str()).chain(self.others.iter().map(String::as_str))
    }
}

fn host(text: &str) -> Result<String, PayloadError> {
    let plain = |label: &str| {
        !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    if text.len() <= MAX_HOST_LEN && text.split('.').all(plain) {
        Ok(text.to_ascii_lowercase())
    } else {
        Err(PayloadError::InvalidHost { field: "hosts".to_owned() })
    }
}
