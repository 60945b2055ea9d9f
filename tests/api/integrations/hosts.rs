//! Where an org is: several custom domains, a new name, other hosts where its users sign in.

use reqwest::Method;
use serde_json::{Value, json};
use testkit::okta::{CustomDomain, Fault, FaultKind, Org, OrgSetup};

use crate::support::answer::Answer;
use crate::support::builder::Builder;
use crate::support::platforms::{deploy, mac, payloads, plist_of};
use crate::support::world::{INTEGRATIONS, World};

const NEW_HOST: &str = "new.okta.com";

/// Globex with three custom domains, of which it names two.
fn globex() -> Builder {
    let mut unnamed = CustomDomain::new("c.globex.example");
    unnamed.linked_back = false;
    let setup = OrgSetup::new("globex")
        .custom_domain("a.globex.example")
        .custom_domain("b.globex.example")
        .with(|knobs| knobs.custom_domains.push(unnamed));
    World::build().org(setup).other_host(NEW_HOST)
}

/// Globex, connected and with both platforms; the path of its integration.
async fn configured(world: &World, okta_domain: &str) -> (String, Org) {
    let globex = world.okta.org("globex").expect("globex");
    let created = world.post(INTEGRATIONS, &json!({ "okta_domain": okta_domain })).await;
    let path = format!("{INTEGRATIONS}/{}", created.expect(201)["id"].as_str().expect("id"));
    let body = json!({ "client_id": globex.client_id(), "client_secret": globex.client_secret() });
    world.put(&format!("{path}/credentials"), &body).await.expect(201);
    world.patch(&path, &json!({ "selected_platforms": ["macos", "ios"] })).await.expect(200);
    world.put(&format!("{path}/platforms/macos"), &scep(&globex)).await.expect(201);
    let secret_key = json!({ "secret_key": "Tr1cky-Secret-Key" });
    world.put(&format!("{path}/platforms/ios"), &secret_key).await.expect(201);
    (path, globex)
}

fn scep(org: &Org) -> Value {
    json!({
        "scep_url": org.scep_url(), "challenge_url": org.challenge_url(),
        "username": org.scep_username(), "password": org.scep_password(),
    })
}

async fn check(world: &World, path: &str) -> Answer {
    world.ask(Method::POST, &format!("{path}/prerequisites/check")).admin().send().await
}

/// The hosts of the single sign-on extension that a Mac is given.
async fn hosts_on_a_mac(world: &World, path: &str, options: Value) -> Vec<String> {
    let body = json!({ "device": mac(), "parts": ["settings"], "options": options });
    let deployed = deploy(world, &format!("{path}/platforms/macos/deployments"), &body).await;
    let extension = payloads(&plist_of(&deployed.expect(201)["profiles"][0]))[0].clone();
    let hosts = extension.get("Hosts").and_then(plist::Value::as_array).expect("Hosts").clone();
    hosts.into_iter().filter_map(plist::Value::into_string).collect()
}

async fn config_version(world: &World, path: &str, platform: &str) -> i64 {
    let state = world.get(&format!("{path}/platforms/{platform}")).await.expect(200);
    state["config_version"].as_i64().expect("a number")
}

fn codes(list: &Value, key: Option<&str>) -> Vec<String> {
    let text = |item: &Value| key.map_or(item, |key| &item[key]).as_str().expect("code").to_owned();
    list.as_array().map(|list| list.iter().map(text).collect()).unwrap_or_default()
}

