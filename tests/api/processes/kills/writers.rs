//! The writes of the clients: platforms, credentials, attestations, whole integrations.

use reqwest::Method;
use serde_json::{Value, json};
use testkit::okta::Org;

use super::client::{Client, Written, created_id};
use crate::support::answer::item;
use crate::support::world::INTEGRATIONS;

pub async fn change_platforms(mut client: Client, host: String) {
    let path = client.create(&host).await;
    let choices = [json!(["macos"]), json!(["ios"]), json!(["ios", "macos"]), json!([])];
    let mut written = Written::new(1, json!([]));
    for choice in choices.iter().cycle() {
        if !client.goes_on() {
            break;
        }
        if *choice == written.value {
            // It would change nothing, so the version would not increase.
            continue;
        }
        let body = json!({ "selected_platforms": choice });
        if let Some(answer) = client.try_send(&Method::PATCH, &path, &body, None).await {
            written.acknowledged(answer.expect(200)["version"].as_i64().expect("number"), choice);
            continue;
        }
        written.unanswered.push(choice.clone());
        client.next_life().await;
        let found = client.get(&path).await.expect(200);
        written.found(found["version"].as_i64().expect("number"), &found["selected_platforms"]);
    }
}

/// Alternates between two secrets. At the end the stored one is the last acknowledged one.
pub async fn change_credentials(mut client: Client, org: Org) {
    let path = client.create(&org.host()).await;
    let (credentials, check) =
        (format!("{path}/credentials"), format!("{path}/prerequisites/check"));
    let secrets = [org.client_secret(), org.add_secret()];
    let mut written = Written::new(0, Value::Null);
    for secret in secrets.iter().cycle() {
        if !client.goes_on() {
            break;
        }
        let body = json!({ "client_id": org.client_id(), "client_secret": secret });
        let version = |integration: &Value| {
            integration["credentials"]["client_secret"]["version"].as_i64().unwrap_or_default()
        };
        if let Some(answer) = client.try_send(&Method::PUT, &credentials, &body, None).await {
            assert!(answer.status.is_success(), "{}", answer.text);
            written.acknowledged(version(&answer.json()["integration"]), &json!(secret));
            continue;
        }
        written.unanswered.push(json!(secret));
        client.next_life().await;
        let found = version(&client.get(&path).await.expect(200));
        assert!(found >= written.version, "{found} after {}", written.version);
        if found > 0 {
            // An incomplete row could not be decrypted.
            let report = client.send(&Method::POST, &check, &Value::Null, None).await.expect(200);
            assert_eq!(item(&report, "super_admin_scopes")["outcome"], "passed");
        }
    }
    let last = written.value.as_str().expect("a secret was acknowledged").to_owned();
    secrets.iter().filter(|secret| **secret != last).for_each(|other| org.deactivate_secret(other));
    let report = client.send(&Method::POST, &check, &Value::Null, None).await.expect(200);
    assert_eq!(item(&report, "super_admin_scopes")["outcome"], "passed", "not the last secret");
}

pub async fn attest(mut client: Client, host: String) {
    let path = client.create(&host).await;
    let (report, attestation) =
        (format!("{path}/prerequisites"), format!("{path}/prerequisites/adaptive_mfa/attestation"));
    let (mut known, mut unanswered) = (Value::Null, Vec::new());
    for number in 0_u64.. {
        if !client.goes_on() {
            break;
        }
        let note = json!(format!("note {number}"));
        let body = json!({ "attested": number % 2 == 0, "note": note });
        if let Some(answer) = client.try_send(&Method::PUT, &attestation, &body, None).await {
            answer.expect(200);
            (known, unanswered) = (note, Vec::new());
            continue;
        }
        unanswered.push(note);
        client.next_life().await;
        let found = client.get(&report).await.expect(200);
        let found = item(&found, "adaptive_mfa")["attestation"]["note"].clone();
        assert!(found == known || unanswered.contains(&found), "{found} after {known}");
    }
}

/// Creates and deletes integrations. Returns the IDs with an acknowledged creation and deletion.
pub async fn create_and_delete(mut client: Client, host: String) -> (Vec<String>, Vec<String>) {
    let (mut created, mut deleted) = (Vec::new(), Vec::new());
    for number in 0_u64.. {
        if !client.goes_on() {
            break;
        }
        let key = format!("key-{number}");
        let id = create_with_key(&mut client, &host, &key).await;
        created.push(id.clone());
        let path = format!("{INTEGRATIONS}/{id}");
        let there = client.get(&path).await;
        assert_eq!(there.status, 200, "{id} was acknowledged and is missing");
        let removed = client.try_send(&Method::DELETE, &path, &Value::Null, None).await;
        if let Some(answer) = removed {
            answer.expect(200);
        } else {
            client.next_life().await;
            // The deletion may have been executed, or may still be.
            let again = client.send(&Method::DELETE, &path, &Value::Null, None).await;
            assert!([200, 404].contains(&again.status.as_u16()), "{}", again.text);
        }
        client.get(&path).await.expect_problem(404, "not_found");
        deleted.push(id);
    }
    (created, deleted)
}

pub async fn create_with_key(client: &mut Client, host: &str, key: &str) -> String {
    let body = json!({ "okta_domain": host });
    let mut key = key.to_owned();
    loop {
        let answer = client.send(&Method::POST, INTEGRATIONS, &body, Some(&key)).await;
        if answer.status == 201 || answer.json()["code"] == "org_already_connected" {
            return created_id(&answer);
        }
        // The killed request holds its key for a minute; another key does not have to wait.
        answer.expect_problem(409, "idempotency_in_flight");
        key += "-again";
    }
}
