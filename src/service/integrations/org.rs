//! The Okta org of an integration: discovers it, and checks that it is still the same.

use chrono::Utc;
use futures_util::{StreamExt as _, stream};

use super::findings::fastpass_finding;
use crate::model::platforms::ScepValues;
use crate::model::{
    Finding, FindingReason, IntegrationRecord, OktaDomain, Org, Outcome, PrerequisiteKind,
    integrations::Engine,
};
use crate::okta::{DiscoveredOrg, OktaError, OrgAddress, ProvedGrant};
use crate::service::{Error, FieldError, Service, with_okta_timeout};

impl Service {
    /// Discovers the org at a domain.
    pub(super) async fn discover_org(&self, domain: &OktaDomain) -> Result<DiscoveredOrg, Error> {
        with_okta_timeout(async { Ok(self.okta.discover(domain).await?) }).await
    }

    /// Discovers the org at a domain that replaces the current one. Once the integration has credentials
    /// or platforms, it must be the same org.
    ///
    /// # Errors
    /// `Invalid`, `OtherOrg`, `Okta`.
    pub(super) async fn rediscover_org(
        &self,
        before: &IntegrationRecord,
        pasted: &str,
    ) -> Result<DiscoveredOrg, Error> {
        let domain =
            OktaDomain::parse(pasted, self.okta.suffixes()).map_err(Error::from_domain_error)?;
        let discovered = self.discover_org(&domain).await?;
        let is_bound = before.credentials.is_some() || !before.platforms.is_empty();
        if is_bound && discovered.org_id != before.integration.org.id {
            return Err(Error::OtherOrg);
        }
        Ok(discovered)
    }

    /// Finds the org of an integration again: at the same host or at the one it was renamed to, with its
    /// custom domains as they are now. One request; more only for a renamed org.
    ///
    /// # Errors
    /// `OtherOrg` when another org answers at the stored host; `Okta`.
    pub(super) async fn relocate_org(&self, record: &IntegrationRecord) -> Result<Org, Error> {
        let stored = &record.integration.org;
        let okta = self.okta.without_retries();
        let found = match okta.find_org_again(&stored.canonical_host, &stored.id).await {
            Err(error @ OktaError::OrgNotFound { .. }) => {
                self.find_by_custom_domain(stored).await.ok_or(error)?
            }
            other => other?,
        };
        if found.org_id != stored.id {
            return Err(Error::OtherOrg);
        }
        Ok(Org { custom_hosts: in_stored_order(stored, &found.custom_hosts), ..to_org(&found) })
    }

    /// Where the old host of a renamed org no longer answers, a custom domain may still name the new one.
    async fn find_by_custom_domain(&self, stored: &Org) -> Option<DiscoveredOrg> {
        let host = stored.custom_hosts.first()?;
        let domain = OktaDomain::parse(host, self.okta.suffixes()).ok()?;
        let found = self.okta.without_retries().discover(&domain).await.ok()?;
        (found.org_id == stored.id && found.dropped_custom_host.is_none()).then_some(found)
    }

    /// The hosts of a SCEP integration, which may be asked and sent its password: the canonical host, and
    /// a custom domain that the canonical host confirmed within the last 24 hours or confirms now.
    ///
    /// # Errors
    /// `ScepUrlOnOldHost`, or `Okta` when the confirmation could not be had.
    pub(in crate::service) async fn confirm_scep_hosts(
        &self,
        record: &IntegrationRecord,
        scep: &ScepValues,
    ) -> Result<Vec<String>, Error> {
        let org = &record.integration.org;
        let mut hosts: Vec<String> = Vec::new();
        for url in [&scep.challenge_url, &scep.scep_url] {
            let host = url.host_str().unwrap_or_default();
            if !org.hosts().any(|known| known == host) {
                return Err(on_old_host(org, host));
            }
            hosts.push(host.to_owned());
        }
        let custom: Vec<&String> =
            hosts.iter().filter(|host| **host != org.canonical_host).collect();
        if !custom.is_empty() && !record.integration.has_fresh_hosts(Utc::now()) {
            let says = self.okta.find_org(&org.canonical_host).await?;
            let named =
                |host: &str| says.id == org.id && says.alternate_hosts.iter().any(|h| h == host);
            if let Some(dropped) = custom.into_iter().find(|host| !named(host)) {
                return Err(on_old_host(org, dropped));
            }
        }
        Ok(hosts)
    }

