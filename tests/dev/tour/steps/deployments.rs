//! Deployments for a Mac and an iPhone, written to files and read back.

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::tour::answer::{Answer, Broken, Outcome, PROFILE_TYPE};
use crate::tour::client::{Ask, Tour};
use crate::tour::files::is_private;
use crate::tour::profile::Profile;
use crate::tour::secrets::HIDDEN;

/// Maximum number of challenges per device in ten minutes.
const MAX_CHALLENGES: usize = 5;
/// Challenges of the steps before [`too_often`].
const CHALLENGES_BEFORE: usize = 2;

const SCEP: &str = "com.apple.security.scep";
const SINGLE_SIGN_ON: &str = "com.apple.extensiblesso";
const PREFERENCES: &str = "com.apple.ManagedClient.preferences";
const DOMAINS: [&str; 2] = ["com.okta.mobile", "com.okta.mobile.auth-service-extension"];

const MAC_UDID: &str = "5D1C8A34-2B7E-4F60-9A13-C0FFEE7A0B5E";
const IPHONE_SERIAL: &str = "F2LTOUR0PHN1";

fn mac() -> Value {
    json!({ "serial_number": "C02TOUR0MAC1", "udid": MAC_UDID })
}

fn iphone() -> Value {
    json!({
        "serial_number": IPHONE_SERIAL,
        "udid": "00008110-000A1B2C3D4E801E",
        "user_principal_name": "ada@acme.example",
    })
}

fn challenge(tour: &Tour) -> Ask {
    let path = tour.path("/platforms/macos/scep-challenges");
    Ask::post(path).token(&tour.mdm).body(json!({ "device": mac() }))
}

pub(super) fn deployment(tour: &Tour, platform: &str, body: Value) -> Ask {
    let path = tour.path(&format!("/platforms/{platform}/deployments"));
    Ask::post(path).token(&tour.mdm).body(body)
}

pub async fn admin_may_not(tour: &mut Tour) -> Outcome {
    let path = tour.path("/platforms/macos/deployments");
    let answer = tour.ask(Ask::post(path).body(json!({ "device": mac() }))).await?;
    answer.expect_problem(403, "scope_missing")?;
    Ok(answer.text_at("/detail").to_owned())
}

pub async fn one_challenge(tour: &mut Tour) -> Outcome {
    let answer = tour.ask(challenge(tour).header("Accept-Encoding", "gzip")).await?;
    expect_secret_response(&answer)?;
    let value = answer.expect_secret("/challenge")?;
    tour.secrets.add_deployable("a challenge", value);
    answer.expect("/scep_url", tour.org.scep_url())?;
    tour.screen.row(&format!("challenge   {HIDDEN}"));
    for name in ["scep_url", "issued_at", "use_before", "expires_at"] {
        let text = answer.text_at(&format!("/{name}"));
        answer.expect_that(!text.is_empty(), &format!("there is {name}"))?;
        tour.screen.row(&format!("{name:<11} {text}"));
    }
    // The simulated CA accepts a challenge once, as for a Mac's certificate request.
    let uses = [tour.org.use_challenge(value).await?, tour.org.use_challenge(value).await?];
    answer.expect_that(
        uses == [true, false],
        "Okta accepts the challenge once and refuses it the second time",
    )?;
    Ok("Okta accepts it once and refuses it the second time".to_owned())
}

pub async fn for_a_mac(tour: &mut Tour) -> Outcome {
    let answer = tour.ask(deployment(tour, "macos", json!({ "device": mac() }))).await?;
    expect_secret_response(&answer)?;
    answer.expect("/app_configuration", Value::Null)?;
    let parts: Vec<&Value> =
        answer.list_at("/profiles").iter().map(|profile| &profile["part"]).collect();
    answer.expect_that(parts == ["certificate", "settings"], "a Mac gets two profiles")?;

    let certificate = write(tour, &answer, "certificate")?;
    let settings = write(tour, &answer, "settings")?;
    let use_before = &answer.entry("/profiles", "part", "certificate")?["use_before"];
    answer.expect_that(use_before.is_string(), "the certificate profile has use_before")?;
    let what = "the certificate profile contains one SCEP payload";
    let profile = Profile::read(&certificate)?;
    answer.expect_that(profile.types() == ["Configuration", SCEP], what)?;
    let of_scep = |path: &[&str]| profile.text(SCEP, &[&["PayloadContent"], path].concat());
    let value = of_scep(&["Challenge"]);
    tour.secrets.add_deployable("a challenge", value);
    let is_new = tour.org.challenges().await?.last().is_some_and(|newest| newest == value);
    answer.expect_that(is_new, "the profile contains the newest challenge")?;
    answer.expect_that(
        of_scep(&["URL"]) == tour.org.scep_url(),
        "the profile contains the SCEP URL",
    )?;
    let name = of_scep(&["Subject", "0", "0", "1"]);
    let fits = name.contains("managementAttestation") && name.contains(MAC_UDID);
    answer.expect_that(fits, "the CN contains managementAttestation and the UDID")?;
    tour.screen.row(&format!("CN={name}  Challenge {HIDDEN}"));

    let types = ["Configuration", SINGLE_SIGN_ON, PREFERENCES, PREFERENCES];
    let profile = Profile::read(&settings)?;
    let what =
        "the settings profile contains the single sign-on extension and both preference domains";
    answer.expect_that(profile.types() == types, what)?;
    let without_challenge = !std::fs::read_to_string(&settings)?.contains(value);
    answer.expect_that(without_challenge, "the settings profile contains no challenge")?;
    Ok(format!("two profiles of configuration version {}", answer.json["config_version"]))
}

