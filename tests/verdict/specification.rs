//! A second implementation of the verdict, written only from the rules in the documentation of
//! `okta_device_trust::model::trust_status`. It shares only types with the product, and is deliberately
//! slow and simple: loops, clones, one function per rule.

use chrono::{DateTime, TimeDelta, Utc};
use okta_device_trust::model::devices::reports::EnrollmentState;
use okta_device_trust::model::trust_status::{
    DeviceFacts, Facts, OktaRecord, OrgFacts, Policy, Reason, Trust,
};
use okta_device_trust::model::{OktaDeviceUser, Platform, SerialNumber, Udid};

type Time = DateTime<Utc>;

/// The verdict by the rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Specification {
    /// The first one decides, the others are notes.
    pub reasons: Vec<Reason>,
    pub last_known: Option<Trust>,
}

pub fn specify(facts: &Facts, policy: &Policy, now: Time) -> Specification {
    let mut last_known = None;
    let reason = if let Some(reason) = rules_1_to_6(facts, policy) {
        reason
    } else {
        let observed_at = observed_at(facts, now);
        if now - observed_at <= max_fact_age(policy) {
            rules_8_to_13(facts, policy, now)
        } else {
            last_known = Some(trust_for(rules_8_to_13(facts, policy, observed_at)));
            if facts.budget_exhausted {
                Reason::OktaBudgetExhausted
            } else {
                Reason::OktaUnreachable
            }
        }
    };
    let mut reasons = vec![reason];
    reasons.extend(notes(facts, now));
    Specification { reasons, last_known }
}

/// Returns the verdict of a deciding reason.
pub fn trust_for(reason: Reason) -> Trust {
    match reason {
        Reason::ManagedAndActive => Trust::Trusted,
        Reason::NotRegisteredInOkta | Reason::AwaitingFastpassSignIn => Trust::Pending,
        Reason::NeverConnected
        | Reason::OktaUnreachable
        | Reason::OktaBudgetExhausted
        | Reason::OktaRecordNotSeen
        | Reason::MdmSilent
        | Reason::OktaRecordUnmatched
        | Reason::ManagementStatusUnknown => Trust::Unknown,
        Reason::MdmUnenrolled
        | Reason::NotKnownToMdm
        | Reason::MdmLostMode
        | Reason::PlatformNotConfigured
        | Reason::ConfigNotDelivered
        | Reason::ConflictingIdentity
        | Reason::OktaRecordSuperseded
        | Reason::OktaDeviceSuspended
        | Reason::OktaDeviceDeactivated
        | Reason::OktaDeviceInactive
        | Reason::CertificateExpired => Trust::Untrusted,
        note => panic!("{note:?} decides nothing"),
    }
}

fn max_fact_age(policy: &Policy) -> TimeDelta {
    match policy.max_age {
        Some(max_age) if max_age < policy.unknown_after => max_age,
        _ => policy.unknown_after,
    }
}

// ---- The device

/// The identity of the queried device.
#[derive(Clone)]
struct Identity {
    serial_number: Option<SerialNumber>,
    udid: Option<Udid>,
    /// In Okta's spelling.
    platform: Option<String>,
}

fn platform_text(platform: Platform) -> String {
    match platform {
        Platform::Macos => "MACOS".to_owned(),
        Platform::Ios => "IOS".to_owned(),
    }
}

/// Returns the device in the inventory or its tombstone; otherwise the queried identifiers; in a query by
/// Okta ID only, those of the record.
fn identity(facts: &Facts) -> Identity {
    if let Some(device) = &facts.device {
        return Identity {
            serial_number: Some(device.serial_number.clone()),
            udid: device.udid.clone(),
            platform: device.platform.map(platform_text),
        };
    }
    if is_queried_by_okta_id_only(facts)
        && let Some(record) = asked_record(facts)
    {
        return Identity {
            serial_number: record.serial_number.clone(),
            udid: record.udid.clone(),
            platform: Some(record.platform.clone()),
        };
    }
    Identity {
        serial_number: facts.asked.serial_number.clone(),
        udid: facts.asked.udid.clone(),
        platform: None,
    }
}

fn is_queried_by_okta_id_only(facts: &Facts) -> bool {
    facts.asked.okta_device_id.is_some()
        && facts.asked.serial_number.is_none()
        && facts.asked.udid.is_none()
}

