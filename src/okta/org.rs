//! Discovers the org at a host and its canonical host, from `/.well-known/okta-organization`. Sends no
//! credentials. A custom domain counts only after the canonical host has confirmed it.

use serde::Deserialize;
use serde_json::Value;
use url::Url;

use super::client::https_url;
use super::transport::Retry;
use super::{OktaClient, OktaError, OrgAddress, answer};
use crate::egress::{EgressError, EgressRequest, EgressResponse};
use crate::model::integrations::Engine;
use crate::model::integrations::okta_domain::{OktaDomain, OktaSuffixes};

const WELL_KNOWN: &str = "/.well-known/okta-organization";

/// Okta's responses have about 2 kB.
const WELL_KNOWN_LIMIT: usize = 64 * 1024;

/// What a host claims about its org. Unconfirmed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrgMetadata {
    pub id: String,
    pub engine: Engine,
    /// The host of `_links.organization`, which may be any host.
    pub organization_host: Option<String>,
    /// The hosts of `_links.alternate`, the org's custom domains.
    pub alternate_hosts: Vec<String>,
}

/// An org, confirmed by its canonical host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiscoveredOrg {
    pub org_id: String,
    pub engine: Engine,
    /// The host for credentials and API calls; always under one of Okta's suffixes.
    pub canonical_host: String,
    /// The custom domains that the canonical host lists; the entered one first, if it is among them.
    pub custom_hosts: Vec<String>,
    /// The entered custom domain, if the canonical host did not confirm it.
    pub dropped_custom_host: Option<String>,
}

#[derive(Deserialize)]
struct OktaOrganization {
    id: String,
    pipeline: Option<String>,
    #[serde(default, rename = "_links")]
    links: Value,
}

/// Maximum number of custom domains that are read. Okta allows 3, and 200 on request.
const MAX_ALTERNATES: usize = 200;

impl OktaOrganization {
    /// Returns the links of a relation, which is one link or a list of links (HAL).
    fn links(&self, relation: &str) -> &[Value] {
        match self.links.get(relation) {
            None | Some(Value::Null) => &[],
            Some(Value::Array(links)) => links.as_slice(),
            Some(link) => std::slice::from_ref(link),
        }
    }

    /// Returns the hosts of the usable links of a relation.
    fn linked_hosts(&self, relation: &str) -> impl Iterator<Item = String> + '_ {
        let hrefs = self.links(relation).iter().filter_map(|link| link.get("href")?.as_str());
        hrefs.map(https_host).filter(|host| !host.is_empty())
    }

    /// Returns the canonical host of the link. An unusable link gives an empty host, which is never one of
    /// Okta's.
    fn organization_host(&self) -> Option<String> {
        let is_named = self.links.get("organization").is_some_and(|links| !links.is_null());
        is_named.then(|| self.linked_hosts("organization").next().unwrap_or_default())
    }
}

impl OktaClient {
    /// Requests the org's metadata from a host, without credentials.
    ///
    /// # Errors
    /// `OrgNotFound` for every response that is not Okta's, and for names without a public address.
    /// `Unreachable` and `RateLimited` only from hosts under Okta's suffixes: all failures of other hosts
    /// are `OrgNotFound`.
    pub async fn find_org(&self, host: &str) -> Result<OrgMetadata, OktaError> {
        let request = EgressRequest::get(https_url(host, WELL_KNOWN)?).body_limit(WELL_KNOWN_LIMIT);
        match self.send(host, request, Retry::Read).await {
            Ok(answered) => read_metadata(host, &answered),
            Err(error) => Err(error),
        }
        .map_err(|error| {
            let hidden = if self.is_okta_host(host) {
                looks_like_no_org(&error)
            } else {
                !is_lookup_failure(&error)
            };
            if hidden { not_found(host) } else { error }
        })
    }

