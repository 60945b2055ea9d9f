//! The verdict: whether a device is trusted, and why. One pure function decides, from facts and with
//! the clock as an argument; it reads nothing and asks nobody (contract §6).

mod facts;
mod reasons;
mod remediation;
#[cfg(test)]
mod tests;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::model::{OktaDeviceUser, Platform};

pub use facts::{
    AskedDevice, CountingCertificate, Delivery, DeviceFacts, Facts, OktaRecord, OrgFacts,
    UnmatchedIos,
};
pub use reasons::Reason;
pub use remediation::{ActsOn, ReasonRemediation};

/// Whether a device is trusted.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Trust {
    Trusted,
    /// All is delivered; the user has still to do something.
    Pending,
    Untrusted,
    /// We cannot tell.
    Unknown,
}

impl Trust {
    const ALL: [Self; 4] = [Self::Trusted, Self::Pending, Self::Untrusted, Self::Unknown];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Trusted => "trusted",
            Self::Pending => "pending",
            Self::Untrusted => "untrusted",
            Self::Unknown => "unknown",
        }
    }

    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|trust| trust.as_str() == word)
    }
}

/// By which rules it is decided.
#[derive(Debug, Clone, Copy)]
pub struct Policy {
    /// Facts older than this are called stale.
    pub fresh_for: TimeDelta,
    /// Facts older than this decide nothing.
    pub unknown_after: TimeDelta,
    /// The age that the caller puts up with; it can only lower the bound.
    pub max_age: Option<TimeDelta>,
    /// A device that the MDM does not know is not trusted.
    pub require_inventory: bool,
    /// Every user of the device has to be managed; else one is enough.
    pub all_users: bool,
}

/// The verdict on one device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    pub trust: Trust,
    /// The first one decides; the others are notes.
    pub reasons: Vec<Reason>,
    /// How old the oldest fact of Okta's is that was used. `None`: none was there.
    pub observed_at: Option<DateTime<Utc>>,
    /// How long the answer may be kept. `None`: not at all.
    pub fresh_until: Option<DateTime<Utc>>,
    /// The facts are older than they should be, and still decide.
    pub stale: bool,
    /// What the facts said when they were observed, where they are now too old to decide.
    pub last_known: Option<LastKnown>,
}

/// A verdict of the past.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct LastKnown {
    pub trust: Trust,
    pub observed_at: DateTime<Utc>,
}

/// A certificate that ends sooner is told of.
pub const CERTIFICATE_EXPIRING: TimeDelta = TimeDelta::days(30);

/// Decides. The first rule of contract §6 that holds is the reason.
pub fn decide(facts: &Facts, policy: &Policy, now: DateTime<Utc>) -> Verdict {
    let connected = facts.org.as_deref().filter(|org| org.connected);
    let Some((org, swept_at)) = connected.and_then(|org| Some((org, org.swept_at?))) else {
        return never_connected(facts, now);
    };
    // A clock that runs behind must not make facts fresher than now.
    let observed_at = facts.observed_at(swept_at).min(now);
    let age = now - observed_at;
    let bound = policy.bound();
    let too_old = age > bound;
    let reason = match (too_old, facts.budget_exhausted) {
        (true, true) => Reason::OktaBudgetExhausted,
        (true, false) => Reason::OktaUnreachable,
        (false, _) => judge(facts, org, policy, now),
    };
    let last_known = too_old.then(|| LastKnown {
        trust: trust_of(judge(facts, org, policy, observed_at)),
        observed_at,
    });
    Verdict {
        trust: trust_of(reason),
        reasons: [reason].into_iter().chain(notes(facts, now)).collect(),
        observed_at: Some(observed_at),
        fresh_until: (!too_old).then(|| {
            let until = observed_at + policy.fresh_for.min(bound);
            end_of_certificate(facts, now).map_or(until, |end| until.min(end))
        }),
        stale: age > policy.fresh_for,
        last_known,
    }
}

impl Policy {
    /// Facts older than this decide nothing for this caller.
    pub fn bound(&self) -> TimeDelta {
        self.max_age.map_or(self.unknown_after, |max_age| max_age.min(self.unknown_after))
    }

    /// Whether the users make the device trusted; no users never do.
    fn is_met_by(&self, record: &OktaRecord) -> bool {
        let users = &record.users;
        if self.all_users {
            record.users_known && !users.is_empty() && users.iter().all(OktaDeviceUser::is_managed)
        } else {
            users.iter().any(OktaDeviceUser::is_managed)
        }
    }
}

fn trust_of(reason: Reason) -> Trust {
    // A note never decides; if one did, nothing would be known.
    reason.trust().unwrap_or(Trust::Unknown)
}