fn asked_record(facts: &Facts) -> Option<OktaRecord> {
    for record in &facts.records {
        if Some(&record.okta_device_id) == facts.asked.okta_device_id.as_ref() {
            return Some(record.clone());
        }
    }
    None
}

/// Returns the device's platform in Okta's spelling: the one the MDM reported; otherwise, in a query by
/// Okta ID only, that of the record if it belongs to the device; otherwise that of the newest record.
fn platform(facts: &Facts) -> Option<String> {
    if let Some(device) = &facts.device {
        return device.platform.map(platform_text);
    }
    if is_queried_by_okta_id_only(facts) {
        return match asked_record(facts) {
            Some(record) if belongs_to_device(facts, &record) => Some(record.platform),
            _ => None,
        };
    }
    newest_record(facts).map(|newest| newest.platform)
}

/// Returns the newest record of the device; of two created at the same time, the one with the greater ID.
fn newest_record(facts: &Facts) -> Option<OktaRecord> {
    let mut newest: Option<OktaRecord> = None;
    for record in device_records(facts) {
        let is_newer = match &newest {
            None => true,
            Some(newest) if newest.created_at == record.created_at => {
                record.okta_device_id > newest.okta_device_id
            }
            Some(newest) => record.created_at > newest.created_at,
        };
        if is_newer {
            newest = Some(record);
        }
    }
    newest
}

fn is_ios(facts: &Facts) -> bool {
    platform(facts) == Some("IOS".to_owned())
}

fn is_mac(device: &DeviceFacts) -> bool {
    device.platform == Some(Platform::Macos)
}

// ---- The enrolment period and the present life

/// Returns whether a time is after the last departure.
fn is_in_current_period(device: &DeviceFacts, at: Time) -> bool {
    match device.left_at {
        Some(left_at) => at > left_at,
        None => true,
    }
}

/// Returns whether the configuration was delivered in this period to an enrolled device.
fn is_delivered(facts: &Facts) -> bool {
    match &facts.device {
        Some(device) if !is_enrolled(device) => false,
        Some(device) => match &device.delivery {
            Some(delivery) => is_in_current_period(device, delivery.delivered_at),
            None => false,
        },
        None => false,
    }
}

fn is_enrolled(device: &DeviceFacts) -> bool {
    device.living && device.enrollment == Some(EnrollmentState::Enrolled)
}

/// Returns the check-in reported in this period.
fn check_in(device: &DeviceFacts) -> Option<Time> {
    match device.check_in {
        Some(check_in) if is_in_current_period(device, check_in.at) => Some(check_in.value),
        _ => None,
    }
}

/// *L* of the device.
fn present_life(device: &DeviceFacts) -> Option<Time> {
    let mut times = Vec::new();
    if let Some(left_at) = device.left_at {
        times.push(left_at + TimeDelta::minutes(5));
        if let Some(enrolled_since) = device.enrolled_since {
            times.push(enrolled_since);
        }
    }
    if let Some(last_enrolled_at) = device.last_enrolled_at {
        times.push(last_enrolled_at);
    }
    latest(times)
}

fn latest(times: Vec<Time>) -> Option<Time> {
    let mut latest = None;
    for time in times {
        if latest.is_none() || latest < Some(time) {
            latest = Some(time);
        }
    }
    latest
}

// ---- Which records are the device's

fn is_pre_registered(record: &OktaRecord) -> bool {
    record.status == "CREATED" && record.users.is_empty()
}

fn is_not_found(record: &OktaRecord) -> bool {
    record.not_found_at.is_some()
}

fn belongs_to_device(facts: &Facts, record: &OktaRecord) -> bool {
    !is_not_found(record) && matches_device(facts, record)
}

/// Returns whether the record matches the device, even if Okta no longer has it.
fn matches_device(facts: &Facts, record: &OktaRecord) -> bool {
    if is_pre_registered(record) || record.disputed || record.names_another {
        return false;
    }
    let device = identity(facts);
    if let (Some(its), Some(known)) = (&record.serial_number, &device.serial_number)
        && its != known
    {
        return false;
    }
    if let (Some(its), Some(known)) = (&record.udid, &device.udid)
        && its != known
    {
        return false;
    }
    if let Some(known) = &device.platform
        && record.platform != *known
    {
        return false;
    }
    is_the_asked_device(facts, record)
        || is_reported_id(facts, record)
        || is_identified(facts, &device, record)
}