    /// Checks that the hosts are the org's: each has to answer with its id. No secret is sent to any.
    ///
    /// # Errors
    /// `Invalid` with each host that is not the org's; `Okta` when one could not be asked.
    pub(super) async fn check_sign_in_hosts(
        &self,
        org_id: &str,
        hosts: &[(usize, String)],
    ) -> Result<(), Error> {
        let asked = hosts.iter().map(|(index, host)| async move {
            let says = self.okta.find_org(host).await;
            (*index, host.as_str(), says)
        });
        let answers: Vec<_> = stream::iter(asked).buffered(HOSTS_AT_ONCE).collect().await;
        let mut refused = Vec::new();
        for (index, host, says) in answers {
            let (code, detail) = match says {
                Ok(says) if says.id == org_id => continue,
                Ok(_) => ("other_org", format!("At {host} another Okta org answers.")),
                Err(OktaError::OrgNotFound { .. }) => {
                    ("org_not_found", format!("No Okta org answers at {host}."))
                }
                Err(error) => return Err(error.into()),
            };
            let pointer = format!("/additional_sign_in_hosts/{index}");
            refused.push(FieldError::new(&pointer, code, detail));
        }
        if refused.is_empty() { Ok(()) } else { Err(Error::Invalid(refused)) }
    }

    /// Fetches the org of an integration again at its stored host: one request, whatever became of it.
    ///
    /// # Errors
    /// `OtherOrg` when another org answers at the stored host; `Okta`.
    pub(super) async fn refetch_org(&self, record: &IntegrationRecord) -> Result<Org, Error> {
        let stored = &record.integration.org;
        let found = self.okta.without_retries().find_org(&stored.canonical_host).await?;
        if found.id != stored.id {
            return Err(Error::OtherOrg);
        }
        Ok(Org { engine: found.engine, ..stored.clone() })
    }

    /// Returns the address of the org of an integration.
    pub(in crate::service) fn org_address(
        &self,
        record: &IntegrationRecord,
    ) -> Result<OrgAddress, Error> {
        self.address_of(&record.integration.org)
    }

    pub(super) fn address_of(&self, org: &Org) -> Result<OrgAddress, Error> {
        OrgAddress::parse(&org.canonical_host, self.okta.suffixes())
            .map_err(Error::from_domain_error)
    }

    /// Checks whether `FastPass` is on. A failed request to Okta is a finding as well.
    pub(super) async fn find_fastpass(
        &self,
        host: &OrgAddress,
        engine: &Engine,
        grant: &ProvedGrant,
    ) -> Finding {
        if *engine == Engine::Classic {
            // A Classic org has no FastPass and refuses the request.
            let finding = Finding::new(PrerequisiteKind::Fastpass, Outcome::Unknown, Utc::now());
            return finding.with_reason(FindingReason::ClassicEngine);
        }
        fastpass_finding(self.okta.without_retries().find_fastpass(host, &grant.token).await)
    }
}

/// The most requests to sign-in hosts at once.
const HOSTS_AT_ONCE: usize = 4;

fn on_old_host(org: &Org, host: &str) -> Error {
    let hosts = org.hosts().map(str::to_owned).collect();
    Error::ScepUrlOnOldHost { host: host.to_owned(), hosts }
}

/// Sorts the hosts as they are stored, new ones last, so that the first one stays the sign-in host. Okta
/// guarantees no order.
fn in_stored_order(stored: &Org, found: &[String]) -> Vec<String> {
    let known = stored.custom_hosts.iter().filter(|host| found.contains(host));
    let new = found.iter().filter(|host| !stored.custom_hosts.contains(host));
    known.chain(new).cloned().collect()
}

pub(super) fn to_org(discovered: &DiscoveredOrg) -> Org {
    Org {
        id: discovered.org_id.clone(),
        canonical_host: discovered.canonical_host.clone(),
        custom_hosts: discovered.custom_hosts.clone(),
        engine: discovered.engine.clone(),
    }
}
