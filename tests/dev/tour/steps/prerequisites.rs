//! The prerequisites report: what Okta shows, changes in Okta, and attestations.

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
        let item = prerequisite(&answer, kind)?;
        let (outcome, reason) = (&item["outcome"], item["reason"].as_str().unwrap_or_default());
        tour.screen.row(&format!("{kind:<25} {:<9} {reason}", outcome.as_str().unwrap_or("?")));
    }
    for kind in ["identity_engine", "super_admin_scopes", "fastpass"] {
        expect_outcome(&answer, kind, "passed")?;
    }
    for kind in ["adaptive_mfa", "okta_verify_distribution"] {
        expect_outcome(&answer, kind, "unknown")?;
    }
    Ok("passed where Okta shows it, otherwise unknown".to_owned())
}

pub async fn fastpass_off(tour: &mut Tour) -> Outcome {
    let answer = change_and_check(tour, json!({ "fastpass": false })).await?;
    let item = expect_outcome(&answer, "fastpass", "failed")?;
    answer.expect_that(item["reason"] == "fastpass_inactive", "the reason is fastpass_inactive")?;
    // It does not block the setup.
    answer.expect("/ready", true)?;
    remediation(&answer, item)
}

pub async fn fastpass_on(tour: &mut Tour) -> Outcome {
    let answer = change_and_check(tour, json!({ "fastpass": true })).await?;
    expect_outcome(&answer, "fastpass", "passed")?;
    Ok("fastpass has passed".to_owned())
}

pub async fn scope_lost(tour: &mut Tour) -> Outcome {
    let left = json!({ "granted_scopes": [DEVICES_READ, AUTHENTICATORS_READ] });
    let answer = change_and_check(tour, left).await?;
    answer.expect("/ready", false)?;
    let item = expect_outcome(&answer, "super_admin_scopes", "failed")?;
    let missing = &item["evidence"]["missing"];
    answer
        .expect_that(*missing == json!([DEVICES_MANAGE]), "the report names the missing scope")?;
    Ok(format!("{DEVICES_MANAGE} is missing. {}", remediation(&answer, item)?))
}

pub async fn scope_back(tour: &mut Tour) -> Outcome {
    let all = json!({ "granted_scopes": [DEVICES_MANAGE, DEVICES_READ, AUTHENTICATORS_READ] });
    let answer = change_and_check(tour, all).await?;
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
    answer.expect_that(!by.is_empty(), "the attestation has its author")?;
    Ok(format!("adaptive_mfa is attested by {by}"))
}

async fn change_and_check(tour: &mut Tour, knobs: Value) -> Result<Answer, Broken> {
    tour.screen.row(&format!("in Okta: {knobs}"));
    tour.org.set_knobs(knobs).await?;
    let answer = tour.ask(Ask::post(tour.path("/prerequisites/check"))).await?;
    answer.expect_status(200)?;
    Ok(answer)
}

fn prerequisite<'a>(answer: &'a Answer, kind: &str) -> Result<&'a Value, Broken> {
    answer.entry("/items", "kind", kind)
}

fn expect_outcome<'a>(answer: &'a Answer, kind: &str, outcome: &str) -> Result<&'a Value, Broken> {
    let item = prerequisite(answer, kind)?;
    let what = format!("{kind} is {outcome}, got {}", item["outcome"]);
    answer.expect_that(item["outcome"] == outcome, &what)?;
    Ok(item)
}

fn remediation(answer: &Answer, item: &Value) -> Outcome {
    let text = item["remediation"]["text"].as_str().unwrap_or_default();
    answer.expect_that(!text.is_empty(), "the report has a remediation")?;
    Ok(text.to_owned())
}
