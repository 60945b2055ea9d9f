//! macOS: the values of Okta's device integration, which are verified before they are stored.

use serde_json::{Value, json};

use crate::tour::answer::Outcome;
use crate::tour::client::{Ask, Tour};

/// Long enough to be found in a response.
const WRONG_PASSWORD: &str = "this-is-not-the-password-that-okta-showed";

pub async fn catalogue(tour: &mut Tour) -> Outcome {
    let answer = tour.ask(Ask::get("/platforms/macos")).await?;
    answer.expect_status(200)?.expect("/verifiable", true)?;
    for field in answer.list_at("/fields") {
        let text = |name: &str| field[name].as_str().unwrap_or_default();
        let described =
            ["pattern", "example", "where_in_okta"].iter().all(|name| !text(name).is_empty());
        answer
            .expect_that(described, "each field has a pattern, an example and its place in Okta")?;
        let secret = if field["secret"] == true { "secret" } else { "" };
        let length = format!("{} to {}", field["min_length"], field["max_length"]);
        let line = format!("{:<14} {:<9} {length:<11} {secret:<7}", text("name"), text("kind"));
        tour.screen.row(&format!("{line} {}", text("label")));
    }
    for name in ["scep_url", "challenge_url", "username", "password"] {
        answer.entry("/fields", "name", name)?;
    }
    let steps = answer.list_at("/add/steps").len();
    let known = Ask::get("/platforms/macos").header("If-None-Match", answer.header("etag"));
    tour.ask(known).await?.expect_status(304)?;
    Ok(format!("four fields, and {steps} steps to get their values in Okta"))
}

fn configure(tour: &Tour, change: &Value) -> Ask {
    let mut body = tour.org.scep_values();
    for (name, value) in change.as_object().into_iter().flatten() {
        body[name] = value.clone();
    }
    Ask::put(tour.path("/platforms/macos")).body(body)
}

pub async fn other_host(tour: &mut Tour) -> Outcome {
    let elsewhere = tour.org.scep_url().replace("acme.okta.com", "acme.example");
    let answer = tour.ask(configure(tour, &json!({ "scep_url": elsewhere }))).await?;
    answer.expect_problem(422, "invalid_request")?.expect("/errors/0/pointer", "/scep_url")?;
    Ok(format!("/scep_url: {}", answer.text_at("/errors/0/detail")))
}

pub async fn wrong_password(tour: &mut Tour) -> Outcome {
    tour.secrets.add_forbidden("the wrong SCEP password", WRONG_PASSWORD);
    let refused = tour.ask(configure(tour, &json!({ "password": WRONG_PASSWORD }))).await?;
    refused.expect_problem(422, "scep_credentials_refused")?.expect("/transient", false)?;
    let now = tour.ask(Ask::get(tour.path("/platforms/macos"))).await?;
    now.expect_problem(404, "not_found")?;
    Ok(refused.text_at("/detail").to_owned())
}

pub async fn dry_run(tour: &mut Tour) -> Outcome {
    let path = tour.path("/platforms/macos?dry_run=true");
    let answer = tour.ask(Ask::put(path).body(tour.org.scep_values())).await?;
    answer.expect_status(200)?.expect("/stored", false)?;
    answer.expect("/verification/state", "verified")?;
    let now = tour.ask(Ask::get(tour.path("/platforms"))).await?;
    now.expect_status(200)?.expect("/items", json!([]))?.expect_header("etag", &tour.etag)?;
    Ok("the values work; nothing was stored".to_owned())
}

pub async fn configured(tour: &mut Tour) -> Outcome {
    let ask = configure(tour, &Value::Null).header("If-Match", &*tour.etag);
    let answer = tour.ask(ask).await?;
    answer.expect_status(201)?.expect("/verification/state", "verified")?;
    answer.expect("/password/set", true)?.expect("/scep_url", tour.org.scep_url())?;
    answer.header("etag").clone_into(&mut tour.etag);
    let (subject, end) = (
        answer.text_at("/certificate_authority/subject"),
        answer.text_at("/certificate_authority/not_after"),
    );
    let fingerprint = answer.text_at("/certificate_authority/sha256_fingerprint");
    answer.expect_that(fingerprint.len() == 64, "the CA's fingerprint is a SHA-256")?;
    answer.expect_that(!subject.is_empty() && !end.is_empty(), "the response names the CA")?;
    tour.screen.row(&format!("CA       {subject}"));
    tour.screen.row(&format!("         until {end}"));
    Ok("a challenge and the CA certificate were fetched, then the values were stored".to_owned())
}

pub async fn mfa_inferred(tour: &mut Tour) -> Outcome {
    let answer = tour.ask(Ask::get(tour.path("/prerequisites"))).await?;
    answer.expect_status(200)?;
    let item = answer.entry("/items", "kind", "adaptive_mfa")?;
    let inferred = item["outcome"] == "inferred" && item["reason"] == "scep_challenge_issued";
    answer.expect_that(inferred, "adaptive_mfa is inferred from an issued challenge")?;
    Ok("adaptive_mfa was attested and is now inferred from an issued challenge".to_owned())
}

pub async fn reset(tour: &mut Tour) -> Outcome {
    tour.screen.row("in Okta: Actions > Reset password");
    tour.new_password = tour.org.reset_scep_password().await?;
    tour.secrets.add_forbidden("the new SCEP password", &tour.new_password);
    let tried = tour.ask(Ask::post(tour.path("/platforms/macos/verify"))).await?;
    tried.expect_problem(422, "scep_credentials_refused")?;
    let now = tour.ask(Ask::get(tour.path(""))).await?;
    now.expect_status(200)?.expect("/status", "degraded")?;
    now.expect("/status_reasons", json!(["scep_credentials_refused"]))?;
    Ok("the integration is degraded: scep_credentials_refused".to_owned())
}

pub async fn rotate(tour: &mut Tour) -> Outcome {
    let before = tour.ask(Ask::get(tour.path("/platforms/macos"))).await?;
    let body = json!({ "password": tour.new_password });
    let answer = tour.ask(Ask::patch(tour.path("/platforms/macos")).body(body)).await?;
    answer.expect_status(200)?.expect("/verification/state", "verified")?;
    answer.expect("/verification/refused_at", Value::Null)?;
    let version = |answer: &Value| answer["password"]["version"].as_i64().unwrap_or_default();
    let (old, new) = (version(&before.json), version(&answer.json));
    answer.expect_that(new > old, "the password has a new version")?;
    let now = tour.ask(Ask::get(tour.path(""))).await?;
    now.expect_status(200)?.expect("/status", "active")?.expect("/status_reasons", json!([]))?;
    Ok(format!("active again; the password went from version {old} to {new}"))
}
