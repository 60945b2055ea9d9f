//! The org behind an integration: where it is, and whether it is still the same.

use chrono::Utc;

use super::findings::fastpass_finding;
use crate::model::{
    Finding, FindingReason, IntegrationRecord, OktaDomain, Org, Outcome, PrerequisiteKind,
    integrations::Engine,
};
use crate::okta::{DiscoveredOrg, OrgAddress, ProvedGrant};
use crate::service::{Error, Service, with_okta_timeout};

impl Service {
    /// Finds the org behind a domain.
    pub(super) async fn discover_org(&self, domain: &OktaDomain) -> Result<DiscoveredOrg, Error> {
        with_okta_timeout(async { Ok(self.okta.discover(domain).await?) }).await
    }

    /// The org behind a domain that replaces the one before; after connecting, the same org only.
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

    /// Fetches the org of an integration again.
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
    pub(in crate::service) fn address_of(
        &self,
        record: &IntegrationRecord,
    ) -> Result<OrgAddress, Error> {
        let host = &record.integration.org.canonical_host;
        OrgAddress::parse(host, self.okta.suffixes()).map_err(Error::from_domain_error)
    }

    /// Asks Okta whether `FastPass` is on. A failure is a finding, too.
    pub(super) async fn find_fastpass(
        &self,
        host: &OrgAddress,
        engine: &Engine,
        grant: &ProvedGrant,
    ) -> Finding {
        if *engine == Engine::Classic {
            // A Classic org has no FastPass and refuses the question (facts §3): it is not asked.
            let finding = Finding::new(PrerequisiteKind::Fastpass, Outcome::Unknown, Utc::now());
            return finding.with_reason(FindingReason::ClassicEngine);
        }
        fastpass_finding(self.okta.without_retries().find_fastpass(host, &grant.token).await)
    }
}

pub(super) fn org_of(discovered: &DiscoveredOrg) -> Org {
    Org {
        id: discovered.org_id.clone(),
        canonical_host: discovered.canonical_host.clone(),
        custom_host: discovered.custom_host.clone(),
        engine: discovered.engine.clone(),
    }
}
