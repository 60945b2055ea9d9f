//! Compares both on every combination of a few values of each fact. Only facts that affect each other are
//! combined.

use std::sync::Arc;

use chrono::TimeDelta;
use okta_device_trust::model::devices::reports::EnrollmentState;
use okta_device_trust::model::trust_status::{
    AskedDevice, DeviceFacts, Facts, OktaRecord, Policy, Reported,
};
use okta_device_trust::model::{OktaDeviceUser, Platform};

use crate::comparison::Comparison;
use crate::example::{
    OKTA_IDS, SERIAL_NUMBERS, UDIDS, at, certificate, delivery, deprovisioned, device, facts,
    is_possible, now, org, policy, record, user,
};

/// One combination, as a number in which each choice is one digit.
struct Choices {
    rest: usize,
    /// The number of combinations of the choices so far.
    combinations: usize,
}

impl Choices {
    fn choose<T: Clone>(&mut self, options: &[T]) -> T {
        let option = options[self.rest % options.len()].clone();
        self.rest /= options.len();
        self.combinations *= options.len();
        option
    }

    fn yes_or_no(&mut self) -> bool {
        self.choose(&[true, false])
    }
}

/// Compares both on every combination. `build` makes the same choices each time.
fn compare_all(name: &str, build: impl Fn(&mut Choices) -> (Facts, Policy)) {
    let mut comparison = Comparison::default();
    let mut first = Choices { rest: 0, combinations: 1 };
    build(&mut first);
    for combination in 0..first.combinations {
        let mut choices = Choices { rest: combination, combinations: 1 };
        let (facts, policy) = build(&mut choices);
        if !is_possible(&facts) {
            continue;
        }
        comparison.compare(&facts, &policy, now(), &|| format!("combination {combination}"));
    }
    println!("{name}: {} combinations", comparison.cases);
    comparison.assert_equal();
}

fn asked(serial_number: Option<usize>, udid: Option<usize>, id: Option<usize>) -> AskedDevice {
    AskedDevice {
        serial_number: serial_number.map(|number| SERIAL_NUMBERS[number].clone()),
        udid: udid.map(|number| UDIDS[number].clone()),
        okta_device_id: id.map(|number| OKTA_IDS[number].clone()),
    }
}

fn choose_asked(choices: &mut Choices) -> AskedDevice {
    choices.choose(&[
        asked(Some(0), None, None),
        asked(None, Some(0), None),
        asked(None, None, Some(0)),
        asked(Some(0), Some(0), None),
        asked(Some(0), None, Some(0)),
        asked(Some(0), Some(0), Some(0)),
        asked(Some(1), None, None),
        asked(Some(0), Some(1), None),
        asked(None, Some(1), Some(0)),
        asked(None, None, Some(3)),
        asked(Some(0), None, Some(3)),
    ])
}

fn set_platform(facts: &mut Facts, platform: Platform) {
    let text = if platform == Platform::Macos { "MACOS" } else { "IOS" };
    if let Some(device) = &mut facts.device {
        device.platform = Some(platform);
    }
    for record in &mut facts.records {
        text.clone_into(&mut record.platform);
    }
}

fn choose_enrollment(choices: &mut Choices) -> Option<DeviceFacts> {
    let enrolled = device();
    let state = |state| Some(DeviceFacts { enrollment: state, ..enrolled.clone() });
    choices.choose(&[
        state(Some(EnrollmentState::Enrolled)),
        state(Some(EnrollmentState::Unenrolled)),
        state(Some(EnrollmentState::Wiped)),
        state(None),
        Some(DeviceFacts { living: false, enrollment: None, ..enrolled.clone() }),
        None,
    ])
}

