//! Which of Okta's records belong to the device, and which changes are no use of it.

use chrono::TimeDelta;
use okta_device_trust::model::trust_status::Reason;

use super::{ADA, BOB, DELIVERED, ENROLLED, IPHONE, Life, MAC, UNENROLLED, WIPED};
use crate::questions::asked;
use crate::truth::{Machine, PersonId, Shown, iphone_udid, mac_udid};

impl Life {
    /// Registers a foreign machine with these identifiers, signs in, and returns its record.
    async fn add_stranger(
        &mut self,
        platform: &'static str,
        shown: Shown,
        time_of_day: &str,
    ) -> String {
        let number = self.world.truth.machines.len();
        let person: PersonId = self.world.truth.add_person(&format!("stranger{number}"));
        let stranger = self.world.truth.add(Machine::stranger(platform, number, shown));
        self.world.truth.machines[stranger].configured = true;
        self.register(stranger, person, time_of_day).await;
        self.world.pass(TimeDelta::minutes(1));
        assert!(self.world.sign_in(stranger, person, true));
        self.record(stranger, person)
    }

    fn claim_mac(&self, udid: Option<String>) -> Shown {
        let serial_number = Some(self.world.truth.machines[MAC].serial_number.clone());
        Shown::Claimed { serial_number, udid }
    }
}

#[tokio::test]
async fn new_logic_board_requires_a_new_registration() {
    let mut life = Life::with_adas_mac().await;
    let machine = &mut life.world.truth.machines[MAC];
    machine.udid = mac_udid(77);
    machine.accounts.clear();
    life.report(MAC, ENROLLED, "10:00").await;
    life.deliver(MAC, "10:01").await;
    let verdict = life.expect_reason(MAC, Reason::NotRegisteredInOkta).await;
    assert!(verdict.reasons.contains(&Reason::ForeignOktaRecord), "{verdict:?}");
    life.register(MAC, ADA, "10:20").await;
    life.sign_in(MAC, ADA, "10:30").await;
    life.expect_reason(MAC, Reason::ManagedAndActive).await;
}

#[tokio::test]
async fn account_added_again_is_trusted() {
    let mut life = Life::with_adas_mac().await;
    life.at("10:00").await;
    assert!(life.world.remove_account(MAC, ADA));
    life.register(MAC, ADA, "10:05").await;
    life.sign_in(MAC, ADA, "10:10").await;
    life.expect_reason(MAC, Reason::ManagedAndActive).await;
    assert_eq!(life.record(MAC, ADA), "guo0002");
    life.answers(asked(None, None, Some("guo0001")), Reason::OktaRecordSuperseded).await;
}

#[tokio::test]
async fn second_macos_user_must_sign_in() {
    let mut life = Life::with_adas_mac().await;
    life.at("10:00").await;
    assert!(life.world.register(MAC, BOB, false));
    life.expect_reason(MAC, Reason::AwaitingFastpassSignIn).await;
    life.sign_in(MAC, ADA, "10:30").await;
    life.expect_reason(MAC, Reason::ManagedAndActive).await;
}

#[tokio::test]
async fn virtual_machine_with_the_serial_number_does_not_count() {
    for udid in [None, Some(mac_udid(4242))] {
        let mut life = Life::start().await;
        life.report(MAC, ENROLLED, "09:00").await;
        life.deliver(MAC, "09:01").await;
        let shown = life.claim_mac(udid);
        let virtual_mac = life.add_stranger("MACOS", shown, "09:10").await;
        let verdict = life.expect_reason(MAC, Reason::NotRegisteredInOkta).await;
        assert!(verdict.reasons.contains(&Reason::ForeignOktaRecord), "{verdict:?}");
        let question = asked(None, None, Some(&virtual_mac));
        life.answers(question, Reason::ConflictingIdentity).await;
        life.register(MAC, ADA, "09:30").await;
        life.sign_in(MAC, ADA, "09:40").await;
        life.expect_reason(MAC, Reason::ManagedAndActive).await;
    }
}

#[tokio::test]
async fn unreplaced_macros_match_no_iphone() {
    let mut life = Life::start().await;
    life.report(IPHONE, ENROLLED, "09:00").await;
    life.deliver(IPHONE, "09:01").await;
    let macros = life.add_stranger("IOS", Shown::Macro, "09:10").await;
    life.add_stranger("IOS", Shown::Macro, "09:20").await;
    let verdict = life.expect_reason(IPHONE, Reason::NotRegisteredInOkta).await;
    assert!(!verdict.reasons.contains(&Reason::ManagedAndActive), "{verdict:?}");
    life.answers(asked(None, None, Some(&macros)), Reason::NotKnownToMdm).await;
}

