//! Reports that are late, repeated, batched, or dated by a clock that is off.

use chrono::TimeDelta;
use okta_device_trust::model::trust_status::Reason;

use super::{ADA, BOB, ENROLLED, Life, MAC, OTHER_MAC, WIPED};
use crate::mdm::What;

#[tokio::test]
async fn wipe_reported_after_the_new_enrolment_counts() {
    let mut life = Life::with_adas_mac().await;
    life.world.truth.machines[MAC].erase();
    life.report(MAC, ENROLLED, "10:10").await;
    life.deliver(MAC, "10:12").await;
    life.expect_reason(MAC, Reason::ManagedAndActive).await;
    life.report_as(MAC, WIPED, "10:00", "10:00", "15:00").await;
    life.expect_reason(MAC, Reason::AwaitingFastpassSignIn).await;
    life.world.truth.machines[MAC].enrolled = true;
    life.deliver(MAC, "15:20").await;
    life.register(MAC, BOB, "15:30").await;
    life.sign_in(MAC, BOB, "15:40").await;
    life.expect_reason(MAC, Reason::ManagedAndActive).await;
}

#[tokio::test]
async fn batched_wipe_and_enrolment_with_the_same_time_count() {
    let mut life = Life::with_adas_mac().await;
    life.world.truth.machines[MAC].erase();
    life.world.truth.machines[MAC].configured = true;
    life.register(MAC, BOB, "10:20").await;
    life.sign_in(MAC, BOB, "10:30").await;
    life.sweep_and_reread().await;
    life.next_day();
    life.at("02:00").await;
    for what in [WIPED, ENROLLED] {
        life.world.mdm.record_stamped(MAC, life.world.now, what, life.world.now, life.world.now);
    }
    life.at("02:00").await;
    life.world.truth.machines[MAC].enrolled = true;
    life.expect_reason(MAC, Reason::MdmUnenrolled).await;
    life.report(MAC, What::Status, "02:30").await;
    life.expect_reason(MAC, Reason::ConfigNotDelivered).await;
    life.deliver(MAC, "02:50").await;
    life.expect_reason(MAC, Reason::AwaitingFastpassSignIn).await;
    life.sign_in(MAC, BOB, "03:10").await;
    life.expect_reason(MAC, Reason::ManagedAndActive).await;
}

#[tokio::test]
async fn wipe_reported_twice_counts_once() {
    let mut life = Life::with_adas_mac().await;
    life.report(MAC, WIPED, "10:00").await;
    life.report(MAC, ENROLLED, "10:05").await;
    life.deliver(MAC, "10:06").await;
    life.register(MAC, BOB, "10:15").await;
    life.sign_in(MAC, BOB, "10:17").await;
    life.world.mdm.record_stamped(
        MAC,
        life.time("10:00"),
        WIPED,
        life.time("10:20"),
        life.time("10:20"),
    );
    life.at("10:20").await;
    life.expect_reason(MAC, Reason::MdmUnenrolled).await;
    life.report(MAC, What::Status, "10:40").await;
    life.deliver(MAC, "10:41").await;
    life.expect_reason(MAC, Reason::AwaitingFastpassSignIn).await;
    life.sign_in(MAC, BOB, "11:00").await;
    life.expect_reason(MAC, Reason::ManagedAndActive).await;
}

#[tokio::test]
async fn wipe_counts_if_the_mdm_clock_is_behind() {
    let mut life = Life::start().await;
    life.report(MAC, ENROLLED, "09:00").await;
    life.deliver(MAC, "09:01").await;
    life.register(MAC, ADA, "09:59").await;
    life.world.pass(TimeDelta::seconds(20));
    assert!(life.world.sign_in(MAC, ADA, true));
    life.report_as(MAC, WIPED, "10:01", "09:58", "10:01").await;
    life.report_as(MAC, ENROLLED, "10:10", "10:07", "10:10").await;
    life.deliver(MAC, "10:12").await;
    life.expect_reason(MAC, Reason::AwaitingFastpassSignIn).await;
}

#[tokio::test]
async fn wipe_counts_if_the_mdm_clock_is_far_ahead() {
    let mut life = Life::with_adas_mac().await;
    life.report_as(MAC, WIPED, "10:00", "10:06", "10:00").await;
    life.expect_reason_unread(MAC, Reason::MdmUnenrolled).await;
}

#[tokio::test]
async fn report_ahead_hides_no_wipe() {
    let mut life = Life::with_adas_mac().await;
    life.report_as(MAC, What::Status, "10:00", "10:04", "10:00").await;
    life.expect_reason_unread(MAC, Reason::ManagedAndActive).await;
    life.report(MAC, WIPED, "10:01").await;
    life.expect_reason_unread(MAC, Reason::MdmUnenrolled).await;
}

#[tokio::test]
async fn lost_mode_ends_when_found_or_wiped() {
    let mut life = Life::with_adas_mac().await;
    life.report(MAC, What::Lost(true), "10:00").await;
    life.expect_reason(MAC, Reason::MdmLostMode).await;
    life.report(MAC, What::Lost(false), "11:00").await;
    life.expect_reason(MAC, Reason::ManagedAndActive).await;
    life.report(MAC, What::Lost(true), "12:00").await;
    life.report(MAC, WIPED, "12:10").await;
    life.expect_reason(MAC, Reason::MdmUnenrolled).await;
    life.report(MAC, ENROLLED, "12:20").await;
    life.deliver(MAC, "12:40").await;
    life.register(MAC, BOB, "12:50").await;
    life.sign_in(MAC, BOB, "13:00").await;
    life.expect_reason(MAC, Reason::ManagedAndActive).await;
}

#[tokio::test]
async fn wipe_with_another_devices_udid_counts() {
    let mut life = Life::with_adas_mac().await;
    life.at("09:40").await;
    life.report(OTHER_MAC, ENROLLED, "09:41").await;
    let (now, udid) = (life.time("10:00"), life.world.truth.machines[OTHER_MAC].udid.clone());
    life.world.mdm.record_stamped(MAC, now, WIPED, now, now);
    life.world.mdm.last_queued().expect("a queued report").udid = Some(udid);
    life.at("10:00").await;
    life.expect_reason_unread(MAC, Reason::MdmUnenrolled).await;
    life.expect_reason(OTHER_MAC, Reason::ConfigNotDelivered).await;
}
