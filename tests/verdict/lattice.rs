//! Compares the two on every combination of a few values for each fact. The facts that bear on each
//! other are combined with each other, not all with all.

use std::sync::Arc;

use chrono::TimeDelta;
use okta_device_trust::model::devices::reports::EnrollmentState;
use okta_device_trust::model::trust_status::{
    AskedDevice, DeviceFacts, Facts, OktaRecord, Policy, Reported,
};
use okta_device_trust::model::{OktaDeviceUser, Platform};

use crate::comparison::Comparison;
use crate::example::{
    OKTA_IDS, SERIAL_NUMBERS, UDIDS, at, certificate, delivery, device, facts, former, is_possible,
    now, org, policy, record, user,
};

/// One combination, as a number of which each choice takes one digit.
struct Choices {
    rest: usize,
    /// How many combinations the choices so far have.
    combinations: usize,
}

impl Choices {
    fn of<T: Clone>(&mut self, options: &[T]) -> T {
        let option = options[self.rest % options.len()].clone();
        self.rest /= options.len();
        self.combinations *= options.len();
        option
    }

    fn yes_or_no(&mut self) -> bool {
        self.of(&[true, false])
    }
}

/// Compares the two on every combination. `build` makes the same choices each time.
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
    choices.of(&[
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

fn enrolled_or_not(choices: &mut Choices) -> Option<DeviceFacts> {
    let enrolled = device();
    let state = |state| Some(DeviceFacts { enrollment: state, ..enrolled.clone() });
    choices.of(&[
        state(Some(EnrollmentState::Enrolled)),
        state(Some(EnrollmentState::Unenrolled)),
        state(Some(EnrollmentState::Wiped)),
        state(None),
        Some(DeviceFacts { living: false, enrollment: None, ..enrolled.clone() }),
        None,
    ])
}

/// The device, how it is asked for, and whether it has one record.
#[test]
fn device_and_question() {
    compare_all("device and question", |choices| {
        let mut device = enrolled_or_not(choices);
        let left_at = choices.of(&[None, Some(at(-1000))]);
        let enrolled_since = choices.of(&[None, Some(at(-700))]);
        let last_enrolled_at = choices.of(&[None, Some(at(-1100)), Some(at(-600))]);
        let lost_mode =
            choices.of(&[None, Some((true, -1000)), Some((true, -999)), Some((false, -999))]);
        let delivered = choices.of(&[None, Some(delivery(-1000)), Some(delivery(-999))]);
        if let Some(device) = &mut device {
            device.left_at = left_at;
            device.enrolled_since = enrolled_since;
            device.last_enrolled_at = last_enrolled_at;
            device.lost_mode = lost_mode.map(|(value, hours)| Reported { value, at: at(hours) });
            device.delivery = delivered;
        }
        let records = choices.of(&[
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
        set_platform(&mut facts, choices.of(&[Platform::Macos, Platform::Ios]));
        (facts, Policy { require_inventory: choices.yes_or_no(), ..policy() })
    });
}

/// Questions with identifiers of others, several devices, and an asked record that is gone.
#[test]
fn conflicting_questions() {
    compare_all("conflicting questions", |choices| {
        let living = choices.of(&[Some(true), Some(false), None]);
        let mut device = living.map(|living| DeviceFacts { living, ..device() });
        let udid = choices.of(&[Some(UDIDS[0].clone()), None]);
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
            if let Some(status) = choices.of(&states) {
                let status = status.to_owned();
                facts.records.push(OktaRecord { status, serial_number, udid, ..record(number) });
            }
        }
        (facts, Policy { require_inventory, ..policy() })
    });
}

/// Two records where the asked identifiers stand for the device.
#[test]
fn without_inventory() {
    compare_all("without inventory", |choices| {
        let mut facts = Facts { device: None, ..facts() };
        facts.asked = choices.of(&[
            asked(None, None, Some(0)),
            asked(Some(0), None, None),
            asked(None, Some(0), None),
            asked(Some(0), Some(0), None),
            asked(Some(0), Some(0), Some(0)),
        ]);
        facts.records.clear();
        for number in 0..2 {
            let (serial_number, udid) = choose_identity(choices);
            let mut one = OktaRecord { serial_number, udid, ..record(number) };
            choices.of(&["MACOS", "IOS", "WINDOWS"]).clone_into(&mut one.platform);
            facts.records.push(one);
        }
        facts.records[1].created_at = choices.of(&[at(-900), at(-800), at(-700)]);
        facts.records[0].used_at = choices.of(&[None, Some(at(-600))]);
        facts.records[1].users = choices.of(&[vec![], vec![user(Some("MANAGED"), None)]]);
        let mut org = org();
        org.platforms = choices.of(&[vec![Platform::Macos, Platform::Ios], vec![Platform::Ios]]);
        facts.org = Some(Arc::new(org));
        (facts, Policy { require_inventory: false, ..policy() })
    });
}

type Names =
    (Option<okta_device_trust::model::SerialNumber>, Option<okta_device_trust::model::Udid>);

fn choose_identity(choices: &mut Choices) -> Names {
    let serial_number = |number: usize| Some(SERIAL_NUMBERS[number].clone());
    let udid = |number: usize| Some(UDIDS[number].clone());
    choices.of(&[
        (serial_number(0), udid(0)),
        (serial_number(0), None),
        (None, udid(0)),
        (None, None),
        (serial_number(0), udid(1)),
        (serial_number(1), udid(0)),
        (serial_number(1), udid(1)),
    ])
}

/// Whether a record is the device's.
#[test]
fn identity_of_a_record() {
    compare_all("identity of a record", |choices| {
        let mut facts = facts();
        let (serial_number, udid) = choose_identity(choices);
        let mut one = OktaRecord { serial_number, udid, ..record(0) };
        choices.of(&["MACOS", "IOS", "WINDOWS"]).clone_into(&mut one.platform);
        let (gone, disputed, names_another) = choices.of(&[
            (None, false, false),
            (Some(at(-3)), false, false),
            (None, true, false),
            (None, false, true),
        ]);
        one.not_found_at = gone;
        one.disputed = disputed;
        one.names_another = names_another;
        choices.of(&["ACTIVE", "CREATED"]).clone_into(&mut one.status);
        one.users = choices.of(&[vec![], one.users.clone()]);
        one.created_at = choices.of(&[at(-1200), at(-800)]);
        facts.records = vec![one];

        let mut device = device();
        device.platform = Some(choices.of(&[Platform::Macos, Platform::Ios]));
        device.udid = choices.of(&[Some(UDIDS[0].clone()), None]);
        device.left_at = Some(at(-1000));
        device.okta_device_id_reported_at = choices.of(&[None, Some(at(-1000)), Some(at(-999))]);
        device.okta_device_id = Some(OKTA_IDS[0].clone());
        facts.device = choices.of(&[Some(device), None]);
        facts.asked = choices.of(&[
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
    choices.of(&[
        vec![],
        vec![user(managed, before)],
        vec![user(managed, after)],
        vec![user(managed, None)],
        vec![user(not_managed, before)],
        vec![user(not_managed, after)],
        vec![user(None, before)],
        vec![user(None, after)],
        vec![former(user(managed, after))],
        vec![user(managed, before), user(not_managed, before)],
        vec![user(managed, before), user(not_managed, after)],
        vec![user(managed, after), user(not_managed, before)],
        vec![user(managed, after), user(None, before)],
        vec![user(managed, after), user(not_managed, after)],
        vec![user(managed, before), user(managed, after)],
        vec![user(managed, before), former(user(not_managed, before))],
    ])
}

/// Whether a record and its users count, and what follows.
#[test]
fn evidence_of_a_record() {
    compare_all("evidence of a record", |choices| {
        let mut facts = facts();
        let mut device = device();
        let mut one = record(0);
        match choices.of(&[0, 1, 2, 3]) {
            0 => {}
            1 => device.last_enrolled_at = Some(at(-900)),
            2 => device.left_at = Some(at(-900) - TimeDelta::minutes(5)),
            _ => one.identity_changed_at = Some(at(-900)),
        }
        one.created_at = choices.of(&[at(-1100), at(-900), at(-800)]);
        one.used_at = choices.of(&[None, Some(at(-950)), Some(at(-900)), Some(at(-600))]);
        one.use_seen_at = one.used_at.map(|used_at| used_at + TimeDelta::hours(1));
        one.users_read_at = choices.of(&[None, Some(at(-899)), Some(at(-500))]);
        choices.of(&["ACTIVE", "SUSPENDED", "DEACTIVATED", "CREATED"]).clone_into(&mut one.status);
        one.users = choose_users(choices);
        one.users_known = one.users.iter().all(|user| user.management_status.is_some());
        one.users_known &= choices.yes_or_no();
        let added = one.users.iter().filter_map(|user| user.created).max();
        one.users_added_at = choices.of(&[None, added, added.max(Some(at(-900)))]);
        let all_users = choices.yes_or_no();
        device.delivery = device.delivery.filter(|_| all_users);
        facts.device = Some(device);
        facts.records = vec![one];
        (facts, Policy { all_users, ..policy() })
    });
}

/// Two records, each of which may supersede, suspend or complete the other.
#[test]
fn two_records() {
    compare_all("two records", |choices| {
        let mut facts = facts();
        let mut device = device();
        device.last_enrolled_at = choices.of(&[None, Some(at(-900))]);
        facts.records = vec![choose_record(choices, 0), choose_record(choices, 1)];
        facts.device = Some(device);
        facts.asked = choices.of(&[asked(Some(0), None, None), asked(None, None, Some(0))]);
        set_platform(&mut facts, choices.of(&[Platform::Macos, Platform::Ios]));
        (facts, policy())
    });
}

fn choose_record(choices: &mut Choices, number: usize) -> OktaRecord {
    let mut one = record(number);
    let (status, gone, foreign) = choices.of(&[
        ("ACTIVE", None, false),
        ("SUSPENDED", None, false),
        ("DEACTIVATED", None, false),
        ("ACTIVE", Some(at(-3)), false),
        ("ACTIVE", None, true),
    ]);
    status.clone_into(&mut one.status);
    one.not_found_at = gone;
    if foreign {
        one.udid = Some(UDIDS[1].clone());
    }
    one.created_at = choices.of(&[at(-1000), at(-950), at(-800)]);
    one.used_at = choices.of(&[None, Some(at(-850)), Some(at(-700))]);
    one.use_seen_at = one.used_at;
    one.users_read_at = Some(at(-1));
    one.users = choices.of(&[
        vec![],
        vec![user(Some("MANAGED"), Some(-1000))],
        vec![user(Some("MANAGED"), Some(-750))],
        vec![user(Some("NOT_MANAGED"), Some(-1000)), user(Some("MANAGED"), Some(-750))],
    ]);
    one.users_known = one.users.iter().all(|user| user.management_status.is_some());
    one.users_added_at = one.users.iter().filter_map(|user| user.created).max();
    one
}

/// The certificate, and evidence since it expired.
#[test]
fn certificates() {
    compare_all("certificates", |choices| {
        let mut facts = facts();
        let living = choices.yes_or_no();
        let mut device = DeviceFacts { living, ..device() };
        let ends = [None, Some(-400), Some(0), Some(1), Some(24 * 30), Some(24 * 30 + 1)];
        device.certificate = choices.of(&ends).map(certificate);
        device.delivery = choices.of(&[None, Some(delivery(-1000)), Some(delivery(-999))]);
        device.left_at = choices.of(&[None, Some(at(-1000)), Some(at(-401))]);
        let mut one = record(0);
        one.created_at = choices.of(&[at(-1100), at(-500), at(-400), at(-300)]);
        one.used_at = choices.of(&[None, Some(at(-401)), Some(at(-400)), Some(at(-390))]);
        one.use_seen_at = one.used_at;
        one.users_read_at = Some(at(-1));
        let added = choices.of(&[None, Some(-450), Some(-400), Some(-350)]);
        let managed = user(Some("MANAGED"), added);
        let not_managed = user(Some("NOT_MANAGED"), added);
        one.users = choices.of(&[
            vec![managed.clone()],
            vec![not_managed.clone()],
            vec![former(managed.clone())],
            vec![user(Some("MANAGED"), Some(-1050)), former(managed)],
        ]);
        one.users_added_at = one.users.iter().filter_map(|user| user.created).max();
        facts.records = vec![one];
        facts.device = Some(device);
        set_platform(&mut facts, choices.of(&[Platform::Macos, Platform::Ios]));
        (facts, policy())
    });
}

/// The org and how old the facts are.
#[test]
fn freshness() {
    compare_all("freshness", |choices| {
        let mut facts = facts();
        let mut org = org();
        let (connected, swept_at) = choices.of(&[
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
        org.platforms = choices.of(&[vec![Platform::Macos], vec![Platform::Ios]]);
        facts.org = Some(Arc::new(org));
        facts.searched_at = choices.of(&[None, Some(at(-2)), Some(at(-30)), Some(at(1))]);
        facts.budget_exhausted = choices.yes_or_no();
        let mut one = record(0);
        one.follows_sweeps = choices.yes_or_no();
        one.observed_at = choices.of(&[at(0), at(-3), at(-26)]);
        one.users_observed_at = choices.of(&[None, Some(at(-2)), Some(at(-27))]);
        let foreign = OktaRecord { observed_at: at(-50), names_another: true, ..record(1) };
        let older = OktaRecord { observed_at: at(-24), follows_sweeps: false, ..record(1) };
        facts.records = choices.of(&[
            vec![],
            vec![one.clone()],
            vec![one.clone(), foreign.clone()],
            vec![foreign],
            vec![one, older],
        ]);
        let mut device = device();
        device.certificate = choices.of(&[None, Some(certificate(-10))]);
        facts.device = choices.of(&[Some(device), None]);
        let max_ages = [None, Some(TimeDelta::hours(2)), Some(TimeDelta::hours(48))];
        let max_age = choices.of(&max_ages);
        (facts, Policy { max_age, require_inventory: false, ..policy() })
    });
}

/// When the MDM last saw the device, as of now and as of the last facts.
#[test]
fn last_seen() {
    compare_all("last seen", |choices| {
        let mut facts = facts();
        let mut device = device();
        device.left_at = choices.of(&[None, Some(at(-1000))]);
        device.enrolled_since = choices.of(&[None, Some(at(-990)), Some(at(-490))]);
        device.last_enrolled_at = choices.of(&[None, Some(at(-1100)), Some(at(-480))]);
        let seen = [None, Some(-1), Some(-480), Some(-481), Some(-720), Some(-721), Some(-1001)];
        let reported = choices.of(&[-1000, -999, 0]);
        device.check_in =
            choices.of(&seen).map(|hours| Reported { value: at(hours), at: at(reported) });
        device.first_reported_at = choices.of(&[at(-2000), at(-480), at(-481)]);
        facts.device = choices.of(&[Some(device), None]);
        facts.records[0].created_at = at(-470);
        facts.records[0].follows_sweeps = false;
        facts.records[0].observed_at = choices.of(&[at(-2), at(-30)]);
        let within = [None, Some(TimeDelta::hours(480)), Some(TimeDelta::hours(10))];
        let last_seen_within = choices.of(&within);
        (facts, Policy { last_seen_within, require_inventory: false, ..policy() })
    });
}

/// An org whose iOS records may name no device.
#[test]
fn unmatched_records() {
    compare_all("unmatched records", |choices| {
        let mut facts = facts();
        let mut org = org();
        org.unmatched_ios = choices.yes_or_no();
        org.ios_identifiers_since = choices.of(&[None, Some(6), Some(7), Some(8)]);
        facts.org = Some(Arc::new(org));
        let mut device = enrolled_or_not(choices);
        let delivered = choices.of(&[None, Some(delivery(-1000)), Some(delivery(-999))]);
        if let Some(device) = &mut device {
            device.left_at = Some(at(-1000));
            device.delivery = delivered;
        }
        facts.device = device;
        facts.records = choices.of(&[
            vec![],
            vec![OktaRecord { names_another: true, ..record(0) }],
            vec![OktaRecord { not_found_at: Some(at(-3)), ..record(0) }],
            vec![record(0)],
        ]);
        set_platform(&mut facts, choices.of(&[Platform::Macos, Platform::Ios]));
        facts.asked = choose_asked(choices);
        (facts, Policy { require_inventory: choices.yes_or_no(), ..policy() })
    });
}
