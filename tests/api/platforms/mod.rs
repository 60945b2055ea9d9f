//! Configuration of macOS and iOS: verified before it is stored, with a problem for each error of Okta, and
//! rotated in one step.

mod catalogue;
mod challenges;
mod deployments;
mod rendering;
mod user_enrollment;

use reqwest::Method;
use serde_json::json;
use testkit::okta::{CaAnswer, ChallengePage, Fault, OrgSetup, PageEncoding, ScepKnobs};

use crate::support::answer::item;
use crate::support::world::World;

type Change = Box<dyn FnOnce(&mut ScepKnobs)>;

fn change(world: &World, change: impl FnOnce(&mut ScepKnobs)) {
    world.acme.change(|knobs| change(&mut knobs.scep));
}

#[tokio::test]
async fn macos_is_verified_before_it_is_stored_and_shows_its_ca() {
    let world = World::start().await;
    let path = world.connected().await;
    world.acme.journal().clear();
    let answer = world.put(&format!("{path}/platforms/macos"), &world.macos_settings()).await;
    assert_eq!(answer.etag(), "\"3\"");
    let stored = answer.expect(201);
    assert_eq!(stored["verification"]["state"], "verified");
    assert_eq!(stored["password"]["set"], true);
    assert!(
        stored["certificate_authority"]["subject"]
            .as_str()
            .is_some_and(|subject| subject.contains("CN="))
    );
    assert_eq!(
        stored["certificate_authority"]["sha256_fingerprint"].as_str().map(str::len),
        Some(64)
    );
    assert_eq!(stored["config_version"], 1);
    assert_eq!(world.acme.scep_challenges().len(), 1, "one real challenge was fetched");
    let asked = world.acme.journal().entries();
    assert_eq!(asked.len(), 2, "and the certificate authority");
    assert!(asked.iter().all(|entry| entry.status != Some(401)), "no anonymous probe goes first");
    let report = world.get(&format!("{path}/prerequisites")).await.expect(200);
    assert_eq!(item(&report, "adaptive_mfa")["outcome"], "inferred");
    assert_eq!(world.get(&format!("{path}/platforms/macos")).await.expect(200), stored);
}

#[tokio::test]
async fn integration_with_both_platforms_is_active_and_set_up() {
    let world = World::start().await;
    let path = world.configured().await;
    let integration = world.get(&path).await.expect(200);
    assert_eq!(
        (&integration["status"], &integration["status_reasons"]),
        (&json!("active"), &json!([]))
    );
    let setup = world.get(&format!("{path}/setup")).await.expect(200);
    for step in setup["steps"].as_array().expect("steps") {
        assert_eq!(step["state"], "done", "{step}");
    }
    assert_eq!(setup["next_form"], json!(null));
    let platforms = world.get(&format!("{path}/platforms")).await.expect(200);
    assert_eq!(platforms["items"].as_array().map(Vec::len), Some(2));
}

#[tokio::test]
async fn setup_shows_the_form_of_the_next_platform() {
    let world = World::start().await;
    let path = world.connected().await;
    world.patch(&path, &json!({ "selected_platforms": ["macos", "ios"] })).await.expect(200);
    let form = world.get(&format!("{path}/setup")).await.expect(200)["next_form"].clone();
    assert_eq!((&form["step"], &form["method"]), (&json!("macos"), &json!("PUT")));
    assert_eq!(form["path"], format!("{path}/platforms/macos"));
    assert_eq!(form["fields"].as_array().map(Vec::len), Some(4));
}

#[tokio::test]
async fn ios_cannot_be_verified() {
    let world = World::start().await;
    let path = world.connected().await;
    world.acme.journal().clear();
    let stored = world
        .put(&format!("{path}/platforms/ios"), &json!({ "secret_key": "Tr1cky-Secret-Key" }))
        .await
        .expect(201);
    assert_eq!(stored["verification"]["state"], "unverifiable");
    assert!(
        stored["verification"]["reason"].as_str().is_some_and(|reason| reason.contains("no way"))
    );
    assert_eq!(stored["secret_key"]["set"], true);
    assert!(world.acme.journal().entries().is_empty());
    assert!(!stored.to_string().contains("Tr1cky"));
}

