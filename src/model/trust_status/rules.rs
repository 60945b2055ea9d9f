//! The rules, in their order. Each function is one rule and answers its reason if it holds. The text is
//! at the head of the module.

use chrono::{DateTime, Utc};

use crate::model::trust_status::{
    CountingCertificate, DeviceFacts, Facts, OktaRecord, OrgFacts, Policy, Reason, WeighedRecord,
};
use crate::model::{OktaDeviceUser, Platform};

/// One question: the facts, the policy and the time, with the records weighed once.
pub(super) struct Case<'a> {
    pub facts: &'a Facts,
    pub policy: &'a Policy,
    pub now: DateTime<Utc>,
    /// The newest first.
    pub records: Vec<WeighedRecord<'a>>,
}

impl<'a> Case<'a> {
    pub fn new(facts: &'a Facts, policy: &'a Policy, now: DateTime<Utc>) -> Self {
        Self { facts, policy, now, records: facts.weigh() }
    }

    /// The same question at another time.
    pub fn as_of(&self, now: DateTime<Utc>) -> Self {
        Self { facts: self.facts, policy: self.policy, now, records: self.records.clone() }
    }

    /// The reason that decides.
    pub fn reason(&self) -> Reason {
        self.reason_before_freshness()
            .or_else(|| self.outdated())
            .unwrap_or_else(|| self.reason_after_freshness())
    }

    /// Rules 1 to 6: what the MDM and the configuration decide, however old Okta's facts are.
    pub fn reason_before_freshness(&self) -> Option<Reason> {
        self.conflicting_identity()
            .or_else(|| self.left())
            .or_else(|| self.not_in_inventory())
            .or_else(|| self.lost())
            .or_else(|| self.never_connected())
            .or_else(|| self.platform_not_configured())
    }

    /// Rules 8 to 13.
    pub fn reason_after_freshness(&self) -> Reason {
        self.asked_record_refused()
            .or_else(|| self.several_installations())
            .or_else(|| self.no_record())
            .or_else(|| self.inactive())
            .or_else(|| self.certificate_expired())
            .or_else(|| self.users_do_not_meet_policy())
            .or_else(|| self.mdm_silent())
            .unwrap_or(Reason::ManagedAndActive)
    }

