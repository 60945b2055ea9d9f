//! Generates random facts: those of a trusted device with few or many changes and one theme, so that every
//! reason occurs often.

use std::sync::Arc;

use chrono::TimeDelta;
use okta_device_trust::model::devices::reports::EnrollmentState;
use okta_device_trust::model::trust_status::{
    AskedDevice, DeviceFacts, Facts, OktaRecord, OrgFacts, Policy,
};
use okta_device_trust::model::{OktaDeviceId, OktaDeviceUser, Platform};

use crate::example::{
    OKTA_IDS, SERIAL_NUMBERS, UDIDS, at, certificate, delivery, device, is_possible, org, policy,
    record, reported, user,
};
use crate::source::Random;
use crate::themes::{THEMES, Theme, apply_theme, use_platform};

/// The probability of changing a fact, per mille.
#[derive(Clone, Copy)]
struct ChangeRates {
    /// A fact that decides on its own.
    decisive: usize,
    other: usize,
}

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