#[tokio::test]
async fn all_custom_domains_that_the_org_names_are_in_the_profile() {
    let world = globex().start().await;
    let (path, globex) = configured(&world, "b.globex.example").await;
    let shown = world.get(&path).await.expect(200);
    assert_eq!(shown["custom_domain"], "b.globex.example", "the one that was pasted");
    assert_eq!(shown["custom_domains"], json!(["b.globex.example", "a.globex.example"]));
    let expected = ["b.globex.example", "globex.okta.com", "a.globex.example"];
    assert_eq!(hosts_on_a_mac(&world, &path, json!({})).await, expected);
    let at_a = json!({ "sign_in_host": "a.globex.example" });
    assert_eq!(hosts_on_a_mac(&world, &path, at_a).await[0], "a.globex.example");

    // One that is added in Okta is found by the next check, and devices become outdated.
    let before = config_version(&world, &path, "ios").await;
    let etag = world.get(&path).await.etag().to_owned();
    globex.change(|knobs| knobs.custom_domains[2].linked_back = true);
    check(&world, &path).await.expect(200);
    let shown = world.get(&path).await;
    assert_ne!(shown.etag(), etag);
    let domains = json!(["b.globex.example", "a.globex.example", "c.globex.example"]);
    assert_eq!(shown.expect(200)["custom_domains"], domains, "known ones stay where they are");
    for platform in ["macos", "ios"] {
        assert_eq!(config_version(&world, &path, platform).await, before + 1, "{platform}");
    }
    assert_eq!(world.count_events("org_hosts_changed"), 1);
    check(&world, &path).await.expect(200);
    assert_eq!(world.count_events("org_hosts_changed"), 1);
    assert_eq!(config_version(&world, &path, "ios").await, before + 1);
}

#[tokio::test]
async fn a_custom_domain_that_the_org_names_no_more_is_dropped_and_told_until_it_is_back() {
    let world = globex().start().await;
    let (path, globex) = configured(&world, "a.globex.example").await;
    globex.change(|knobs| knobs.custom_domains[0].linked_back = false);
    check(&world, &path).await.expect(200);
    let shown = world.get(&path).await.expect(200);
    assert_eq!(shown["custom_domains"], json!(["b.globex.example"]));
    assert_eq!(codes(&shown["notices"], Some("code")), ["custom_domain_dropped"]);
    assert_eq!(shown["notices"][0]["parameters"], json!({ "host": "a.globex.example" }));
    assert_eq!(shown["status"], "active");
    let setup = world.get(&format!("{path}/setup")).await.expect(200);
    assert_eq!(setup["notices"], shown["notices"]);
    globex.change(|knobs| knobs.custom_domains[0].linked_back = true);
    check(&world, &path).await.expect(200);
    let shown = world.get(&path).await.expect(200);
    assert_eq!(shown["custom_domains"], json!(["b.globex.example", "a.globex.example"]));
    assert!(shown.get("notices").is_none());
}

#[tokio::test]
async fn a_domain_that_was_pasted_and_not_confirmed_is_told_of_on_the_integration() {
    let world = globex().start().await;
    let (path, _) = configured(&world, "c.globex.example").await;
    let shown = world.get(&path).await.expect(200);
    assert_eq!(codes(&shown["notices"], Some("code")), ["custom_domain_dropped"]);
    let again = world.patch(&path, &json!({ "okta_domain": "c.globex.example" })).await;
    let again = again.expect(200);
    assert_eq!(again["notices"], shown["notices"]);
    assert_eq!(again["version"], shown["version"], "no new version for nothing");
}

#[tokio::test]
async fn a_renamed_org_is_followed_and_asks_for_its_scep_urls_on_the_new_host() {
    let world = globex().start().await;
    let (path, globex) = configured(&world, "globex.okta.com").await;
    let before = config_version(&world, &path, "ios").await;
    let sealed = world.column("credentials", "encode(client_secret, 'hex')");
    globex.rename("new", true);
    globex.journal().clear();
    check(&world, &path).await.expect(200);
    let token = globex.journal().entries().into_iter().find(|entry| entry.path.contains("token"));
    assert_eq!(token.expect("a token request").host, NEW_HOST, "the secret goes to the new host");

    let shown = world.get(&path).await.expect(200);
    assert_eq!(shown["okta_domain"], NEW_HOST);
    assert_eq!(codes(&shown["notices"], Some("code")), ["org_renamed"]);
    assert_eq!(
        shown["notices"][0]["parameters"],
        json!({ "from": "globex.okta.com", "to": NEW_HOST })
    );
    assert_eq!(shown["status"], "degraded");
    assert_eq!(codes(&shown["status_reasons"], None), ["scep_url_on_old_host"]);
    for platform in ["macos", "ios"] {
        assert_eq!(config_version(&world, &path, platform).await, before + 1, "{platform}");
    }
    assert_ne!(world.column("credentials", "encode(client_secret, 'hex')"), sealed);

    let mint = format!("{path}/platforms/macos/scep-challenges");
    let challenges = globex.scep_challenges().len();
    let refused = deploy(&world, &mint, &json!({ "device": mac() })).await;
    let problem = refused.expect_problem(409, "scep_url_on_old_host");
    assert!(problem["detail"].as_str().expect("detail").contains(NEW_HOST), "{problem}");
    let verify = world.ask(Method::POST, &format!("{path}/platforms/macos/verify")).admin();
    verify.send().await.expect_problem(409, "scep_url_on_old_host");
    assert_eq!(globex.scep_challenges().len(), challenges, "no password is sent to the old host");
    let setup = world.get(&format!("{path}/setup")).await.expect(200);
    assert_eq!(setup["next_form"]["step"], "macos");

    world.put(&format!("{path}/platforms/macos"), &scep(&globex)).await.expect(200);
    assert_eq!(world.get(&path).await.expect(200)["status"], "active");
    deploy(&world, &mint, &json!({ "device": mac() })).await.expect(201);
    check(&world, &path).await.expect(200);
}

