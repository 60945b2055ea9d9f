//! Connects the org: domain, then credentials.

use serde_json::{Value, json};

use crate::tour::answer::Outcome;
use crate::tour::client::{Ask, INTEGRATIONS, Tour};

const PASTED: &str = "https://acme-admin.okta.com/admin/dashboard";

/// Maximum number of requests to Okta that `PUT …/credentials` makes.
const MAX_REQUESTS: usize = 4;

/// Long enough to be found in a response.
const WRONG_SECRET: &str = "this-is-not-the-secret-that-okta-showed";

/// Keys are per tenant, and each tour has a new tenant.
const KEY: &str = "tour-1";

fn paste() -> Ask {
    Ask::post(INTEGRATIONS).body(json!({ "okta_domain": PASTED }))
}

pub async fn create(tour: &mut Tour) -> Outcome {
    let answer = tour.ask(paste().header("Idempotency-Key", KEY)).await?;
    answer.expect_status(201)?.expect("/okta_domain", "acme.okta.com")?;
    answer.expect("/engine", "identity_engine")?.expect("/status", "setup")?;
    answer.expect("/credentials/client_secret/set", false)?;
    answer.text_at("/id").clone_into(&mut tour.integration);
    answer.header("etag").clone_into(&mut tour.etag);
    answer.expect_that(!tour.etag.is_empty(), "the response has an ETag")?;
    answer.expect_header("location", &tour.path(""))?;
    let org = answer.text_at("/org_id");
    Ok(format!("connected to the org {org} on Identity Engine; {{id}} is {}", tour.integration))
}

pub async fn repeat(tour: &mut Tour) -> Outcome {
    let answer = tour.ask(paste().header("Idempotency-Key", KEY)).await?;
    answer.expect_status(201)?.expect("/id", &*tour.integration)?;
    answer.expect_header("idempotent-replayed", "true")?;
    Ok("the same integration was returned".to_owned())
}

pub async fn create_again(tour: &mut Tour) -> Outcome {
    let answer = tour.ask(paste()).await?;
    answer.expect_problem(409, "org_already_connected")?;
    answer.expect("/integration_id", &*tour.integration)?;
    Ok(answer.text_at("/detail").to_owned())
}

fn credentials(tour: &Tour, secret: &str) -> Ask {
    let body = json!({ "client_id": tour.org.client_id(), "client_secret": secret });
    Ask::put(tour.path("/credentials")).body(body)
}

pub async fn wrong_secret(tour: &mut Tour) -> Outcome {
    tour.secrets.add_forbidden("the wrong client secret", WRONG_SECRET);
    let refused = tour.ask(credentials(tour, WRONG_SECRET)).await?;
    refused.expect_problem(422, "invalid_client")?.expect("/transient", false)?;
    let now = tour.ask(Ask::get(tour.path(""))).await?;
    now.expect_status(200)?.expect("/credentials/client_secret/set", false)?;
    now.expect("/credentials/client_id", Value::Null)?;
    Ok(refused.text_at("/detail").to_owned())
}

/// Keeps the requests of the connect. The mirror, which starts right afterwards, reads devices with
/// another token.
fn without_mirror(mut asked: Vec<String>) -> Vec<String> {
    let mirrors = |request: &String| request.contains("/api/v1/devices");
    if asked.iter().any(mirrors) {
        asked.retain(|request| !mirrors(request));
        if let Some(token) = asked.iter().rposition(|request| request.ends_with("/token")) {
            asked.remove(token);
        }
    }
    asked
}

pub async fn right_secret(tour: &mut Tour) -> Outcome {
    let before = tour.org.requests().await?.len();
    let answer = tour.ask(credentials(tour, tour.org.client_secret())).await?;
    answer.expect_status(201)?.expect("/integration/credentials/client_secret/set", true)?;
    answer.expect("/integration/credentials/client_id", tour.org.client_id())?;
    answer.expect("/prerequisites/ready", true)?;
    answer.expect("/integration/status_reasons", json!(["no_platform_selected"]))?;
    answer.header("etag").clone_into(&mut tour.etag);

    let asked = without_mirror(tour.org.requests().await?.split_off(before));
    for request in &asked {
        tour.screen.row(&format!("request to Okta  {request}"));
    }
    let few = (1..=MAX_REQUESTS).contains(&asked.len());
    answer.expect_that(few, &format!("1 to 4 requests to Okta, got {}", asked.len()))?;
    Ok(format!("connected with {} requests to Okta, at most {MAX_REQUESTS}", asked.len()))
}
