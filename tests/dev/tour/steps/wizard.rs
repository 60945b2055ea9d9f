//! The wizard's steps and the selected platforms.

use serde_json::{Value, json};

use crate::tour::answer::{Answer, Broken, Outcome};
use crate::tour::client::{Ask, Tour};

const STEPS: [&str; 8] = [
    "domain",
    "authorize",
    "credentials",
    "prerequisites",
    "platforms",
    "macos",
    "ios",
    "complete",
];

pub async fn authorize(tour: &mut Tour) -> Outcome {
    let setup = tour.ask(Ask::get(tour.path("/setup"))).await?;
    setup.expect_status(200)?.expect("/next_form/step", "credentials")?;
    expect_states(&setup, &["done", "current"])?;
    let step = setup.entry("/steps", "name", "authorize")?;
    let href = step["links"][0]["href"].as_str().unwrap_or_default();
    // The target depends on ODT_OKTA_INSTALL_LINK.
    setup.expect_that(href.starts_with("https://"), "there is a link to Okta")?;
    let text = step["links"][0]["text"].as_str().unwrap_or_default();
    Ok(format!("{text}: {href}"))
}

pub async fn stale_change(tour: &mut Tour) -> Outcome {
    let body = json!({ "selected_platforms": ["ios"] });
    let ask = Ask::patch(tour.path("")).header("If-Match", "\"0\"").body(body);
    let answer = tour.ask(ask).await?;
    answer.expect_problem(412, "stale_version")?;
    Ok(answer.text_at("/detail").to_owned())
}

pub async fn choose_platforms(tour: &mut Tour) -> Outcome {
    let body = json!({ "selected_platforms": ["macos", "ios"] });
    let ask = Ask::patch(tour.path("")).header("If-Match", &*tour.etag).body(body.clone());
    let answer = tour.ask(ask).await?;
    answer.expect_status(200)?;
    answer.expect("/selected_platforms", body["selected_platforms"].clone())?;
    let etag = answer.header("etag").to_owned();
    answer.expect_that(etag != tour.etag && !etag.is_empty(), "the change created a new ETag")?;
    let outcome = format!("stored; the ETag went from {} to {etag}", tour.etag);
    tour.etag = etag;
    Ok(outcome)
}

pub async fn overview(tour: &mut Tour) -> Outcome {
    let setup = tour.ask(Ask::get(tour.path("/setup"))).await?;
    setup.expect_status(200)?.expect("/status", "setup")?.expect("/next_form/step", "macos")?;
    for step in setup.list_at("/steps") {
        tour.screen.row(&shown(step));
    }
    expect_states(
        &setup,
        &["done", "done", "done", "done", "done", "current", "waiting", "waiting"],
    )?;
    Ok("five steps are done; macOS is next".to_owned())
}

pub async fn complete(tour: &mut Tour) -> Outcome {
    let setup = tour.ask(Ask::get(tour.path("/setup"))).await?;
    setup.expect_status(200)?.expect("/status", "active")?.expect("/status_reasons", json!([]))?;
    setup.expect("/next_form", Value::Null)?;
    for step in setup.list_at("/steps") {
        tour.screen.row(&shown(step));
    }
    expect_states(&setup, &["done"; 8])?;
    let text = setup.entry("/steps", "name", "complete")?["text"].as_str().unwrap_or("?");
    Ok(format!("the integration is active. {text}"))
}

fn shown(step: &Value) -> String {
    let text = |name: &str| step[name].as_str().unwrap_or("?").to_owned();
    let mark = match step["state"].as_str() {
        Some("done") => "●",
        Some("current") => "◐",
        _ => "○",
    };
    format!("{mark} {:<14} {:<8} {}", text("name"), text("state"), text("title"))
}

/// Asserts all steps in order, and the states of the first ones.
fn expect_states(setup: &Answer, states: &[&str]) -> Result<(), Broken> {
    let of = |key: &str| -> Vec<&str> {
        setup.list_at("/steps").iter().filter_map(|step| step[key].as_str()).collect()
    };
    setup.expect_that(of("name") == STEPS, "the wizard has its eight steps in order")?;
    let what = format!("the steps have the states {}", states.join(", "));
    setup.expect_that(of("state").starts_with(states), &what)?;
    Ok(())
}
