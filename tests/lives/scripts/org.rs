//! Lives 26 and 28 to 31: outages, lists that lie, an expired certificate, a second integration.

use chrono::TimeDelta;
use okta_device_trust::model::trust_status::{Reason, Trust};

use super::{ADA, BOB, ENROLLED, IPHONE, Life, MAC, OTHER_MAC, WIPED};
use crate::mdm::What;
use crate::mirror::Lie;

impl Life {
    /// So many more Macs of other people, registered and managed.
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
        self.look().await;
    }

    async fn sweep(&mut self, lie: Lie) {
        self.replica.sweep(&mut self.world, lie, TimeDelta::zero()).await;
    }
}

#[tokio::test]
async fn life_26_okta_is_away_for_thirty_hours() {
    let mut life = Life::with_adas_mac().await;
    life.at("10:00").await;
    life.report(OTHER_MAC, ENROLLED, "10:01").await;
    life.deliver(OTHER_MAC, "10:02").await;
    life.register(OTHER_MAC, BOB, "10:03").await;
    life.sign_in(OTHER_MAC, BOB, "10:10").await;
    life.says(OTHER_MAC, Reason::ManagedAndActive).await;
    life.report(IPHONE, ENROLLED, "10:20").await;
    life.look().await;
    life.next_day();
    life.report(OTHER_MAC, WIPED, "09:00").await;
    life.report(IPHONE, What::Lost(true), "09:10").await;
    life.at("16:30").await;
    life.says_unread(OTHER_MAC, Reason::MdmUnenrolled).await;
    life.says_unread(IPHONE, Reason::MdmLostMode).await;
    let verdict = life.says_unread(MAC, Reason::OktaUnreachable).await;
    assert_eq!(verdict.last_known.map(|last| last.trust), Some(Trust::Trusted));
}

#[tokio::test]
async fn life_28_a_certificate_is_renewed_in_silence() {
    let mut life = Life::with_adas_mac().await;
    life.report(MAC, What::Certificate { number: 1, days: 30 }, "09:50").await;
    life.says(MAC, Reason::ManagedAndActive).await;
    life.pass_days(40);
    life.at("10:00").await;
    life.says(MAC, Reason::CertificateExpired).await;
    life.sign_in(MAC, ADA, "10:30").await;
    life.says(MAC, Reason::ManagedAndActive).await;
}

#[tokio::test]
async fn life_29_a_sweep_shows_a_third_of_the_records() {
    let mut life = Life::start().await;
    life.add_others(1).await;
    life.set_up(MAC, ADA).await;
    life.add_others(7).await;
    life.at("10:10").await;
    life.sweep(Lie::Shrunk).await;
    life.replica.reread(&mut life.world).await;
    life.says_unread(MAC, Reason::ManagedAndActive).await;
    life.look().await;
    life.says_unread(MAC, Reason::ManagedAndActive).await;
}

#[tokio::test]
async fn life_30_a_list_leaves_the_users_out() {
    let mut life = Life::with_adas_mac().await;
    life.add_others(5).await;
    life.at("10:10").await;
    life.sweep(Lie::NoUsers).await;
    life.says_unread(MAC, Reason::ManagedAndActive).await;
    life.look().await;
    life.at("10:30").await;
    // One record alone: its users are gone.
    life.sweep(Lie::NoUsersOfOne(1)).await;
    life.says_unread(MAC, Reason::AwaitingFastpassSignIn).await;
}
