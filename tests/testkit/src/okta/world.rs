//! The orgs and other hosts that the listener serves.
//!
//! Maps host names to them.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, RwLock};

use super::description::Description;
use super::journal::Journal;
use super::message::Request;
use super::org::{Org, OrgSetup};
use super::scep::ScepBackend;

#[derive(Debug, Default)]
pub(super) struct World {
    orgs: RwLock<Vec<Org>>,
    other_hosts: RwLock<Vec<String>>,
    /// The requests to hosts without an org.
    pub unmatched_requests: Journal,
    /// Okta's own description, which requests are held against.
    description: Option<Arc<Description>>,
    /// What was wrong with requests by that description.
    pub violations: Mutex<Vec<String>>,
    /// The real SCEP server behind every org.
    scep_backend: Option<ScepBackend>,
}

impl World {
    pub fn new(description: Option<Arc<Description>>, scep_backend: Option<ScepBackend>) -> Self {
        Self { description, scep_backend, ..Self::default() }
    }

    /// Adds an org. Replaces an existing one with the same host.
    pub fn add(&self, setup: OrgSetup) -> Org {
        let org = Org::new(setup);
        org.set_scep_backend(self.scep_backend.clone());
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

    /// Returns the org of a host; an IP address or `localhost` means the first one.
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

    /// Holds a request for Okta's API against its description. The addresses of SCEP are opaque, and in no
    /// description.
    pub fn check(&self, request: &Request) {
        let Some(description) = &self.description else { return };
        let Request { method, host, path, query, .. } = request;
        if !["/api/", "/oauth2/", "/.well-known/"].iter().any(|below| path.starts_with(below)) {
            return;
        }
        let found = description.violations(request).into_iter();
        let told = found.map(|what| format!("{method} {host}{path}?{query}: {what}"));
        self.violations.lock().expect("no holder panics").extend(told);
    }

    pub fn wants_foreign_certificate(&self, host: &str) -> bool {
        self.by_host(host).is_some_and(|org| org.state().knobs.foreign_certificate)
    }
}

/// Returns whether the host is the listener itself, not an org.
pub(super) fn is_local(host: &str) -> bool {
    host == "localhost" || host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok()
}