    fn device(&self) -> Option<&'a DeviceFacts> {
        self.facts.device.as_ref()
    }

    /// The org, if it is connected and was mirrored once, with the time of the last accepted sweep.
    fn mirrored_org(&self) -> Option<(&'a OrgFacts, DateTime<Utc>)> {
        let org = self.facts.org.as_deref().filter(|org| org.connected)?;
        Some((org, org.swept_at?))
    }

    /// The records of the device, counting or not; the newest first.
    pub fn own_records(&self) -> impl Iterator<Item = &WeighedRecord<'a>> {
        self.records.iter().filter(|weighed| weighed.is_the_devices())
    }

    pub fn counting_records(&self) -> impl Iterator<Item = &WeighedRecord<'a>> {
        self.records.iter().filter(|weighed| weighed.counts())
    }

    /// The platform: what the MDM reported, else that of the record that stands for the device.
    pub fn platform(&self) -> Option<Platform> {
        let reported = self.device().and_then(|device| device.platform);
        reported.or_else(|| self.standing_in().and_then(|own| own.record.known_platform()))
    }

    /// The record whose platform is the device's where the MDM reported none: asked by an Okta id alone,
    /// its record; else the newest one.
    fn standing_in(&self) -> Option<&WeighedRecord<'a>> {
        if self.device().is_none() && self.facts.asked.is_okta_id_alone() {
            return self.asked_record().filter(|asked| asked.is_the_devices());
        }
        self.own_records().next()
    }

    /// When the oldest fact that the verdict may use was seen. A clock that runs ahead makes nothing
    /// fresher than now.
    pub fn observed_at(&self) -> Option<DateTime<Utc>> {
        let (_, swept_at) = self.mirrored_org()?;
        let oldest = self.own_records().map(|own| own.record.seen_at(swept_at)).min();
        let searched_at = || self.facts.searched_at.map_or(swept_at, |at| at.max(swept_at));
        Some(oldest.unwrap_or_else(searched_at).min(self.now))
    }

    fn is_delivered(&self) -> bool {
        self.device().and_then(DeviceFacts::counting_delivery).is_some()
    }

    /// Rule 1.
    fn conflicting_identity(&self) -> Option<Reason> {
        let conflict = self.facts.several_devices
            || self.device().is_some_and(|device| self.asked_for_another(device));
        conflict.then_some(Reason::ConflictingIdentity)
    }

    fn asked_for_another(&self, device: &DeviceFacts) -> bool {
        let asked = &self.facts.asked;
        let serial = asked.serial_number.as_ref();
        if serial.is_some_and(|serial| *serial != device.serial_number) {
            return true;
        }
        let Some(udid) = &asked.udid else { return false };
        match &device.udid {
            Some(own) => own != udid,
            // Without a mirror nothing is known of its records, and rule 5 says so.
            None => {
                self.mirrored_org().is_some()
                    && !self.own_records().any(|own| own.record.udid.as_ref() == Some(udid))
            }
        }
    }

    /// Rule 2.
    fn left(&self) -> Option<Reason> {
        self.device().is_some_and(DeviceFacts::has_left).then_some(Reason::MdmUnenrolled)
    }

    /// Rule 3.
    fn not_in_inventory(&self) -> Option<Reason> {
        let is_known = self.device().is_some_and(DeviceFacts::is_managed);
        let asked = &self.facts.asked;
        let may_be_known = self.device().is_none()
            && asked.is_okta_id_alone()
            && self.facts.asked_record().is_none();
        (self.policy.require_inventory && !is_known && !may_be_known)
            .then_some(Reason::NotKnownToMdm)
    }

    /// Rule 4.
    fn lost(&self) -> Option<Reason> {
        self.device().is_some_and(DeviceFacts::is_lost).then_some(Reason::MdmLostMode)
    }

    /// Rule 5.
    fn never_connected(&self) -> Option<Reason> {
        self.mirrored_org().is_none().then_some(Reason::NeverConnected)
    }

    /// Rule 6. The platform of a device that neither the MDM nor Okta knows is not known either.
    fn platform_not_configured(&self) -> Option<Reason> {
        let (org, _) = self.mirrored_org()?;
        let is_known = self.device().is_some() || self.standing_in().is_some();
        let is_configured =
            self.platform().is_some_and(|platform| org.platforms.contains(&platform));
        (is_known && !is_configured).then_some(Reason::PlatformNotConfigured)
    }

    /// Rule 7.
    fn outdated(&self) -> Option<Reason> {
        let age = self.now - self.observed_at()?;
        let reason = if self.facts.budget_exhausted {
            Reason::OktaBudgetExhausted
        } else {
            Reason::OktaUnreachable
        };
        (age > self.policy.bound()).then_some(reason)
    }

    /// The record with the asked Okta id.
    fn asked_record(&self) -> Option<&WeighedRecord<'a>> {
        let asked = self.facts.asked.okta_device_id.as_ref()?;
        self.records.iter().find(|weighed| weighed.record.okta_device_id == *asked)
    }

    /// Rule 8, asked by an Okta id.
    fn asked_record_refused(&self) -> Option<Reason> {
        self.facts.asked.okta_device_id.as_ref()?;
        match self.asked_record() {
            None if self.facts.asked_record_is_gone => Some(Reason::ConflictingIdentity),
            None => Some(Reason::OktaRecordNotSeen),
            Some(asked) if !asked.is_the_devices() => Some(Reason::ConflictingIdentity),
            Some(asked) if !asked.counts() => Some(Reason::OktaRecordSuperseded),
            Some(_) => None,
        }
    }

    /// Rule 8, iOS.
    fn several_installations(&self) -> Option<Reason> {
        let in_use = self.counting_records().filter(|record| record.has_managed_user()).count();
        let several =
            self.policy.ios_single_install && self.platform() == Some(Platform::Ios) && in_use > 1;
        several.then_some(Reason::ConflictingIdentity)
    }

    /// Rule 9.
    fn no_record(&self) -> Option<Reason> {
        if self.own_records().next().is_some() {
            return None;
        }
        Some(match self.device().and_then(DeviceFacts::counting_delivery) {
            None => Reason::ConfigNotDelivered,
            Some(delivery) if self.may_be_unmatched(delivery.config_version) => {
                Reason::OktaRecordUnmatched
            }
            Some(_) => Reason::NotRegisteredInOkta,
        })
    }

    /// Whether a record of the org that names no device may be this iPhone's.
    fn may_be_unmatched(&self, config_version: i64) -> bool {
        let Some(org) = self.facts.org.as_deref() else { return false };
        let carries_identifiers =
            org.ios_identifiers_since.is_some_and(|since| config_version >= since);
        self.platform() == Some(Platform::Ios) && !carries_identifiers && org.unmatched_ios
    }

    /// Rule 10.
    fn inactive(&self) -> Option<Reason> {
        let suspended =
            self.counting_records().any(|record| record.record.status == OktaRecord::SUSPENDED);
        if suspended {
            return Some(Reason::OktaDeviceSuspended);
        }
        if let Some(asked) = self.asked_record().filter(|asked| !asked.record.is_active()) {
            return Some(inactive_reason(asked.record));
        }
        let any_active = self.counting_records().any(|record| record.record.is_active());
        let newest = self.own_records().next().filter(|newest| !newest.record.is_active())?;
        (!any_active).then(|| inactive_reason(newest.record))
    }

    /// The Mac's certificate.
    pub fn certificate(&self) -> Option<&'a CountingCertificate> {
        let mac = self.device().filter(|device| device.platform == Some(Platform::Macos));
        mac.and_then(|device| device.certificate.as_ref())
    }

    /// Rule 11.
    fn certificate_expired(&self) -> Option<Reason> {
        let end = self.certificate()?.not_after;
        let mut in_use = self.counting_records().filter(|record| record.has_managed_user());
        let used_since = in_use.any(|record| record.last_evidence_at() >= end);
        (end <= self.now && !used_since).then_some(Reason::CertificateExpired)
    }

    /// The records whose users decide.
    fn deciding_records(&self) -> impl Iterator<Item = &WeighedRecord<'a>> {
        self.records.iter().filter(|weighed| self.facts.decides(weighed))
    }

    /// Rule 12.
    fn users_do_not_meet_policy(&self) -> Option<Reason> {
        let all_known = self.deciding_records().all(WeighedRecord::are_users_known);
        let mut users = self.deciding_records().flat_map(WeighedRecord::counting_users);
        let is_met = if self.policy.all_users {
            let (managed, others): (Vec<_>, Vec<_>) =
                users.partition(|user: &&OktaDeviceUser| user.is_managed());
            all_known && others.is_empty() && !managed.is_empty()
        } else {
            users.any(OktaDeviceUser::is_managed)
        };
        if is_met {
            return None;
        }
        Some(if !all_known {
            Reason::ManagementStatusUnknown
        } else if self.is_delivered() {
            Reason::AwaitingFastpassSignIn
        } else {
            Reason::ConfigNotDelivered
        })
    }

    /// Rule 13.
    fn mdm_silent(&self) -> Option<Reason> {
        self.policy.last_seen_within?;
        // A device that the MDM does not know was never seen by it.
        let is_silent = self.silent_from().is_none_or(|silent_from| self.now > silent_from);
        is_silent.then_some(Reason::MdmSilent)
    }

    /// When the MDM will not have seen the device for longer than the policy allows.
    pub fn silent_from(&self) -> Option<DateTime<Utc>> {
        let within = self.policy.last_seen_within?;
        Some(self.device()?.last_seen_at() + within)
    }
}

fn inactive_reason(record: &OktaRecord) -> Reason {
    match record.status.as_str() {
        OktaRecord::SUSPENDED => Reason::OktaDeviceSuspended,
        OktaRecord::DEACTIVATED => Reason::OktaDeviceDeactivated,
        _ => Reason::OktaDeviceInactive,
    }
}
