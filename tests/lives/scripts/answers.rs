//! Lives 27, 31 and 36: questions that name a record or a UDID that nobody has, and a second org.

use okta_device_trust::model::trust_status::{Reason, decide};

use super::{ADA, BOB, Life, MAC};
use crate::questions::{NO_UDID, asked, policy};

#[tokio::test]
async fn life_27_asked_by_a_record_that_was_made_a_minute_ago() {
    let mut life = Life::with_adas_mac().await;
    life.register(MAC, BOB, "10:00").await;
    let new = life.record(MAC, BOB);
    let question = asked(None, None, Some(&new));
    let (mut facts, _) = life.answers(question.clone(), Reason::OktaRecordNotSeen).await;
    assert!(facts.needs_asked_record());
    facts.asked_record_not_found = true;
    let verdict = decide(&facts, &policy(), life.world.now);
    assert_eq!(verdict.reasons[0], Reason::ConflictingIdentity);
    life.replica.read_live(&mut life.world, MAC).await;
    life.answers(question, Reason::AwaitingFastpassSignIn).await;
}

#[tokio::test]
async fn life_31_a_second_integration_is_still_in_setup() {
    let mut life = Life::with_adas_mac().await;
    life.replica.add_integration_in_setup().await;
    life.says(MAC, Reason::ManagedAndActive).await;
}

#[tokio::test]
async fn life_36_asked_with_a_udid_that_nobody_has() {
    let life = Life::with_adas_mac().await;
    let serial = life.world.truth.machines[MAC].serial_number.clone();
    let question = asked(Some(&serial), Some(NO_UDID), None);
    life.answers(question, Reason::ConflictingIdentity).await;
    assert_eq!(life.record(MAC, ADA), "guo0001");
}
