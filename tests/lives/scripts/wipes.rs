//! Devices that leave and are enrolled again.

use okta_device_trust::model::trust_status::Reason;

use super::{
    ADA, BOB, DELIVERED, ENROLLED, Life, MAC, OTHER_MAC, UNENROLLED, WIPED, deciding_users,
};
use crate::mdm::What;
use crate::questions::asked;

/// Starts with Ada's Mac, wiped 10:00, enrolled 10:10, delivered 10:12.
async fn wiped() -> Life {
    let mut life = Life::with_adas_mac().await;
    life.report(MAC, WIPED, "10:00").await;
    life.expect_reason_unread(MAC, Reason::MdmUnenrolled).await;
    life.report(MAC, ENROLLED, "10:10").await;
    life.expect_reason_unread(MAC, Reason::ConfigNotDelivered).await;
    life.deliver(MAC, "10:12").await;
    life
}

#[tokio::test]
async fn trusted_after_enrolment_registration_and_sign_in() {
    let mut life = Life::start().await;
    life.report(MAC, ENROLLED, "09:00").await;
    life.expect_reason_unread(MAC, Reason::ConfigNotDelivered).await;
    life.deliver(MAC, "09:01").await;
    life.expect_reason_unread(MAC, Reason::NotRegisteredInOkta).await;
    life.register(MAC, ADA, "09:20").await;
    life.sweep_and_reread().await;
    life.expect_reason_unread(MAC, Reason::AwaitingFastpassSignIn).await;
    life.sign_in(MAC, ADA, "09:30").await;
    life.expect_reason(MAC, Reason::ManagedAndActive).await;
}

#[tokio::test]
async fn trusted_without_reported_deliveries() {
    let mut life = Life::start().await;
    life.report(MAC, ENROLLED, "09:00").await;
    life.world.truth.machines[MAC].configured = true;
    life.register(MAC, ADA, "09:20").await;
    life.sign_in(MAC, ADA, "09:30").await;
    life.expect_reason(MAC, Reason::ManagedAndActive).await;
    life.report(MAC, WIPED, "10:00").await;
    life.report(MAC, ENROLLED, "10:10").await;
    life.expect_reason(MAC, Reason::ConfigNotDelivered).await;
    life.world.truth.machines[MAC].configured = true;
    life.register(MAC, BOB, "10:30").await;
    life.sign_in(MAC, BOB, "10:40").await;
    life.expect_reason(MAC, Reason::ManagedAndActive).await;
}

#[tokio::test]
async fn record_of_the_former_user_does_not_count_after_a_wipe() {
    let mut life = wiped().await;
    let verdict = life.expect_reason(MAC, Reason::AwaitingFastpassSignIn).await;
    assert!(verdict.reasons.contains(&Reason::NotUsedSinceEnrolment), "{verdict:?}");
}

#[tokio::test]
async fn second_record_is_trusted_until_it_is_deleted() {
    let mut life = wiped().await;
    life.sweep_and_reread().await;
    let adas = asked(None, None, Some("guo0001"));
    life.register(MAC, BOB, "10:30").await;
    life.sign_in(MAC, BOB, "10:35").await;
    life.expect_reason(MAC, Reason::ManagedAndActive).await;
    let question = life.by_serial(MAC);
    let (facts, _) = life.answers(question, Reason::ManagedAndActive).await;
    assert_eq!(deciding_users(&facts), ["bob@acme.example"]);
    life.answers(adas, Reason::OktaRecordSuperseded).await;
    let bobs = life.record(MAC, BOB);
    life.at("11:00").await;
    let now = life.world.now;
    assert!(life.world.org.set_status(&bobs, &["ACTIVE"], "DEACTIVATED", now));
    assert!(life.world.org.delete(&bobs, now));
    life.sweep_and_reread().await;
    life.at("12:10").await;
    life.expect_reason(MAC, Reason::AwaitingFastpassSignIn).await;
}

#[tokio::test]
async fn reused_record_counts_for_the_new_user_only() {
    let mut life = wiped().await;
    life.world.org.switches.wiped_mac_gets_old_record = true;
    life.register(MAC, BOB, "10:31").await;
    assert_eq!(life.record(MAC, BOB), "guo0001");
    life.sign_in(MAC, BOB, "10:42").await;
    life.expect_reason(MAC, Reason::ManagedAndActive).await;
    let question = life.by_serial(MAC);
    let (facts, _) = life.answers(question, Reason::ManagedAndActive).await;
    assert_eq!(deciding_users(&facts), ["bob@acme.example"]);
}

