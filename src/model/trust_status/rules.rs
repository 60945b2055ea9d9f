//! The rules, in order. Each function is one rule and returns its reason if the rule applies. The parent
//! module documents them.

use chrono::{DateTime, Utc};

use crate::model::trust_status::{
    AssessedRecord, CountingCertificate, DeviceFacts, Facts, OktaRecord, OrgFacts, Policy, Reason,
};
use crate::model::{OktaDeviceUser, Platform};

/// One decision: the facts, the policy and the time, with the assessed records.
pub(super) struct Case<'a> {
    pub facts: &'a Facts,
    pub policy: &'a Policy,
    pub now: DateTime<Utc>,
    /// Newest first.
    pub records: Vec<AssessedRecord<'a>>,
}

impl<'a> Case<'a> {
    pub fn new(facts: &'a Facts, policy: &'a Policy, now: DateTime<Utc>) -> Self {
        Self { facts, policy, now, records: facts.assess_records() }
    }

    /// Returns the same decision at another time.
    pub fn as_of(&self, now: DateTime<Utc>) -> Self {
        Self { facts: self.facts, policy: self.policy, now, records: self.records.clone() }
    }

    /// Returns the reason that decides.
    pub fn reason(&self) -> Reason {
        self.reason_before_freshness()
            .or_else(|| self.facts_too_old())
            .unwrap_or_else(|| self.reason_after_freshness())
    }

    /// Rules 1 to 6, which do not depend on the age of Okta's facts.
    pub fn reason_before_freshness(&self) -> Option<Reason> {
        self.conflicting_identity()
            .or_else(|| self.mdm_unenrolled())
            .or_else(|| self.not_in_inventory())
            .or_else(|| self.in_lost_mode())
            .or_else(|| self.never_connected())
            .or_else(|| self.platform_not_configured())
    }

    /// Rules 8 to 13.
    pub fn reason_after_freshness(&self) -> Reason {
        self.asked_record_unusable()
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

    /// Returns the org and the start of its last accepted sweep, if it is connected and has one.
    fn mirrored_org(&self) -> Option<(&'a OrgFacts, DateTime<Utc>)> {
        let org = self.facts.org.as_deref().filter(|org| org.connected)?;
        Some((org, org.swept_at?))
    }

    /// Iterates over the records of the device, whether they count or not; newest first.
    pub fn device_records(&self) -> impl Iterator<Item = &AssessedRecord<'a>> {
        self.records.iter().filter(|assessed| assessed.belongs_to_device())
    }