    /// Discovers the org of an entered domain. Makes one request for a canonical host, two for any other.
    ///
    /// # Errors
    /// Those of [`OktaClient::find_org`]; `OrgNotFound` also if no host of Okta confirms the org.
    pub async fn discover(&self, domain: &OktaDomain) -> Result<DiscoveredOrg, OktaError> {
        let claimed = self.find_org(domain.host()).await?;
        let canonical = self.canonical_host(domain, &claimed)?;
        if canonical.host() == domain.host() {
            return Ok(confirmed(&canonical, claimed, self.suffixes()));
        }
        let confirmation = self.find_org(canonical.host()).await?;
        let names_itself = confirmation.organization_host.as_deref();
        if names_itself.is_some_and(|host| host != canonical.host()) {
            return Err(not_found(domain.host()));
        }
        // Two hosts of Okta disagree about the org.
        if !domain.is_custom() && confirmation.id != claimed.id {
            return Err(OktaError::bad_answer("the canonical host belongs to another org"));
        }
        let same_org = confirmation.id == claimed.id;
        let mut org = confirmed(&canonical, confirmation, self.suffixes());
        let place = org.custom_hosts.iter().position(|host| host == domain.host());
        match place.filter(|_| same_org) {
            Some(place) => {
                let pasted = org.custom_hosts.remove(place);
                org.custom_hosts.insert(0, pasted);
            }
            None => org.dropped_custom_host = domain.is_custom().then(|| domain.host().to_owned()),
        }
        Ok(org)
    }

    /// Discovers the org `org_id` again, whose canonical host was `host`. Follows a renamed org to its new
    /// host if that is under one of Okta's suffixes and itself returns the same id. One request, two for a
    /// renamed org.
    ///
    /// # Errors
    /// As [`OktaClient::find_org`]. Another id is not an error.
    pub async fn find_org_again(
        &self,
        host: &str,
        org_id: &str,
    ) -> Result<DiscoveredOrg, OktaError> {
        let metadata = self.find_org(host).await?;
        let named = metadata.organization_host.as_deref().filter(|named| *named != host);
        if metadata.id == org_id
            && let Some(named) = named
            && let Ok(canonical) = OrgAddress::parse(named, self.suffixes())
            && let Some(confirmation) = self.confirm_rename(&canonical, org_id).await
        {
            return Ok(confirmed(&canonical, confirmation, self.suffixes()));
        }
        let stored = OrgAddress::parse(host, self.suffixes()).map_err(|_| not_found(host))?;
        Ok(confirmed(&stored, metadata, self.suffixes()))
    }

    /// Returns the metadata of a renamed org from its new host, or `None` if that is not its canonical host.
    async fn confirm_rename(&self, canonical: &OrgAddress, org_id: &str) -> Option<OrgMetadata> {
        let metadata = self.find_org(canonical.host()).await.ok()?;
        let names_itself =
            metadata.organization_host.as_deref().is_none_or(|h| h == canonical.host());
        (metadata.id == org_id && names_itself).then_some(metadata)
    }

    /// Returns the canonical host that the host claims, if it is one of Okta's. A host of Okta that names
    /// none is canonical itself.
    fn canonical_host(
        &self,
        domain: &OktaDomain,
        claimed: &OrgMetadata,
    ) -> Result<OrgAddress, OktaError> {
        let named = match &claimed.organization_host {
            Some(host) => host.as_str(),
            None => domain.host(),
        };
        OrgAddress::parse(named, self.suffixes()).map_err(|_| not_found(domain.host()))
    }
}

/// Builds the org from the metadata of its canonical host. An alternate under Okta's suffixes is an
/// earlier name, not a custom domain.
fn confirmed(
    canonical: &OrgAddress,
    metadata: OrgMetadata,
    suffixes: &OktaSuffixes,
) -> DiscoveredOrg {
    let mut custom_hosts = Vec::new();
    for host in &metadata.alternate_hosts {
        let parsed = OktaDomain::parse(host, suffixes).ok().filter(OktaDomain::is_custom);
        let host = parsed.map(|domain| domain.host().to_owned());
        custom_hosts.extend(host.filter(|host| !custom_hosts.contains(host)));
    }
    DiscoveredOrg {
        org_id: metadata.id,
        engine: metadata.engine,
        canonical_host: canonical.host().to_owned(),
        custom_hosts,
        dropped_custom_host: None,
    }
}

