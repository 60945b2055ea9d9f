//! The URL and the secret of a hook: created, rotated, deleted and verified.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::json;
use uuid::Uuid;

use crate::support::answer::Answer;
use crate::support::event_hooks::{Hooked, NOTHING, status};
use crate::support::world::World;

#[tokio::test]
async fn secret_is_returned_only_when_created() {
    let world =
        World::build().setting("ODT_PUBLIC_URL", "https://trust.example.com/").start().await;
    let path = format!("{}/event-hook", world.integration().await);
    world.get(&path).await.expect_problem(404, "not_found");
    let answer = world.put(&path, &json!({})).await;
    assert_eq!(answer.header("cache-control"), "no-store");
    let made = answer.expect(201);
    let hook_path = made["hook_path"].as_str().expect("path");
    assert_eq!(made["url"], format!("https://trust.example.com{hook_path}"));
    let id = hook_path.strip_prefix("/hooks/okta/").expect("prefix");
    assert_eq!(Uuid::parse_str(id).expect("id").get_version_num(), 4);
    let secret = made["secret"].as_str().expect("secret");
    assert_eq!(secret.len(), 43);
    assert_eq!(made["events"].as_array().expect("events").len(), 8);

    let read = world.get(&path).await.expect(200);
    assert!(!read.to_string().contains(secret), "{read}");
    let mut expected = made.clone();
    expected.as_object_mut().expect("object").remove("secret");
    assert_eq!(read, expected);
    assert_eq!(read["secret_state"]["set"], true);
    assert_eq!(read["secret_state"]["updated_by"], "admin@customer.example");
    assert_eq!((&read["verified_at"], &read["last_delivery_at"]), (&json!(null), &json!(null)));
}

#[tokio::test]
async fn without_a_public_url_only_the_path_is_returned() {
    let world = World::start().await;
    let made = world.put(&format!("{}/event-hook", world.integration().await), &json!({})).await;
    let made = made.expect(201);
    assert_eq!(made["url"], json!(null));
    assert!(made["hook_path"].as_str().is_some_and(|path| path.starts_with("/hooks/okta/")));
}

#[tokio::test]
async fn secret_cannot_be_chosen_and_no_body_is_required() {
    let world = World::start().await;
    let path = format!("{}/event-hook", world.integration().await);
    for body in [json!({ "secret": "my own" }), json!([]), json!(7)] {
        world.put(&path, &body).await.expect_problem(422, "invalid_request");
    }
    world.get(&path).await.expect_problem(404, "not_found");
    world.ask(Method::PUT, &path).admin().send().await.expect(201);
}

#[tokio::test]
async fn rotation_keeps_the_url_and_the_old_secret_for_a_day() {
    let world = World::start().await;
    let Hooked { path, hook_path, secret: old, .. } = Hooked::new(&world).await;
    let hook = format!("{path}/event-hook");
    let rotated = world.put(&hook, &json!({})).await.expect(200);
    assert_eq!(rotated["hook_path"], hook_path.as_str());
    let new = rotated["secret"].as_str().expect("secret");
    assert_ne!(new, old);
    let until = rotated["previous_valid_until"].as_str().expect("time");
    let until: chrono::DateTime<chrono::Utc> = until.parse().expect("time");
    let left = until - chrono::Utc::now();
    assert!((23..=24).contains(&left.num_hours()), "{left}");
    for secret in [new, &old] {
        assert_eq!(world.post_hook(&hook_path, Some(secret), NOTHING).await.status, 204);
    }
    world.expire_previous_hook_secret();
    // An expired secret is rejected.
    world.post_hook(&hook_path, Some(&old), NOTHING).await.expect_problem(404, "not_found");
    assert_eq!(world.post_hook(&hook_path, Some(new), NOTHING).await.status, 204);
    assert!(world.get(&hook).await.expect(200).get("previous_valid_until").is_none());

    let newest = world.put(&hook, &json!({})).await.expect(200);
    let versions = [&rotated, &newest].map(|hook| hook["secret_state"]["version"].as_i64());
    assert_eq!(versions[1], versions[0].map(|version| version + 1));
    assert_eq!(world.post_hook(&hook_path, Some(new), NOTHING).await.status, 204);
    world.post_hook(&hook_path, Some(&old), NOTHING).await.expect_problem(404, "not_found");

    let events = world.get(&format!("{path}/events")).await.expect(200).to_string();
    assert_eq!(events.matches("event_hook_stored").count(), 3, "{events}");
    assert!([&old, new].iter().all(|secret| !events.contains(*secret)), "{events}");
}

