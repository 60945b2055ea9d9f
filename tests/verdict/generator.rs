//! Generates random facts: those of a trusted device with few or many changes and one theme, so that every
//! reason occurs often.

use std::sync::Arc;

use chrono::TimeDelta;
use okta_device_trust::model::devices::reports::EnrollmentState;
use okta_device_trust::model::trust_status::{
    AskedDevice, DeviceFacts, Facts, OktaRecord, OrgFacts, Policy, Reported,
};
use okta_device_trust::model::{OktaDeviceId, OktaDeviceUser, Platform};

use crate::example::{
    OKTA_IDS, SERIAL_NUMBERS, Time, UDIDS, at, certificate, delivery, device, is_possible, org,
    policy, record, user,
};

/// SplitMix64.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, max_fact_age: usize) -> usize {
        usize::try_from(self.next() % max_fact_age as u64).expect("less than a usize")
    }

    pub fn pick<T: Clone>(&mut self, options: &[T]) -> T {
        options[self.below(options.len())].clone()
    }

    pub fn pick_mut<'a, T>(&mut self, items: &'a mut [T]) -> Option<&'a mut T> {
        if items.is_empty() {
            return None;
        }
        let number = self.below(items.len());
        items.get_mut(number)
    }

    fn chance(&mut self, permille: usize) -> bool {
        self.below(1000) < permille
    }

    /// Returns one of a few times, so that equal ones are frequent.
    fn time(&mut self) -> Time {
        let hours = [-1500, -1000, -1000, -900, -800, -700, -600, -500, -400, -100, -20, -2];
        at(self.pick(&hours)) + TimeDelta::minutes(self.pick(&[0, 0, 0, 0, 5, -5]))
    }

    fn time_or_none(&mut self) -> Option<Time> {
        if self.chance(700) { Some(self.time()) } else { None }
    }
}

