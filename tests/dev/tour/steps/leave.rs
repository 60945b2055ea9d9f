//! The audit log, and the deletion of an integration.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::tour::answer::{Answer, Broken, Outcome};
use crate::tour::client::{Ask, Tour};
use crate::tour::{ADMIN, GATEWAY, MDM};

/// Events of this tour that the audit log must contain, with their possible actors.
const EXPECTED: [(&str, &[&str]); 11] = [
    ("integration_created", &[ADMIN]),
    ("credentials_refused", &[ADMIN]),
    ("credentials_stored", &[ADMIN]),
    ("prerequisites_checked", &[ADMIN]),
    ("prerequisite_attested", &[ADMIN]),
    ("integration_updated", &[ADMIN]),
    ("platform_stored", &[ADMIN]),
    ("scep_credentials_refused", &[ADMIN]),
    ("scep_challenge_minted", &[MDM]),
    ("deployment_created", &[MDM]),
    ("scope_denied", &[ADMIN, GATEWAY]),
];

pub async fn audit(tour: &mut Tour) -> Outcome {
    let answer = tour.ask(Ask::get(tour.path("/events?limit=200"))).await?;
    answer.expect_status(200)?;
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for event in answer.list_at("/items") {
        *counts.entry(event["kind"].as_str().unwrap_or("?")).or_default() += 1;
    }
    for (kind, actors) in EXPECTED {
        answer.entry("/items", "kind", kind)?;
        let mut of_kind = answer.list_at("/items").iter().filter(|event| event["kind"] == kind);
        let by = |event: &Value| actors.iter().any(|actor| event["actor"]["sub"] == *actor);
        answer.expect_that(of_kind.all(by), "each event has its actor")?;
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

pub async fn unconfirmed(tour: &mut Tour) -> Outcome {
    let answer = tour.ask(Ask::delete(tour.path(""))).await?;
    answer.expect_problem(409, "confirmation_required")?.expect("/devices", 3)?;
    answer.expect("/platforms", json!(["macos", "ios"]))?;
    show_checklist(tour, &answer)?;
    tour.ask(Ask::get(tour.path(""))).await?.expect_status(200)?;
    Ok(answer.text_at("/detail").to_owned())
}

pub async fn delete_integration(tour: &mut Tour) -> Outcome {
    let answer = tour.ask(Ask::delete(tour.path("?confirm=true"))).await?;
    answer.expect_status(200)?.expect("/deleted", &*tour.integration)?;
    let checklist = answer.list_at("/checklist");
    answer
        .expect_that(!checklist.is_empty(), "the response lists what remains to be done in Okta")?;
    let gone = tour.ask(Ask::get(tour.path(""))).await?;
    gone.expect_problem(404, "not_found")?;
    tour.integration.clear();
    Ok("deleted with its secrets; the audit log remains".to_owned())
}

fn show_checklist(tour: &Tour, answer: &Answer) -> Result<(), Broken> {
    let checklist = answer.list_at("/checklist");
    answer.expect_that(!checklist.is_empty(), "the response lists what to do first")?;
    for item in checklist {
        tour.screen.row(&format!("☐ {}", item["text"].as_str().unwrap_or("?")));
    }
    Ok(())
}

pub async fn no_secret(tour: &mut Tour) -> Outcome {
    // Includes those that only verified the configuration.
    for challenge in tour.org.challenges().await? {
        tour.secrets.add_deployable("a challenge", &challenge);
    }
    for response in tour.api.answers() {
        if let Some(leaked) = tour.secrets.find_leak(&response.text, response.hands_out) {
            let what = format!("a response contains {leaked} (redacted here as ••••)");
            return Err(Broken { what, answer: Some(tour.secrets.redact(&response.text)) });
        }
    }
    let (answers, secrets) = (tour.api.count(), tour.secrets.count());
    let handed_out = tour.api.answers().iter().filter(|response| response.hands_out).count();
    tour.screen.row(&format!(
        "challenges and the secret key occur only in the {handed_out} responses that return them"
    ));
    Ok(format!("searched {answers} responses for {secrets} secrets, including headers"))
}
