//! Service apps of the customer's own: the service makes the key pair, Okta gets the public half.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::answer::{Answer, item};
use crate::support::process::{Process, run};
use crate::support::world::{KEYRING, World};

const PUBLIC_URL: &str = "https://trust.example.com";

/// A world whose org has a service app in place of the catalogue's integration; the path of its integration.
pub async fn service_app() -> (World, String) {
    let world = World::build().setting("ODT_PUBLIC_URL", PUBLIC_URL).start().await;
    world.acme.become_service_app();
    let path = world.integration().await;
    (world, path)
}

impl World {
    pub async fn make_key(&self, path: &str) -> Answer {
        self.ask(Method::POST, &format!("{path}/credentials/keys")).admin().send().await
    }

    /// What an admin does: makes a key and enters its public half in Okta. Its id.
    pub async fn enter_key(&self, path: &str) -> String {
        let made = self.make_key(path).await.expect(201);
        self.acme.add_client_key(made["public_jwk"].clone());
        made["kid"].as_str().expect("kid").to_owned()
    }

    pub fn own_app(&self) -> Value {
        json!({ "kind": "private_key_jwt", "client_id": self.acme.client_id() })
    }

    pub async fn connect_own_app(&self, path: &str) -> Answer {
        self.put(&format!("{path}/credentials"), &self.own_app()).await
    }

    /// The ids of the keys by their state.
    async fn keys(&self, path: &str) -> Value {
        let listed = self.get(&format!("{path}/credentials/keys")).await.expect(200);
        let items = listed["items"].as_array().expect("items").iter();
        items.map(|key| (key["state"].as_str().unwrap().to_owned(), key["kid"].clone())).collect()
    }
}

async fn jwks(world: &World, url: &str) -> Answer {
    let path = url.strip_prefix(PUBLIC_URL).expect("below the public address");
    world.ask(Method::GET, path).send().await
}

#[tokio::test]
async fn a_service_app_connects_with_the_key_that_was_made_for_it() {
    let (world, path) = service_app().await;
    let made = world.make_key(&path).await.expect(201);
    assert_eq!(made["state"], "pending");
    let jwk = made["public_jwk"].as_object().expect("a key");
    let members: Vec<&str> = jwk.keys().map(String::as_str).collect();
    assert_eq!(members, ["alg", "e", "kid", "kty", "n", "use"], "the public half alone");
    world.acme.add_client_key(made["public_jwk"].clone());
    let connected = world.connect_own_app(&path).await.expect(201);
    assert_eq!(connected["integration"]["credentials"]["kind"], "private_key_jwt");
    assert_eq!(connected["prerequisites"]["ready"], true, "{connected}");
    assert_eq!(world.keys(&path).await, json!({ "active": made["kid"] }));
    let checked = world.post(&format!("{path}/prerequisites/check"), &json!(null)).await;
    assert_eq!(item(&checked.expect(200), "super_admin_scopes")["outcome"], "passed");
    let events = world.get(&format!("{path}/events")).await.expect(200).to_string();
    assert!(events.contains("client_key_created") && !events.contains("\"n\""), "{events}");
}

#[tokio::test]
async fn a_key_that_okta_does_not_have_is_refused_and_stays_pending() {
    let (world, path) = service_app().await;
    let kid = world.make_key(&path).await.expect(201)["kid"].clone();
    let refused = world.connect_own_app(&path).await.expect_problem(422, "key_refused");
    assert_eq!(refused["transient"], false);
    assert_eq!(world.count("credentials"), 0);
    assert_eq!(world.count_events("credentials_refused"), 1);
    assert_eq!(world.keys(&path).await, json!({ "pending": kid }));
    // Another key of the same id is another key.
    let other = world.make_key(&path).await.expect(200);
    let mut forged = other["public_jwk"].clone();
    forged["n"] = json!(
        "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"
    );
    world.acme.add_client_key(forged);
    world.connect_own_app(&path).await.expect_problem(422, "key_refused");
}

#[tokio::test]
async fn a_clock_that_is_off_is_not_blamed_on_the_key() {
    let (world, path) = service_app().await;
    world.enter_key(&path).await;
    for skew in [-1_200, 4_000] {
        world.acme.change(|knobs| knobs.clock_skew_seconds = skew);
        let problem = world.connect_own_app(&path).await.expect_problem(503, "clock_skew");
        let way = if skew > 0 { "behind" } else { "ahead of" };
        assert!(problem["detail"].as_str().expect("detail").contains(way), "{problem}");
    }
    assert_eq!(world.count_events("credentials_refused"), 0);
    // A clock that is off by a minute harms nobody.
    world.acme.change(|knobs| knobs.clock_skew_seconds = 45);
    world.connect_own_app(&path).await.expect(201);
    let check = format!("{path}/prerequisites/check");
    world.acme.change(|knobs| knobs.clock_skew_seconds = 4_000);
    world.post(&check, &json!(null)).await.expect_problem(503, "clock_skew");
    let integration = world.get(&path).await.expect(200).to_string();
    assert!(!integration.contains("client_refused"), "{integration}");
}

