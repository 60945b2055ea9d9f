//! iOS: a secret key that Okta has no way to try.

use serde_json::json;

use crate::tour::answer::Outcome;
use crate::tour::client::{Ask, Tour};

/// One character less than Okta's own have at least.
const SHORT_KEY: &str = "T0ur-k!";

fn configure(tour: &Tour, secret_key: &str) -> Ask {
    Ask::put(tour.path("/platforms/ios")).body(json!({ "secret_key": secret_key }))
}

pub async fn to_copy(tour: &mut Tour) -> Outcome {
    let setup = tour.ask(Ask::get(tour.path("/setup"))).await?;
    setup.expect_status(200)?;
    let step = setup.entry("/steps", "name", "ios")?;
    setup.expect_that(step["state"] == "current", "iOS comes next")?;
    setup.expect("/next_form/step", "ios")?;
    let copy = step["copy"].as_array().map_or(&[][..], Vec::as_slice);
    for entry in copy {
        let word = |name: &str| entry[name].as_str().unwrap_or("?");
        tour.screen.row(&format!("{:<27} {}", word("label"), word("value")));
    }
    // The enrollment link is the operator's to say, with ODT_ENROLLMENT_LINK.
    setup.expect_that(!copy.is_empty(), "the wizard offers what Okta's form asks for")?;
    Ok("to copy into Okta's form, which then shows the secret key".to_owned())
}

pub async fn short_key(tour: &mut Tour) -> Outcome {
    tour.secrets.keep("the short secret key", SHORT_KEY);
    let answer = tour.ask(configure(tour, SHORT_KEY)).await?;
    answer.expect_problem(422, "invalid_request")?.expect("/errors/0/pointer", "/secret_key")?;
    Ok(format!("/secret_key: {}", answer.text_at("/errors/0/detail")))
}

pub async fn configured(tour: &mut Tour) -> Outcome {
    let answer = tour.ask(configure(tour, &tour.secret_key)).await?;
    answer.expect_status(201)?.expect("/secret_key/set", true)?;
    answer.expect("/verification/state", "unverifiable")?;
    let reason = answer.text_at("/verification/reason");
    answer.expect_that(!reason.is_empty(), "the answer says why it cannot be tried")?;
    Ok(format!("stored, unverifiable: {reason}"))
}
