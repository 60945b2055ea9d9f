//! Tests of merging without a store: any order of the same reports gives the same record.

use chrono::TimeDelta;
use proptest::prelude::*;
use strum::VariantArray;
use uuid::Uuid;

use super::*;
use crate::model::DeviceReport;
use crate::model::devices::merge::DeletionResult;
use crate::model::devices::reports::{EnrollmentState, GroupResult, ReportRefusal, ReportResults};

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
        reported_at: Some(at(second)),
        udid: None,
        okta_device_id: None,
        enrollment: None,
        okta_verify: None,
        check_in: None,
        lost_mode: None,
        deliveries: BTreeMap::new(),
        certificates: BTreeMap::new(),
    }
}

fn enrolled(platform: Platform, state: EnrollmentState, second: i64) -> DeviceReport {
    let enrollment = Enrollment {
        state,
        enrolled_at: None,
        ended_at: None,
        continues: false,
        reported_at: at(second),
        sent_at: None,
    };
    DeviceReport { enrollment: Some(enrollment), ..report(platform, second) }
}

/// Merges a report that is received at `now`; no other device has any identifier.
fn merge_at(
    record: &mut DeviceRecord,
    report: &DeviceReport,
    now: DateTime<Utc>,
) -> Result<ReportResults, ReportRefusal> {
    record.apply(&report.receive(now)?, &|_, _| None)
}

/// Returns a time long after every report.
fn later() -> DateTime<Utc> {
    at(1_000_000)
}

fn merge(record: &mut DeviceRecord, report: &DeviceReport) -> Result<ReportResults, ReportRefusal> {
    merge_at(record, report, later())
}

fn delete(record: &mut DeviceRecord, second: i64) -> DeletionResult {
    record.delete(Some(Stamp::exact(at(second))), at(100))
}

fn delivery(second: i64) -> Delivery {
    Delivery { config_version: 3, delivered_at: at(second), reported_at: at(second) }
}

fn certificate(serial: u64, second: i64) -> Certificate {
    // One serial number is one certificate, so its dates are derived from it.
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
    Report(Box<DeviceReport>),
    Delete(i64),
}

fn ends_as(messages: &[Message]) -> DeviceRecord {
    let mut record = device();
    for message in messages {
        send(&mut record, message);
    }
    record
}

fn send(record: &mut DeviceRecord, message: &Message) {
    match message {
        Message::Report(report) => {
            let mut next = record.clone();
            if merge(&mut next, report).is_ok() {
                *record = next;
            }
        }
        Message::Delete(second) => {
            delete(record, *second);
        }
    }
}

prop_compose! {
    /// Each report has an enrolment, so that none is rejected because of an earlier one.
    fn any_report()(
        second in 0_i64..12,
        mac in any::<bool>(),
        state in prop::sample::select(EnrollmentState::VARIANTS.to_vec()),
        // Groups are as old as the enrolment in the same report, or slightly older.
        age in 0_i64..3,
        verify in prop::option::of(prop::option::of(0_i64..5)),
        delivered in prop::option::of(prop::option::of(1_i64..4)),
        held in prop::option::of(prop::option::of(1_u64..6)),
        udid in prop::option::of(prop::option::of(0_u8..3)),
        (enrolled_at, ended_at) in (prop::option::of(0_i64..12), prop::option::of(0_i64..12)),
        (seen, lost) in (prop::option::of(0_i64..12), prop::option::of(prop::option::of(any::<bool>()))),
    ) -> DeviceReport {
        let platform = if mac { Platform::Macos } else { Platform::Ios };
        let mut sent = enrolled(platform, state, second);
        let then = at(second - age);
        let enrollment = sent.enrollment.as_mut().unwrap();
        enrollment.enrolled_at = enrolled_at.map(at);
        enrollment.ended_at = ended_at.map(at);
        sent.check_in = seen.map(|seen| Some(CheckIn { last_seen_at: at(seen), reported_at: then }));
        sent.lost_mode =
            lost.map(|value| value.map(|enabled| LostMode { enabled, reported_at: then }));
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
        8 => any_report().prop_map(|report| Message::Report(Box::new(report))),
        1 => (0_i64..12).prop_map(Message::Delete),
    ]
}

