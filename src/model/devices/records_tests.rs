//! The merge, without a store: any order of the same reports ends in the same record.

use proptest::prelude::*;
use strum::VariantArray;
use uuid::Uuid;

use super::*;

const ONE: IntegrationId = IntegrationId(Uuid::from_u128(1));

fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_750_000_000 + second, 0).unwrap()
}

fn device() -> DeviceRecord {
    DeviceRecord::new(SerialNumber::parse("C02ABC123DEF").unwrap(), at(0))
}

fn report(platform: Platform, second: i64) -> DeviceReport {
    DeviceReport {
        serial_number: SerialNumber::parse("C02ABC123DEF").unwrap(),
        platform,
        reported_at: at(second),
        udid: None,
        okta_device_id: None,
        enrollment: None,
        okta_verify: None,
        deliveries: BTreeMap::new(),
        certificates: BTreeMap::new(),
    }
}

fn enrolled(platform: Platform, state: EnrollmentState, second: i64) -> DeviceReport {
    let enrollment = Enrollment { state, enrolled_at: None, reported_at: at(second) };
    DeviceReport { enrollment: Some(enrollment), ..report(platform, second) }
}

fn delivery(second: i64) -> Delivery {
    Delivery { config_version: 3, delivered_at: at(second), reported_at: at(second) }
}

fn certificate(serial: u64, second: i64) -> Certificate {
    // A certificate with a serial number is one certificate: its dates follow from it.
    let not_before = at(i64::try_from(serial).unwrap());
    let not_after = not_before + TimeDelta::days(365);
    Certificate {
        serial_number: format!("{serial:X}"),
        not_before,
        not_after,
        reported_at: at(second),
    }
}

/// A report or a deletion.
#[derive(Debug, Clone)]
enum Message {
    Report(DeviceReport),
    Delete(i64),
}

fn ends_as(messages: &[Message]) -> DeviceRecord {
    let mut record = device();
    for message in messages {
        match message {
            Message::Report(report) => {
                let mut next = record.clone();
                if next.apply(report).is_ok() {
                    record = next;
                }
            }
            Message::Delete(second) => {
                record.delete(Some(at(*second)), at(100));
            }
        }
    }
    if !record.is_living() {
        // Of a device that is gone its last platform is kept for those who ask why.
        record.platform = None;
    }
    record
}

prop_compose! {
    /// Each with its enrolment, so that none is refused for what came before it.
    fn any_report()(
        second in 0_i64..12,
        mac in any::<bool>(),
        state in prop::sample::select(EnrollmentState::VARIANTS.to_vec()),
        // Groups are as old as the enrolment that they came with, or a little older.
        age in 0_i64..3,
        verify in prop::option::of(prop::option::of(0_i64..5)),
        delivered in prop::option::of(prop::option::of(1_i64..4)),
        held in prop::option::of(prop::option::of(1_u64..6)),
        udid in prop::option::of(prop::option::of(0_u8..3)),
    ) -> DeviceReport {
        let platform = if mac { Platform::Macos } else { Platform::Ios };
        let mut sent = enrolled(platform, state, second);
        let then = at(second - age);
        sent.okta_verify = verify.map(|value| value.map(|installed| OktaVerify {
            installed_at: at(installed), reported_at: then,
        }));
        if let Some(value) = delivered {
            sent.deliveries.insert(ONE, value.map(|config_version| Delivery {
                config_version, delivered_at: then, reported_at: then,
            }));
        }
        if let Some(value) = held {
            sent.certificates.insert(ONE, value.map(|serial| certificate(serial, second - age)));
        }
        sent.udid = udid.map(|value| value.map(|digit| {
            Udid::parse(&format!("00008030-001C45A83C98802{digit}")).unwrap()
        }));
        sent
    }
}

fn any_message() -> impl Strategy<Value = Message> {
    prop_oneof![
        8 => any_report().prop_map(Message::Report),
        1 => (0_i64..12).prop_map(Message::Delete),
    ]
}

