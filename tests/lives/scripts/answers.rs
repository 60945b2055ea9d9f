//! Queries by unknown records and UDIDs, and a tenant with a second org.

use okta_device_trust::model::trust_status::{Reason, decide};

use super::{ADA, BOB, Life, MAC};
use crate::questions::{NO_UDID, asked, policy};

#[tokio::test]
async fn query_by_a_record_created_a_minute_ago_is_not_seen() {
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
async fn second_integration_in_setup_does_not_matter() {
    let mut life = Life::with_adas_mac().await;
    life.replica.add_integration_in_setup().await;
    life.expect_reason(MAC, Reason::ManagedAndActive).await;
}

#[tokio::test]
async fn query_with_an_unknown_udid_is_conflicting() {
    let life = Life::with_adas_mac().await;
    let serial = life.world.truth.machines[MAC].serial_number.clone();
    let question = asked(Some(&serial), Some(NO_UDID), None);
    life.answers(question, Reason::ConflictingIdentity).await;
    assert_eq!(life.record(MAC, ADA), "guo0001");
}