#[tokio::test]
async fn challenge_page_is_read_in_every_encoding() {
    let world = World::start().await;
    let path = format!("{}/platforms/macos", world.connected().await);
    for encoding in PageEncoding::ALL {
        change(&world, |knobs| {
            knobs.encoding = encoding;
            knobs.lower_case = encoding == PageEncoding::Utf8;
            knobs.html_entities = encoding == PageEncoding::Utf16Le;
            knobs.page_content_type = Some("text/plain; charset=koi8-r".to_owned());
        });
        let answer = world
            .ask(Method::PUT, &format!("{path}?dry_run=true"))
            .admin()
            .json(&world.macos_settings())
            .send()
            .await;
        assert_eq!(answer.expect(200)["stored"], false, "{encoding:?}");
    }
    world.get(&path).await.expect_problem(404, "not_found");
}

#[tokio::test]
async fn ca_certificate_is_read_with_any_content_type() {
    let world = World::start().await;
    let path = format!("{}/platforms/macos?dry_run=true", world.connected().await);
    for ca in
        [CaAnswer::Certificate, CaAnswer::Pkcs7, CaAnswer::Pkcs7WithRa, CaAnswer::Pkcs7WithRaInBer]
    {
        change(&world, |knobs| {
            knobs.ca = ca;
            knobs.ca_content_type = Some("application/octet-stream".to_owned());
        });
        let tried = world.put(&path, &world.macos_settings()).await.expect(200);
        assert!(tried["certificate_authority"]["subject"].is_string(), "{ca:?}");
    }
}

#[tokio::test]
async fn each_failure_has_its_own_code_and_stores_nothing() {
    let world = World::start().await;
    let path = format!("{}/platforms/macos", world.connected().await);
    let cases: Vec<(u16, &str, Change)> = vec![
        (422, "scep_permission_missing", Box::new(|k| k.page = ChallengePage::NoPermission)),
        (503, "challenge_cache_full", Box::new(|k| k.page = ChallengePage::CacheFull)),
        (422, "scep_challenge_missing", Box::new(|k| k.page = ChallengePage::WithoutChallenge)),
        (422, "scep_challenge_missing", Box::new(|k| k.page = ChallengePage::SignIn)),
        (422, "scep_challenge_missing", Box::new(|k| k.page = ChallengePage::Empty)),
        (422, "scep_challenge_missing", Box::new(|k| k.page = ChallengePage::Oversized)),
        (422, "scep_ca_unreadable", Box::new(|k| k.ca = CaAnswer::Empty)),
        (422, "scep_ca_unreadable", Box::new(|k| k.ca = CaAnswer::Html)),
        (422, "scep_ca_unreadable", Box::new(|k| k.ca = CaAnswer::Garbage)),
        (422, "scep_ca_unreadable", Box::new(|k| k.ca = CaAnswer::Oversized)),
        (422, "scep_ca_expired", Box::new(|k| k.ca_expired = true)),
    ];
    for (status, code, turn) in cases {
        let knobs = world.acme.knobs();
        change(&world, turn);
        world.put(&path, &world.macos_settings()).await.expect_problem(status, code);
        world.acme.change(|now| *now = knobs);
    }
    let mut wrong = world.macos_settings();
    wrong["password"] = json!("not-the-password");
    world.put(&path, &wrong).await.expect_problem(422, "scep_credentials_refused");
    let mut elsewhere = world.macos_settings();
    elsewhere["challenge_url"] = json!(format!("https://{}/nothing/here", world.acme.host()));
    world.put(&path, &elsewhere).await.expect_problem(422, "scep_wrong_url");
    world.acme.fail(Fault::status(503));
    world.put(&path, &world.macos_settings()).await.expect_problem(504, "okta_unreachable");
    world.acme.recover();
    world.get(&path).await.expect_problem(404, "not_found");
}

#[tokio::test]
async fn blanks_that_were_copied_along_are_removed_from_all_four_values() {
    let world = World::start().await;
    let path = format!("{}/platforms/macos", world.connected().await);
    let mut copied = world.macos_settings();
    for (field, value) in copied.as_object_mut().expect("an object") {
        let text = value.as_str().expect("a text").to_owned();
        *value = json!(format!(" \u{a0}{text}\u{200b}\t\u{feff}"));
        assert_ne!(*value, json!(text), "{field}");
    }
    let stored = world.put(&path, &copied).await.expect(201);
    assert_eq!(stored["username"], world.acme.scep_username());
    assert_eq!(stored["challenge_url"], world.acme.challenge_url());
    assert_eq!(stored["verification"]["state"], "verified");
}

