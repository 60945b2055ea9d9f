//! Requests that the service refuses.

use serde_json::json;

use crate::tour::answer::Outcome;
use crate::tour::client::{Ask, INTEGRATIONS, Tour};

pub async fn ready(tour: &mut Tour) -> Outcome {
    let answer = tour.ask(Ask::get("/health/ready").without_token()).await?;
    answer.expect_status(200)?.expect("/ready", true)?;
    answer.expect("/database", true)?.expect("/token_keys", true)?;
    let hosts: Vec<&str> =
        answer.list_at("/overridden_hosts").iter().filter_map(|host| host.as_str()).collect();
    Ok(format!(
        "the database and the token keys are available; overridden hosts: {}",
        hosts.join(", ")
    ))
}

pub async fn no_token(tour: &mut Tour) -> Outcome {
    let answer = tour.ask(Ask::get(INTEGRATIONS).without_token()).await?;
    answer.expect_problem(401, "unauthorized")?;
    let challenge = answer.header("www-authenticate");
    answer.expect_that(challenge.starts_with("Bearer"), "the response asks for a bearer token")?;
    Ok(answer.text_at("/detail").to_owned())
}

pub async fn no_domain(tour: &mut Tour) -> Outcome {
    let ask = Ask::post(INTEGRATIONS).body(json!({ "okta_domain": "https://127.0.0.1/admin" }));
    let answer = tour.ask(ask).await?;
    answer.expect_problem(422, "invalid_request")?.expect("/errors/0/pointer", "/okta_domain")?;
    Ok(format!("/okta_domain: {}", answer.text_at("/errors/0/detail")))
}

pub async fn no_scope(tour: &mut Tour) -> Outcome {
    let answer = tour.ask(Ask::get(tour.path("")).token(&tour.reader)).await?;
    answer.expect_problem(403, "scope_missing")?;
    Ok(answer.text_at("/detail").to_owned())
}

pub async fn other_tenant(tour: &mut Tour) -> Outcome {
    let mut detail = String::new();
    for ask in [Ask::get(tour.path("")), Ask::get(tour.path("/setup")), Ask::delete(tour.path(""))]
    {
        let answer = tour.ask(ask.token(&tour.other_tenant)).await?;
        answer.expect_problem(404, "not_found")?;
        answer.text_at("/detail").clone_into(&mut detail);
    }
    tour.ask(Ask::get(tour.path(""))).await?.expect_status(200)?;
    Ok(detail)
}