#[tokio::test]
async fn a_custom_domain_leads_to_the_new_name_where_the_old_host_is_gone() {
    let world = globex().start().await;
    let (path, globex) = configured(&world, "a.globex.example").await;
    globex.rename("new", false);
    check(&world, &path).await.expect(200);
    assert_eq!(world.get(&path).await.expect(200)["okta_domain"], NEW_HOST);
}

#[tokio::test]
async fn a_host_without_an_okta_org_degrades_after_twenty_minutes_and_an_outage_never() {
    let setup = OrgSetup::new("globex");
    let world = World::build().org(setup).other_host(NEW_HOST).start().await;
    let (path, globex) = configured(&world, "globex.okta.com").await;
    let reasons = async || codes(&world.get(&path).await.expect(200)["status_reasons"], None);
    globex.rename("new", false);
    check(&world, &path).await.expect_problem(422, "org_not_found");
    check(&world, &path).await.expect_problem(422, "org_not_found");
    assert!(reasons().await.is_empty(), "two checks within a moment are one");
    world.sql("UPDATE integrations SET host_lost_since = host_lost_since - interval '20 minutes'");
    check(&world, &path).await.expect_problem(422, "org_not_found");
    assert_eq!(reasons().await, ["org_unreachable_at_host"]);
    assert_eq!(world.count_events("status_changed"), 2, "active, then degraded");

    // The admin knows the new name.
    let moved = world.patch(&path, &json!({ "okta_domain": NEW_HOST })).await.expect(200);
    assert_eq!(codes(&moved["status_reasons"], None), ["scep_url_on_old_host"]);
    assert_eq!(codes(&moved["notices"], Some("code")), ["org_renamed"]);

    for fault in [Fault::status(503), Fault::new(FaultKind::ConnectionReset)] {
        globex.fail(fault);
        check(&world, &path).await.expect_problem(504, "okta_unreachable");
        globex.recover();
    }
    assert_eq!(world.column("integrations", "coalesce(host_lost_since::text, '-')"), ["-"]);
}

