//! The setup steps for a front end.

use serde_json::{Value, json};

use crate::support::world::World;

fn states(setup: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    setup["steps"]
        .as_array()
        .expect("steps")
        .iter()
        .map(|step| (text(&step["name"]), text(&step["state"])))
        .collect()
}

fn current(setup: &Value) -> Vec<String> {
    states(setup)
        .into_iter()
        .filter(|(_, state)| state == "current")
        .map(|(name, _)| name)
        .collect()
}

#[tokio::test]
async fn setup_proceeds_by_step_and_names_the_next_form() {
    let world = World::build()
        .setting("ODT_MDM_NAME", "Acme MDM")
        .setting("ODT_ENROLLMENT_LINK", "https://enroll.mdm.example.com/acme")
        .start()
        .await;
    let path = world.integration().await;
    let setup = world.get(&format!("{path}/setup")).await.expect(200);
    let names: Vec<_> = states(&setup).into_iter().map(|(name, _)| name).collect();
    assert_eq!(
        names,
        [
            "domain",
            "authorize",
            "credentials",
            "prerequisites",
            "platforms",
            "macos",
            "ios",
            "complete"
        ]
    );
    assert_eq!(current(&setup), ["authorize"]);
    let authorize = &setup["steps"][1];
    assert_eq!(authorize["links"][0]["href"], "https://acme-admin.okta.com/");
    assert_eq!(setup["next_form"]["path"], format!("{path}/credentials"));
    assert_eq!(setup["next_form"]["fields"][1]["secret"], true);

    world.put(&format!("{path}/credentials"), &world.credentials()).await.expect(201);
    let setup = world.get(&format!("{path}/setup")).await.expect(200);
    assert_eq!(current(&setup), ["platforms"]);
    assert_eq!(setup["next_form"]["method"], "PATCH");
    assert_eq!(setup["steps"][3]["warnings"], json!(["adaptive_mfa", "okta_verify_distribution"]));

    world.patch(&path, &json!({ "selected_platforms": ["ios"] })).await.expect(200);
    let setup = world.get(&format!("{path}/setup")).await.expect(200);
    assert_eq!(current(&setup), ["ios"], "macOS was not selected, so its step is skipped");
    let ios = &setup["steps"][6];
    assert_eq!(ios["copy"][0]["value"], "Acme MDM");
    assert_eq!(ios["copy"][1]["value"], "https://enroll.mdm.example.com/acme");
    assert_eq!(setup["status"], "setup");
    assert_eq!(setup["status_reasons"], json!(["platform_not_configured"]));
}

#[tokio::test]
async fn each_text_has_a_stable_id() {
    let world = World::start().await;
    let path = world.integration().await;
    let setup = world.get(&format!("{path}/setup")).await.expect(200);
    for step in setup["steps"].as_array().expect("steps") {
        let id = step["text_id"].as_str().expect("text_id");
        assert_eq!(id, format!("setup.{}", step["name"].as_str().expect("name")));
        assert!(step["text"].as_str().is_some_and(|text| text.len() > 20));
    }
}

#[tokio::test]
async fn rejected_client_shows_the_credentials_form_again() {
    let world = World::start().await;
    let path = world.configured().await;
    world.acme.change(|knobs| knobs.client_active = false);
    world.post(&format!("{path}/prerequisites/check"), &json!(null)).await.expect(200);
    let setup = world.get(&format!("{path}/setup")).await.expect(200);
    assert_eq!(setup["status_reasons"], json!(["client_refused"]));
    assert_eq!(current(&setup), ["credentials"]);
    assert_eq!(setup["next_form"]["path"], format!("{path}/credentials"));
    let done = states(&setup).into_iter().filter(|(_, state)| state == "done");
    let done: Vec<_> = done.map(|(name, _)| name).collect();
    assert_eq!(done, ["domain", "authorize", "platforms", "macos", "ios"]);
}

#[tokio::test]
async fn the_credentials_step_offers_both_ways_with_the_steps_of_each() {
    let world = World::build().setting("ODT_PUBLIC_URL", "https://trust.example.com").start().await;
    let path = world.integration().await;
    let setup = world.get(&format!("{path}/setup")).await.expect(200);
    let choices = setup["steps"][2]["choices"].as_array().expect("choices").clone();
    let of = |choices: &[Value], key: &str| -> Vec<Value> {
        choices.iter().map(|choice| choice[key].clone()).collect()
    };
    assert_eq!(of(&choices, "kind"), ["client_secret", "private_key_jwt"]);
    assert_eq!(of(&choices, "chosen"), [true, false]);
    assert_eq!(setup["next_form"]["kind"], "client_secret");
    let ids: Vec<&Value> =
        choices[1]["instructions"].as_array().unwrap().iter().map(|i| &i["text_id"]).collect();
    assert_eq!(ids[0], "instruction.service_app.make_key");
    assert_eq!(ids.len(), 7);
    assert_eq!(choices[1]["copy"], json!([]), "no key was made yet");
    assert!(setup["steps"][1].get("choices").is_none());

    let made = world.make_key(&path).await.expect(201);
    let setup = world.get(&format!("{path}/setup")).await.expect(200);
    let choices = setup["steps"][2]["choices"].as_array().expect("choices").clone();
    assert_eq!(of(&choices, "chosen"), [false, true]);
    let copied = choices[1]["copy"][0]["value"].as_str().expect("a key");
    assert_eq!(serde_json::from_str::<Value>(copied).expect("JSON"), made["public_jwk"]);
    assert_eq!(choices[1]["copy"][1]["value"], made["jwks_url"]);
    assert_eq!(setup["next_form"]["kind"], "private_key_jwt");
    assert_eq!(setup["next_form"]["fields"].as_array().expect("fields").len(), 1);
}
