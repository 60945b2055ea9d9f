//! Parses the Okta domain that an admin pastes into one canonical host name. Only the text is examined;
//! the `okta` module checks whether the host serves an org.

use std::net::Ipv6Addr;

use url::Host;

/// The domain suffixes of Okta's production, preview and government cells.
pub const DEFAULT_OKTA_SUFFIXES: [&str; 5] =
    ["okta.com", "oktapreview.com", "okta-emea.com", "okta-gov.com", "okta.mil"];

/// The maximum length of the pasted text in bytes. Admins paste whole URLs with path and query.
pub const MAX_PASTED_LEN: usize = 2048;

/// The maximum length of a host name in bytes (RFC 1035 §2.3.4).
const MAX_HOST_LEN: usize = 253;

/// Domains that are local to a machine or network (RFC 6761, RFC 6762, RFC 7686, RFC 8375).
const LOCAL_SUFFIXES: [&str; 7] =
    ["localhost", "local", "internal", "invalid", "onion", "home.arpa", "localdomain"];

/// Invisible characters that browsers and chat tools add to the ends of copied text.
const INVISIBLE: [char; 3] = ['\u{200b}', '\u{feff}', '\u{2060}'];

/// Removes white space from both ends, also no-break and zero-width characters.
pub fn trim_pasted(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || INVISIBLE.contains(&c))
}

/// The domain suffixes that belong to Okta.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OktaSuffixes(Vec<String>);

impl OktaSuffixes {
    /// Accepts suffixes such as `okta.com`, each with at least two labels.
    ///
    /// # Errors
    /// `InvalidHost` if a suffix is not a plain lower-case domain; `Empty` if the list is empty.
    pub fn new<S: AsRef<str>>(
        suffixes: impl IntoIterator<Item = S>,
    ) -> Result<Self, OktaDomainError> {
        let suffixes: Vec<String> = suffixes.into_iter().map(|s| s.as_ref().to_owned()).collect();
        if suffixes.is_empty() {
            return Err(OktaDomainError::Empty);
        }
        let plain = |suffix: &String| suffix.contains('.') && suffix.split('.').all(is_ldh_label);
        if suffixes.iter().all(plain) {
            Ok(Self(suffixes))
        } else {
            Err(OktaDomainError::InvalidHost)
        }
    }

    /// Iterates over the suffixes as configured.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Splits `acme.okta.com` into `acme` and `okta.com`. The longest matching suffix wins.
    fn split<'h>(&'h self, host: &'h str) -> Option<(&'h str, &'h str)> {
        let under = |suffix: &'h str| Some((host.strip_suffix(suffix)?.strip_suffix('.')?, suffix));
        self.iter().filter_map(under).max_by_key(|(_, suffix)| suffix.len())
    }
}

impl Default for OktaSuffixes {
    fn default() -> Self {
        Self(DEFAULT_OKTA_SUFFIXES.map(str::to_owned).to_vec())
    }
}

/// The host name of a possible Okta org: lower case, punycode, without scheme, port or path. It has no
/// `Deserialize`, so that [`OktaDomain::parse`] is the only way to create one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct OktaDomain {
    host: String,
    kind: Kind,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Kind {
    Okta { subdomain: String, suffix: String },
    Custom,
}

/// Why a text is not the domain of an org.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OktaDomainError {
    #[error("the domain is empty")]
    Empty,
    /// The text has more than [`MAX_PASTED_LEN`] bytes or the host more than 253.
    #[error("the domain is too long")]
    TooLong,
    /// In any notation: `127.1`, `0x7f.1`, `2130706433`, `[::1]`.
    #[error("the domain is an IP address")]
    IpAddress,
    /// Any port other than 443.
    #[error("the domain has a port")]
    HasPort,
    #[error("the domain has a username or password")]
    HasUserinfo,
    /// A scheme other than `https`. `http` is accepted and replaced.
    #[error("the address is not an https address")]
    NotHttps,
    #[error("the domain is not a valid host name")]
    InvalidHost,
    /// `okta.com` itself, without the org's subdomain.
    #[error("the domain is Okta's own and not that of an org")]
    OktaApex,
}

impl OktaDomainError {
    /// Returns the stable code in API responses.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::TooLong => "too_long",
            Self::IpAddress => "ip_address",
            Self::HasPort => "has_port",
            Self::HasUserinfo => "has_userinfo",
            Self::NotHttps => "not_https",
            Self::InvalidHost => "invalid_host",
            Self::OktaApex => "okta_apex",
        }
    }
}

impl OktaDomain {
    /// Parses a pasted domain or URL. Removes whitespace, scheme, path, a trailing dot and the `-admin` of
    /// the admin console's URL; converts to lower case, and international names to punycode.
    ///
    /// # Errors
    /// If the text contains no host name, or one that cannot belong to an org.
    pub fn parse(pasted: &str, suffixes: &OktaSuffixes) -> Result<Self, OktaDomainError> {
        let text = trim_pasted(pasted);
        if text.is_empty() {
            return Err(OktaDomainError::Empty);
        }
        if pasted.len() > MAX_PASTED_LEN {
            return Err(OktaDomainError::TooLong);
        }
        let typed = host_of(authority_of(text)?)?;
        let host = normalise(typed)?;
        match suffixes.split(&host) {
            // Homoglyphs must not map to another org's name.
            Some(_) if !typed.is_ascii() => Err(OktaDomainError::InvalidHost),
            Some((label, suffix)) => okta(label, suffix),
            None if suffixes.iter().any(|suffix| suffix == host) => Err(OktaDomainError::OktaApex),
            None => custom(host),
        }
    }