#[tokio::test]
async fn further_sign_in_hosts_have_to_be_the_orgs_and_never_see_a_secret() {
    let world = globex().org(OrgSetup::new("other")).other_host("blog.example").start().await;
    let (path, globex) = configured(&world, "globex.okta.com").await;
    let before = config_version(&world, &path, "ios").await;
    globex.journal().clear();
    let hosts = |hosts: &[&str]| json!({ "additional_sign_in_hosts": hosts });
    let set = world.patch(&path, &hosts(&["https://C.globex.example/login"])).await.expect(200);
    assert_eq!(set["additional_sign_in_hosts"], json!(["c.globex.example"]));
    let asked = globex.journal().entries();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].path, "/.well-known/okta-organization");
    assert!(!asked[0].headers.contains_key("authorization"));
    for platform in ["macos", "ios"] {
        assert_eq!(config_version(&world, &path, platform).await, before + 1, "{platform}");
    }
    let at_c = json!({ "sign_in_host": "c.globex.example" });
    let shown = hosts_on_a_mac(&world, &path, at_c).await;
    assert_eq!(shown[0], "c.globex.example");
    assert_eq!(shown.len(), 4);

    // A host that is no custom domain of the org's takes no SCEP URL.
    let mut elsewhere = scep(&globex);
    let url = globex.scep_url().replace("globex.okta.com", "c.globex.example");
    elsewhere["scep_url"] = json!(url);
    let refused = world.put(&format!("{path}/platforms/macos"), &elsewhere).await;
    let problem = refused.expect_problem(422, "invalid_request");
    assert_eq!(problem["errors"][0]["code"], "other_host");

    let same = world.patch(&path, &hosts(&["c.globex.example"])).await.expect(200);
    assert_eq!(same["version"], set["version"], "no new version for nothing");
    for (list, pointer, code) in [
        (vec!["c.globex.example", "other.okta.com"], 1, "other_org"),
        (vec!["blog.example"], 0, "org_not_found"),
        (vec!["127.0.0.1"], 0, "ip_address"),
        (vec!["c.globex.example", "C.globex.example"], 1, "duplicate"),
    ] {
        let refused = world.patch(&path, &hosts(&list)).await;
        let problem = refused.expect_problem(422, "invalid_request");
        let error = &problem["errors"][0];
        let pointer = format!("/additional_sign_in_hosts/{pointer}");
        assert_eq!((&error["pointer"], &error["code"]), (&json!(pointer), &json!(code)));
    }
    let many: Vec<String> = (0..201).map(|n| format!("h{n}.example")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let problem = world.patch(&path, &hosts(&many)).await.expect_problem(422, "invalid_request");
    assert_eq!(problem["errors"][0]["code"], "too_long");
    assert_eq!(config_version(&world, &path, "ios").await, before + 1);
    let none = world.patch(&path, &hosts(&[])).await.expect(200);
    assert_eq!(none["additional_sign_in_hosts"], json!([]));
    assert_eq!(config_version(&world, &path, "ios").await, before + 2);
}

#[tokio::test]
async fn a_custom_domain_is_confirmed_again_before_it_is_sent_the_password_a_day_later() {
    let world = globex().start().await;
    let (path, globex) = configured(&world, "a.globex.example").await;
    let mut settings = scep(&globex);
    let on_custom = |url: String| json!(url.replace("globex.okta.com", "a.globex.example"));
    settings["scep_url"] = on_custom(globex.scep_url());
    settings["challenge_url"] = on_custom(globex.challenge_url());
    world.put(&format!("{path}/platforms/macos"), &settings).await.expect(200);
    let mint = format!("{path}/platforms/macos/scep-challenges");
    let device = json!({ "device": mac() });
    let well_known = "/.well-known/okta-organization";
    let asked = |globex: &Org| globex.journal().count(well_known);
    let before = asked(&globex);
    deploy(&world, &mint, &device).await.expect(201);
    assert_eq!(asked(&globex), before, "it was confirmed today");
    let age =
        "UPDATE integrations SET hosts_confirmed_at = hosts_confirmed_at - interval '24 hours'";
    world.sql(age);
    deploy(&world, &mint, &device).await.expect(201);
    assert_eq!(asked(&globex), before + 1);
    globex.change(|knobs| knobs.custom_domains[0].linked_back = false);
    let challenges = globex.scep_challenges().len();
    deploy(&world, &mint, &device).await.expect_problem(409, "scep_url_on_old_host");
    assert_eq!(globex.scep_challenges().len(), challenges);
}

#[tokio::test]
async fn the_setup_and_the_checklist_warn_of_other_single_sign_on_profiles() {
    let world = World::start().await;
    let path = world.configured().await;
    let setup = world.get(&format!("{path}/setup")).await.expect(200);
    let steps = setup["steps"].as_array().expect("steps");
    let last = steps.iter().find(|step| step["name"] == "complete").expect("the last step");
    assert_eq!(
        codes(&last["cautions"], Some("text_id")),
        ["caution.single_sign_on_hosts_unique", "caution.single_sign_on_not_by_hand"]
    );
    let deleted = world.delete(&format!("{path}/platforms/macos")).await.expect(200);
    assert!(deleted["checklist"].to_string().contains("no other single sign-on profile"));
}
