//! All that the listener answers for: the orgs, and hosts that are no Okta org at all.
//!
//! Decides which of them a host name means, and nothing else.

use std::net::IpAddr;
use std::sync::RwLock;

use super::journal::Journal;
use super::org::{Org, OrgSetup};

#[derive(Debug, Default)]
pub(super) struct World {
    orgs: RwLock<Vec<Org>>,
    other_hosts: RwLock<Vec<String>>,
    /// What was asked of hosts that are no org.
    pub strays: Journal,
}

impl World {
    /// Replaces an org of the same host: a test that sets up the same world twice gets a new one.
    pub fn add(&self, setup: OrgSetup) -> Org {
        let org = Org::new(setup);
        let mut orgs = self.orgs.write().expect("no holder panics");
        orgs.retain(|other| other.host() != org.host());
        orgs.push(org.clone());
        org
    }

    pub fn add_other_host(&self, host: &str) {
        self.other_hosts.write().expect("no holder panics").push(host.to_ascii_lowercase());
    }

    pub fn orgs(&self) -> Vec<Org> {
        self.orgs.read().expect("no holder panics").clone()
    }

    pub fn by_name(&self, name: &str) -> Option<Org> {
        self.orgs().into_iter().find(|org| org.name() == name || org.host() == name)
    }

    /// The org behind a host; an address or `localhost` means the first one.
    pub fn by_host(&self, host: &str) -> Option<Org> {
        let orgs = self.orgs();
        if is_local(host) {
            return orgs.into_iter().next();
        }
        orgs.into_iter().find(|org| org.answers_to(host))
    }

    pub fn hosts(&self) -> Vec<String> {
        let mut hosts: Vec<String> = self.orgs().iter().flat_map(Org::hosts).collect();
        hosts.extend(self.other_hosts.read().expect("no holder panics").iter().cloned());
        hosts
    }

    pub fn wants_foreign_certificate(&self, host: &str) -> bool {
        self.by_host(host).is_some_and(|org| org.state().knobs.foreign_certificate)
    }
}

/// A host that is no name of an org's, but the listener itself.
pub(super) fn is_local(host: &str) -> bool {
    host == "localhost" || host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok()
}