/// Returns whether the failure is reported as a missing org. Includes private addresses, so that the error
/// does not reveal which internal names exist.
fn looks_like_no_org(error: &OktaError) -> bool {
    match error {
        OktaError::BadAnswer { .. } => true,
        OktaError::Unreachable { source: Some(source), .. } => matches!(
            **source,
            EgressError::SpecialPurposeAddress { .. }
                | EgressError::NameNotFound { .. }
                | EgressError::IpAddressNotAllowed
                | EgressError::HostNotAllowed { .. }
        ),
        _ => false,
    }
}

/// Returns whether our own resolver failed. For a custom host this is the only failure that is not reported
/// as a missing org, because it says nothing about the host.
fn is_lookup_failure(error: &OktaError) -> bool {
    match error {
        OktaError::Unreachable { source: Some(source), .. } => {
            matches!(**source, EgressError::LookupFailed { .. })
        }
        _ => false,
    }
}

fn read_metadata(host: &str, answered: &EgressResponse) -> Result<OrgMetadata, OktaError> {
    if let Some(error) = answer::common_refusal(answered) {
        return Err(error);
    }
    let organization: Option<OktaOrganization> = serde_json::from_slice(&answered.body).ok();
    let organization =
        organization.filter(|found| answered.status.as_u16() == 200 && is_org(found));
    let Some(organization) = organization else { return Err(not_found(host)) };
    Ok(OrgMetadata {
        engine: parse_engine(organization.pipeline.as_deref()),
        organization_host: organization.organization_host(),
        alternate_hosts: organization.linked_hosts("alternate").take(MAX_ALTERNATES).collect(),
        id: organization.id,
    })
}

/// Requires more than an id, which many JSON documents have.
fn is_org(found: &OktaOrganization) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    (1..=64).contains(&found.id.len())
        && found.id.chars().all(plain)
        && (found.pipeline.is_some() || found.organization_host().is_some())
}

fn parse_engine(pipeline: Option<&str>) -> Engine {
    match pipeline {
        Some("idx") => Engine::IdentityEngine,
        Some("v1") => Engine::Classic,
        _ => Engine::Other,
    }
}

/// Returns the host of an https link on the standard port. Other links give an empty host, which is never
/// one of Okta's.
fn https_host(href: &str) -> String {
    let url = Url::parse(href).ok().filter(|url| {
        url.scheme() == "https"
            && url.port().is_none()
            && url.username().is_empty()
            && url.password().is_none()
    });
    url.and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default()
}

fn not_found(host: &str) -> OktaError {
    OktaError::OrgNotFound { host: host.to_owned() }
}

#[cfg(test)]
mod tests {
    use reqwest::StatusCode;
    use reqwest::header::HeaderMap;

    use super::*;

    fn read(status: u16, body: &str) -> Result<OrgMetadata, OktaError> {
        let status = StatusCode::from_u16(status).unwrap();
        let body = body.as_bytes().to_vec();
        read_metadata("acme.okta.com", &EgressResponse { status, headers: HeaderMap::new(), body })
    }