#[tokio::test]
async fn deleted_hook_is_404_and_a_new_one_gets_another_url() {
    let world = World::start().await;
    let Hooked { path, hook_path, secret, .. } = Hooked::new(&world).await;
    assert_eq!(world.post_hook(&hook_path, Some(&secret), NOTHING).await.status, 204);
    let hook = format!("{path}/event-hook");
    assert_eq!(world.delete(&hook).await.status, 204);
    world.post_hook(&hook_path, Some(&secret), NOTHING).await.expect_problem(404, "not_found");
    world.verify_hook(&hook_path, &secret, "x").await.expect_problem(404, "not_found");
    world.delete(&hook).await.expect_problem(404, "not_found");
    assert_eq!(world.count("hook_routes"), 0);
    let again = Hooked::of(&world, path.clone()).await;
    assert_ne!(again.hook_path, hook_path);
    let events = world.get(&format!("{path}/events")).await.expect(200).to_string();
    assert_eq!(events.matches("event_hook_deleted").count(), 1, "{events}");

    world.delete(&path).await.expect(200);
    let refused = world.post_hook(&again.hook_path, Some(&again.secret), NOTHING).await;
    refused.expect_problem(404, "not_found");
    assert_eq!(world.count("hook_routes"), 0);
}

#[tokio::test]
async fn unknown_hook_malformed_id_and_wrong_secret_are_indistinguishable() {
    let world = World::start().await;
    let Hooked { hook_path, secret, .. } = Hooked::new(&world).await;
    let unknown = format!("/hooks/okta/{}", Uuid::new_v4());
    let large = "x".repeat(300 * 1024);
    let bearer = format!("Bearer {secret}");
    let mut seen = BTreeSet::new();
    for (path, sent, body) in [
        (unknown.as_str(), Some(secret.as_str()), NOTHING),
        (&unknown, None, NOTHING),
        (&unknown, Some(&secret), "{ this is not JSON"),
        (&unknown, Some(&secret), &large),
        ("/hooks/okta/not-an-id", Some(&secret), NOTHING),
        ("/hooks/okta/00000000-0000-0000-0000-000000000000", Some(&secret), NOTHING),
        (&hook_path, None, NOTHING),
        (&hook_path, Some(""), NOTHING),
        (&hook_path, Some("wrong"), NOTHING),
        (&hook_path, Some(&bearer), NOTHING),
        (&hook_path, Some(&secret[1..]), NOTHING),
        (&hook_path, Some("wrong"), "{ this is not JSON"),
        (&hook_path, Some("wrong"), &large),
    ] {
        let answer = world.post_hook(path, sent, body).await;
        let headers: Vec<String> = answer
            .headers
            .iter()
            // The connection is closed if the body had not arrived before the response.
            .filter(|(name, _)| !["x-request-id", "date", "connection"].contains(&name.as_str()))
            .map(|(name, value)| format!("{name}: {value:?}"))
            .collect();
        let id = answer.header("x-request-id").to_owned();
        seen.insert((headers, answer.text.replace(&id, "")));
        answer.expect_problem(404, "not_found");
    }
    assert_eq!(seen.len(), 1, "{seen:#?}");
    let wrong = world.ask(Method::GET, &hook_path).header("authorization", "wrong");
    let wrong = wrong.header("x-okta-verification-challenge", "x").send().await;
    let there = world.verify_hook(&unknown, &secret, "x").await;
    let without_id = |answer: &Answer| answer.text.replace(answer.header("x-request-id"), "");
    assert_eq!(without_id(&wrong), without_id(&there));
    wrong.expect_problem(404, "not_found");
    let untouched = "event_hooks WHERE last_delivery_at IS NULL AND verified_at IS NULL";
    assert_eq!(world.count(untouched), 1);
}

#[tokio::test]
async fn verification_is_recorded() {
    let world = World::start().await;
    let Hooked { path, hook_path, secret, okta } = Hooked::new(&world).await;
    okta.verify().await.expect("verified");
    let read = world.get(&format!("{path}/event-hook")).await.expect(200);
    assert!(read["verified_at"].is_string(), "{read}");
    for challenge in ["~", &"x".repeat(256), r#"a"b\c"#] {
        let told = world.verify_hook(&hook_path, &secret, challenge).await.expect(200);
        assert_eq!(told, json!({ "verification": challenge }));
    }
    let wrong = world.acme.event_hook(format!("{}{hook_path}", world.base), "wrong");
    assert_eq!(status(wrong.verify().await), 404);
    let other_methods = world.ask(Method::PUT, &hook_path).send().await;
    assert_eq!(other_methods.header("allow"), "GET, POST");
    other_methods.expect_problem(405, "method_not_allowed");
}

