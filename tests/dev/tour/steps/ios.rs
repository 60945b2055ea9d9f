//! iOS: the secret key, which cannot be verified, and an iPhone that becomes trusted.

use serde_json::{Value, json};

use crate::tour::answer::{Answer, Broken, Outcome};
use crate::tour::client::{Ask, Tour};
use crate::tour::steps::deployments::{deployment, expect_secret_response, write};
use crate::tour::steps::trust::{LOGIN, is, now, show, until};

/// One character shorter than Okta's minimum.
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
        let text = |name: &str| entry[name].as_str().unwrap_or("?");
        tour.screen.row(&format!("{:<27} {}", text("label"), text("value")));
    }
    // The enrollment link depends on ODT_ENROLLMENT_LINK.
    setup.expect_that(!copy.is_empty(), "the wizard has the values for Okta's form")?;
    Ok("values for Okta's form, which then shows the secret key".to_owned())
}

pub async fn short_key(tour: &mut Tour) -> Outcome {
    tour.secrets.add_forbidden("the short secret key", SHORT_KEY);
    let answer = tour.ask(configure(tour, SHORT_KEY)).await?;
    answer.expect_problem(422, "invalid_request")?.expect("/errors/0/pointer", "/secret_key")?;
    Ok(format!("/secret_key: {}", answer.text_at("/errors/0/detail")))
}

pub async fn configured(tour: &mut Tour) -> Outcome {
    let answer = tour.ask(configure(tour, &tour.secret_key)).await?;
    answer.expect_status(201)?.expect("/secret_key/set", true)?;
    answer.expect("/verification/state", "unverifiable")?;
    let reason = answer.text_at("/verification/reason");
    answer.expect_that(!reason.is_empty(), "the response says why it cannot be verified")?;
    Ok(format!("stored, unverifiable: {reason}"))
}

pub async fn delivered(tour: &mut Tour) -> Outcome {
    let (serial_number, udid) = (tour.iphone.serial_number.clone(), tour.iphone.udid.clone());
    let device = json!({ "serial_number": serial_number, "udid": udid });
    let answer = tour.ask(deployment(tour, "ios", json!({ "device": device }))).await?;
    expect_secret_response(&answer)?;
    install(tour, &answer)?;
    let body = json!({
        "platform": "ios", "udid": udid,
        "enrollment": { "state": "enrolled", "enrolled_at": now(), "reported_at": now() },
        "deliveries": { (&*tour.integration): {
            "config_version": answer.json["config_version"],
            "delivered_at": now(), "reported_at": now(),
        } },
    });
    let report = Ask::put(format!("/devices/{serial_number}")).token(&tour.mdm).body(body);
    tour.ask(report).await?.expect_status(201)?;
    until_trust(tour, "pending", "not_registered_in_okta").await?;
    Ok("pending: Okta Verify has not registered it yet".to_owned())
}

/// Writes each dictionary to a file and installs it where the response says.
fn install(tour: &mut Tour, answer: &Answer) -> Result<(), Broken> {
    for dictionary in answer.list_at("/dictionaries") {
        let text = |name: &str| dictionary[name].as_str().unwrap_or("?");
        let (domain, target) = (text("domain"), text("target"));
        tour.screen.row(&format!("{:<55} → {target} of {domain}", text("pointer")));
        if target == "profile" {
            let file = std::fs::read(write(tour, answer, "settings")?)?;
            let installed = tour.iphone.phone.install_profile(&file);
            installed.map_err(|error| answer.broken(error.to_string()))?;
            continue;
        }
        let settings = answer.json.pointer(text("pointer")).unwrap_or(&Value::Null);
        let name = format!("{domain}-{}.json", tour.iphone.serial_number);
        let file = tour.files.write(&name, &settings.to_string())?;
        let read = serde_json::from_slice(&std::fs::read(file)?);
        let settings = read.map_err(|error| answer.broken(error.to_string()))?;
        tour.iphone.phone.configure_app(domain, settings);
    }
    Ok(())
}

pub async fn registered(tour: &mut Tour) -> Outcome {
    let okta_verify = tour.iphone.phone.open_okta_verify();
    let registration = okta_verify.registration();
    let read = (registration.serial_number.as_deref(), registration.udid.as_deref());
    let given = (Some(&*tour.iphone.serial_number), Some(&*tour.iphone.udid));
    if read != given {
        let what = format!("Okta Verify reads {read:?}, but the iPhone has {given:?}");
        return Err(Broken { what, answer: None });
    }
    tour.iphone.okta_id = tour.org.add_device(&registration).await?;
    tour.iphone.user_id = tour.org.add_user(LOGIN).await?;
    tour.org.enroll(&tour.iphone.okta_id, &tour.iphone.user_id).await?;
    let answer = until_trust(tour, "pending", "awaiting_fastpass_sign_in").await?;
    answer.entry("/okta_devices", "okta_device_id", &tour.iphone.okta_id)?;
    Ok("the record has the iPhone's identifiers; its user has not signed in yet".to_owned())
}

pub async fn signed_in(tour: &mut Tour) -> Outcome {
    let okta_verify = tour.iphone.phone.open_okta_verify();
    let proves = |host: &&str| okta_verify.proves_management(host, &tour.secret_key);
    if !tour.org.hosts().iter().any(proves) {
        let what =
            format!("Okta Verify has no secret key for the org at {:?}", okta_verify.org_host);
        return Err(Broken { what, answer: None });
    }
    tour.org.sign_in_with_fastpass(&tour.iphone.okta_id, &tour.iphone.user_id).await?;
    let answer = until_trust(tour, "trusted", "managed_and_active").await?;
    answer.expect("/users/0/login", LOGIN)?.expect("/users/0/management_status", "MANAGED")?;
    Ok("trusted".to_owned())
}

async fn until_trust(tour: &mut Tour, trust: &str, reason: &str) -> Result<Answer, Broken> {
    let status = |tour: &Tour| {
        let path = format!("/trust-status/devices/{}", tour.iphone.serial_number);
        Ask::get(path).token(&tour.reader)
    };
    let what = format!("{trust} because of {reason}");
    let answer = until(tour, status, &what, |answer| is(answer, trust, reason)).await?;
    show(tour, &answer);
    Ok(answer)
}
