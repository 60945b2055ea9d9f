//! Tests of the notes: the condition of each, and their order.

use super::*;

#[test]
fn notes_do_not_decide_and_have_a_fixed_order() {
    let mut facts = trusted();
    device(&mut facts).certificate.as_mut().unwrap().not_after = now() + TimeDelta::days(30);
    device(&mut facts).check_in = Some(Reported { value: days_ago(31), at: days_ago(1) });
    org(&mut facts, |org| org.degraded = true);
    let foreign = OktaRecord { udid: Some(udid(OTHER_UDID)), ..record("guo2") };
    facts.records.extend([older_record("guo0"), foreign]);
    first(&mut facts).users.push(user("bob", Some("NOT_MANAGED")));
    let verdict = decide(&facts, &policy(), now());
    assert_eq!(verdict.trust, Trust::Trusted);
    let expected = [
        Reason::CertificateExpiring,
        Reason::MixedUserProfiles,
        Reason::DuplicateOktaRecords,
        Reason::ForeignOktaRecord,
        Reason::NotUsedSinceEnrolment,
        Reason::NotSeenLately,
        Reason::IntegrationDegraded,
    ];
    assert_eq!(verdict.reasons[1..], expected);
    device(&mut facts).certificate = None;
    assert_eq!(notes_of(&facts)[0], Reason::CertificateMissing);
}

#[test]
fn certificate_expiring_is_noted_in_the_last_30_days_only() {
    let in_30 = TimeDelta::days(30);
    for (left, noted) in [
        (in_30, true),
        (in_30 + TimeDelta::seconds(1), false),
        (TimeDelta::seconds(1), true),
        (TimeDelta::zero(), false),
        (TimeDelta::days(-1), false),
    ] {
        let mut facts = trusted();
        device(&mut facts).certificate.as_mut().unwrap().not_after = now() + left;
        assert_eq!(notes_of(&facts).contains(&Reason::CertificateExpiring), noted, "{left}");
        device(&mut facts).enrollment = Some(EnrollmentState::Unenrolled);
        assert!(notes_of(&facts).is_empty(), "the MDM no longer manages it");
    }
}

#[test]
fn certificate_missing_is_noted_only_for_configured_macs() {
    let mut facts = trusted();
    device(&mut facts).certificate = None;
    assert_eq!(notes_of(&facts), [Reason::CertificateMissing]);
    device(&mut facts).delivery = None;
    assert!(notes_of(&facts).is_empty());
    assert!(notes_of(&trusted_iphone()).is_empty());
}

#[test]
fn mixed_users_require_a_managed_and_a_known_unmanaged_user() {
    for (statuses, mixed) in [
        (vec![Some("MANAGED"), Some("NOT_MANAGED")], true),
        (vec![Some("MANAGED"), Some("SOMETHING_NEW")], true),
        (vec![Some("MANAGED"), None], false),
        (vec![Some("NOT_MANAGED"), Some("NOT_MANAGED")], false),
        (vec![Some("MANAGED"), Some("MANAGED")], false),
    ] {
        let mut facts = trusted();
        first(&mut facts).users = statuses.iter().map(|status| user("u", *status)).collect();
        assert_eq!(notes_of(&facts).contains(&Reason::MixedUserProfiles), mixed, "{statuses:?}");
    }
    // Users who do not count are ignored.
    let mut facts = trusted();
    let left = OktaDeviceUser {
        status: Some("DEPROVISIONED".to_owned()),
        ..user("eve", Some("NOT_MANAGED"))
    };
    first(&mut facts).users.push(left);
    assert!(notes_of(&facts).is_empty());
}

#[test]
fn deleted_records_are_neither_duplicate_nor_foreign() {
    let mut facts = trusted();
    let gone = OktaRecord { not_found_at: Some(now()), ..older_record("guo0") };
    facts.records.push(gone);
    assert!(notes_of(&facts).is_empty());
    facts.records[1].not_found_at = None;
    assert_eq!(notes_of(&facts), [Reason::DuplicateOktaRecords, Reason::NotUsedSinceEnrolment]);
    facts.records[1].names_another = true;
    assert_eq!(notes_of(&facts), [Reason::ForeignOktaRecord]);
}

#[test]
fn device_without_check_in_for_30_days_is_noted() {
    let mut facts = trusted();
    device(&mut facts).check_in = Some(Reported { value: days_ago(30), at: days_ago(1) });
    assert!(notes_of(&facts).is_empty());
    let late = days_ago(30) - TimeDelta::seconds(1);
    device(&mut facts).check_in = Some(Reported { value: late, at: days_ago(1) });
    assert_eq!(notes_of(&facts), [Reason::NotSeenLately]);
    device(&mut facts).left_at = Some(days_ago(1));
    assert!(!notes_of(&facts).contains(&Reason::NotSeenLately), "check-in of an earlier enrolment");
}