#[tokio::test]
async fn invalid_challenge_is_rejected() {
    let world = World::start().await;
    let Hooked { hook_path, secret, .. } = Hooked::new(&world).await;
    for challenge in ["", "a b", "\u{e9}", &"x".repeat(257)] {
        let answer = world.verify_hook(&hook_path, &secret, challenge).await;
        let problem = answer.expect_problem(400, "malformed_request");
        assert!(challenge.is_empty() || !problem.to_string().contains(challenge), "{problem}");
    }
    let ask = || world.ask(Method::GET, &hook_path).header("authorization", &secret);
    let none = ask().send().await;
    none.expect_problem(400, "malformed_request");
    let once = ask().header("x-okta-verification-challenge", "a");
    let twice = once.header("x-okta-verification-challenge", "b").send().await;
    twice.expect_problem(400, "malformed_request");
}

#[tokio::test]
async fn eleventh_verification_in_a_minute_is_limited_per_hook() {
    let world = World::start().await;
    let one = Hooked::new(&world).await;
    for _ in 0..10 {
        world.verify_hook(&one.hook_path, &one.secret, "x").await.expect(200);
    }
    let eleventh = world.verify_hook(&one.hook_path, &one.secret, "x").await;
    let seconds: u64 = eleventh.header("retry-after").parse().expect("seconds");
    assert!((1..=60).contains(&seconds), "{seconds}");
    eleventh.expect_problem(429, "too_many_verifications");
    // Deliveries are not limited by it.
    assert_eq!(status(one.okta.deliver("device.user.add", &["guo1"]).await), 204);
}

#[tokio::test]
async fn verification_without_the_secret_does_not_count() {
    let world = World::start().await;
    let Hooked { path, hook_path, okta, .. } = Hooked::new(&world).await;
    for _ in 0..12 {
        let ask = world.ask(Method::GET, &hook_path).header("x-okta-verification-challenge", "x");
        ask.send().await.expect_problem(404, "not_found");
    }
    let read = world.get(&format!("{path}/event-hook")).await.expect(200);
    assert_eq!(read["verified_at"], json!(null));
    okta.verify().await.expect("verified");
}

#[tokio::test]
async fn previous_secrets_are_accepted_until_revoked() {
    let world = World::start().await;
    let Hooked { path, hook_path, secret: first, .. } = Hooked::new(&world).await;
    let hook = format!("{path}/event-hook");
    let mut secrets = vec![first];
    for _ in 0..2 {
        let rotated = world.put(&hook, &json!({})).await.expect(200);
        secrets.push(rotated["secret"].as_str().expect("secret").to_owned());
    }
    // Okta may still have the first one.
    for secret in &secrets {
        assert_eq!(world.post_hook(&hook_path, Some(secret), NOTHING).await.status, 204);
    }
    let previous = format!("{hook}/previous-secrets");
    let revoke = || world.delete(&previous);
    assert_eq!(revoke().await.status, 204);
    for secret in &secrets[..2] {
        let refused = world.post_hook(&hook_path, Some(secret), NOTHING).await;
        refused.expect_problem(404, "not_found");
    }
    assert_eq!(world.post_hook(&hook_path, Some(&secrets[2]), NOTHING).await.status, 204);
    assert!(world.get(&hook).await.expect(200).get("previous_valid_until").is_none());
    let events = world.get(&format!("{path}/events")).await.expect(200).to_string();
    assert_eq!(events.matches("event_hook_secret_revoked").count(), 1, "{events}");
    // Revoking is idempotent.
    assert_eq!(revoke().await.status, 204);
    assert_eq!(world.delete(&hook).await.status, 204);
    revoke().await.expect_problem(404, "not_found");
}

#[tokio::test]
async fn trailing_slash_in_the_url_is_accepted() {
    let world = World::start().await;
    let Hooked { hook_path, secret, .. } = Hooked::new(&world).await;
    let with_slash = format!("{hook_path}/");
    world.verify_hook(&with_slash, &secret, "x").await.expect(200);
    assert_eq!(world.post_hook(&with_slash, Some(&secret), NOTHING).await.status, 204);
    let wrong = world.post_hook(&with_slash, Some("wrong"), NOTHING).await;
    wrong.expect_problem(404, "not_found");
}
