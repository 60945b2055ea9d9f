//! SCEP challenges: one per request, rate limited, never stored.

use serde_json::json;
use testkit::okta::{ChallengePage, Fault};

use crate::support::platforms::{MAC, MAC_UDID, deploy, mac, payloads, plist_of, text};
use crate::support::world::World;

#[tokio::test]
async fn challenge_is_new_per_request_uncached_and_audited_without_its_value() {
    let world = World::start().await;
    let path = world.configured().await;
    let mint = format!("{path}/platforms/macos/scep-challenges");
    let answer = deploy(&world, &mint, &json!({ "device": mac() })).await;
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("content-encoding"), "");
    let one = answer.expect(201);
    let two = deploy(&world, &mint, &json!({ "device": mac() })).await.expect(201);
    assert_ne!(one["challenge"], two["challenge"]);
    assert_eq!(one["scep_url"], world.acme.scep_url());
    let time = |key: &str| {
        one[key].as_str().expect("time").parse::<chrono::DateTime<chrono::Utc>>().expect("RFC 3339")
    };
    assert_eq!((time("use_before") - time("issued_at")).num_minutes(), 57);
    assert_eq!((time("expires_at") - time("issued_at")).num_minutes(), 60);
    let handed_out: Vec<String> =
        world.acme.scep_challenges().into_iter().map(|minted| minted.challenge).collect();
    assert!(
        handed_out.iter().any(|challenge| one["challenge"] == *challenge),
        "it is a challenge of Okta"
    );

    let events = world.get(&format!("{path}/events")).await.expect(200);
    let minted: Vec<_> = events["items"]
        .as_array()
        .expect("items")
        .iter()
        .filter(|e| e["kind"] == "scep_challenge_minted")
        .collect();
    assert_eq!(minted.len(), 2);
    assert_eq!(minted[0]["detail"]["device"]["serial_number"], MAC);
    let dump = world.dump("scep_challenges") + &world.dump("events");
    assert!(
        !dump.contains(one["challenge"].as_str().expect("challenge")),
        "the challenge is stored"
    );
}

#[tokio::test]
async fn device_gets_at_most_5_challenges_in_10_minutes() {
    let world = World::start().await;
    let path = world.configured().await;
    let (path, deployments) = (
        format!("{path}/platforms/macos/scep-challenges"),
        format!("{path}/platforms/macos/deployments"),
    );
    let before = world.acme.scep_challenges().len();
    let body = json!({ "device": mac() });
    let ask = || deploy(&world, &path, &body);
    let answers =
        futures_util::future::join_all((0..10).map(|_| deploy(&world, &deployments, &body))).await;
    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status.as_u16()).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 5, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 429).count(), 5, "{statuses:?}");
    assert_eq!(world.acme.scep_challenges().len(), before + 5);
    let refused = ask().await;
    let seconds: u64 = refused.header("retry-after").parse().expect("seconds");
    assert!((500..=600).contains(&seconds), "{seconds}");
    refused.expect_problem(429, "too_many_challenges");
    let other = json!({ "device": { "serial_number": "C02OTHER1234", "udid": "0A5B0C2E-1D3F-4A6B-9C8D-7E6F5A4B3C2D" } });
    deploy(&world, &path, &other).await.expect(201);
}

#[tokio::test]
async fn at_most_8_challenges_are_fetched_concurrently() {
    let world = World::start().await;
    let path = format!("{}/platforms/macos/scep-challenges", world.configured().await);
    world.acme.fail(Fault::delay_ms(1500));
    let asks = (0..10).map(|number| {
        let device = json!({ "serial_number": format!("C02SERIAL{number:03}"), "udid": MAC_UDID });
        let (world, path) = (&world, &path);
        async move { deploy(world, path, &json!({ "device": device })).await }
    });
    let answers = futures_util::future::join_all(asks).await;
    let refused = answers.iter().filter(|answer| answer.status == 429).count();
    assert_eq!(refused, 2, "eight are fetched at once");
}

#[tokio::test]
async fn okta_failures_have_their_own_codes_and_return_no_challenge() {
    let world = World::start().await;
    let path = world.configured().await;
    let mint = format!("{path}/platforms/macos/scep-challenges");
    let device = |number: u8| json!({ "device": { "serial_number": format!("C02DEVICE{number:02}"), "udid": MAC_UDID } });
    world.acme.fail(Fault::status(503));
    deploy(&world, &mint, &device(1)).await.expect_problem(504, "okta_unreachable");
    world.acme.recover();
    world.acme.change(|knobs| knobs.scep.page = ChallengePage::CacheFull);
    let full = deploy(&world, &mint, &device(2)).await;
    assert!(!full.header("retry-after").is_empty());
    assert_eq!(full.expect_problem(503, "challenge_cache_full")["transient"], true);
    world.acme.change(|knobs| knobs.scep.page = ChallengePage::Challenge);
    assert_eq!(
        world.get(&path).await.expect(200)["status"],
        "active",
        "an outage degrades nothing"
    );
    world.acme.reset_scep_password();
    deploy(&world, &mint, &device(3)).await.expect_problem(422, "scep_credentials_refused");
    assert_eq!(world.get(&path).await.expect(200)["status"], "degraded");
    assert_eq!(world.count_events("scep_challenge_minted"), 0);
}

/// With Debian's package `scep`: its client enrolls a key at its server behind the simulated org.
#[tokio::test(flavor = "multi_thread")]
async fn challenge_enrolls_one_key_at_a_real_server() {
    let Some(real) = testkit::scep::RealScep::find() else { return };
    let world = World::start().await;
    let running =
        tokio::task::block_in_place(|| real.start(&world.okta, &world.acme)).expect("SCEP server");
    let path = world.configured().await;
    let body = json!({ "device": mac(), "parts": ["certificate"] });
    let deployed =
        deploy(&world, &format!("{path}/platforms/macos/deployments"), &body).await.expect(201);
    let payload = payloads(&plist_of(&deployed["profiles"][0]));
    let scep =
        payload[0].get("PayloadContent").and_then(plist::Value::as_dictionary).expect("SCEP");
    let challenge = text(scep, "Challenge");
    let certificate =
        tokio::task::block_in_place(|| running.enrol(challenge)).expect("a certificate");
    assert!(certificate.contains("BEGIN CERTIFICATE"), "{certificate}");
    tokio::task::block_in_place(|| running.enrol(challenge))
        .expect_err("a second use of the same challenge");
}