fn told(record: &DeviceRecord) -> impl PartialEq + std::fmt::Debug + use<> {
    (
        record.platform,
        record.enrollment.clone(),
        record.okta_verify.clone(),
        record.deliveries.clone(),
        record.certificates.clone(),
        (record.udid.clone(), record.deleted_at, record.ended_at),
        (record.is_living(), record.is_living().then(|| record.counts_from())),
        record.reported_at(),
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_order_of_the_same_reports_ends_in_the_same_record(
        (messages, shuffled) in prop::collection::vec(any_message(), 1..8)
            .prop_flat_map(|messages| (Just(messages.clone()), Just(messages).prop_shuffle()))
    ) {
        prop_assert_eq!(told(&ends_as(&messages)), told(&ends_as(&shuffled)));
    }

    #[test]
    fn a_report_that_comes_twice_changes_nothing(messages in prop::collection::vec(any_message(), 1..6)) {
        let record = ends_as(&messages);
        let again: Vec<Message> = messages.iter().chain(&messages).cloned().collect();
        prop_assert_eq!(told(&record), told(&ends_as(&again)));
    }
}

#[test]
fn a_platform_change_leaves_nothing_of_the_other_platform_to_count() {
    let mut mac = enrolled(Platform::Macos, EnrollmentState::Enrolled, 1);
    mac.deliveries.insert(ONE, Some(delivery(10)));
    let phone = enrolled(Platform::Ios, EnrollmentState::Enrolled, 20);
    let again = enrolled(Platform::Ios, EnrollmentState::Enrolled, 30);
    let mut given = report(Platform::Ios, 22);
    given.deliveries.insert(ONE, Some(delivery(22)));
    let mut record = device();
    for sent in [&mac, &again, &phone] {
        record.apply(sent).unwrap();
        assert_eq!(
            record.counting_deliveries().count(),
            usize::from(record.platform == Some(Platform::Macos))
        );
    }
    // What came between the first and the second report of the phone is of the phone.
    record.apply(&given).unwrap();
    assert_eq!(record.counting_deliveries().count(), 1);
}

#[test]
fn a_report_of_another_platform_needs_an_enrolment_and_so_does_the_first() {
    let mut record = device();
    let refused = device().apply(&report(Platform::Macos, 1));
    assert_eq!(refused, Err(ReportRefusal::EnrollmentNeeded));
    record.apply(&enrolled(Platform::Macos, EnrollmentState::Enrolled, 1)).unwrap();
    let refused = record.clone().apply(&report(Platform::Ios, 2));
    assert_eq!(refused, Err(ReportRefusal::PlatformMismatch { known: Platform::Macos }));
}

#[test]
fn ten_certificates_are_kept_and_the_newest_by_its_beginning_counts() {
    let mut record = device();
    record.apply(&enrolled(Platform::Macos, EnrollmentState::Enrolled, 1)).unwrap();
    for serial in [7, 3, 12, 1, 5, 11, 2, 9, 4, 8, 10, 6] {
        let mut sent = report(Platform::Macos, 2);
        sent.certificates.insert(ONE, Some(certificate(serial, 2)));
        record.apply(&sent).unwrap();
    }
    let held = &record.certificates[&ONE].held;
    assert_eq!(held.len(), MOST_CERTIFICATES);
    assert!(!held.contains_key("1") && !held.contains_key("2"), "{held:?}");
    let counting: Vec<_> =
        record.counting_certificates().map(|(_, c)| c.serial_number.clone()).collect();
    assert_eq!(counting, ["C"]);
}

#[test]
fn clearing_certificates_takes_older_ones_away_and_keeps_late_ones_out() {
    let mut record = device();
    let mut sent = enrolled(Platform::Macos, EnrollmentState::Enrolled, 1);
    sent.certificates.insert(ONE, Some(certificate(1, 5)));
    record.apply(&sent).unwrap();
    let mut clear = report(Platform::Macos, 6);
    clear.certificates.insert(ONE, None);
    assert_eq!(record.apply(&clear).unwrap().certificates[&ONE], GroupResult::Applied);
    assert_eq!(record.counting_certificates().count(), 0);
    let mut late = report(Platform::Macos, 6);
    late.certificates.insert(ONE, Some(certificate(2, 6)));
    assert_eq!(record.apply(&late).unwrap().certificates[&ONE], GroupResult::IgnoredStale);
    late.certificates.insert(ONE, Some(certificate(2, 7)));
    assert_eq!(record.apply(&late).unwrap().certificates[&ONE], GroupResult::Applied);
}

#[test]
fn a_deletion_without_a_time_is_newer_than_all_that_is_known() {
    let mut record = device();
    record.apply(&enrolled(Platform::Macos, EnrollmentState::Enrolled, 50)).unwrap();
    assert_eq!(record.delete(None, at(40)), GroupResult::Applied);
    assert!(!record.is_living());
    assert_eq!(record.delete(Some(at(45)), at(60)), GroupResult::IgnoredStale);
}