/// Returns whether the device is defined by this record.
fn is_the_asked_device(facts: &Facts, record: &OktaRecord) -> bool {
    facts.device.is_none()
        && is_queried_by_okta_id_only(facts)
        && facts.asked.okta_device_id == Some(record.okta_device_id.clone())
}

/// Returns whether the MDM reported the record's Okta ID in this period.
fn is_reported_id(facts: &Facts, record: &OktaRecord) -> bool {
    let Some(device) = &facts.device else { return false };
    let Some(reported_at) = device.okta_device_id_reported_at else { return false };
    device.okta_device_id == Some(record.okta_device_id.clone())
        && is_in_current_period(device, reported_at)
}

/// Returns whether the record has the device's UDID or, if one of the two has none, its serial number.
fn is_identified(facts: &Facts, device: &Identity, record: &OktaRecord) -> bool {
    if record.udid.is_some() && device.udid.is_some() {
        return record.udid == device.udid;
    }
    if let Some(inventory) = &facts.device
        && is_mac(inventory)
        && inventory.udid.is_some()
        && record.udid.is_none()
    {
        return false;
    }
    record.serial_number.is_some() && record.serial_number == device.serial_number
}

fn device_records(facts: &Facts) -> Vec<OktaRecord> {
    let mut own = Vec::new();
    for record in &facts.records {
        if belongs_to_device(facts, record) {
            own.push(record.clone());
        }
    }
    own
}

// ---- Which records and users count

/// *L* for the record.
fn present_life_for(facts: &Facts, record: &OktaRecord) -> Option<Time> {
    let mut times = Vec::new();
    if let Some(device) = &facts.device
        && let Some(present_life) = present_life(device)
    {
        times.push(present_life);
    }
    if let Some(changed_at) = record.identity_changed_at {
        times.push(changed_at);
    }
    latest(times)
}

/// *B*.
fn counts_from(facts: &Facts, record: &OktaRecord) -> Option<Time> {
    let mut times = Vec::new();
    if let Some(present_life) = present_life_for(facts, record) {
        times.push(present_life);
    }
    for other in &facts.records {
        if matches_device(facts, other) && other.created_at > record.created_at {
            times.push(other.created_at);
        }
    }
    latest(times)
}

fn record_counts(facts: &Facts, record: &OktaRecord) -> bool {
    let Some(from) = counts_from(facts, record) else { return true };
    if record.created_at >= from {
        return true;
    }
    if let Some(used_at) = record.used_at
        && used_at >= from
    {
        return true;
    }
    for user in &record.users {
        if is_managed(user) && !cannot_sign_in(user) && was_added_since(user, from) {
            return true;
        }
    }
    false
}

fn counting_records(facts: &Facts) -> Vec<OktaRecord> {
    let mut counting = Vec::new();
    for record in device_records(facts) {
        if record_counts(facts, &record) {
            counting.push(record);
        }
    }
    counting
}

fn is_managed(user: &OktaDeviceUser) -> bool {
    user.management_status == Some("MANAGED".to_owned())
}

fn cannot_sign_in(user: &OktaDeviceUser) -> bool {
    user.status == Some("DEPROVISIONED".to_owned()) || user.status == Some("SUSPENDED".to_owned())
}

fn was_added_since(user: &OktaDeviceUser, from: Time) -> bool {
    match user.created {
        Some(created) => created >= from,
        None => false,
    }
}

fn user_counts(facts: &Facts, record: &OktaRecord, user: &OktaDeviceUser) -> bool {
    if cannot_sign_in(user) {
        return false;
    }
    let Some(present_life) = present_life_for(facts, record) else { return true };
    if record.created_at >= present_life || was_added_since(user, present_life) {
        return true;
    }
    let Some(used_at) = record.used_at else { return false };
    if used_at < present_life {
        return false;
    }
    // If the time of the last addition is unknown, a user may have been added since.
    match record.users_added_at {
        Some(users_added_at) if users_added_at < present_life => {}
        _ => return false,
    }
    for other in &record.users {
        if was_added_since(other, present_life) || !is_managed(other) {
            return false;
        }
    }
    if !record.users_known {
        return false;
    }
    match (record.users_read_at, record.use_seen_at) {
        (Some(read_at), Some(seen_at)) => read_at >= seen_at,
        _ => false,
    }
}