#[tokio::test]
async fn a_key_is_rotated_while_both_are_valid() {
    let (world, path) = service_app().await;
    let first = world.enter_key(&path).await;
    world.connect_own_app(&path).await.expect(201);
    let made = world.make_key(&path).await.expect(201);
    let second = made["kid"].as_str().expect("kid").to_owned();
    // Half done: the new key is not in Okta yet, and the service goes on with the old one.
    world.connect_own_app(&path).await.expect_problem(422, "key_refused");
    let check = format!("{path}/prerequisites/check");
    let report = world.post(&check, &json!(null)).await.expect(200);
    assert_eq!(report["ready"], true);
    assert_eq!(world.keys(&path).await, json!({ "active": first, "pending": second }));
    world.acme.add_client_key(made["public_jwk"].clone());
    let rotated = world.connect_own_app(&path).await.expect(200);
    assert_eq!(rotated["integration"]["credentials"]["client_secret"]["version"], 2);
    assert_eq!(world.keys(&path).await, json!({ "active": second, "previous": first }));
    let url = made["jwks_url"].as_str().expect("an address").to_owned();
    assert_eq!(jwks(&world, &url).await.expect(200)["keys"].as_array().expect("keys").len(), 2);
    // The old key goes, in Okta and here.
    world.acme.deactivate_client_key(&first);
    assert_eq!(world.post(&check, &json!(null)).await.expect(200)["ready"], true);
    let key = |kid: &str| format!("{path}/credentials/keys/{kid}");
    world.delete(&key(&second)).await.expect_problem(409, "client_key_in_use");
    assert_eq!(world.delete(&key(&first)).await.status, 204);
    world.delete(&key(&first)).await.expect_problem(404, "not_found");
    assert_eq!(world.keys(&path).await, json!({ "active": second }));
    // Entering the same client again tries the active key once more.
    world.connect_own_app(&path).await.expect(200);
}

#[tokio::test]
async fn a_key_that_is_deactivated_in_okta_degrades_the_integration_and_says_so() {
    let (world, path) = service_app().await;
    let kid = world.enter_key(&path).await;
    world.connect_own_app(&path).await.expect(201);
    world.acme.deactivate_client_key(&kid);
    let report = world.post(&format!("{path}/prerequisites/check"), &json!(null)).await.expect(200);
    let scopes = item(&report, "super_admin_scopes");
    assert_eq!((&scopes["outcome"], &scopes["reason"]), (&json!("failed"), &json!("key_refused")));
    assert!(
        scopes["remediation"]["text"].as_str().expect("text").contains("public key"),
        "{scopes}"
    );
    let integration = world.get(&path).await.expect(200);
    assert!(integration["status_reasons"].to_string().contains("client_refused"), "{integration}");
    // A new key heals it.
    world.enter_key(&path).await;
    world.connect_own_app(&path).await.expect(200);
    let integration = world.get(&path).await.expect(200);
    assert!(!integration["status_reasons"].to_string().contains("client_refused"));
}

#[tokio::test]
async fn a_key_survives_the_process_that_made_it_and_works_from_another_replica() {
    let mut world = World::build().setting("ODT_PUBLIC_URL", PUBLIC_URL).without_service().await;
    world.acme.become_service_app();
    let mut first = Process::serve(&world.environment).await;
    world.base.clone_from(&first.base);
    let path = world.integration().await;
    let made = world.make_key(&path).await.expect(201);
    first.kill();
    let second = Process::serve(&world.environment).await;
    world.base.clone_from(&second.base);
    let again = world.make_key(&path).await.expect(200);
    assert_eq!(again["public_jwk"], made["public_jwk"], "what was pasted in Okta stays good");
    world.acme.add_client_key(again["public_jwk"].clone());
    world.connect_own_app(&path).await.expect(201);
    // Another replica rotates; the one that has a token, and the one that has none, go on.
    let third = Process::serve(&world.environment).await;
    world.base.clone_from(&third.base);
    world.enter_key(&path).await;
    world.connect_own_app(&path).await.expect(200);
    let old = made["kid"].as_str().expect("kid");
    world.acme.deactivate_client_key(old);
    for base in [&second.base, &third.base] {
        world.base.clone_from(base);
        let check = format!("{path}/prerequisites/check");
        assert_eq!(world.post(&check, &json!(null)).await.expect(200)["ready"], true);
    }
}

#[tokio::test]
async fn of_two_replicas_that_make_a_key_at_once_both_answer_the_same() {
    let (world, path) = service_app().await;
    let other = Process::serve(&world.environment).await;
    let token = world.token_of(&world.tenant, &["odt:write"]);
    let ask = |base: &str| {
        world.http.post(format!("{base}{path}/credentials/keys")).bearer_auth(&token).send()
    };
    let (one, two) = tokio::join!(ask(&world.base), ask(&other.base));
    let (one, two): (Value, Value) =
        (one.unwrap().json().await.unwrap(), two.unwrap().json().await.unwrap());
    assert_eq!(one["kid"], two["kid"]);
    assert_eq!(world.count("client_keys"), 1);
    assert_eq!(world.count_events("client_key_created"), 1);
}

