//! Outages, faulty lists and expired certificates.

use chrono::TimeDelta;
use okta_device_trust::model::integrations::notices::Notice;
use okta_device_trust::model::trust_status::{Reason, Trust};

use super::{ADA, BOB, ENROLLED, IPHONE, Life, MAC, OTHER_MAC, WIPED};
use crate::mdm::What;
use crate::mirror::ListFault;

impl Life {
    /// Adds `count` more Macs of other people, registered and managed.
    async fn add_others(&mut self, count: usize) {
        for number in 0..count {
            let serial_number = format!("OTHERMAC{number:04}");
            let machine = crate::truth::Machine::new(
                okta_device_trust::model::Platform::Macos,
                &serial_number,
                &crate::truth::mac_udid(500 + number),
            );
            let m = self.world.truth.add(machine);
            let p = self.world.truth.add_person(&format!("other{number}"));
            self.world.truth.machines[m].configured = true;
            assert!(self.world.register(m, p, true) && self.world.sign_in(m, p, true));
        }
        self.sweep_and_reread().await;
    }

    async fn sweep(&mut self, fault: ListFault) {
        self.replica.sweep(&mut self.world, fault, TimeDelta::zero()).await;
    }
}

#[tokio::test]
async fn verdict_is_unknown_after_a_long_okta_outage() {
    let mut life = Life::with_adas_mac().await;
    life.at("10:00").await;
    life.report(OTHER_MAC, ENROLLED, "10:01").await;
    life.deliver(OTHER_MAC, "10:02").await;
    life.register(OTHER_MAC, BOB, "10:03").await;
    life.sign_in(OTHER_MAC, BOB, "10:10").await;
    life.expect_reason(OTHER_MAC, Reason::ManagedAndActive).await;
    life.report(IPHONE, ENROLLED, "10:20").await;
    life.sweep_and_reread().await;
    life.next_day();
    life.report(OTHER_MAC, WIPED, "09:00").await;
    life.report(IPHONE, What::Lost(true), "09:10").await;
    life.at("16:30").await;
    life.expect_reason_unread(OTHER_MAC, Reason::MdmUnenrolled).await;
    life.expect_reason_unread(IPHONE, Reason::MdmLostMode).await;
    let verdict = life.expect_reason_unread(MAC, Reason::OktaUnreachable).await;
    assert_eq!(verdict.last_known.map(|last| last.trust), Some(Trust::Trusted));
}

#[tokio::test]
async fn sign_in_proves_an_unreported_certificate_renewal() {
    let mut life = Life::with_adas_mac().await;
    life.report(MAC, What::Certificate { number: 1, days: 30 }, "09:50").await;
    life.expect_reason(MAC, Reason::ManagedAndActive).await;
    life.pass_days(40);
    life.at("10:00").await;
    life.expect_reason(MAC, Reason::CertificateExpired).await;
    life.sign_in(MAC, ADA, "10:30").await;
    life.expect_reason(MAC, Reason::ManagedAndActive).await;
}

#[tokio::test]
async fn shrunk_sweep_does_not_change_the_verdict() {
    let mut life = Life::start().await;
    life.add_others(1).await;
    life.set_up(MAC, ADA).await;
    life.add_others(7).await;
    life.at("10:10").await;
    life.sweep(ListFault::Shrunk).await;
    let notices = life.replica.notices(&life.world).await;
    assert!(
        matches!(notices[..], [Notice::SweepShrunk { shown: 3, expected: 9, .. }]),
        "{notices:?}"
    );
    life.replica.reread(&mut life.world).await;
    life.expect_reason_unread(MAC, Reason::ManagedAndActive).await;
    life.sweep_and_reread().await;
    assert_eq!(life.replica.notices(&life.world).await, []);
    life.expect_reason_unread(MAC, Reason::ManagedAndActive).await;
}

#[tokio::test]
async fn list_without_users_does_not_change_the_verdict() {
    let mut life = Life::with_adas_mac().await;
    life.add_others(5).await;
    life.at("10:10").await;
    life.sweep(ListFault::NoUsers).await;
    let notices = life.replica.notices(&life.world).await;
    assert!(matches!(notices[..], [Notice::UsersVanished { .. }]), "{notices:?}");
    life.expect_reason_unread(MAC, Reason::ManagedAndActive).await;
    life.sweep_and_reread().await;
    assert_eq!(life.replica.notices(&life.world).await, []);
    life.at("10:30").await;
    // A single record loses its users.
    life.sweep(ListFault::NoUsersOfDevice(1)).await;
    assert_eq!(life.replica.notices(&life.world).await, []);
    life.expect_reason_unread(MAC, Reason::AwaitingFastpassSignIn).await;
}
