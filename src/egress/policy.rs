//! Checks URLs before a connection is made. Does no I/O; the resolver checks addresses later.

use url::{Host, Url};

use super::EgressError;

/// The port of https, the only one that the tenant policy allows.
const HTTPS_PORT: u16 = 443;

/// The rules for an outgoing request.
#[derive(Debug, Clone, Copy)]
pub enum Policy<'a> {
    /// For URLs that a customer can influence. The host must be one of these exact, lower-case names:
    /// the org's hosts, or the entered host for the request that discovers its org.
    Tenant { allowed_hosts: &'a [&'a str] },
    /// For configured URLs. Allows http, any port and private addresses.
    Operator,
}

impl Policy<'_> {
    /// Returns the host to connect to, or why the URL is refused.
    pub(super) fn check<'u>(&self, url: &'u Url) -> Result<&'u str, EgressError> {
        if !url.username().is_empty() || url.password().is_some() {
            return Err(EgressError::UserinfoNotAllowed);
        }
        match self {
            Self::Tenant { allowed_hosts } => check_tenant(url, allowed_hosts),
            Self::Operator => check_operator(url),
        }
    }
}

fn check_tenant<'u>(url: &'u Url, allowed_hosts: &[&str]) -> Result<&'u str, EgressError> {
    if url.scheme() != "https" {
        return Err(scheme_not_allowed(url));
    }
    if let Some(port) = url.port().filter(|port| *port != HTTPS_PORT) {
        return Err(EgressError::PortNotAllowed { port });
    }
    match url.host() {
        // The parser has already converted 127.1, 0x7f.1 and 2130706433 to an address.
        Some(Host::Ipv4(_) | Host::Ipv6(_)) => Err(EgressError::IpAddressNotAllowed),
        Some(Host::Domain(host)) if allowed_hosts.contains(&host) => Ok(host),
        other => Err(EgressError::HostNotAllowed {
            host: other.map(|host| host.to_string()).unwrap_or_default(),
        }),
    }
}

fn check_operator(url: &Url) -> Result<&str, EgressError> {
    match (url.scheme(), url.host_str()) {
        ("http" | "https", Some(host)) => Ok(host),
        _ => Err(scheme_not_allowed(url)),
    }
}

fn scheme_not_allowed(url: &Url) -> EgressError {
    EgressError::SchemeNotAllowed { scheme: url.scheme().to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACME: Policy<'static> = Policy::Tenant { allowed_hosts: &["acme.okta.com"] };

    fn check(policy: Policy<'_>, url: &str) -> Result<String, EgressError> {
        policy.check(&Url::parse(url).unwrap()).map(str::to_owned)
    }

    #[test]
    fn an_allowed_host_over_https_is_accepted() {
        for url in
            ["https://acme.okta.com/x?y#z", "https://acme.okta.com:443/", "https://ACME.okta.com/"]
        {
            assert_eq!(check(ACME, url).unwrap(), "acme.okta.com");
        }
    }

    #[test]
    fn http_other_ports_and_user_names_are_refused() {
        use EgressError::{PortNotAllowed, SchemeNotAllowed, UserinfoNotAllowed};
        assert!(matches!(check(ACME, "http://acme.okta.com/"), Err(SchemeNotAllowed { .. })));
        assert!(matches!(check(ACME, "ftp://acme.okta.com/"), Err(SchemeNotAllowed { .. })));
        assert!(matches!(
            check(ACME, "https://acme.okta.com:8443/"),
            Err(PortNotAllowed { port: 8443 })
        ));
        assert!(matches!(
            check(ACME, "https://acme.okta.com:80/"),
            Err(PortNotAllowed { port: 80 })
        ));
        assert!(matches!(check(ACME, "https://u@acme.okta.com/"), Err(UserinfoNotAllowed)));
        assert!(matches!(check(ACME, "https://:p@acme.okta.com/"), Err(UserinfoNotAllowed)));
        assert!(matches!(
            check(Policy::Operator, "http://u:p@localhost/"),
            Err(UserinfoNotAllowed)
        ));
    }

    #[test]
    fn an_ip_address_in_any_spelling_is_refused() {
        for host in [
            "127.0.0.1",
            "127.1",
            "0x7f.1",
            "0x7f000001",
            "2130706433",
            "017700000001",
            "0177.0.0.1",
            "127.0.0.1.",
            "[::1]",
            "[::ffff:127.0.0.1]",
            "8.8.8.8",
            "１２７.0.0.1",
            "127%2e1",
        ] {
            let policy = Policy::Tenant { allowed_hosts: &["127.0.0.1", "[::1]", "8.8.8.8"] };
            let refused = check(policy, &format!("https://{host}/"));
            assert!(matches!(refused, Err(EgressError::IpAddressNotAllowed)), "{host}");
        }
    }

    #[test]
    fn a_host_outside_the_allow_list_is_refused() {
        for host in [
            "evil.example",
            "acme.okta.com.evil.example",
            "xacme.okta.com",
            "okta.com",
            "acme.okta.com.",
        ] {
            let refused = check(ACME, &format!("https://{host}/"));
            assert!(matches!(refused, Err(EgressError::HostNotAllowed { .. })), "{host}");
        }
    }

    #[test]
    fn an_operator_url_may_be_private_and_http() {
        for url in ["http://127.0.0.1:9000/jwks", "http://idp.internal/", "https://[::1]:8443/"] {
            assert!(check(Policy::Operator, url).is_ok(), "{url}");
        }
        assert!(check(Policy::Operator, "file:///etc/passwd").is_err());
    }
}
