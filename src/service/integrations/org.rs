//! The Okta org of an integration: discovers it, and checks that it is still the same.

use chrono::Utc;

use super::findings::fastpass_finding;
use crate::model::{
    Finding, FindingReason, IntegrationRecord, OktaDomain, Org, Outcome, PrerequisiteKind,
    integrations::Engine,
};
use crate::okta::{DiscoveredOrg, OrgAddress, ProvedGrant};
use crate::service::{Error, Service, with_okta_timeout};

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
    pub(in crate::service) fn org_address(
        &self,
        record: &IntegrationRecord,
    ) -> Result<OrgAddress, Error> {
        let host = &record.integration.org.canonical_host;
        OrgAddress::parse(host, self.okta.suffixes()).map_err(Error::from_domain_error)
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

pub(super) fn to_org(discovered: &DiscoveredOrg) -> Org {
    Org {
        id: discovered.org_id.clone(),
        canonical_host: discovered.canonical_host.clone(),
        custom_host: discovered.custom_host.clone(),
        engine: discovered.engine.clone(),
    }
}