pub async fn as_a_file(tour: &mut Tour) -> Outcome {
    let body = json!({ "device": mac(), "parts": ["settings"] });
    let in_json = tour.ask(deployment(tour, "macos", body.clone())).await?;
    expect_secret_response(&in_json)?;
    let entry = in_json.entry("/profiles", "part", "settings")?;
    let content = content(&in_json, entry)?;
    let file = tour.ask(deployment(tour, "macos", body).header("Accept", PROFILE_TYPE)).await?;
    expect_secret_response(&file)?.expect_header("content-type", PROFILE_TYPE)?;
    let name = entry["file_name"].as_str().unwrap_or("?");
    file.expect_header("content-disposition", &format!("attachment; filename=\"{name}\""))?;
    file.expect_that(file.text == content, "the file equals the base64 content in the JSON")?;
    Ok(format!("{} bytes, identical to the JSON response", file.text.len()))
}

pub async fn for_an_iphone(tour: &mut Tour) -> Outcome {
    let body = json!({ "device": iphone(), "options": { "enrollment_options": "prompt_always" } });
    let answer = tour.ask(deployment(tour, "ios", body)).await?;
    expect_secret_response(&answer)?;
    let settings = Profile::read(&write(tour, &answer, "settings")?)?;
    let types = settings.types() == ["Configuration", SINGLE_SIGN_ON];
    answer.expect_that(types, "the profile contains the single sign-on extension")?;
    let hint = settings.text(SINGLE_SIGN_ON, &["ExtensionData", "managementHint"]);
    answer.expect_that(hint == tour.secret_key, "the profile contains the secret key")?;

    let app = &answer.json["app_configuration"];
    let domains: Vec<&String> = app.as_object().into_iter().flat_map(|app| app.keys()).collect();
    answer.expect_that(domains == DOMAINS, "the app configuration has both domains")?;
    for domain in DOMAINS {
        let of_domain = &app[domain];
        let has_key = of_domain["managementHint"] == *tour.secret_key;
        answer.expect_that(has_key, &format!("{domain} contains the secret key"))?;
        for (key, value) in of_domain.as_object().into_iter().flatten() {
            let value =
                if key == "managementHint" { HIDDEN } else { value.as_str().unwrap_or("?") };
            tour.screen.row(&format!("{domain}  {key} = {value}"));
        }
    }
    let text = serde_json::to_string_pretty(app).unwrap_or_default();
    let name = format!("okta-verify-{IPHONE_SERIAL}.json");
    let path = tour.files.write(&name, &format!("{text}\n"))?;
    answer.expect_that(is_private(&path)?, "only the owner can read the file")?;
    Ok("a profile and the managed app configuration, with the secret key in all three".to_owned())
}

pub async fn too_often(tour: &mut Tour) -> Outcome {
    for _ in CHALLENGES_BEFORE..MAX_CHALLENGES {
        let answer = tour.ask(challenge(tour)).await?;
        expect_secret_response(&answer)?;
        tour.secrets.add_deployable("a challenge", answer.expect_secret("/challenge")?);
    }
    let answer = tour.ask(challenge(tour)).await?;
    answer.expect_problem(429, "too_many_challenges")?;
    let seconds: u64 = answer.header("retry-after").parse().unwrap_or_default();
    answer.expect_that((1..=600).contains(&seconds), "Retry-After is within ten minutes")?;
    Ok(format!("{} Retry-After: {seconds}", answer.text_at("/detail")))
}

/// Asserts a 201 that is neither cached nor compressed (compression could leak a secret).
pub(super) fn expect_secret_response(answer: &Answer) -> Result<&Answer, Broken> {
    answer.expect_status(201)?.expect_header("cache-control", "no-store")?;
    answer.expect_header("content-encoding", "")
}

/// Writes a profile of the response to its file and prints a summary.
pub(super) fn write(tour: &mut Tour, answer: &Answer, part: &str) -> Result<PathBuf, Broken> {
    let entry = answer.entry("/profiles", "part", part)?;
    let text = |name: &str| entry[name].as_str().unwrap_or("-");
    answer.expect_that(text("content_type") == PROFILE_TYPE, "the profile has its media type")?;
    let content = content(answer, entry)?;
    let path = tour.files.write(text("file_name"), &content)?;
    answer.expect_that(is_private(&path)?, "only the owner can read the file")?;
    let (identifier, uuid) = (text("payload_identifier"), text("payload_uuid"));
    let named = content.contains(identifier) && content.contains(uuid);
    answer.expect_that(named, "the profile has the identifier and the UUID of the response")?;
    let identifier = identifier.replace(&tour.integration, "{id}");
    tour.screen.row(&format!("{part:<12} {identifier}  {uuid}"));
    let line = format!("{:<12} {} bytes", "", content.len());
    tour.screen.row(&match entry["use_before"].as_str() {
        Some(time) => format!("{line}, use before {time}"),
        None => line,
    });
    Ok(path)
}

fn content(answer: &Answer, entry: &Value) -> Result<String, Broken> {
    let bytes = STANDARD.decode(entry["content"].as_str().unwrap_or_default()).unwrap_or_default();
    let text = String::from_utf8(bytes).unwrap_or_default();
    answer.expect_that(!text.is_empty(), "the content is base64")?;
    Ok(text)
}