fn never_connected(facts: &Facts, now: DateTime<Utc>) -> Verdict {
    let reasons = [Reason::NeverConnected].into_iter().chain(notes(facts, now)).collect();
    Verdict {
        trust: Trust::Unknown,
        reasons,
        observed_at: None,
        fresh_until: None,
        stale: false,
        last_known: None,
    }
}

impl Facts {
    /// Whether the MDM's facts alone decide, so that nothing which Okta might say now could change it.
    pub fn is_decided_by_the_mdm(&self, policy: &Policy) -> bool {
        let device = self.device.as_ref();
        device.is_some_and(DeviceFacts::is_given_up)
            || (policy.require_inventory && !device.is_some_and(DeviceFacts::is_managed))
    }
}

/// Rules 3 to 10: what facts that are young enough say.
fn judge(facts: &Facts, org: &OrgFacts, policy: &Policy, now: DateTime<Utc>) -> Reason {
    let device = facts.device.as_ref();
    if device.is_some_and(DeviceFacts::is_given_up) {
        return Reason::MdmUnenrolled;
    }
    if policy.require_inventory && !device.is_some_and(DeviceFacts::is_managed) {
        return Reason::NotKnownToMdm;
    }
    let platform = facts.platform();
    let newest = facts.newest();
    let is_configured = platform.is_some_and(|platform| org.platforms.contains(&platform));
    // Of a device that neither the MDM nor Okta knows, nobody knows the platform.
    if (device.is_some() || newest.is_some()) && !is_configured {
        return Reason::PlatformNotConfigured;
    }
    let delivered = device.and_then(DeviceFacts::counting_delivery).is_some();
    match newest {
        // Not in the contract's list of rules, which asks that such a device is not trusted: before all
        // that is said of a record, since nobody knows whose it is.
        _ if facts.identities_conflict() => Reason::ConflictingIdentity,
        None if platform == Some(Platform::Ios) && facts.has_unmatched_ios() => {
            Reason::OktaRecordUnmatched
        }
        None if delivered => Reason::NotRegisteredInOkta,
        Some(record) if !record.is_active() => inactive(record),
        Some(_) if has_expired(facts, now) => Reason::CertificateExpired,
        Some(record) if policy.is_met_by(record) => Reason::ManagedAndActive,
        Some(record) if !record.users_known => Reason::ManagementStatusUnknown,
        Some(_) if delivered => Reason::AwaitingFastpassSignIn,
        Some(_) | None => Reason::ConfigNotDelivered,
    }
}

fn inactive(record: &OktaRecord) -> Reason {
    match record.status.as_str() {
        _ if record.not_found_at.is_some() => Reason::OktaDeviceInactive,
        "SUSPENDED" => Reason::OktaDeviceSuspended,
        "DEACTIVATED" => Reason::OktaDeviceDeactivated,
        _ => Reason::OktaDeviceInactive,
    }
}

/// The certificate that counts: Macs alone have one.
fn certificate_of(facts: &Facts) -> Option<&CountingCertificate> {
    let device = facts.device.as_ref().filter(|device| device.platform == Some(Platform::Macos));
    device.and_then(|device| device.certificate.as_ref())
}

fn has_expired(facts: &Facts, now: DateTime<Utc>) -> bool {
    certificate_of(facts).is_some_and(|certificate| certificate.not_after <= now)
}

/// The end of the certificate, if it is still to come.
fn end_of_certificate(facts: &Facts, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    certificate_of(facts).map(|certificate| certificate.not_after).filter(|end| *end > now)
}

/// What is worth a word and decides nothing.
fn notes(facts: &Facts, now: DateTime<Utc>) -> impl Iterator<Item = Reason> {
    let managed = facts.device.as_ref().filter(|device| device.is_managed());
    let expiring = managed.is_some()
        && end_of_certificate(facts, now).is_some_and(|end| end - now <= CERTIFICATE_EXPIRING);
    let missing = managed.is_some_and(|device| {
        device.platform == Some(Platform::Macos)
            && device.counting_delivery().is_some()
            && device.certificate.is_none()
    });
    let users = facts.newest().map_or(&[][..], |record| &record.users);
    let managed_users = users.iter().filter(|user| user.is_managed()).count();
    let told = users.iter().filter(|user| user.management_status.is_some()).count();
    [
        (expiring, Reason::CertificateExpiring),
        (missing, Reason::CertificateMissing),
        (managed_users > 0 && managed_users < told, Reason::MixedUserProfiles),
        (facts.okta_devices.len() > 1, Reason::DuplicateOktaRecords),
        (facts.org.as_ref().is_some_and(|org| org.degraded), Reason::IntegrationDegraded),
    ]
    .into_iter()
    .filter_map(|(holds, note)| holds.then_some(note))
}