/// The device, the query, and whether the device has a record.
#[test]
fn device_and_question() {
    compare_all("device and question", |choices| {
        let mut device = choose_enrollment(choices);
        let left_at = choices.choose(&[None, Some(at(-1000))]);
        let enrolled_since = choices.choose(&[None, Some(at(-700))]);
        let last_enrolled_at = choices.choose(&[None, Some(at(-1100)), Some(at(-600))]);
        let lost_mode =
            choices.choose(&[None, Some((true, -1000)), Some((true, -999)), Some((false, -999))]);
        let delivered = choices.choose(&[None, Some(delivery(-1000)), Some(delivery(-999))]);
        if let Some(device) = &mut device {
            device.left_at = left_at;
            device.enrolled_since = enrolled_since;
            device.last_enrolled_at = last_enrolled_at;
            device.lost_mode = lost_mode.map(|(value, hours)| Reported { value, at: at(hours) });
            device.delivery = delivered;
        }
        let records = choices.choose(&[
            vec![],
            vec![record(0)],
            vec![OktaRecord { created_at: at(-650), ..record(0) }],
            vec![OktaRecord { created_at: at(-500), ..record(0) }],
            vec![OktaRecord { names_another: true, ..record(0) }],
        ]);
        let mut facts = Facts {
            asked: choose_asked(choices),
            device,
            records,
            asked_record_not_found: false,
            ..facts()
        };
        set_platform(&mut facts, choices.choose(&[Platform::Macos, Platform::Ios]));
        (facts, Policy { require_inventory: choices.yes_or_no(), ..policy() })
    });
}

/// Queries with identifiers of other devices, several devices, and a queried record that does not exist.
#[test]
fn conflicting_questions() {
    compare_all("conflicting questions", |choices| {
        let living = choices.choose(&[Some(true), Some(false), None]);
        let mut device = living.map(|living| DeviceFacts { living, ..device() });
        let udid = choices.choose(&[Some(UDIDS[0].clone()), None]);
        if let Some(device) = &mut device {
            device.udid = udid;
        }
        let several_devices = choices.yes_or_no() && device.is_some();
        let require_inventory = choices.yes_or_no();
        let mut facts = Facts {
            asked: choose_asked(choices),
            device,
            several_devices,
            records: vec![],
            asked_record_not_found: require_inventory,
            ..facts()
        };
        for number in 0..2 {
            let (serial_number, udid) = choose_identity(choices);
            let states = [Some("ACTIVE"), Some("DEACTIVATED"), None];
            if let Some(status) = choices.choose(&states) {
                let status = status.to_owned();
                facts.records.push(OktaRecord { status, serial_number, udid, ..record(number) });
            }
        }
        (facts, Policy { require_inventory, ..policy() })
    });
}

/// Two records if the queried identifiers take the place of the device.
#[test]
fn without_inventory() {
    compare_all("without inventory", |choices| {
        let mut facts = Facts { device: None, ..facts() };
        facts.asked = choices.choose(&[
            asked(None, None, Some(0)),
            asked(Some(0), None, None),
            asked(None, Some(0), None),
            asked(Some(0), Some(0), None),
            asked(Some(0), Some(0), Some(0)),
        ]);
        facts.records.clear();
        for number in 0..2 {
            let (serial_number, udid) = choose_identity(choices);
            let mut record = OktaRecord { serial_number, udid, ..record(number) };
            choices.choose(&["MACOS", "IOS", "WINDOWS"]).clone_into(&mut record.platform);
            facts.records.push(record);
        }
        facts.records[1].created_at = choices.choose(&[at(-900), at(-800), at(-700)]);
        facts.records[0].used_at = choices.choose(&[None, Some(at(-600))]);
        facts.records[1].users = choices.choose(&[vec![], vec![user(Some("MANAGED"), None)]]);
        let mut org = org();
        org.platforms =
            choices.choose(&[vec![Platform::Macos, Platform::Ios], vec![Platform::Ios]]);
        facts.org = Some(Arc::new(org));
        (facts, Policy { require_inventory: false, ..policy() })
    });
}

type Names =
    (Option<okta_device_trust::model::SerialNumber>, Option<okta_device_trust::model::Udid>);

fn choose_identity(choices: &mut Choices) -> Names {
    let serial_number = |number: usize| Some(SERIAL_NUMBERS[number].clone());
    let udid = |number: usize| Some(UDIDS[number].clone());
    choices.choose(&[
        (serial_number(0), udid(0)),
        (serial_number(0), None),
        (None, udid(0)),
        (None, None),
        (serial_number(0), udid(1)),
        (serial_number(1), udid(0)),
        (serial_number(1), udid(1)),
    ])
}