fn counting_users(facts: &Facts, record: &OktaRecord) -> Vec<OktaDeviceUser> {
    let mut counting = Vec::new();
    for user in &record.users {
        if user_counts(facts, record, user) {
            counting.push(user.clone());
        }
    }
    counting
}

fn has_counting_managed_user(facts: &Facts, record: &OktaRecord) -> bool {
    for user in counting_users(facts, record) {
        if is_managed(&user) {
            return true;
        }
    }
    false
}

// ---- Freshness

/// Returns the time of the oldest facts about the device's records.
fn observed_at(facts: &Facts, now: Time) -> Time {
    let swept_at = facts.org.as_ref().and_then(|org| org.swept_at).expect("rule 5 was passed");
    let mut oldest: Option<Time> = None;
    for record in device_records(facts) {
        let mut seen_at = record.observed_at;
        if record.follows_sweeps && swept_at > seen_at {
            seen_at = swept_at;
        }
        if let Some(users_observed_at) = record.users_observed_at
            && users_observed_at < seen_at
        {
            seen_at = users_observed_at;
        }
        if oldest.is_none() || Some(seen_at) < oldest {
            oldest = Some(seen_at);
        }
    }
    let observed_at = match (oldest, facts.searched_at) {
        (Some(oldest), _) => oldest,
        (None, Some(searched_at)) if searched_at > swept_at => searched_at,
        (None, _) => swept_at,
    };
    if observed_at > now { now } else { observed_at }
}

// ---- The rules

fn rules_1_to_6(facts: &Facts, policy: &Policy) -> Option<Reason> {
    if rule_1_identities_conflict(facts) {
        return Some(Reason::ConflictingIdentity);
    }
    if rule_2_has_left(facts) {
        return Some(Reason::MdmUnenrolled);
    }
    if rule_3_is_not_known(facts, policy) {
        return Some(Reason::NotKnownToMdm);
    }
    if rule_4_is_lost(facts) {
        return Some(Reason::MdmLostMode);
    }
    let Some(org) = connected_org(facts) else { return Some(Reason::NeverConnected) };
    if rule_6_platform_is_not_configured(facts, &org) {
        return Some(Reason::PlatformNotConfigured);
    }
    None
}

fn rule_1_identities_conflict(facts: &Facts) -> bool {
    if facts.several_devices {
        return true;
    }
    let Some(device) = &facts.device else { return false };
    if let Some(asked) = &facts.asked.serial_number
        && *asked != device.serial_number
    {
        return true;
    }
    let Some(asked) = &facts.asked.udid else { return false };
    if let Some(udid) = &device.udid {
        return asked != udid;
    }
    // Its records are not known yet; rule 5 covers that.
    if connected_org(facts).is_none() {
        return false;
    }
    for record in device_records(facts) {
        if record.udid.as_ref() == Some(asked) {
            return false;
        }
    }
    true
}

fn rule_2_has_left(facts: &Facts) -> bool {
    let Some(device) = &facts.device else { return false };
    !device.living
        || device.enrollment == Some(EnrollmentState::Unenrolled)
        || device.enrollment == Some(EnrollmentState::Wiped)
}

fn rule_3_is_not_known(facts: &Facts, policy: &Policy) -> bool {
    if !policy.require_inventory {
        return false;
    }
    if let Some(device) = &facts.device {
        return device.enrollment.is_none();
    }
    if is_queried_by_okta_id_only(facts) {
        return match asked_record(facts) {
            Some(record) => !record.names_another,
            None => false,
        };
    }
    true
}

fn rule_4_is_lost(facts: &Facts) -> bool {
    let Some(device) = &facts.device else { return false };
    match device.lost_mode {
        Some(lost_mode) => lost_mode.value && is_in_current_period(device, lost_mode.at),
        None => false,
    }
}

/// Rule 5: returns the org if it has credentials and an accepted sweep.
fn connected_org(facts: &Facts) -> Option<OrgFacts> {
    match &facts.org {
        Some(org) if org.connected && org.swept_at.is_some() => Some(org.as_ref().clone()),
        _ => None,
    }
}

fn rule_6_platform_is_not_configured(facts: &Facts, org: &OrgFacts) -> bool {
    let Some(platform) = platform(facts) else { return false };
    for configured in &org.platforms {
        if platform_text(*configured) == platform {
            return false;
        }
    }
    true
}

