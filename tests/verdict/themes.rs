//! Themes of random cases: each makes the condition of one reason or note likely, which chance alone would rarely
//! meet.

use std::sync::Arc;

use chrono::TimeDelta;
use okta_device_trust::model::Platform;
use okta_device_trust::model::devices::reports::EnrollmentState;
use okta_device_trust::model::trust_status::{DeviceFacts, Facts, OktaRecord, Policy};

use crate::example::{
    OKTA_IDS, SERIAL_NUMBERS, UDIDS, at, certificate, delivery, org, record, reported, user,
};
use crate::source::Random;

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Theme {
    None,
    Several,
    Left,
    Unknown,
    Lost,
    NeverConnected,
    Platform,
    Outdated,
    Budget,
    NotSeen,
    Superseded,
    Unmatched,
    Unregistered,
    Undelivered,
    Suspended,
    Deactivated,
    Inactive,
    CertificateExpired,
    StatusUnknown,
    Unmanaged,
    Silent,
    CertificateExpiring,
    CertificateMissing,
    Mixed,
    Duplicates,
    Foreign,
}

pub const THEMES: [Theme; 32] = [
    Theme::None,
    Theme::None,
    Theme::None,
    Theme::None,
    Theme::None,
    Theme::Several,
    Theme::Left,
    Theme::Unknown,
    Theme::Lost,
    Theme::NeverConnected,
    Theme::Platform,
    Theme::Outdated,
    Theme::Budget,
    Theme::NotSeen,
    Theme::Superseded,
    Theme::Superseded,
    Theme::Unmatched,
    Theme::Unregistered,
    Theme::Undelivered,
    Theme::Suspended,
    Theme::Deactivated,
    Theme::Inactive,
    Theme::CertificateExpired,
    Theme::CertificateExpired,
    Theme::StatusUnknown,
    Theme::Unmanaged,
    Theme::Silent,
    Theme::CertificateExpiring,
    Theme::CertificateMissing,
    Theme::Mixed,
    Theme::Duplicates,
    Theme::Foreign,
];

pub fn use_platform(facts: &mut Facts, platform: Platform) {
    let text = if platform == Platform::Macos { "MACOS" } else { "IOS" };
    if let Some(device) = &mut facts.device {
        device.platform = Some(platform);
    }
    for record in &mut facts.records {
        if record.platform != "WINDOWS" {
            text.clone_into(&mut record.platform);
        }
    }
}

/// Makes the condition of the theme likely.
pub fn apply_theme(facts: &mut Facts, policy: &mut Policy, theme: Theme, random: &mut Random) {
    match theme {
        Theme::Several => facts.several_devices = true,
        Theme::Platform | Theme::NeverConnected | Theme::Unmatched => {
            apply_theme_to_org(facts, theme, random);
        }
        Theme::Outdated | Theme::Budget => {
            facts.budget_exhausted = theme == Theme::Budget;
            policy.max_age = Some(TimeDelta::minutes(random.pick(&[1, 30, 59, 60])));
        }
        Theme::NotSeen => {
            facts.asked.okta_device_id = Some(OKTA_IDS[3].clone());
            facts.asked_record_not_found = random.chance(200);
        }
        Theme::Superseded => facts.asked.okta_device_id = Some(OKTA_IDS[0].clone()),
        Theme::Silent => policy.last_seen_within = Some(TimeDelta::hours(20)),
        Theme::Unregistered | Theme::Undelivered => facts.records.clear(),
        _ => {}
    }
    apply_theme_to_records(facts, theme, random);
    if let Some(device) = &mut facts.device {
        apply_theme_to_device(device, theme, random);
    }
    if matches!(theme, Theme::Unmatched | Theme::Unregistered | Theme::Undelivered) {
        facts.asked.okta_device_id = None;
        facts.asked.serial_number = Some(SERIAL_NUMBERS[0].clone());
    }
    if theme == Theme::Unmatched {
        use_platform(facts, Platform::Ios);
    }
}

fn apply_theme_to_org(facts: &mut Facts, theme: Theme, random: &mut Random) {
    let mut org = org();
    match theme {
        Theme::Platform => org.platforms = random.pick(&[vec![], vec![Platform::Ios]]),
        Theme::NeverConnected => {
            org.connected = random.chance(500);
            org.swept_at = None;
        }
        _ => {
            facts.records.clear();
            org.unmatched_ios = true;
            org.ios_identifiers_since = random.pick(&[None, Some(8), Some(20)]);
        }
    }
    facts.org = Some(Arc::new(org));
}

fn apply_theme_to_device(device: &mut DeviceFacts, theme: Theme, random: &mut Random) {
    match theme {
        Theme::Left => device.enrollment = Some(EnrollmentState::Unenrolled),
        Theme::Lost => device.lost_mode = Some(reported(true, at(-1))),
        Theme::Unregistered | Theme::Unmatched => device.delivery = Some(delivery(-1)),
        Theme::Undelivered => device.delivery = None,
        Theme::CertificateExpired => {
            device.certificate = Some(certificate(random.pick(&[-100, -1, 0])));
        }
        Theme::CertificateExpiring => {
            device.certificate = Some(certificate(random.pick(&[1, 100, 24 * 30])));
        }
        Theme::CertificateMissing => device.certificate = None,
        Theme::Superseded => device.last_enrolled_at = Some(at(random.pick(&[-700, -300]))),
        _ => {}
    }
}

fn apply_theme_to_records(facts: &mut Facts, theme: Theme, random: &mut Random) {
    let status = match theme {
        Theme::Suspended => Some("SUSPENDED"),
        Theme::Deactivated => Some("DEACTIVATED"),
        Theme::Inactive => Some("LOST"),
        _ => None,
    };
    for record in &mut facts.records {
        if let Some(status) = status {
            status.clone_into(&mut record.status);
        }
        let management_status = match theme {
            Theme::StatusUnknown => None,
            Theme::Unmanaged => Some("NOT_MANAGED"),
            _ => continue,
        };
        record.users_known = management_status.is_some();
        for user in &mut record.users {
            user.management_status = management_status.map(ToOwned::to_owned);
        }
    }
    match theme {
        Theme::Duplicates if facts.records.len() < 3 => {
            let number = facts.records.len();
            facts.records.push(OktaRecord { used_at: Some(random.time()), ..record(number) });
        }
        Theme::Foreign if facts.records.len() < 3 => {
            let number = facts.records.len();
            let udid = Some(UDIDS[1].clone());
            facts.records.push(OktaRecord { udid, ..record(number) });
        }
        Theme::Mixed => {
            if let Some(record) = random.pick_mut(&mut facts.records) {
                record.users = vec![
                    user(Some("MANAGED"), Some(-20)),
                    user(random.pick(&[Some("NOT_MANAGED"), Some("SOMETHING"), None]), Some(-20)),
                ];
                record.users_known =
                    record.users.iter().all(|user| user.management_status.is_some());
                record.users_added_at = record.users_added_at.max(Some(at(-20)));
            }
        }
        _ => {}
    }
}