#[tokio::test]
async fn the_values_of_a_static_challenge_are_refused_by_what_they_lack() {
    let world = World::start().await;
    let path = format!("{}/platforms/macos", world.connected().await);
    // Guides for a static challenge show a SCEP URL and a secret key, and no challenge URL.
    let body = json!({ "scep_url": world.acme.scep_url(), "secret_key": "Tr1cky-Secret-Key" });
    let problem = world.put(&path, &body).await.expect_problem(422, "invalid_request");
    let errors = problem["errors"].as_array().expect("errors").clone();
    let pointers: Vec<_> = errors.iter().map(|error| error["pointer"].clone()).collect();
    assert!(pointers.contains(&json!("/challenge_url")), "{problem}");
    assert!(pointers.contains(&json!("/secret_key")), "{problem}");
    let mut same = world.macos_settings();
    same["challenge_url"] = json!(world.acme.scep_url());
    world.put(&path, &same).await.expect_problem(422, "scep_wrong_url");
    assert!(world.acme.scep_challenges().is_empty());
}

#[tokio::test]
async fn urls_that_lead_elsewhere_are_refused_before_anything_is_asked() {
    let world = World::start().await;
    let path = format!("{}/platforms/macos", world.connected().await);
    world.acme.journal().clear();
    let host = world.acme.host();
    for (url, code) in [
        ("https://evil.example/pki/scep".to_owned(), "other_host"),
        (format!("https://{host}.evil.example/pki"), "other_host"),
        ("https://127.0.0.1/pki".to_owned(), "other_host"),
        (format!("http://{host}/pki"), "not_https"),
        (format!("https://user:pass@{host}/pki"), "has_userinfo"),
        (format!("https://{host}:8443/pki"), "has_port"),
        (format!("https://{host}/pki#x"), "invalid_url"),
        ("not a url".to_owned(), "invalid_url"),
        (format!("https://{host}/{}", "x".repeat(2048)), "too_long"),
    ] {
        for field in ["scep_url", "challenge_url"] {
            let mut body = world.macos_settings();
            body[field] = json!(url);
            let problem = world.put(&path, &body).await.expect_problem(422, "invalid_request");
            assert_eq!(problem["errors"][0]["pointer"], format!("/{field}"), "{url}");
            assert_eq!(problem["errors"][0]["code"], code, "{url}");
        }
    }
    assert!(world.acme.journal().entries().is_empty());
}

#[tokio::test]
async fn invalid_fields_and_fields_of_the_other_platform_are_named() {
    let world = World::start().await;
    let path = format!("{}/platforms", world.connected().await);
    for (platform, body, pointer, code) in [
        ("ios", json!({ "secret_key": "1234567" }), "/secret_key", "too_short"),
        ("ios", json!({ "secret_key": "x".repeat(257) }), "/secret_key", "too_long"),
        ("ios", json!({ "secret_key": "with a blank" }), "/secret_key", "invalid_characters"),
        ("ios", json!({}), "/secret_key", "missing"),
        ("ios", json!({ "secret_key": null }), "/secret_key", "invalid"),
        ("ios", json!({ "secret_key": "12345678", "username": "x" }), "/username", "unknown_field"),
        ("macos", json!({ "secret_key": "12345678" }), "/secret_key", "unknown_field"),
        ("macos", json!({}), "/scep_url", "missing"),
    ] {
        let problem = world
            .put(&format!("{path}/{platform}"), &body)
            .await
            .expect_problem(422, "invalid_request");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
        assert_eq!(problem["errors"][0]["code"], code, "{problem}");
    }
    world.put(&format!("{path}/windows"), &json!({})).await.expect_problem(404, "not_found");
}