fn rules_8_to_13(facts: &Facts, policy: &Policy, now: Time) -> Reason {
    if let Some(reason) = rule_8_asked_record(facts) {
        return reason;
    }
    if rule_8_two_iphones(facts, policy) {
        return Reason::ConflictingIdentity;
    }
    if let Some(reason) = rule_9_no_record(facts) {
        return reason;
    }
    if let Some(reason) = rule_10_status(facts) {
        return reason;
    }
    if rule_11_certificate_expired(facts, now) {
        return Reason::CertificateExpired;
    }
    if let Some(reason) = rule_12_users(facts, policy) {
        return reason;
    }
    if rule_13_is_silent(facts, policy, now) {
        return Reason::MdmSilent;
    }
    Reason::ManagedAndActive
}

fn rule_8_asked_record(facts: &Facts) -> Option<Reason> {
    facts.asked.okta_device_id.as_ref()?;
    let Some(record) = asked_record(facts) else {
        if facts.asked_record_not_found {
            return Some(Reason::ConflictingIdentity);
        }
        return Some(Reason::OktaRecordNotSeen);
    };
    if !belongs_to_device(facts, &record) {
        return Some(Reason::ConflictingIdentity);
    }
    if !record_counts(facts, &record) {
        return Some(Reason::OktaRecordSuperseded);
    }
    None
}

fn rule_8_two_iphones(facts: &Facts, policy: &Policy) -> bool {
    let mut with_managed_users = 0;
    for record in counting_records(facts) {
        if has_counting_managed_user(facts, &record) {
            with_managed_users += 1;
        }
    }
    policy.ios_single_install && is_ios(facts) && with_managed_users >= 2
}

fn rule_9_no_record(facts: &Facts) -> Option<Reason> {
    if !device_records(facts).is_empty() {
        return None;
    }
    if !is_delivered(facts) {
        return Some(Reason::ConfigNotDelivered);
    }
    let org = facts.org.as_ref().expect("rule 5 was passed");
    let delivery = facts.device.as_ref().and_then(|device| device.delivery).expect("delivered");
    let is_older = match org.ios_identifiers_since {
        Some(since) => delivery.config_version < since,
        None => true,
    };
    if is_ios(facts) && is_older && org.unmatched_ios {
        return Some(Reason::OktaRecordUnmatched);
    }
    Some(Reason::NotRegisteredInOkta)
}

fn rule_10_status(facts: &Facts) -> Option<Reason> {
    let mut one_is_active = false;
    for record in counting_records(facts) {
        if record.status == "SUSPENDED" {
            return Some(Reason::OktaDeviceSuspended);
        }
        if record.status == "ACTIVE" {
            one_is_active = true;
        }
    }
    if let Some(asked) = asked_record(facts)
        && asked.status != "ACTIVE"
    {
        return Some(reason_for_status(&asked.status));
    }
    let newest = newest_record(facts)?;
    if !one_is_active && newest.status != "ACTIVE" {
        return Some(reason_for_status(&newest.status));
    }
    None
}

fn reason_for_status(status: &str) -> Reason {
    match status {
        "SUSPENDED" => Reason::OktaDeviceSuspended,
        "DEACTIVATED" => Reason::OktaDeviceDeactivated,
        _ => Reason::OktaDeviceInactive,
    }
}

fn rule_11_certificate_expired(facts: &Facts, now: Time) -> bool {
    let Some(device) = &facts.device else { return false };
    let Some(certificate) = &device.certificate else { return false };
    let expired_at = certificate.not_after;
    if !is_mac(device) || expired_at > now {
        return false;
    }
    for record in counting_records(facts) {
        if !has_counting_managed_user(facts, &record) {
            continue;
        }
        if record.created_at >= expired_at {
            return false;
        }
        if let Some(used_at) = record.used_at
            && used_at >= expired_at
        {
            return false;
        }
        for user in counting_users(facts, &record) {
            if is_managed(&user) && was_added_since(&user, expired_at) {
                return false;
            }
        }
    }
    true
}

