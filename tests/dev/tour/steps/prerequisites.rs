//! Whether the org is ready: what Okta shows, what changes there, and what people confirm.

use serde_json::{Value, json};
use testkit::okta::{AUTHENTICATORS_READ, DEVICES_MANAGE, DEVICES_READ};

use crate::tour::answer::{Answer, Broken, Outcome};
use crate::tour::client::{Ask, Tour};

const KINDS: [&str; 5] = [
    "identity_engine",
    "super_admin_scopes",
    "fastpass",
    "adaptive_mfa",
    "okta_verify_distribution",
];

pub async fn report(tour: &mut Tour) -> Outcome {
    let answer = tour.ask(Ask::get(tour.path("/prerequisites"))).await?;
    answer.expect_status(200)?.expect("/ready", true)?;
    for kind in KINDS {
        let item = line(&answer, kind)?;
        let (outcome, reason) = (&item["outcome"], item["reason"].as_str().unwrap_or_default());
        tour.screen.row(&format!("{kind:<25} {:<9} {reason}", outcome.as_str().unwrap_or("?")));
    }
    for kind in ["identity_engine", "super_admin_scopes", "fastpass"] {
        expect_outcome(&answer, kind, "passed")?;
    }
    for kind in ["adaptive_mfa", "okta_verify_distribution"] {
        expect_outcome(&answer, kind, "unknown")?;
    }
    Ok("what Okta shows is passed, what nobody has seen stays unknown".to_owned())
}

pub async fn fastpass_off(tour: &mut Tour) -> Outcome {
    let answer = turn_and_check(tour, json!({ "fastpass": false })).await?;
    let item = expect_outcome(&answer, "fastpass", "failed")?;
    answer.expect_that(item["reason"] == "fastpass_inactive", "the reason is fastpass_inactive")?;
    // Wrong, but nothing that keeps the admin from going on.
    answer.expect("/ready", true)?;
    remediation(&answer, item)
}

pub async fn fastpass_on(tour: &mut Tour) -> Outcome {
    let answer = turn_and_check(tour, json!({ "fastpass": true })).await?;
    expect_outcome(&answer, "fastpass", "passed")?;
    Ok("fastpass has passed".to_owned())
}

pub async fn scope_lost(tour: &mut Tour) -> Outcome {
    let left = json!({ "granted_scopes": [DEVICES_READ, AUTHENTICATORS_READ] });
    let answer = turn_and_check(tour, left).await?;
    answer.expect("/ready", false)?;
    let item = expect_outcome(&answer, "super_admin_scopes", "failed")?;
    let missing = &item["evidence"]["missing"];
    answer.expect_that(*missing == json!([DEVICES_MANAGE]), "the missing scope is named")?;
    Ok(format!("{DEVICES_MANAGE} is missing. {}", remediation(&answer, item)?))
}

pub async fn scope_back(tour: &mut Tour) -> Outcome {
    let all = json!({ "granted_scopes": [DEVICES_MANAGE, DEVICES_READ, AUTHENTICATORS_READ] });
    let answer = turn_and_check(tour, all).await?;
    answer.expect("/ready", true)?;
    expect_outcome(&answer, "super_admin_scopes", "passed")?;
    Ok("super_admin_scopes has passed".to_owned())
}

pub async fn attest(tour: &mut Tour) -> Outcome {
    let path = tour.path("/prerequisites/adaptive_mfa/attestation");
    let body = json!({ "attested": true, "note": "Add platform is offered in our console" });
    let answer = tour.ask(Ask::put(path).body(body)).await?;
    answer.expect_status(200)?;
    let item = expect_outcome(&answer, "adaptive_mfa", "attested")?;
    let by = item["attestation"]["by"]["sub"].as_str().unwrap_or_default();
    answer.expect_that(!by.is_empty(), "the attestation says by whom")?;
    Ok(format!("adaptive_mfa is attested, by {by}: less than passed, more than unknown"))
}

async fn turn_and_check(tour: &mut Tour, knobs: Value) -> Result<Answer, Broken> {
    tour.screen.row(&format!("in Okta: {knobs}"));
    tour.org.turn(knobs).await?;
    let answer = tour.ask(Ask::post(tour.path("/prerequisites/check"))).await?;
    answer.expect_status(200)?;
    Ok(answer)
}

fn line<'a>(answer: &'a Answer, kind: &str) -> Result<&'a Value, Broken> {
    answer.entry("/items", "kind", kind)
}

fn expect_outcome<'a>(answer: &'a Answer, kind: &str, outcome: &str) -> Result<&'a Value, Broken> {
    let item = line(answer, kind)?;
    let what = format!("{kind} is {outcome}, and not {}", item["outcome"]);
    answer.expect_that(item["outcome"] == outcome, &what)?;
    Ok(item)
}

fn remediation(answer: &Answer, item: &Value) -> Outcome {
    let text = item["remediation"]["text"].as_str().unwrap_or_default();
    answer.expect_that(!text.is_empty(), "the report says what to do about it")?;
    Ok(text.to_owned())
}
