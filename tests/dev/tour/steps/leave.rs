//! What stays to be read, and how a customer goes.

use std::collections::BTreeMap;

use super::connect::WRONG_SECRET;
use crate::tour::answer::{Broken, Outcome};
use crate::tour::client::{Ask, Tour};

/// What this tour must have left in the audit.
const EXPECTED: [&str; 6] = [
    "integration_created",
    "credentials_refused",
    "credentials_stored",
    "prerequisites_checked",
    "prerequisite_attested",
    "integration_updated",
];

pub async fn audit(tour: &mut Tour) -> Outcome {
    let answer = tour.ask(Ask::get(tour.path("/events"))).await?;
    answer.expect_status(200)?;
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for event in answer.list_at("/items") {
        *counts.entry(event["kind"].as_str().unwrap_or("?")).or_default() += 1;
        let by_us = event["actor"]["sub"] == "tour@acme.example";
        answer.expect_that(by_us, "each event names who did it")?;
    }
    for kind in EXPECTED {
        answer.entry("/items", "kind", kind)?;
    }
    let list: Vec<String> = counts.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
    tour.screen.row(&list.join(" · "));
    Ok(format!("{} events", answer.list_at("/items").len()))
}

pub async fn delete_credentials(tour: &mut Tour) -> Outcome {
    let answer = tour.ask(Ask::delete(tour.path("/credentials"))).await?;
    answer.expect_status(200)?.expect("/credentials/client_secret/set", false)?;
    let check = tour.ask(Ask::post(tour.path("/prerequisites/check"))).await?;
    check.expect_problem(409, "credentials_needed")?;
    Ok(check.text_at("/detail").to_owned())
}

pub async fn delete_integration(tour: &mut Tour) -> Outcome {
    let answer = tour.ask(Ask::delete(tour.path(""))).await?;
    answer.expect_status(200)?.expect("/deleted", &*tour.integration)?;
    let checklist = answer.list_at("/checklist");
    answer.expect_that(!checklist.is_empty(), "the answer lists what is left to do in Okta")?;
    for item in checklist {
        tour.screen.row(&format!("☐ {}", item["text"].as_str().unwrap_or("?")));
    }
    let gone = tour.ask(Ask::get(tour.path(""))).await?;
    gone.expect_problem(404, "not_found")?;
    tour.integration.clear();
    Ok("gone, with its secret; the audit stays".to_owned())
}

pub async fn no_secret(tour: &mut Tour) -> Outcome {
    let secrets = [tour.org.client_secret(), WRONG_SECRET];
    let leaked = |answer: &&String| secrets.iter().any(|secret| answer.contains(secret));
    if let Some(answer) = tour.api.answers().iter().find(leaked) {
        let shown =
            secrets.iter().fold(answer.clone(), |text, secret| text.replace(secret, "••••"));
        let what = "an answer held a client secret (shown here as ••••)".to_owned();
        return Err(Broken { what, answer: Some(shown) });
    }
    Ok(format!("searched {} answers for both secrets, headers included", tour.api.count()))
}