fn rule_12_users(facts: &Facts, policy: &Policy) -> Option<Reason> {
    let mut users = Vec::new();
    let mut all_are_known = true;
    for record in counting_records(facts) {
        let is_asked_for = facts.asked.okta_device_id.is_none()
            || facts.asked.okta_device_id == Some(record.okta_device_id.clone());
        if record.status == "ACTIVE" && is_asked_for {
            users.extend(counting_users(facts, &record));
            if !record.users_known {
                all_are_known = false;
            }
            for user in &record.users {
                let may_count = !cannot_sign_in(user) && !user_counts(facts, &record, user);
                if may_count && user.created.is_none() {
                    all_are_known = false;
                }
            }
        }
    }
    let mut managed = 0;
    for user in &users {
        if is_managed(user) {
            managed += 1;
        }
    }
    let is_met = if policy.all_users {
        managed > 0 && managed == users.len() && all_are_known
    } else {
        managed > 0
    };
    if is_met {
        None
    } else if !all_are_known {
        Some(Reason::ManagementStatusUnknown)
    } else if is_delivered(facts) {
        Some(Reason::AwaitingFastpassSignIn)
    } else {
        Some(Reason::ConfigNotDelivered)
    }
}

fn rule_13_is_silent(facts: &Facts, policy: &Policy, now: Time) -> bool {
    let Some(allowed) = policy.last_seen_within else { return false };
    let Some(device) = &facts.device else { return true };
    let mut times = Vec::new();
    if let Some(check_in) = check_in(device) {
        times.push(check_in);
    }
    if let Some(present_life) = present_life(device) {
        times.push(present_life);
    }
    let seen_at = match latest(times) {
        Some(seen_at) => seen_at,
        None => device.first_reported_at,
    };
    now - seen_at > allowed
}

// ---- The notes

fn notes(facts: &Facts, now: Time) -> Vec<Reason> {
    let mut notes = Vec::new();
    if is_certificate_expiring(facts, now) {
        notes.push(Reason::CertificateExpiring);
    }
    if is_certificate_missing(facts) {
        notes.push(Reason::CertificateMissing);
    }
    if are_users_mixed(facts) {
        notes.push(Reason::MixedUserProfiles);
    }
    if device_records(facts).len() > 1 {
        notes.push(Reason::DuplicateOktaRecords);
    }
    if has_foreign_record(facts) {
        notes.push(Reason::ForeignOktaRecord);
    }
    if counting_records(facts).len() < device_records(facts).len() {
        notes.push(Reason::NotUsedSinceEnrolment);
    }
    if is_not_seen_lately(facts, now) {
        notes.push(Reason::NotSeenLately);
    }
    if let Some(org) = &facts.org
        && org.degraded
    {
        notes.push(Reason::IntegrationDegraded);
    }
    notes
}

/// Returns the device if it is a managed Mac.
fn managed_mac(facts: &Facts) -> Option<DeviceFacts> {
    match &facts.device {
        Some(device) if is_enrolled(device) && is_mac(device) => Some(device.clone()),
        _ => None,
    }
}

fn is_certificate_expiring(facts: &Facts, now: Time) -> bool {
    let Some(device) = managed_mac(facts) else { return false };
    let Some(certificate) = device.certificate else { return false };
    let left = certificate.not_after - now;
    left > TimeDelta::zero() && left <= TimeDelta::days(30)
}

fn is_certificate_missing(facts: &Facts) -> bool {
    let Some(device) = managed_mac(facts) else { return false };
    device.certificate.is_none() && is_delivered(facts)
}

fn are_users_mixed(facts: &Facts) -> bool {
    let mut one_is_managed = false;
    let mut one_is_not = false;
    for record in counting_records(facts) {
        for user in counting_users(facts, &record) {
            if is_managed(&user) {
                one_is_managed = true;
            } else if user.management_status.is_some() {
                one_is_not = true;
            }
        }
    }
    one_is_managed && one_is_not
}

fn has_foreign_record(facts: &Facts) -> bool {
    for record in &facts.records {
        let belongs_to_no_device =
            is_not_found(record) || record.disputed || is_pre_registered(record);
        if !belongs_to_no_device && !belongs_to_device(facts, record) {
            return true;
        }
    }
    false
}

fn is_not_seen_lately(facts: &Facts, now: Time) -> bool {
    let Some(device) = &facts.device else { return false };
    match check_in(device) {
        Some(checked_in_at) => now - checked_in_at > TimeDelta::days(30),
        None => false,
    }
}
