//! The store uses its configured clock.

use std::sync::{Arc, Mutex};

use chrono::{DateTime, TimeDelta, Utc};
use okta_device_trust::crypto::Keyring;
use okta_device_trust::model::TenantId;
use okta_device_trust::store::{Clock, IdempotencyClaim, IdempotencyKey, PoolSettings, Store};
use secrecy::SecretString;

use crate::support::postgres::{POSTGRES, database_on};
use crate::support::world::KEYRING;

#[tokio::test]
async fn unfinished_request_holds_its_idempotency_key_for_a_minute() {
    let (_, url) = database_on(&POSTGRES.lock().expect("postgres"));
    let settings = PoolSettings { url: url.into(), connections: 1, transaction_pooler: false };
    let keys = Keyring::parse(&SecretString::from(KEYRING.to_owned())).expect("a key ring");
    let start: DateTime<Utc> = "2001-02-03T04:05:06Z".parse().expect("a time");
    let time = Arc::new(Mutex::new(start));
    let clock = Clock::Manual(Arc::clone(&time));
    let store = Store::new(&settings, Arc::new(keys)).with_clock(clock);
    let tenant = TenantId::parse("tenant").expect("a tenant");
    for (seconds, expected) in [
        (0, IdempotencyClaim::Claimed),
        (60, IdempotencyClaim::InFlight),
        (61, IdempotencyClaim::Claimed),
        (121, IdempotencyClaim::InFlight),
        (122, IdempotencyClaim::Claimed),
    ] {
        *time.lock().expect("no holder panics") = start + TimeDelta::seconds(seconds);
        let key = IdempotencyKey { key: "k".to_owned(), body_hash: vec![0] };
        let claim = store.claim_idempotency_key(&tenant, key).await.expect("a claim");
        assert_eq!(claim, expected, "after {seconds} s");
    }
}