/// The probability of changing a fact, per mille.
#[derive(Clone, Copy)]
struct ChangeRates {
    /// A fact that decides on its own.
    decisive: usize,
    other: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Theme {
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

const THEMES: [Theme; 32] = [
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

/// Returns possible facts and a policy.
pub fn any_case(random: &mut Random) -> (Facts, Policy) {
    loop {
        let (facts, policy) = any_facts(random);
        if is_possible(&facts) {
            return (facts, policy);
        }
    }
}

fn any_facts(random: &mut Random) -> (Facts, Policy) {
    let rates = random.pick(&[
        ChangeRates { decisive: 3, other: 20 },
        ChangeRates { decisive: 10, other: 100 },
        ChangeRates { decisive: 30, other: 300 },
        ChangeRates { decisive: 60, other: 700 },
    ]);
    let theme = random.pick(&THEMES);
    let records = random.pick(&[0, 1, 1, 1, 1, 2, 2, 3]);
    let mut facts = Facts {
        asked: any_asked(random, rates),
        org: if random.chance(rates.decisive) {
            None
        } else {
            Some(Arc::new(any_org(random, rates)))
        },
        device: Some(any_device(random, rates)),
        several_devices: random.chance(rates.decisive),
        records: (0..records).map(|number| any_record(random, rates, number)).collect(),
        asked_record_not_found: random.chance(rates.other),
        searched_at: random.pick(&[None, None, Some(at(0)), Some(at(-2)), Some(at(-50))]),
        budget_exhausted: random.chance(200),
    };
    if random.chance(300) {
        use_platform(&mut facts, Platform::Ios);
    }
    let mut policy = any_policy(random, rates);
    apply_theme(&mut facts, &mut policy, theme, random);
    if random.chance(rates.decisive) || (facts.device.is_some() && theme == Theme::Unknown) {
        facts.device = None;
    }
    facts.several_devices &= facts.device.is_some();
    (facts, policy)
}

fn any_asked(random: &mut Random, rates: ChangeRates) -> AskedDevice {
    let number = |random: &mut Random| usize::from(random.chance(rates.decisive));
    let serial_number = SERIAL_NUMBERS[number(random)].clone();
    let udid = UDIDS[number(random)].clone();
    let id = random.pick(&[0, 0, 0, 0, 1, 2]);
    let okta_device_id = OKTA_IDS[if random.chance(rates.decisive) { 3 } else { id }].clone();
    let (by_serial_number, by_udid, by_id) = random.pick(&[
        (true, false, false),
        (true, false, false),
        (true, false, false),
        (false, true, false),
        (true, true, false),
        (false, false, true),
        (true, false, true),
        (false, true, true),
        (true, true, true),
    ]);
    AskedDevice {
        serial_number: by_serial_number.then_some(serial_number),
        udid: by_udid.then_some(udid),
        okta_device_id: by_id.then_some(okta_device_id),
    }
}

fn any_org(random: &mut Random, rates: ChangeRates) -> OrgFacts {
    let mut org = org();
    org.connected = !random.chance(rates.decisive);
    if random.chance(rates.decisive) {
        org.swept_at = None;
    } else if random.chance(rates.other / 2) {
        org.swept_at = Some(at(random.pick(&[0, 1, -2, -23, -24, -25])));
    }
    if random.chance(rates.decisive) {
        org.platforms = random.pick(&[vec![Platform::Macos], vec![Platform::Ios], vec![]]);
    }
    org.degraded = random.chance(100);
    org.unmatched_ios = random.chance(300);
    org.ios_identifiers_since = random.pick(&[None, Some(5), Some(7), Some(8)]);
    org
}

fn any_device(random: &mut Random, rates: ChangeRates) -> DeviceFacts {
    let mut device = device();
    if random.chance(rates.decisive) {
        device.enrollment =
            random.pick(&[None, Some(EnrollmentState::Unenrolled), Some(EnrollmentState::Wiped)]);
    }
    device.living = !random.chance(rates.decisive);
    if random.chance(rates.other) {
        device.udid = None;
    }
    device.okta_device_id = random.pick(&[None, Some(0), Some(1), Some(2)]).map(okta_id);
    device.okta_device_id_reported_at = random.time_or_none();
    let (left, enrolled) =
        random.pick(&[(false, false), (true, false), (false, true), (true, true)]);
    device.left_at = left.then_some(at(-1000));
    device.enrolled_since = (left && random.chance(700)).then_some(at(-990));
    device.last_enrolled_at = enrolled.then_some(at(-980));
    if random.chance(rates.other) {
        device.left_at = random.time_or_none();
        device.enrolled_since = random.time_or_none();
        device.last_enrolled_at = random.time_or_none();
    }
    let check_in = random.pick(&[-1, -2, -100, -719, -721, -960]);
    device.check_in = (!random.chance(300)).then(|| reported(at(check_in), random.time()));
    if random.chance(rates.other / 3) {
        device.lost_mode = Some(reported(random.chance(400), random.time()));
    }
    device.first_reported_at = random.pick(&[at(-2000), at(-990), at(-10)]);
    if random.chance(rates.other) {
        let delivered_at = random.time();
        let mut delivery = delivery(0);
        delivery.delivered_at = delivered_at;
        delivery.config_version = random.pick(&[3, 5, 7, 9]);
        device.delivery = random.pick(&[None, Some(delivery)]);
    }
    if random.chance(rates.other) {
        let ends = [-600, -100, -1, 0, 1, 100, 24 * 30, 24 * 30 + 1].map(Some);
        let ends = [&ends[..], &[None; 4]].concat();
        device.certificate = random.pick(&ends).map(certificate);
    }
    device
}

fn okta_id(number: usize) -> OktaDeviceId {
    OKTA_IDS[number].clone()
}

fn reported<T>(value: T, at: Time) -> Reported<T> {
    Reported { value, at }
}

fn any_record(random: &mut Random, rates: ChangeRates, number: usize) -> OktaRecord {
    let mut record = record(number);
    if random.chance(rates.other / 5) {
        record.serial_number = random.pick(&[None, None, Some(SERIAL_NUMBERS[1].clone())]);
    }
    if random.chance(rates.other / 5) {
        record.udid = random.pick(&[None, None, Some(UDIDS[1].clone())]);
    }
    if random.chance(rates.decisive) {
        random.pick(&["MACOS", "IOS", "WINDOWS"]).clone_into(&mut record.platform);
    }
    if random.chance(rates.other / 3) {
        let values = ["ACTIVE", "SUSPENDED", "DEACTIVATED", "CREATED", "LOST"];
        random.pick(&values).clone_into(&mut record.status);
    }
    if random.chance(500) {
        record.created_at = at(random.pick(&[-1000, -900, -800, -700]));
    }
    if random.chance(rates.other) {
        record.created_at = random.time();
    }
    if random.chance(500) {
        record.used_at = Some(random.time());
        record.use_seen_at = record.used_at.map(|used_at| used_at + TimeDelta::minutes(10));
    }
    record.users =
        (0..random.pick(&[0, 1, 1, 1, 1, 2, 2, 3])).map(|_| any_user(random, rates)).collect();
    let are_known = record.users.iter().all(|user| user.management_status.is_some());
    record.users_known = are_known && !random.chance(rates.other / 4);
    record.users_read_at = random.pick(&[None, Some(at(-1)), Some(at(-1)), record.use_seen_at]);
    record.users_added_at = record.users.iter().filter_map(|user| user.created).max();
    if random.chance(rates.other / 2) {
        record.users_added_at = record.users_added_at.max(random.time_or_none());
    }
    if random.chance(rates.other / 4) {
        record.identity_changed_at = Some(random.time());
    }
    record.disputed = random.chance(rates.decisive);
    record.names_another = random.chance(rates.decisive);
    record.observed_at = random.pick(&[at(0), at(-2), at(-2), at(-30)]);
    record.follows_sweeps = !random.chance(rates.decisive);
    if random.chance(rates.decisive) {
        record.users_observed_at = Some(random.pick(&[at(-3), at(-24), at(-25)]));
    }
    if random.chance(rates.other / 4) {
        record.not_found_at = Some(at(-5));
    }
    record
}

fn any_user(random: &mut Random, rates: ChangeRates) -> OktaDeviceUser {
    let mut user = user(Some("MANAGED"), Some(-800));
    if random.chance(rates.other / 2) {
        let values = [Some("NOT_MANAGED"), Some("NOT_MANAGED"), None, Some("SOMETHING")];
        user.management_status = random.pick(&values).map(ToOwned::to_owned);
    }
    if random.chance(rates.other) {
        user.created = random.time_or_none();
    }
    if random.chance(rates.other / 3) {
        let values = ["ACTIVE", "DEPROVISIONED", "SUSPENDED", "LOCKED_OUT"];
        user.status = Some(random.pick(&values).to_owned());
    }
    user
}

fn any_policy(random: &mut Random, rates: ChangeRates) -> Policy {
    Policy {
        max_age: random.pick(&[
            None,
            None,
            Some(TimeDelta::hours(100)),
            Some(TimeDelta::hours(2)),
            Some(TimeDelta::hours(1)),
        ]),
        require_inventory: !random.chance(rates.other),
        all_users: random.chance(300),
        ios_single_install: !random.chance(rates.other),
        last_seen_within: random.pick(&[None, None, Some(TimeDelta::hours(970))]),
        ..policy()
    }
}

fn use_platform(facts: &mut Facts, platform: Platform) {
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
fn apply_theme(facts: &mut Facts, policy: &mut Policy, theme: Theme, random: &mut Random) {
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