/// Whether a record belongs to the device.
#[test]
fn identity_of_a_record() {
    compare_all("identity of a record", |choices| {
        let mut facts = facts();
        let (serial_number, udid) = choose_identity(choices);
        let mut record = OktaRecord { serial_number, udid, ..record(0) };
        choices.choose(&["MACOS", "IOS", "WINDOWS"]).clone_into(&mut record.platform);
        let (gone, disputed, names_another) = choices.choose(&[
            (None, false, false),
            (Some(at(-3)), false, false),
            (None, true, false),
            (None, false, true),
        ]);
        record.not_found_at = gone;
        record.disputed = disputed;
        record.names_another = names_another;
        choices.choose(&["ACTIVE", "CREATED"]).clone_into(&mut record.status);
        record.users = choices.choose(&[vec![], record.users.clone()]);
        record.created_at = choices.choose(&[at(-1200), at(-800)]);
        facts.records = vec![record];

        let mut device = device();
        device.platform = Some(choices.choose(&[Platform::Macos, Platform::Ios]));
        device.udid = choices.choose(&[Some(UDIDS[0].clone()), None]);
        device.left_at = Some(at(-1000));
        device.okta_device_id_reported_at =
            choices.choose(&[None, Some(at(-1000)), Some(at(-999))]);
        device.okta_device_id = Some(OKTA_IDS[0].clone());
        facts.device = choices.choose(&[Some(device), None]);
        facts.asked = choices.choose(&[
            asked(Some(0), None, None),
            asked(None, Some(0), None),
            asked(None, None, Some(0)),
            asked(Some(0), Some(0), Some(0)),
        ]);
        (facts, Policy { require_inventory: false, ..policy() })
    });
}

fn choose_users(choices: &mut Choices) -> Vec<OktaDeviceUser> {
    let (managed, not_managed) = (Some("MANAGED"), Some("NOT_MANAGED"));
    let (before, after) = (Some(-1050), Some(-700));
    choices.choose(&[
        vec![],
        vec![user(managed, before)],
        vec![user(managed, after)],
        vec![user(managed, None)],
        vec![user(not_managed, before)],
        vec![user(not_managed, after)],
        vec![user(None, before)],
        vec![user(None, after)],
        vec![deprovisioned(user(managed, after))],
        vec![user(managed, before), user(not_managed, before)],
        vec![user(managed, before), user(not_managed, after)],
        vec![user(managed, after), user(not_managed, before)],
        vec![user(managed, after), user(None, before)],
        vec![user(managed, after), user(not_managed, after)],
        vec![user(managed, before), user(managed, after)],
        vec![user(managed, before), deprovisioned(user(not_managed, before))],
    ])
}

/// Whether a record and its users count.
#[test]
fn evidence_of_a_record() {
    compare_all("evidence of a record", |choices| {
        let mut facts = facts();
        let mut device = device();
        let mut record = record(0);
        match choices.choose(&[0, 1, 2, 3]) {
            0 => {}
            1 => device.last_enrolled_at = Some(at(-900)),
            2 => device.left_at = Some(at(-900) - TimeDelta::minutes(5)),
            _ => record.identity_changed_at = Some(at(-900)),
        }
        record.created_at = choices.choose(&[at(-1100), at(-900), at(-800)]);
        record.used_at = choices.choose(&[None, Some(at(-950)), Some(at(-900)), Some(at(-600))]);
        record.use_seen_at = record.used_at.map(|used_at| used_at + TimeDelta::hours(1));
        record.users_read_at = choices.choose(&[None, Some(at(-899)), Some(at(-500))]);
        choices
            .choose(&["ACTIVE", "SUSPENDED", "DEACTIVATED", "CREATED"])
            .clone_into(&mut record.status);
        record.users = choose_users(choices);
        record.users_known = record.users.iter().all(|user| user.management_status.is_some());
        record.users_known &= choices.yes_or_no();
        let added = record.users.iter().filter_map(|user| user.created).max();
        record.users_added_at = choices.choose(&[None, added, added.max(Some(at(-900)))]);
        let all_users = choices.yes_or_no();
        device.delivery = device.delivery.filter(|_| all_users);
        facts.device = Some(device);
        facts.records = vec![record];
        (facts, Policy { all_users, ..policy() })
    });
}

