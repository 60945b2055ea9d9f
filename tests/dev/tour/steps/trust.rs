//! The life of a Mac: untrusted, pending, trusted, and untrusted again.
//!
//! Polls for changes of the mirror like a front end, for at most a minute.

use std::time::{Duration, Instant};

use chrono::{SecondsFormat, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::tour::answer::{Answer, Broken, Outcome};
use crate::tour::client::{Ask, Tour};

const POLL_TIMEOUT: Duration = Duration::from_secs(60);
const POLL_INTERVAL: Duration = Duration::from_millis(500);

pub(super) const LOGIN: &str = "ada@acme.example";

pub(super) fn now() -> String {
    Utc::now().to_rfc3339_opts(SecondsFormat::Micros, true)
}

fn status(tour: &Tour) -> Ask {
    let path = format!("/trust-status/devices/{}", tour.mac.serial_number);
    Ask::get(path).token(&tour.reader)
}

fn report(tour: &Tour, mut body: Value) -> Ask {
    body["platform"] = json!("macos");
    Ask::put(format!("/devices/{}", tour.mac.serial_number)).token(&tour.mdm).body(body)
}

/// Polls until `holds` is true and returns the last response.
pub(super) async fn until(
    tour: &mut Tour,
    ask: impl Fn(&Tour) -> Ask,
    what: &str,
    holds: impl Fn(&Answer) -> bool,
) -> Result<Answer, Broken> {
    let deadline = Instant::now() + POLL_TIMEOUT;
    loop {
        let answer = tour.ask_quietly(ask(tour)).await?;
        if holds(&answer) {
            tour.show(&ask(tour), &answer);
            return Ok(answer);
        }
        if Instant::now() > deadline {
            return Err(answer.broken(format!("not reached within a minute: {what}")));
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

async fn until_trust(tour: &mut Tour, trust: &str, reason: &str) -> Result<Answer, Broken> {
    let what = format!("{trust} because of {reason}");
    let answer = until(tour, status, &what, |answer| is(answer, trust, reason)).await?;
    show(tour, &answer);
    Ok(answer)
}

pub(super) fn is(answer: &Answer, trust: &str, reason: &str) -> bool {
    answer.text_at("/trust") == trust && answer.text_at("/reasons/0") == reason
}

pub(super) fn show(tour: &Tour, answer: &Answer) {
    let (trust, reason) = (answer.text_at("/trust"), answer.text_at("/reasons/0"));
    let stale = if answer.json["stale"] == true { "  stale" } else { "" };
    let (seen, until) = (answer.text_at("/observed_at"), answer.text_at("/fresh_until"));
    tour.screen.row(&format!("{trust}: {reason}{stale}  as of {seen}, valid until {until}"));
    for remediation in answer.list_at("/remediation") {
        tour.screen.row(&format!("→ {}", remediation["text"].as_str().unwrap_or("?")));
    }
}

pub async fn mirrored(tour: &mut Tour) -> Outcome {
    let sync = |tour: &Tour| Ask::get(tour.path("/sync"));
    let has_swept = |answer: &Answer| !answer.text_at("/last_success_at").is_empty();
    let answer = until(tour, sync, "a complete sweep", has_swept).await?;
    let (devices, minutes) = (&answer.json["devices"], &answer.json["full_sweep_minutes"]);
    Ok(format!("{devices} devices; a full sweep takes {minutes} minutes at this budget"))
}

pub async fn reported(tour: &mut Tour) -> Outcome {
    let body = json!({
        "udid": tour.mac.udid,
        "enrollment": { "state": "enrolled", "enrolled_at": now(), "reported_at": now() },
    });
    let answer = tour.ask(report(tour, body)).await?;
    answer.expect_status(201)?.expect("/results/enrollment", "applied")?;
    let path = format!("/devices?integration_id={}&configuration=none", tour.integration);
    let list = tour.ask(Ask::get(path).token(&tour.mdm)).await?;
    list.expect_status(200)?.entry("/items", "serial_number", &tour.mac.serial_number)?;
    Ok("it is on the MDM's work list, because nothing was delivered to it yet".to_owned())
}

pub async fn untrusted(tour: &mut Tour) -> Outcome {
    let answer = until_trust(tour, "untrusted", "config_not_delivered").await?;
    answer.expect_that(
        !answer.list_at("/remediation").is_empty(),
        "the response has a remediation",
    )?;
    Ok(answer.text_at("/reasons/0").to_owned())
}

pub async fn delivered(tour: &mut Tour) -> Outcome {
    let macos = tour.ask(Ask::get(tour.path("/platforms/macos"))).await?;
    let version = macos.expect_status(200)?.json["config_version"].clone();
    let (begins, ends) = (Utc::now() - TimeDelta::minutes(1), Utc::now() + TimeDelta::days(365));
    let body = json!({
        "okta_verify": { "installed_at": now(), "reported_at": now() },
        "deliveries": { (&*tour.integration): {
            "config_version": version, "delivered_at": now(), "reported_at": now(),
        } },
        "certificates": { (&*tour.integration): {
            "serial_number": "0A1B2C3D", "not_before": begins, "not_after": ends,
            "reported_at": now(),
        } },
    });
    tour.ask(report(tour, body)).await?.expect_status(200)?;
    until_trust(tour, "pending", "not_registered_in_okta").await?;
    Ok("pending: Okta Verify has not registered it yet".to_owned())
}

pub async fn registered(tour: &mut Tour) -> Outcome {
    tour.mac.okta_id = tour.org.add_mac(&tour.mac.serial_number, &tour.mac.udid).await?;
    tour.mac.user_id = tour.org.add_user(LOGIN).await?;
    tour.org.enroll(&tour.mac.okta_id, &tour.mac.user_id).await?;
    let answer = until_trust(tour, "pending", "awaiting_fastpass_sign_in").await?;
    answer.entry("/okta_devices", "okta_device_id", &tour.mac.okta_id)?;
    Ok("pending: its user has not signed in yet".to_owned())
}

pub async fn signed_in(tour: &mut Tour) -> Outcome {
    tour.org.sign_in_with_fastpass(&tour.mac.okta_id, &tour.mac.user_id).await?;
    let answer = until_trust(tour, "trusted", "managed_and_active").await?;
    answer.expect("/users/0/login", LOGIN)?.expect("/users/0/management_status", "MANAGED")?;
    Ok("trusted".to_owned())
}

pub async fn a_thousand(tour: &mut Tour) -> Outcome {
    let unknown = |number: usize| json!({ "serial_number": format!("NOBODY{number:06}") });
    let mut devices: Vec<Value> = (1..1000).map(unknown).collect();
    devices.push(json!({ "serial_number": tour.mac.serial_number }));
    let query = Ask::post("/trust-status/devices/query").token(&tour.reader);
    let answer = tour.ask(query.body(json!({ "devices": devices }))).await?;
    let items = answer.expect_status(200)?.list_at("/items");
    answer.expect_that(items.len() == 1000, "there is a result for each device, in order")?;
    answer.expect("/items/0/reasons/0", "not_known_to_mdm")?;
    answer.expect("/items/999/trust", "trusted")?;
    Ok("999 unknown devices and the trusted one".to_owned())
}

pub async fn not_modified(tour: &mut Tour) -> Outcome {
    let first = tour.ask(status(tour)).await?;
    let again = tour.ask(status(tour).header("If-None-Match", first.etag())).await?;
    again.expect_status(304)?;
    Ok(format!("304 for {}", first.etag()))
}

pub async fn outage(tour: &mut Tour) -> Outcome {
    tour.org.set_outage(true).await?;
    let stale = |answer: &Answer| answer.json["stale"] == true;
    let answer = until(tour, status, "stale", stale).await?;
    show(tour, &answer);
    answer.expect("/trust", "trusted")?;
    let sync = tour.ask(Ask::get(tour.path("/sync"))).await?;
    sync.expect("/last_error/code", "okta_unreachable")?;
    let now = tour.ask(Ask::get(tour.path(""))).await?;
    now.expect("/status", "active")?;
    Ok("trusted and stale; an outage does not degrade the integration".to_owned())
}

pub async fn outage_over(tour: &mut Tour) -> Outcome {
    tour.org.set_outage(false).await?;
    // The admin requests a sync instead of waiting for the next retry.
    tour.ask(Ask::post(tour.path("/sync"))).await?.expect_status(202)?;
    let fresh = |answer: &Answer| answer.json["stale"] == false;
    let answer = until(tour, status, "fresh again", fresh).await?;
    show(tour, &answer);
    answer.expect("/trust", "trusted")?;
    Ok("fresh".to_owned())
}

pub async fn hook(tour: &mut Tour) -> Outcome {
    let answer = tour.ask(Ask::put(tour.path("/event-hook"))).await?;
    answer.expect_status(201)?;
    let secret = answer.expect_secret("/secret")?.to_owned();
    // Only this response may contain the secret.
    tour.secrets.add_deployable("the hook's secret", &secret);
    answer.text_at("/hook_path").clone_into(&mut tour.hook_path);
    tour.hook_secret = secret;
    let verify = Ask::get(tour.hook_path.clone()).without_token();
    // Okta sends the secret with the verification too.
    let verify = verify.header("Authorization", tour.hook_secret.clone());
    let verified = tour.ask(verify.header("x-okta-verification-challenge", "a-challenge")).await?;
    verified.expect_status(200)?.expect("/verification", "a-challenge")?;
    let again = tour.ask(Ask::get(tour.path("/event-hook"))).await?;
    again.expect_status(200)?.expect("/secret", Value::Null)?;
    Ok("the secret is shown once; Okta has verified the URL".to_owned())
}

fn delivery(tour: &Tour, kind: &str) -> Ask {
    let event = json!({
        "uuid": uuid::Uuid::new_v4(), "published": now(), "eventType": kind,
        "target": [{ "id": tour.mac.okta_id, "type": "UDDevice" }],
    });
    let body = json!({
        "eventType": "com.okta.event_hook", "eventTypeVersion": "1.0", "cloudEventsVersion": "0.1",
        "source": "https://acme.okta.com", "eventId": uuid::Uuid::new_v4(),
        "data": { "events": [event] },
    });
    let deliver = Ask::post(tour.hook_path.clone()).without_token();
    deliver.header("Authorization", tour.hook_secret.clone()).body(body)
}

pub async fn suspended(tour: &mut Tour) -> Outcome {
    tour.org.set_device_status(&tour.mac.okta_id, "SUSPENDED").await?;
    let answer = tour.ask_quietly(delivery(tour, "device.lifecycle.suspend")).await?;
    answer.expect_that((200..300).contains(&answer.status), "the delivery is accepted")?;
    until_trust(tour, "untrusted", "okta_device_suspended").await?;
    Ok("untrusted".to_owned())
}

pub async fn unsuspended(tour: &mut Tour) -> Outcome {
    tour.org.set_device_status(&tour.mac.okta_id, "ACTIVE").await?;
    until_trust(tour, "trusted", "managed_and_active").await?;
    Ok("trusted".to_owned())
}

pub async fn wiped(tour: &mut Tour) -> Outcome {
    let body = json!({ "enrollment": { "state": "wiped", "reported_at": now() } });
    tour.ask(report(tour, body)).await?.expect_status(200)?;
    let answer = tour.ask(status(tour)).await?;
    show(tour, &answer);
    answer.expect("/trust", "untrusted")?.expect("/reasons/0", "mdm_unenrolled")?;
    Ok("untrusted at once, without a request to Okta".to_owned())
}

pub async fn summary(tour: &mut Tour) -> Outcome {
    let answer = tour.ask(Ask::get("/trust-status").token(&tour.reader)).await?;
    answer.expect_status(200)?;
    tour.screen.row(&answer.text);
    Ok("counts per verdict and reason, and expiring certificates".to_owned())
}
