//! Notices to the admin that do not affect the status.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::model::integrations::org::Org;

/// A notice and since when it applies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// Sweeps return less than half of the records of the last accepted sweep.
    SweepShrunk {
        since: DateTime<Utc>,
        shown: i64,
        expected: i64,
    },
    /// Sweeps return no users for most of the records that had users.
    UsersVanished {
        since: DateTime<Utc>,
    },
    Org(OrgNotice),
}

/// A notice about the org's hosts, stored with the integration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum OrgNotice {
    /// The org has another subdomain, and the integration follows it.
    OrgRenamed { since: DateTime<Utc>, from: String, to: String },
    /// The org does not list this host as one of its custom domains.
    CustomDomainDropped { since: DateTime<Utc>, host: String },
}

/// How long a notice is shown.
const SHOWN_FOR: TimeDelta = TimeDelta::days(30);

impl OrgNotice {
    fn since(&self) -> DateTime<Utc> {
        match self {
            Self::OrgRenamed { since, .. } | Self::CustomDomainDropped { since, .. } => *since,
        }
    }

    /// Returns true until the notice is 30 days old.
    pub fn is_shown(&self, now: DateTime<Utc>) -> bool {
        now - self.since() < SHOWN_FOR
    }
}

/// Returns the notices after the org changed from `before` to `after`. `dropped` is an entered custom domain
/// that the org did not confirm.
pub fn org_notices(
    mut notices: Vec<OrgNotice>,
    before: &Org,
    after: &Org,
    dropped: Option<&str>,
    now: DateTime<Utc>,
) -> Vec<OrgNotice> {
    let other_org = before.id != after.id;
    notices.retain(|notice| match notice {
        OrgNotice::OrgRenamed { .. } => before.canonical_host == after.canonical_host,
        OrgNotice::CustomDomainDropped { host, .. } => !after.custom_hosts.contains(host),
    });
    notices.retain(|notice| !other_org && notice.is_shown(now));
    if !other_org && before.canonical_host != after.canonical_host {
        let (from, to) = (before.canonical_host.clone(), after.canonical_host.clone());
        notices.push(OrgNotice::OrgRenamed { since: now, from, to });
    }
    let gone = before.custom_hosts.iter().filter(|_| !other_org).map(String::as_str);
    for host in gone.chain(dropped).filter(|host| !after.custom_hosts.iter().any(|h| h == host)) {
        let named = |notice: &OrgNotice| matches!(notice, OrgNotice::CustomDomainDropped { host: known, .. } if known == host);
        if !notices.iter().any(named) {
            let host = host.to_owned();
            notices.push(OrgNotice::CustomDomainDropped { since: now, host });
        }
    }
    notices
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Engine;

    fn org(id: &str, canonical: &str, custom: &[&str]) -> Org {
        Org {
            id: id.to_owned(),
            canonical_host: canonical.to_owned(),
            custom_hosts: custom.iter().map(|host| (*host).to_owned()).collect(),
            engine: Engine::IdentityEngine,
        }
    }

    fn dropped(host: &str, since: DateTime<Utc>) -> OrgNotice {
        OrgNotice::CustomDomainDropped { since, host: host.to_owned() }
    }

    #[test]
    fn a_rename_and_a_lost_custom_domain_are_told_until_they_are_a_month_old() {
        let now = Utc::now();
        let before = org("00o1", "old.okta.com", &["a.example", "b.example"]);
        let after = org("00o1", "new.okta.com", &["b.example"]);
        let notices = org_notices(Vec::new(), &before, &after, None, now);
        let (from, to) = ("old.okta.com".to_owned(), "new.okta.com".to_owned());
        let renamed = OrgNotice::OrgRenamed { since: now, from, to };
        assert_eq!(notices, [renamed, dropped("a.example", now)]);
        assert_eq!(org_notices(notices.clone(), &after, &after, None, now), notices);
        let later = now + SHOWN_FOR;
        assert!(notices.iter().all(|notice| !notice.is_shown(later)));
        assert_eq!(org_notices(notices, &after, &after, None, later), []);
    }

    #[test]
    fn a_custom_domain_that_is_confirmed_again_is_dropped_no_more() {
        let now = Utc::now();
        let without = org("00o1", "acme.okta.com", &[]);
        let told = org_notices(Vec::new(), &without, &without, Some("a.example"), now);
        assert_eq!(told, [dropped("a.example", now)]);
        let again = now + TimeDelta::hours(1);
        let twice = org_notices(told.clone(), &without, &without, Some("a.example"), again);
        assert_eq!(twice, told, "since when it was first dropped");
        let with = org("00o1", "acme.okta.com", &["a.example"]);
        assert_eq!(org_notices(told, &without, &with, None, again), []);
    }

    #[test]
    fn what_was_told_of_another_org_is_forgotten() {
        let now = Utc::now();
        let before = org("00o1", "acme.okta.com", &["a.example"]);
        let after = org("00o2", "globex.okta.com", &[]);
        let told = vec![dropped("c.example", now)];
        assert_eq!(org_notices(told, &before, &after, None, now), []);
    }
}
