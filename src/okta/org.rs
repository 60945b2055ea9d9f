//! Finds out which org lives at a host, and under which name it is Okta's own (facts §2). Sends no
//! credentials; believes a custom domain only after its canonical host has confirmed it.

use serde::Deserialize;
use serde_json::Value;
use url::Url;

use super::client::url_of;
use super::transport::Retry;
use super::{OktaClient, OktaError, OrgAddress, answer};
use crate::egress::{EgressError, EgressRequest, EgressResponse};
use crate::model::integrations::Engine;
use crate::model::integrations::okta_domain::{OktaDomain, OktaSuffixes};

const WELL_KNOWN: &str = "/.well-known/okta-organization";

/// Real answers have some 2 kB; what is larger is no org.
const WELL_KNOWN_LIMIT: usize = 64 * 1024;

/// What a host says of the org behind it. Nothing of it is confirmed yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrgMetadata {
    pub id: String,
    pub engine: Engine,
    /// The host of `_links.organization`, whatever it is.
    pub organization_host: Option<String>,
    /// The host of `_links.alternate`, the org's custom domain.
    pub alternate_host: Option<String>,
}

/// An org, as its canonical host describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiscoveredOrg {
    pub org_id: String,
    pub engine: Engine,
    /// Where credentials and API calls go; always under one of Okta's suffixes.
    pub canonical_host: String,
    /// The custom domain that the canonical host names.
    pub custom_host: Option<String>,
    /// The pasted custom domain, when the canonical host did not confirm it (contract §2).
    pub dropped_custom_host: Option<String>,
}

#[derive(Deserialize)]
struct OktaOrganization {
    id: String,
    pipeline: Option<String>,
    #[serde(default, rename = "_links")]
    links: Value,
}

impl OktaOrganization {
    /// The host that a link names; empty, and so never Okta's, for a link that is not usable. Okta
    /// writes a relation as one link or as a list of them (HAL): the first usable one counts.
    fn linked_host(&self, relation: &str) -> Option<String> {
        let links = match self.links.get(relation)? {
            Value::Null => return None,
            Value::Array(links) => links.as_slice(),
            link => std::slice::from_ref(link),
        };
        let hosts = links.iter().filter_map(|link| link.get("href")?.as_str()).map(host_of);
        Some(hosts.into_iter().find(|host| !host.is_empty()).unwrap_or_default())
    }
}

impl OktaClient {
    /// Asks the host who it is, without credentials.
    ///
    /// # Errors
    /// `OrgNotFound` for every answer that is not Okta's, and for names that have no public address;
    /// `Unreachable` and `RateLimited` when there was no answer to judge. From a host that is not
    /// under one of Okta's suffixes no answer is Okta's trouble: there all of it is `OrgNotFound`.
    pub async fn find_org(&self, host: &str) -> Result<OrgMetadata, OktaError> {
        let request = EgressRequest::get(url_of(host, WELL_KNOWN)?).body_limit(WELL_KNOWN_LIMIT);
        match self.send(host, request, Retry::Read).await {
            Ok(answered) => read_metadata(host, &answered),
            Err(error) => Err(error),
        }
        .map_err(|error| {
            let is_no_org =
                if self.is_oktas(host) { is_no_org(&error) } else { tells_nothing(&error) };
            if is_no_org { not_found(host) } else { error }
        })
    }

    /// Finds the org behind what was pasted. One request for a canonical host, two for any other.
    ///
    /// # Errors
    /// As [`OktaClient::find_org`]; also `OrgNotFound` when no host of Okta's confirms the org.
    pub async fn discover(&self, domain: &OktaDomain) -> Result<DiscoveredOrg, OktaError> {
        let said = self.find_org(domain.host()).await?;
        let canonical = self.canonical_of(domain, &said)?;
        if canonical.host() == domain.host() {
            return Ok(confirmed(&canonical, said, self.suffixes()));
        }
        let confirmation = self.find_org(canonical.host()).await?;
        let names_itself = confirmation.organization_host.as_deref();
        if names_itself.is_some_and(|host| host != canonical.host()) {
            return Err(not_found(domain.host()));
        }
        // Two of Okta's own hosts that disagree about the org leave no one to believe.
        if !domain.is_custom() && confirmation.id != said.id {
            return Err(OktaError::bad_answer("a canonical host that is another org"));
        }
        let same_org = confirmation.id == said.id;
        let mut org = confirmed(&canonical, confirmation, self.suffixes());
        let vouched = same_org && org.custom_host.as_deref() == Some(domain.host());
        org.dropped_custom_host =
            (domain.is_custom() && !vouched).then(|| domain.host().to_owned());
        Ok(org)
    }

    /// The canonical host that was named, if it is one of Okta's. A host of Okta's that names none
    /// is its own.
    fn canonical_of(
        &self,
        domain: &OktaDomain,
        said: &OrgMetadata,
    ) -> Result<OrgAddress, OktaError> {
        let named = match &said.organization_host {
            Some(host) => host.as_str(),
            None => domain.host(),
        };
        OrgAddress::parse(named, self.suffixes()).map_err(|_| not_found(domain.host()))
    }
}