/// Two records that may supersede or complete each other.
#[test]
fn two_records() {
    compare_all("two records", |choices| {
        let mut facts = facts();
        let mut device = device();
        device.last_enrolled_at = choices.choose(&[None, Some(at(-900))]);
        facts.records = vec![choose_record(choices, 0), choose_record(choices, 1)];
        facts.device = Some(device);
        facts.asked = choices.choose(&[asked(Some(0), None, None), asked(None, None, Some(0))]);
        set_platform(&mut facts, choices.choose(&[Platform::Macos, Platform::Ios]));
        (facts, policy())
    });
}

fn choose_record(choices: &mut Choices, number: usize) -> OktaRecord {
    let mut record = record(number);
    let (status, gone, foreign) = choices.choose(&[
        ("ACTIVE", None, false),
        ("SUSPENDED", None, false),
        ("DEACTIVATED", None, false),
        ("ACTIVE", Some(at(-3)), false),
        ("ACTIVE", None, true),
    ]);
    status.clone_into(&mut record.status);
    record.not_found_at = gone;
    if foreign {
        record.udid = Some(UDIDS[1].clone());
    }
    record.created_at = choices.choose(&[at(-1000), at(-950), at(-800)]);
    record.used_at = choices.choose(&[None, Some(at(-850)), Some(at(-700))]);
    record.use_seen_at = record.used_at;
    record.users_read_at = Some(at(-1));
    record.users = choices.choose(&[
        vec![],
        vec![user(Some("MANAGED"), Some(-1000))],
        vec![user(Some("MANAGED"), Some(-750))],
        vec![user(Some("NOT_MANAGED"), Some(-1000)), user(Some("MANAGED"), Some(-750))],
    ]);
    record.users_known = record.users.iter().all(|user| user.management_status.is_some());
    record.users_added_at = record.users.iter().filter_map(|user| user.created).max();
    record
}

/// The certificate, and uses since it expired.
#[test]
fn certificates() {
    compare_all("certificates", |choices| {
        let mut facts = facts();
        let living = choices.yes_or_no();
        let mut device = DeviceFacts { living, ..device() };
        let ends = [None, Some(-400), Some(0), Some(1), Some(24 * 30), Some(24 * 30 + 1)];
        device.certificate = choices.choose(&ends).map(certificate);
        device.delivery = choices.choose(&[None, Some(delivery(-1000)), Some(delivery(-999))]);
        device.left_at = choices.choose(&[None, Some(at(-1000)), Some(at(-401))]);
        let mut record = record(0);
        record.created_at = choices.choose(&[at(-1100), at(-500), at(-400), at(-300)]);
        record.used_at = choices.choose(&[None, Some(at(-401)), Some(at(-400)), Some(at(-390))]);
        record.use_seen_at = record.used_at;
        record.users_read_at = Some(at(-1));
        let added = choices.choose(&[None, Some(-450), Some(-400), Some(-350)]);
        let managed = user(Some("MANAGED"), added);
        let not_managed = user(Some("NOT_MANAGED"), added);
        record.users = choices.choose(&[
            vec![managed.clone()],
            vec![not_managed.clone()],
            vec![deprovisioned(managed.clone())],
            vec![user(Some("MANAGED"), Some(-1050)), deprovisioned(managed)],
        ]);
        record.users_added_at = record.users.iter().filter_map(|user| user.created).max();
        facts.records = vec![record];
        facts.device = Some(device);
        set_platform(&mut facts, choices.choose(&[Platform::Macos, Platform::Ios]));
        (facts, policy())
    });
}