    #[test]
    fn unknown_fields_of_the_metadata_are_ignored() {
        let org = read(200, r#"{"id":"00o1","cell":"ok14","new":[1],"settings":{"x":true},"pipeline":"idx","_links":{
            "organization":{"href":"https://acme.okta.com","hints":{}},"alternate":{"href":"https://login.acme.example/"},"more":{}}}"#).unwrap();
        assert_eq!(
            org,
            OrgMetadata {
                id: "00o1".to_owned(),
                engine: Engine::IdentityEngine,
                organization_host: Some("acme.okta.com".to_owned()),
                alternate_hosts: vec!["login.acme.example".to_owned()],
            }
        );
        assert_eq!(read(200, r#"{"id":"00o1","pipeline":"v1"}"#).unwrap().engine, Engine::Classic);
        assert_eq!(read(200, r#"{"id":"00o1","pipeline":"v3"}"#).unwrap().engine, Engine::Other);
    }

    #[test]
    fn a_relation_may_be_one_link_or_several() {
        let alternate = |links: &str| {
            let body = format!(
                r#"{{"id":"00o1","pipeline":"idx","_links":{{"organization":[{{"href":"https://acme.okta.com"}}],"alternate":{links}}}}}"#
            );
            let org = read(200, &body).unwrap();
            assert_eq!(org.organization_host.as_deref(), Some("acme.okta.com"));
            org.alternate_hosts
        };
        assert_eq!(
            alternate(r#"[{"href":"https://login.acme.example"},{"href":"https://b.example"}]"#),
            ["login.acme.example", "b.example"]
        );
        assert_eq!(
            alternate(
                r#"[{"name":"x"},{"href":"http://a"},{"href":"https://login.acme.example"}]"#
            ),
            ["login.acme.example"]
        );
        for unusable in ["[]", "7", r#""x""#, r#"{"href":7}"#, "null"] {
            assert!(alternate(unusable).is_empty(), "{unusable}");
        }
        assert!(read(200, r#"{"id":"00o1","pipeline":"idx","_links":[]}"#).is_ok());
    }

    #[test]
    fn every_response_that_is_not_oktas_is_org_not_found() {
        let org = r#"{"id":"00o1","pipeline":"idx"}"#;
        for (status, body) in [
            (404, ""),
            (404, org),
            (301, ""),
            (302, org),
            (403, "<html>"),
            (401, "{}"),
            (204, ""),
            (200, ""),
            (200, "<html>hello</html>"),
            (200, "[]"),
            (200, "{}"),
            (200, "null"),
            (200, r#"{"id":"00o1"}"#),
            (200, r#"{"id":"","pipeline":"idx"}"#),
            (200, r#"{"id":7,"pipeline":"idx"}"#),
            (200, r#"{"id":"a b","pipeline":"idx"}"#),
            (200, r#"{"pipeline":"idx"}"#),
        ] {
            assert!(
                matches!(read(status, body), Err(OktaError::OrgNotFound { .. })),
                "{status} {body}"
            );
        }
    }

    #[test]
    fn server_errors_and_rate_limits_are_not_org_not_found() {
        assert!(matches!(read(503, "<html>"), Err(OktaError::Unreachable { .. })));
        assert!(matches!(read(429, ""), Err(OktaError::RateLimited { .. })));
    }

    #[test]
    fn only_plain_https_links_are_usable() {
        assert_eq!(https_host("https://ACME.okta.com:443/"), "acme.okta.com");
        for href in [
            "http://acme.okta.com",
            "https://acme.okta.com:8443",
            "https://u@acme.okta.com",
            "acme.okta.com",
            "",
            "ftp://x",
        ] {
            assert_eq!(https_host(href), "", "{href}");
        }
    }

    #[test]
    fn private_and_missing_names_are_reported_as_org_not_found() {
        let host = || "x.example".to_owned();
        for error in [
            EgressError::SpecialPurposeAddress { host: host() },
            EgressError::NameNotFound { host: host() },
            EgressError::BodyTooLarge { limit: 1 },
        ] {
            assert!(looks_like_no_org(&error.into()));
        }
        let failed = std::io::Error::other("temporary");
        assert!(!looks_like_no_org(
            &EgressError::LookupFailed { host: host(), source: failed }.into()
        ));
        assert!(!looks_like_no_org(&EgressError::TimedOut.into()));
    }
}