#[tokio::test]
async fn android_or_windows_record_does_not_match() {
    for (platform, reports_udid) in [("ANDROID", true), ("WINDOWS", true), ("WINDOWS", false)] {
        let mut life = Life::start().await;
        life.world.mdm.habits.reports_udid = reports_udid;
        life.report(MAC, ENROLLED, "09:00").await;
        life.deliver(MAC, "09:01").await;
        let shown = life.claim_mac(None);
        let other = life.add_stranger(platform, shown, "09:10").await;
        life.expect_reason(MAC, Reason::NotRegisteredInOkta).await;
        life.answers(asked(None, None, Some(&other)), Reason::ConflictingIdentity).await;
    }
}

#[tokio::test]
async fn deprovisioned_user_does_not_count() {
    for status in ["DEPROVISIONED", "SUSPENDED"] {
        let mut life = Life::with_adas_mac().await;
        life.at("10:00").await;
        life.world.set_person_status(ADA, status);
        life.expect_reason(MAC, Reason::AwaitingFastpassSignIn).await;
    }
}

#[tokio::test]
async fn status_change_is_no_use() {
    let mut life = Life::with_adas_mac().await;
    life.report(MAC, WIPED, "10:00").await;
    life.report(MAC, ENROLLED, "10:10").await;
    life.deliver(MAC, "10:12").await;
    life.sweep_and_reread().await;
    for hook in [false, true] {
        let (suspended, active) = if hook { ("15:00", "15:20") } else { ("14:00", "14:20") };
        life.at(suspended).await;
        let now = life.world.now;
        assert!(life.world.org.set_status("guo0001", &["ACTIVE"], "SUSPENDED", now));
        if hook {
            life.replica.deliver_hooks(&life.world).await;
        } else {
            life.sweep_and_reread().await;
        }
        life.at(active).await;
        let now = life.world.now;
        assert!(life.world.org.set_status("guo0001", &["SUSPENDED"], "ACTIVE", now));
        if hook {
            life.replica.deliver_hooks(&life.world).await;
        }
        life.expect_reason(MAC, Reason::AwaitingFastpassSignIn).await;
        life.expect_reason(MAC, Reason::AwaitingFastpassSignIn).await;
    }
}

#[tokio::test]
async fn identity_change_before_a_wipe_is_no_evidence() {
    let mut life = Life::start().await;
    life.report(IPHONE, ENROLLED, "09:00").await;
    life.register(IPHONE, ADA, "09:20").await;
    life.sweep_and_reread().await;
    life.deliver(IPHONE, "09:40").await;
    life.at("09:50").await;
    assert!(life.world.sign_in(IPHONE, ADA, true));
    life.report(IPHONE, WIPED, "10:00").await;
    life.report(IPHONE, ENROLLED, "10:10").await;
    life.report_as(IPHONE, DELIVERED, "10:12", "10:12", "10:12").await;
    life.at("10:20").await;
    life.expect_reason(IPHONE, Reason::AwaitingFastpassSignIn).await;
}

#[tokio::test]
async fn copied_iphone_secret_is_conflicting() {
    let mut life = Life::start().await;
    life.set_up(IPHONE, ADA).await;
    let phone = &life.world.truth.machines[IPHONE];
    let serial_number = Some(phone.serial_number.clone());
    let shown = Shown::Claimed { serial_number, udid: Some(iphone_udid(2)) };
    life.add_stranger("IOS", shown, "09:50").await;
    life.sign_in(IPHONE, ADA, "10:00").await;
    life.expect_reason(IPHONE, Reason::ConflictingIdentity).await;
}

#[tokio::test]
async fn suspended_record_of_one_macos_user_affects_the_other() {
    let mut life = Life::with_adas_mac().await;
    life.register(MAC, BOB, "10:00").await;
    life.sign_in(MAC, BOB, "10:10").await;
    life.sign_in(MAC, ADA, "10:20").await;
    life.expect_reason(MAC, Reason::ManagedAndActive).await;
    let (adas, bobs) = (life.record(MAC, ADA), life.record(MAC, BOB));
    life.at("10:40").await;
    let now = life.world.now;
    assert!(life.world.org.set_status(&bobs, &["ACTIVE"], "SUSPENDED", now));
    life.sweep_and_reread().await;
    life.answers(asked(None, None, Some(&adas)), Reason::OktaDeviceSuspended).await;
}

/// Unenrolled, and signed in with the remaining certificate.
#[tokio::test]
async fn sign_in_while_unenrolled_does_not_count_later() {
    let mut life = Life::with_adas_mac().await;
    life.report(MAC, UNENROLLED, "10:00").await;
    life.sign_in(MAC, ADA, "10:30").await;
    life.expect_reason(MAC, Reason::MdmUnenrolled).await;
    life.report(MAC, ENROLLED, "11:00").await;
    life.deliver(MAC, "11:01").await;
    life.expect_reason(MAC, Reason::AwaitingFastpassSignIn).await;
}