/// The org and the age of the facts.
#[test]
fn freshness() {
    compare_all("freshness", |choices| {
        let mut facts = facts();
        let mut org = org();
        let (connected, swept_at) = choices.choose(&[
            (true, Some(-1)),
            (true, Some(-24)),
            (true, Some(-25)),
            (true, Some(1)),
            (true, None),
            (false, Some(-1)),
        ]);
        org.connected = connected;
        org.swept_at = swept_at.map(at);
        org.degraded = !connected;
        org.platforms = choices.choose(&[vec![Platform::Macos], vec![Platform::Ios]]);
        facts.org = Some(Arc::new(org));
        facts.searched_at = choices.choose(&[None, Some(at(-2)), Some(at(-30)), Some(at(1))]);
        facts.budget_exhausted = choices.yes_or_no();
        let mut newest = record(0);
        newest.follows_sweeps = choices.yes_or_no();
        newest.observed_at = choices.choose(&[at(0), at(-3), at(-26)]);
        newest.users_observed_at = choices.choose(&[None, Some(at(-2)), Some(at(-27))]);
        let foreign = OktaRecord { observed_at: at(-50), names_another: true, ..record(1) };
        let older = OktaRecord { observed_at: at(-24), follows_sweeps: false, ..record(1) };
        facts.records = choices.choose(&[
            vec![],
            vec![newest.clone()],
            vec![newest.clone(), foreign.clone()],
            vec![foreign],
            vec![newest, older],
        ]);
        let mut device = device();
        device.certificate = choices.choose(&[None, Some(certificate(-10))]);
        facts.device = choices.choose(&[Some(device), None]);
        let max_ages = [None, Some(TimeDelta::hours(2)), Some(TimeDelta::hours(48))];
        let max_age = choices.choose(&max_ages);
        (facts, Policy { max_age, require_inventory: false, ..policy() })
    });
}

/// When the MDM last saw the device, as of now and as of the last facts.
#[test]
fn last_seen() {
    compare_all("last seen", |choices| {
        let mut facts = facts();
        let mut device = device();
        device.left_at = choices.choose(&[None, Some(at(-1000))]);
        device.enrolled_since = choices.choose(&[None, Some(at(-990)), Some(at(-490))]);
        device.last_enrolled_at = choices.choose(&[None, Some(at(-1100)), Some(at(-480))]);
        let seen = [None, Some(-1), Some(-480), Some(-481), Some(-720), Some(-721), Some(-1001)];
        let reported = choices.choose(&[-1000, -999, 0]);
        device.check_in =
            choices.choose(&seen).map(|hours| Reported { value: at(hours), at: at(reported) });
        device.first_reported_at = choices.choose(&[at(-2000), at(-480), at(-481)]);
        facts.device = choices.choose(&[Some(device), None]);
        facts.records[0].created_at = at(-470);
        facts.records[0].follows_sweeps = false;
        facts.records[0].observed_at = choices.choose(&[at(-2), at(-30)]);
        let within = [None, Some(TimeDelta::hours(480)), Some(TimeDelta::hours(10))];
        let last_seen_within = choices.choose(&within);
        (facts, Policy { last_seen_within, require_inventory: false, ..policy() })
    });
}

/// An org with iOS records without identifiers.
#[test]
fn unmatched_records() {
    compare_all("unmatched records", |choices| {
        let mut facts = facts();
        let mut org = org();
        org.unmatched_ios = choices.yes_or_no();
        org.ios_identifiers_since = choices.choose(&[None, Some(6), Some(7), Some(8)]);
        facts.org = Some(Arc::new(org));
        let mut device = choose_enrollment(choices);
        let delivered = choices.choose(&[None, Some(delivery(-1000)), Some(delivery(-999))]);
        if let Some(device) = &mut device {
            device.left_at = Some(at(-1000));
            device.delivery = delivered;
        }
        facts.device = device;
        facts.records = choices.choose(&[
            vec![],
            vec![OktaRecord { names_another: true, ..record(0) }],
            vec![OktaRecord { not_found_at: Some(at(-3)), ..record(0) }],
            vec![record(0)],
        ]);
        set_platform(&mut facts, choices.choose(&[Platform::Macos, Platform::Ios]));
        facts.asked = choose_asked(choices);
        (facts, Policy { require_inventory: choices.yes_or_no(), ..policy() })
    });
}