    /// Returns the host, such as `acme.okta.com` or `login.acme.example`.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Returns whether the host is outside Okta's suffixes. It does not prove who operates the host.
    #[must_use]
    pub fn is_custom(&self) -> bool {
        matches!(self.kind, Kind::Custom)
    }

    /// Returns `acme` for `acme.okta.com`.
    #[must_use]
    pub fn subdomain(&self) -> Option<&str> {
        match &self.kind {
            Kind::Okta { subdomain, .. } => Some(subdomain),
            Kind::Custom => None,
        }
    }

    /// Returns `okta.com` for `acme.okta.com`.
    #[must_use]
    pub fn suffix(&self) -> Option<&str> {
        match &self.kind {
            Kind::Okta { suffix, .. } => Some(suffix),
            Kind::Custom => None,
        }
    }

    /// Returns the host of the org's Admin Console, such as `acme-admin.okta.com`.
    #[must_use]
    pub fn admin_host(&self) -> Option<String> {
        match &self.kind {
            Kind::Okta { subdomain, suffix } => Some(format!("{subdomain}-admin.{suffix}")),
            Kind::Custom => None,
        }
    }
}

impl std::fmt::Display for OktaDomain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.host)
    }
}

/// Removes scheme, path, query and fragment. A `://` after the first separator is part of the query.
fn authority_of(text: &str) -> Result<&str, OktaDomainError> {
    let rest = match text.split_once("://") {
        Some((scheme, rest)) if !scheme.contains(['/', '?', '#']) => {
            let web = ["http", "https"].iter().any(|web| scheme.eq_ignore_ascii_case(web));
            if web { rest } else { return Err(OktaDomainError::NotHttps) }
        }
        _ => text,
    };
    Ok(rest.split(['/', '?', '#']).next().unwrap_or_default())
}

/// Removes port and trailing dot. Rejects backslashes, escapes and control characters, which URL parsers
/// interpret differently.
fn host_of(authority: &str) -> Result<&str, OktaDomainError> {
    if authority.contains('@') {
        return Err(OktaDomainError::HasUserinfo);
    }
    if authority.contains(['\\', '%']) || authority.chars().any(char::is_control) {
        return Err(OktaDomainError::InvalidHost);
    }
    if authority.starts_with('[') || authority.parse::<Ipv6Addr>().is_ok() {
        return Err(OktaDomainError::IpAddress);
    }
    let (host, port) = authority.split_once(':').unwrap_or((authority, ""));
    match port {
        "" | "443" => {}
        digits if digits.bytes().all(|b| b.is_ascii_digit()) => {
            return Err(OktaDomainError::HasPort);
        }
        _ => return Err(OktaDomainError::InvalidHost),
    }
    Ok(host.strip_suffix('.').unwrap_or(host))
}

/// Converts a host name to lower case and punycode (UTS 46).
fn normalise(typed: &str) -> Result<String, OktaDomainError> {
    if typed.is_empty() {
        return Err(OktaDomainError::Empty);
    }
    let host = match Host::parse(typed) {
        Ok(Host::Domain(host)) => host,
        Ok(Host::Ipv4(_) | Host::Ipv6(_)) => return Err(OktaDomainError::IpAddress),
        Err(_) => return Err(OktaDomainError::InvalidHost),
    };
    if host.len() > MAX_HOST_LEN {
        return Err(OktaDomainError::TooLong);
    }
    if host.split('.').all(is_ldh_label) { Ok(host) } else { Err(OktaDomainError::InvalidHost) }
}

/// Accepts exactly one label below the suffix. Removes every `-admin`, so that parsing is idempotent.
fn okta(label: &str, suffix: &str) -> Result<OktaDomain, OktaDomainError> {
    let mut subdomain = label;
    while let Some(org) = subdomain.strip_suffix("-admin") {
        subdomain = org;
    }
    if !is_ldh_label(subdomain) || subdomain.starts_with("xn--") {
        return Err(OktaDomainError::InvalidHost);
    }
    let (subdomain, suffix) = (subdomain.to_owned(), suffix.to_owned());
    Ok(OktaDomain { host: format!("{subdomain}.{suffix}"), kind: Kind::Okta { subdomain, suffix } })
}

fn custom(host: String) -> Result<OktaDomain, OktaDomainError> {
    let under = |suffix: &&str| {
        host.strip_suffix(*suffix).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    if !host.contains('.') || LOCAL_SUFFIXES.iter().any(under) {
        return Err(OktaDomainError::InvalidHost);
    }
    Ok(OktaDomain { host, kind: Kind::Custom })
}

/// Returns whether a label has 1 to 63 letters, digits and inner hyphens (RFC 1123 §2.1).
fn is_ldh_label(label: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (1..=63).contains(&label.len())
        && label.bytes().all(plain)
        && !label.starts_with('-')
        && !label.ends_with('-')
}

#[cfg(test)]
#[path = "okta_domain_tests.rs"]
mod tests;