/// What can be seen of a record, or of a deleted one.
fn visible(record: &DeviceRecord) -> impl PartialEq + std::fmt::Debug + use<> {
    let owned = |certificate: (IntegrationId, &Certificate)| (certificate.0, certificate.1.clone());
    let counting = record
        .is_living()
        .then(|| -> Vec<_> { record.counting_certificates().map(owned).collect() });
    // A deletion counts as a leave once the device is enrolled again.
    let left_at = record.left_at().max(record.deleted.map(|deleted| deleted.at));
    (
        (
            record.is_living(),
            record.enrollment.clone(),
            record.platform.filter(|_| record.is_living()),
        ),
        (record.okta_verify.clone(), record.check_in.clone(), record.lost_mode),
        (record.deliveries.clone(), record.certificates.clone(), counting),
        (record.udid.clone(), record.deleted, record.reported_at()),
        if record.is_living() { record.left_at() } else { left_at },
        record.is_living().then(|| (record.history.enrolled_since, record.present_since())),
        record.history.last_enrolled_at,
    )
}

fn leaving_time(message: &Message) -> Option<DateTime<Utc>> {
    match message {
        Message::Report(report) => report.enrollment.as_ref()?.left_at().min(report.reported_at),
        Message::Delete(_) => None,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn any_order_of_the_same_reports_gives_the_same_record(
        (messages, shuffled) in prop::collection::vec(any_message(), 1..9)
            .prop_flat_map(|messages| (Just(messages.clone()), Just(messages).prop_shuffle()))
    ) {
        prop_assert_eq!(visible(&ends_as(&messages)), visible(&ends_as(&shuffled)));
    }

    #[test]
    fn repeated_reports_change_nothing(messages in prop::collection::vec(any_message(), 1..6)) {
        let record = ends_as(&messages);
        let again: Vec<Message> = messages.iter().chain(&messages).cloned().collect();
        prop_assert_eq!(visible(&record), visible(&ends_as(&again)));
    }

    #[test]
    fn left_at_never_decreases_and_is_the_latest_departure(
        messages in prop::collection::vec(any_message(), 1..12)
    ) {
        let mut record = device();
        let mut latest = None;
        for message in &messages {
            let before = record.left_at();
            send(&mut record, message);
            latest = latest.max(leaving_time(message));
            prop_assert!(record.left_at() >= before);
            prop_assert!(record.left_at() >= latest, "{:?}", message);
        }
    }

    #[test]
    fn present_life_begins_after_every_departure_and_enrolment(
        messages in prop::collection::vec(any_message(), 1..12)
    ) {
        let record = ends_as(&messages);
        if let (true, Some(left)) = (record.is_living(), record.left_at()) {
            prop_assert!(record.present_since() >= Some(left + TimeDelta::minutes(5)));
            let enrolled = record.enrollment.as_ref().filter(|known| !known.is_ended());
            if let Some(known) = enrolled.filter(|known| known.reported_at > left) {
                prop_assert!(record.history.enrolled_since.is_some_and(|since| since > left && since <= known.reported_at));
            }
        }
    }
}

#[test]
fn after_a_platform_change_nothing_of_the_other_platform_counts() {
    let mut mac = enrolled(Platform::Macos, EnrollmentState::Enrolled, 1);
    mac.deliveries.insert(ONE, Some(delivery(10)));
    let phone = enrolled(Platform::Ios, EnrollmentState::Enrolled, 20);
    let again = enrolled(Platform::Ios, EnrollmentState::Enrolled, 30);
    let mut given = report(Platform::Ios, 22);
    given.deliveries.insert(ONE, Some(delivery(22)));
    let mut record = device();
    for sent in [&mac, &again, &phone] {
        merge(&mut record, sent).unwrap();
        assert_eq!(
            record.counting_deliveries().count(),
            usize::from(record.platform == Some(Platform::Macos))
        );
    }
    // A delivery between the two reports of the phone belongs to the phone.
    merge(&mut record, &given).unwrap();
    assert_eq!(record.counting_deliveries().count(), 1);
}

#[test]
fn first_report_and_platform_change_require_an_enrolment() {
    let mut record = device();
    let refused = merge(&mut device(), &report(Platform::Macos, 1));
    assert_eq!(refused, Err(ReportRefusal::EnrollmentNeeded));
    merge(&mut record, &enrolled(Platform::Macos, EnrollmentState::Enrolled, 1)).unwrap();
    let refused = merge(&mut record.clone(), &report(Platform::Ios, 2));
    assert_eq!(refused, Err(ReportRefusal::PlatformMismatch { known: Platform::Macos }));
}

#[test]
fn ten_certificates_are_stored_and_the_newest_not_before_counts() {
    let mut record = device();
    merge(&mut record, &enrolled(Platform::Macos, EnrollmentState::Enrolled, 1)).unwrap();
    for serial in [7, 3, 12, 1, 5, 11, 2, 9, 4, 8, 10, 6] {
        let mut sent = report(Platform::Macos, 2);
        sent.certificates.insert(ONE, Some(certificate(serial, 2)));
        merge(&mut record, &sent).unwrap();
    }
    let known = &record.certificates[&ONE].known;
    assert_eq!(known.len(), MAX_CERTIFICATES);
    assert!(!known.contains_key("1") && !known.contains_key("2"), "{known:?}");
    let counting: Vec<_> =
        record.counting_certificates().map(|(_, c)| c.serial_number.clone()).collect();
    assert_eq!(counting, ["C"]);
}

#[test]
fn clearing_certificates_removes_older_and_ignores_late_ones() {
    let mut record = device();
    let mut sent = enrolled(Platform::Macos, EnrollmentState::Enrolled, 1);
    sent.certificates.insert(ONE, Some(certificate(1, 5)));
    merge(&mut record, &sent).unwrap();
    let mut clear = report(Platform::Macos, 6);
    clear.certificates.insert(ONE, None);
    assert_eq!(merge(&mut record, &clear).unwrap().certificates[&ONE], GroupResult::Applied);
    assert_eq!(record.counting_certificates().count(), 0);
    let mut late = report(Platform::Macos, 6);
    late.certificates.insert(ONE, Some(certificate(2, 6)));
    assert_eq!(merge(&mut record, &late).unwrap().certificates[&ONE], GroupResult::IgnoredStale);
    late.certificates.insert(ONE, Some(certificate(2, 7)));
    assert_eq!(merge(&mut record, &late).unwrap().certificates[&ONE], GroupResult::Applied);
}

#[test]
fn deletion_without_a_time_is_newer_than_all_reports() {
    let mut record = device();
    merge(&mut record, &enrolled(Platform::Macos, EnrollmentState::Enrolled, 50)).unwrap();
    assert_eq!(record.delete(None, at(40)), DeletionResult::Deleted);
    assert!(!record.is_living());
    assert_eq!(delete(&mut record, 45), DeletionResult::Deleted, "already deleted");
}

#[test]
fn a_deletion_counts_although_the_enrolment_after_it_is_reported_last() {
    let mut record = device();
    merge(&mut record, &enrolled(Platform::Macos, EnrollmentState::Enrolled, 1)).unwrap();
    delete(&mut record, 10);
    delete(&mut record, 30);
    merge(&mut record, &enrolled(Platform::Macos, EnrollmentState::Enrolled, 20)).unwrap();
    let mut imported = enrolled(Platform::Macos, EnrollmentState::Enrolled, 40);
    imported.enrollment.as_mut().unwrap().continues = true;
    merge(&mut record, &imported).unwrap();
    assert_eq!((record.is_living(), record.left_at()), (true, Some(at(10))));
    assert_eq!(record.history.enrolled_since, Some(at(20)));
}