#[tokio::test]
async fn reset_password_degrades_until_the_new_one_is_stored() {
    let world = World::start().await;
    let path = world.configured().await;
    let platform = format!("{path}/platforms/macos");
    world.acme.reset_scep_password();
    let verify = || world.ask(Method::POST, &format!("{platform}/verify")).admin().send();
    verify().await.expect_problem(422, "scep_credentials_refused");
    let integration = world.get(&path).await.expect(200);
    assert_eq!(
        (&integration["status"], &integration["status_reasons"]),
        (&json!("degraded"), &json!(["scep_credentials_refused"]))
    );
    let before = world.get(&platform).await.expect(200);
    world
        .patch(&platform, &json!({ "password": "wrong" }))
        .await
        .expect_problem(422, "scep_credentials_refused");
    assert_eq!(world.get(&platform).await.expect(200), before, "the stored configuration is kept");
    let rotated = world
        .patch(&platform, &json!({ "password": world.acme.scep_password() }))
        .await
        .expect(200);
    assert!(rotated["password"]["version"].as_i64() > before["password"]["version"].as_i64());
    assert_eq!(
        rotated["config_version"], before["config_version"],
        "nothing on the Macs changes by it"
    );
    assert_eq!(world.get(&path).await.expect(200)["status"], "active");
    assert_eq!(verify().await.expect(200)["verification"]["state"], "verified");
}

#[tokio::test]
async fn deletion_requires_confirmation_if_devices_depend_on_it() {
    let world = World::start().await;
    let path = world.configured().await;
    let platform = format!("{path}/platforms/ios");
    let deploy =
        world.ask(Method::POST, &format!("{platform}/deployments")).scopes(&["odt:deploy"]);
    let device = json!({ "device": { "serial_number": "F2LABCDEFG12", "udid": "00008030-001A2B3C4D5E6F70" } });
    deploy.json(&device).send().await.expect(201);
    let problem = world.delete(&platform).await.expect_problem(409, "confirmation_required");
    assert_eq!((&problem["devices"], &problem["platforms"]), (&json!(1), &json!(["ios"])));
    assert!(problem["checklist"].as_array().is_some_and(|list| list.len() == 3), "{problem}");
    let problem = world.delete(&path).await.expect_problem(409, "confirmation_required");
    assert_eq!(problem["platforms"], json!(["macos", "ios"]));
    let deleted = world.delete(&format!("{platform}?confirm=true")).await.expect(200);
    assert_eq!(deleted["deleted"], "ios");
    world.get(&platform).await.expect_problem(404, "not_found");
    world.delete(&format!("{path}?confirm=true")).await.expect(200);
    assert_eq!(world.count("platforms"), 0);
}

#[tokio::test]
async fn org_cannot_change_with_a_configured_platform() {
    let world = World::build().org(OrgSetup::new("globex")).start().await;
    let path = world.integration().await;
    world.put(&format!("{path}/platforms/macos"), &world.macos_settings()).await.expect(201);
    world
        .patch(&path, &json!({ "okta_domain": "globex.okta.com" }))
        .await
        .expect_problem(409, "other_org");
}

#[tokio::test]
async fn versions_increase_only_for_deployed_values() {
    let world = World::start().await;
    let path = world.configured().await;
    let (macos, ios) = (format!("{path}/platforms/macos"), format!("{path}/platforms/ios"));
    let before = world.get(&macos).await.expect(200);
    let asked = world.acme.journal().entries().len();
    for nothing in [json!({}), json!({ "username": world.acme.scep_username() })] {
        assert_eq!(world.patch(&macos, &nothing).await.expect(200), before);
    }
    assert_eq!(world.acme.journal().entries().len(), asked, "nothing was tried");
    let before = world.get(&ios).await.expect(200);
    let rotated =
        world.patch(&ios, &json!({ "secret_key": "An0ther-Secret-Key" })).await.expect(200);
    assert!(
        rotated["config_version"].as_i64() > before["config_version"].as_i64(),
        "iPhones carry the key"
    );
    assert!(rotated["secret_key"]["version"].as_i64() > before["secret_key"]["version"].as_i64());
}

#[tokio::test]
async fn rejected_scep_credentials_are_audited_without_their_values() {
    let world = World::start().await;
    let path = world.connected().await;
    let mut wrong = world.macos_settings();
    wrong["password"] = json!("not-the-password");
    let refused = world.put(&format!("{path}/platforms/macos"), &wrong).await;
    refused.expect_problem(422, "scep_credentials_refused");
    let events = world.get(&format!("{path}/events")).await.expect(200).to_string();
    assert!(
        events.contains("scep_credentials_refused") && !events.contains("not-the-password"),
        "{events}"
    );
}