/// The org in the words of its canonical host. An alternate under Okta's own suffixes is an earlier
/// name and no custom domain.
fn confirmed(
    canonical: &OrgAddress,
    metadata: OrgMetadata,
    suffixes: &OktaSuffixes,
) -> DiscoveredOrg {
    let custom = |host: String| {
        let parsed = OktaDomain::parse(&host, suffixes).ok()?;
        parsed.is_custom().then(|| parsed.host().to_owned())
    };
    DiscoveredOrg {
        org_id: metadata.id,
        engine: metadata.engine,
        canonical_host: canonical.host().to_owned(),
        custom_host: metadata.alternate_host.and_then(custom),
        dropped_custom_host: None,
    }
}

/// Failures that a stranger's host shows just as a missing org does. A private address is among
/// them, so that the answer tells nobody which internal names exist.
fn is_no_org(error: &OktaError) -> bool {
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

/// The same for a host that anybody may own. Only that our own resolver could not say anything is
/// told apart: it says nothing of the host.
fn tells_nothing(error: &OktaError) -> bool {
    let lookup_failed = match error {
        OktaError::Unreachable { source: Some(source), .. } => {
            matches!(**source, EgressError::LookupFailed { .. })
        }
        _ => false,
    };
    !lookup_failed
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
        engine: engine_of(organization.pipeline.as_deref()),
        organization_host: organization.linked_host("organization"),
        alternate_host: organization.linked_host("alternate"),
        id: organization.id,
    })
}

/// An id alone is in many JSON documents.
fn is_org(found: &OktaOrganization) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    (1..=64).contains(&found.id.len())
        && found.id.chars().all(plain)
        && (found.pipeline.is_some() || found.linked_host("organization").is_some())
}

fn engine_of(pipeline: Option<&str>) -> Engine {
    match pipeline {
        Some("idx") => Engine::IdentityEngine,
        Some("v1") => Engine::Classic,
        _ => Engine::Other,
    }
}

/// The host of an https link on the standard port; empty, and so never Okta's, for any other link.
fn host_of(href: &str) -> String {
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
    fn an_org_is_read_leniently() {
        let org = read(200, r#"{"id":"00o1","cell":"ok14","new":[1],"settings":{"x":true},"pipeline":"idx","_links":{
            "organization":{"href":"https://acme.okta.com","hints":{}},"alternate":{"href":"https://login.acme.example/"},"more":{}}}"#).unwrap();
        assert_eq!(
            org,
            OrgMetadata {
                id: "00o1".to_owned(),
                engine: Engine::IdentityEngine,
                organization_host: Some("acme.okta.com".to_owned()),
                alternate_host: Some("login.acme.example".to_owned()),
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
            org.alternate_host
        };
        let login = Some("login.acme.example".to_owned());
        assert_eq!(
            alternate(r#"[{"href":"https://login.acme.example"},{"href":"https://b"}]"#),
            login
        );
        assert_eq!(
            alternate(
                r#"[{"name":"x"},{"href":"http://a"},{"href":"https://login.acme.example"}]"#
            ),
            login
        );
        for unusable in ["[]", "7", r#""x""#, r#"{"href":7}"#] {
            assert_eq!(alternate(unusable), Some(String::new()), "{unusable}");
        }
        assert_eq!(alternate("null"), None);
        assert!(read(200, r#"{"id":"00o1","pipeline":"idx","_links":[]}"#).is_ok());
    }

    #[test]
    fn every_answer_that_is_not_oktas_looks_the_same() {
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
    fn a_server_in_trouble_is_not_a_missing_org() {
        assert!(matches!(read(503, "<html>"), Err(OktaError::Unreachable { .. })));
        assert!(matches!(read(429, ""), Err(OktaError::RateLimited { .. })));
    }

    #[test]
    fn a_link_counts_only_as_plain_https() {
        assert_eq!(host_of("https://ACME.okta.com:443/"), "acme.okta.com");
        for href in [
            "http://acme.okta.com",
            "https://acme.okta.com:8443",
            "https://u@acme.okta.com",
            "acme.okta.com",
            "",
            "ftp://x",
        ] {
            assert_eq!(host_of(href), "", "{href}");
        }
    }

    #[test]
    fn private_and_missing_names_look_like_a_missing_org() {
        let host = || "x.example".to_owned();
        for error in [
            EgressError::SpecialPurposeAddress { host: host() },
            EgressError::NameNotFound { host: host() },
            EgressError::BodyTooLarge { limit: 1 },
        ] {
            assert!(is_no_org(&error.into()));
        }
        let undecided = std::io::Error::other("temporary");
        assert!(!is_no_org(&EgressError::LookupFailed { host: host(), source: undecided }.into()));
        assert!(!is_no_org(&EgressError::TimedOut.into()));
    }
}