    pub fn counting_records(&self) -> impl Iterator<Item = &AssessedRecord<'a>> {
        self.records.iter().filter(|assessed| assessed.counts())
    }

    /// Returns the platform that the MDM reported; otherwise that of the representative record.
    pub fn platform(&self) -> Option<Platform> {
        let reported = self.device().and_then(|device| device.platform);
        reported.or_else(|| {
            self.representative_record().and_then(|own| own.record.configurable_platform())
        })
    }

    /// Returns the record that determines the platform if the MDM reported none: in a query by Okta ID only,
    /// that record; otherwise the newest one.
    fn representative_record(&self) -> Option<&AssessedRecord<'a>> {
        if self.device().is_none() && self.facts.asked.is_okta_id_only() {
            return self.asked_record().filter(|asked| asked.belongs_to_device());
        }
        self.device_records().next()
    }

    /// Returns when the oldest fact that the verdict may use was seen; never later than now, even if a
    /// clock runs ahead.
    pub fn observed_at(&self) -> Option<DateTime<Utc>> {
        let (_, swept_at) = self.mirrored_org()?;
        let oldest = self.device_records().map(|own| own.record.seen_at(swept_at)).min();
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
            // Without a mirror its records are unknown; rule 5 covers that.
            None => {
                self.mirrored_org().is_some()
                    && !self.device_records().any(|own| own.record.udid.as_ref() == Some(udid))
            }
        }
    }

    /// Rule 2.
    fn mdm_unenrolled(&self) -> Option<Reason> {
        self.device().is_some_and(DeviceFacts::has_left).then_some(Reason::MdmUnenrolled)
    }

    /// Rule 3.
    fn not_in_inventory(&self) -> Option<Reason> {
        let is_known = self.device().is_some_and(DeviceFacts::is_managed);
        let asked = &self.facts.asked;
        let may_be_known = self.device().is_none()
            && asked.is_okta_id_only()
            && self.facts.asked_record().is_none();
        (self.policy.require_inventory && !is_known && !may_be_known)
            .then_some(Reason::NotKnownToMdm)
    }

    /// Rule 4.
    fn in_lost_mode(&self) -> Option<Reason> {
        self.device().is_some_and(DeviceFacts::is_lost).then_some(Reason::MdmLostMode)
    }

    /// Rule 5.
    fn never_connected(&self) -> Option<Reason> {
        self.mirrored_org().is_none().then_some(Reason::NeverConnected)
    }

    /// Rule 6. Does not apply to a device that neither the MDM nor Okta knows.
    fn platform_not_configured(&self) -> Option<Reason> {
        let (org, _) = self.mirrored_org()?;
        let is_known = self.device().is_some() || self.representative_record().is_some();
        let is_configured =
            self.platform().is_some_and(|platform| org.platforms.contains(&platform));
        (is_known && !is_configured).then_some(Reason::PlatformNotConfigured)
    }

    /// Rule 7.
    fn facts_too_old(&self) -> Option<Reason> {
        let age = self.now - self.observed_at()?;
        let reason = if self.facts.budget_exhausted {
            Reason::OktaBudgetExhausted
        } else {
            Reason::OktaUnreachable
        };
        (age > self.policy.max_fact_age()).then_some(reason)
    }

    /// Returns the record with the queried Okta ID.
    fn asked_record(&self) -> Option<&AssessedRecord<'a>> {
        let asked = self.facts.asked.okta_device_id.as_ref()?;
        self.records.iter().find(|assessed| assessed.record.okta_device_id == *asked)
    }

    /// Rule 8, query by Okta ID.
    fn asked_record_unusable(&self) -> Option<Reason> {
        self.facts.asked.okta_device_id.as_ref()?;
        match self.asked_record() {
            None if self.facts.asked_record_not_found => Some(Reason::ConflictingIdentity),
            None => Some(Reason::OktaRecordNotSeen),
            Some(asked) if !asked.belongs_to_device() => Some(Reason::ConflictingIdentity),
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
        if self.device_records().next().is_some() {
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

    /// Returns whether a record of the org without identifiers may belong to this iPhone.
    fn may_be_unmatched(&self, config_version: i64) -> bool {
        let Some(org) = self.facts.org.as_deref() else { return false };
        let has_identifiers =
            org.ios_identifiers_since.is_some_and(|since| config_version >= since);
        self.platform() == Some(Platform::Ios) && !has_identifiers && org.unmatched_ios
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
        let newest = self.device_records().next().filter(|newest| !newest.record.is_active())?;
        (!any_active).then(|| inactive_reason(newest.record))
    }

    /// Returns the Mac's certificate.
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

    /// Iterates over the records whose users decide.
    fn deciding_records(&self) -> impl Iterator<Item = &AssessedRecord<'a>> {
        self.records.iter().filter(|assessed| self.facts.decides(assessed))
    }

    /// Rule 12.
    fn users_do_not_meet_policy(&self) -> Option<Reason> {
        let all_known = self.deciding_records().all(AssessedRecord::are_users_known);
        let mut users = self.deciding_records().flat_map(AssessedRecord::counting_users);
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
        // The MDM has never seen a device that is not in the inventory.
        let is_silent = self.silent_from().is_none_or(|silent_from| self.now > silent_from);
        is_silent.then_some(Reason::MdmSilent)
    }

    /// Returns when the time since the MDM last saw the device exceeds the policy's limit.
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