#[tokio::test]
async fn new_enrolled_at_implies_an_unreported_wipe() {
    let mut life = Life::with_adas_mac().await;
    life.world.truth.machines[MAC].erase();
    life.world.mdm.habits.tells_enrolled_at = true;
    life.report(MAC, ENROLLED, "10:10").await;
    life.deliver(MAC, "10:12").await;
    life.expect_reason(MAC, Reason::AwaitingFastpassSignIn).await;
    life.register(MAC, BOB, "10:30").await;
    life.sign_in(MAC, BOB, "10:40").await;
    life.expect_reason(MAC, Reason::ManagedAndActive).await;
}

#[tokio::test]
async fn deleted_or_unenrolled_and_enrolled_again() {
    for left in [What::Deleted { continued: false }, UNENROLLED] {
        let mut life = Life::with_adas_mac().await;
        life.report(MAC, left, "10:00").await;
        life.expect_reason(MAC, Reason::MdmUnenrolled).await;
        life.report(MAC, ENROLLED, "10:10").await;
        life.expect_reason(MAC, Reason::ConfigNotDelivered).await;
        life.deliver(MAC, "10:30").await;
        life.expect_reason(MAC, Reason::AwaitingFastpassSignIn).await;
        life.sign_in(MAC, ADA, "10:50").await;
        life.expect_reason(MAC, Reason::ManagedAndActive).await;
    }
}

#[tokio::test]
async fn old_deliveries_reported_again_do_not_count() {
    let mut life = Life::with_adas_mac().await;
    life.report(MAC, UNENROLLED, "10:00").await;
    life.report(MAC, ENROLLED, "14:00").await;
    life.report_as(MAC, DELIVERED, "09:01", "14:05", "14:05").await;
    life.expect_reason(MAC, Reason::ConfigNotDelivered).await;
    life.deliver(MAC, "14:20").await;
    life.expect_reason(MAC, Reason::AwaitingFastpassSignIn).await;
    life.sign_in(MAC, ADA, "14:40").await;
    life.expect_reason(MAC, Reason::ManagedAndActive).await;
}

#[tokio::test]
async fn reimport_with_continues_keeps_trust() {
    for continues in [false, true] {
        let mut life = Life::with_adas_mac().await;
        life.set_up_other().await;
        life.report(MAC, What::Deleted { continued: continues }, "10:00").await;
        life.expect_reason(MAC, Reason::MdmUnenrolled).await;
        life.report(MAC, What::Enrolled { continues }, "10:20").await;
        if continues {
            life.expect_reason_unread(MAC, Reason::ManagedAndActive).await;
            continue;
        }
        life.expect_reason(MAC, Reason::ConfigNotDelivered).await;
        life.deliver(MAC, "10:40").await;
        life.expect_reason(MAC, Reason::AwaitingFastpassSignIn).await;
        life.sign_in(MAC, ADA, "11:00").await;
        life.expect_reason(MAC, Reason::ManagedAndActive).await;
        life.expect_reason_unread(OTHER_MAC, Reason::NotRegisteredInOkta).await;
    }
}

#[tokio::test]
async fn device_from_another_mdm_must_sign_in_again() {
    let mut life = Life::start().await;
    life.world.truth.machines[MAC].configured = true;
    life.register(MAC, ADA, "09:20").await;
    life.sign_in(MAC, ADA, "09:30").await;
    life.world.mdm.habits.tells_enrolled_at = true;
    life.report(MAC, ENROLLED, "10:00").await;
    life.expect_reason(MAC, Reason::ConfigNotDelivered).await;
    life.deliver(MAC, "10:20").await;
    life.expect_reason(MAC, Reason::AwaitingFastpassSignIn).await;
    life.sign_in(MAC, ADA, "10:40").await;
    life.expect_reason(MAC, Reason::ManagedAndActive).await;
}

#[tokio::test]
async fn use_between_two_enrolments_does_not_count() {
    let mut life = Life::with_adas_mac().await;
    life.report(MAC, UNENROLLED, "10:00").await;
    life.sign_in(MAC, ADA, "12:00").await;
    life.sweep_and_reread().await;
    life.report(MAC, ENROLLED, "14:00").await;
    life.deliver(MAC, "14:05").await;
    life.expect_reason(MAC, Reason::AwaitingFastpassSignIn).await;
    life.sign_in(MAC, ADA, "14:30").await;
    life.expect_reason(MAC, Reason::ManagedAndActive).await;
}

impl Life {
    async fn set_up_other(&mut self) {
        self.at("09:40").await;
        self.report(OTHER_MAC, ENROLLED, "09:41").await;
        self.deliver(OTHER_MAC, "09:42").await;
    }
}
