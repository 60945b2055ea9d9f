//! What an admin pastes as "our Okta tenant", made into one clean host name (facts §2). Decides from
//! the text alone: whether an org lives there is asked by `okta`.

use std::net::Ipv6Addr;

use url::Host;

/// The suffixes under which Okta hosts orgs (facts §2).
pub const DEFAULT_OKTA_SUFFIXES: [&str; 5] =
    ["okta.com", "oktapreview.com", "okta-emea.com", "okta-gov.com", "okta.mil"];

/// The longest text that is read, in bytes: addresses are pasted with their path and query.
pub const MAX_PASTED_LEN: usize = 2048;

/// The longest host name, in bytes (RFC 1035 §2.3.4).
const MAX_HOST_LEN: usize = 253;

/// Names that never leave a machine or a local network (RFC 6761, RFC 6762, RFC 7686, RFC 8375).
const LOCAL_SUFFIXES: [&str; 7] =
    ["localhost", "local", "internal", "invalid", "onion", "home.arpa", "localdomain"];

/// What browsers and chat tools leave at the ends of copied text, beside white space.
const INVISIBLE: [char; 3] = ['\u{200b}', '\u{feff}', '\u{2060}'];

/// The domain suffixes that count as Okta's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OktaSuffixes(Vec<String>);

impl OktaSuffixes {
    /// Takes suffixes such as `okta.com`, each of at least two labels.
    ///
    /// # Errors
    /// `InvalidHost` when one is not a plain lower-case domain; `Empty` when there is none.
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

    /// The suffixes, as configured.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Splits `acme.okta.com` into `acme` and `okta.com`; the longest suffix counts.
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

/// A host at which an Okta org may be: lower case, punycode, without scheme, port or path. Made by
/// [`OktaDomain::parse`] alone, so there is deliberately no `Deserialize`.
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

/// Why a pasted text is not the domain of an org.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OktaDomainError {
    #[error("the domain is empty")]
    Empty,
    /// Pasted text over [`MAX_PASTED_LEN`] bytes or a host over 253.
    #[error("the domain is too long")]
    TooLong,
    /// In any spelling: `127.1`, `0x7f.1`, `2130706433`, `[::1]`.
    #[error("the domain is an IP address")]
    IpAddress,
    /// Any port but that of https.
    #[error("the domain has a port")]
    HasPort,
    #[error("the domain has a user name or password")]
    HasUserinfo,
    /// A scheme other than `https`, or `http`, which is taken for `https`.
    #[error("the address is not an https address")]
    NotHttps,
    #[error("the domain is not a valid host name")]
    InvalidHost,
    /// `okta.com` itself: an org has a name of its own in front.
    #[error("the domain is Okta's own and not that of an org")]
    OktaApex,
}

impl OktaDomainError {
    /// The stable code that API answers carry.
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
    /// Reads what an admin pastes: blanks, scheme, path, upper case, a final dot and the `-admin` of
    /// the console's address are taken off; an international name becomes punycode.
    ///
    /// # Errors
    /// When the text names no host, or one that cannot be an org's.
    pub fn parse(pasted: &str, suffixes: &OktaSuffixes) -> Result<Self, OktaDomainError> {
        let text = pasted.trim_matches(|c: char| c.is_whitespace() || INVISIBLE.contains(&c));
        if text.is_empty() {
            return Err(OktaDomainError::Empty);
        }
        if pasted.len() > MAX_PASTED_LEN {
            return Err(OktaDomainError::TooLong);
        }
        let typed = host_of(authority_of(text)?)?;
        let host = normalise(typed)?;
        match suffixes.split(&host) {
            // Letters that only look like the org's own must not reach an org under their guise.
            Some(_) if !typed.is_ascii() => Err(OktaDomainError::InvalidHost),
            Some((label, suffix)) => okta(label, suffix),
            None if suffixes.iter().any(|suffix| suffix == host) => Err(OktaDomainError::OktaApex),
            None => custom(host),
        }
    }

    /// The host, such as `acme.okta.com` or `login.acme.example`.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// True for a host that is not under one of Okta's suffixes. It says nothing about who runs it.
    #[must_use]
    pub fn is_custom(&self) -> bool {
        matches!(self.kind, Kind::Custom)
    }

    /// `acme` of `acme.okta.com`.
    #[must_use]
    pub fn subdomain(&self) -> Option<&str> {
        match &self.kind {
            Kind::Okta { subdomain, .. } => Some(subdomain),
            Kind::Custom => None,
        }
    }

    /// `okta.com` of `acme.okta.com`.
    #[must_use]
    pub fn suffix(&self) -> Option<&str> {
        match &self.kind {
            Kind::Okta { suffix, .. } => Some(suffix),
            Kind::Custom => None,
        }
    }

    /// The host of the org's admin console, `acme-admin.okta.com`.
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

/// Takes scheme, path, query and fragment off. A `://` further back belongs to a query.
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

/// Takes port and final dot off. Parsers disagree about backslashes, escapes and control
/// characters, which is reason enough to refuse them.
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

/// Lower case and punycode (UTS 46), or why this is no name.
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

/// Exactly one label under the suffix. Each `-admin` goes, so that parsing twice changes nothing.
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

/// Letters, digits and hyphens inside, 1 to 63 bytes (RFC 1123 §2.1).
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