#[tokio::test]
async fn the_public_keys_are_readable_without_a_token_at_an_address_nobody_guesses() {
    let (world, path) = service_app().await;
    let made = world.make_key(&path).await.expect(201);
    let url = made["jwks_url"].as_str().expect("an address").to_owned();
    let set = jwks(&world, &url).await;
    assert_eq!(set.header("cache-control"), "no-store");
    assert_eq!(set.expect(200), json!({ "keys": [made["public_jwk"]] }));
    // What is at no address looks the same, whatever it is.
    let unknown = format!("{PUBLIC_URL}/jwks/okta/{}", uuid::Uuid::new_v4());
    let mut answers = Vec::new();
    for url in [unknown, format!("{PUBLIC_URL}/jwks/okta/x"), format!("{PUBLIC_URL}/jwks/okta/%00")]
    {
        let problem = jwks(&world, &url).await.expect_problem(404, "not_found");
        answers.push(problem["detail"].clone());
    }
    let kid = made["kid"].as_str().expect("kid");
    assert_eq!(world.delete(&format!("{path}/credentials/keys/{kid}")).await.status, 204);
    answers.push(jwks(&world, &url).await.expect_problem(404, "not_found")["detail"].clone());
    world.delete(&path).await.expect(200);
    answers.push(jwks(&world, &url).await.expect_problem(404, "not_found")["detail"].clone());
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    assert_eq!(world.count("jwks_routes"), 0);
    // Each address has its limit.
    for _ in 0..57 {
        jwks(&world, &url).await.expect_problem(404, "not_found");
    }
    let limited = jwks(&world, &url).await;
    assert!(limited.header("retry-after").parse::<u64>().expect("seconds") <= 60);
    limited.expect_problem(429, "too_many_key_reads");
}

#[tokio::test]
async fn without_a_public_address_no_url_is_shown_and_none_is_served() {
    let world = World::start().await;
    let path = world.integration().await;
    let made = world.make_key(&path).await.expect(201);
    assert_eq!(made.get("jwks_url"), None);
    let id = world.sql("SELECT jwks_id FROM jwks_routes");
    let read = world.ask(Method::GET, &format!("/jwks/okta/{id}")).send().await;
    read.expect_problem(404, "not_found");
}

#[tokio::test]
async fn a_kind_takes_its_own_secret_and_no_other() {
    let (world, path) = service_app().await;
    let credentials = format!("{path}/credentials");
    let (id, secret) = (world.acme.client_id(), "shown-once");
    for (body, code) in [
        (json!({ "client_id": id }), "missing"),
        (json!({ "kind": "client_secret", "client_id": id }), "missing"),
        (
            json!({ "kind": "private_key_jwt", "client_id": id, "client_secret": secret }),
            "not_allowed",
        ),
    ] {
        let problem = world.put(&credentials, &body).await.expect_problem(422, "invalid_request");
        assert_eq!(problem["errors"][0]["pointer"], "/client_secret", "{problem}");
        assert_eq!(problem["errors"][0]["code"], code);
    }
    world.connect_own_app(&path).await.expect_problem(409, "client_key_needed");
    world
        .put(&credentials, &json!({ "kind": "password", "client_id": id }))
        .await
        .expect_problem(422, "invalid_request");
}

#[tokio::test]
async fn going_back_to_a_secret_deletes_all_keys() {
    let world = World::start().await;
    let path = world.connected().await;
    world.make_key(&path).await.expect(201);
    let url_rows = || (world.count("client_keys"), world.count("jwks_routes"));
    assert_eq!(url_rows(), (1, 1));
    world.put(&format!("{path}/credentials"), &world.credentials()).await.expect(200);
    assert_eq!(url_rows(), (0, 0));
    world.make_key(&path).await.expect(201);
    world.delete(&format!("{path}/credentials")).await.expect(200);
    assert_eq!(url_rows(), (0, 0));
}

#[tokio::test]
async fn private_keys_are_sealed_and_rotate_with_the_keyring() {
    let (world, path) = service_app().await;
    world.enter_key(&path).await;
    world.connect_own_app(&path).await.expect(201);
    let key_ids = || world.sql("SELECT DISTINCT key_id FROM client_keys");
    assert_eq!(key_ids(), "test-key");
    let mut environment = world.environment.clone();
    let new_key = "new-key:AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=";
    environment.set("ODT_KEYRING", format!("{new_key},{KEYRING}"));
    run(&environment, &["rotate-keys"]).expect_success();
    assert_eq!(key_ids(), "new-key");
    environment.set("ODT_KEYRING", new_key);
    let rotated = Process::serve(&environment).await;
    let url = format!("{}{path}/prerequisites/check", rotated.base);
    let token = world.token_of(&world.tenant, &["odt:write"]);
    let report: Value =
        world.http.post(url).bearer_auth(token).send().await.unwrap().json().await.unwrap();
    assert_eq!(report["ready"], true, "{report}");
}
