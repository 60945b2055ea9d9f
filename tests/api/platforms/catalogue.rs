//! The fields of each platform, for a front end.

use reqwest::Method;

use crate::support::world::World;

#[tokio::test]
async fn catalogue_lists_every_field_and_guide_and_is_cacheable() {
    let world = World::start().await;
    let answer = world.get("/platforms").await;
    let etag = answer.etag().to_owned();
    assert!(
        answer.header("cache-control").contains("max-age"),
        "{}",
        answer.header("cache-control")
    );
    let catalogue = answer.expect(200);
    for (index, (platform, fields)) in [
        ("macos", vec!["scep_url", "challenge_url", "username", "password"]),
        ("ios", vec!["secret_key"]),
    ]
    .into_iter()
    .enumerate()
    {
        let entry = &catalogue["items"][index];
        assert_eq!(entry["platform"], platform);
        let names: Vec<_> =
            entry["fields"].as_array().expect("fields").iter().map(|f| f["name"].clone()).collect();
        assert_eq!(names, fields);
        for field in entry["fields"].as_array().expect("fields") {
            assert!(field["where_in_okta"].as_str().is_some_and(|text| text.len() > 20), "{field}");
            let is_secret =
                ["password", "secret_key"].contains(&field["name"].as_str().expect("name"));
            assert_eq!(field["secret"], is_secret);
        }
        for guide in ["add", "rotate", "delete"] {
            assert!(
                entry[guide]["steps"].as_array().is_some_and(|steps| steps.len() >= 3),
                "{platform} {guide}"
            );
            assert!(entry[guide]["effect_on_devices"].as_str().is_some_and(|text| text.len() > 20));
        }
        assert_eq!(&world.get(&format!("/platforms/{platform}")).await.expect(200), entry);
    }
    let again =
        world.ask(Method::GET, "/platforms").admin().header("if-none-match", &etag).send().await;
    assert_eq!((again.status.as_u16(), again.text.as_str()), (304, ""));
    world.get("/platforms/windows").await.expect_problem(404, "not_found");
    world
        .ask(Method::GET, "/platforms")
        .scopes(&["trust:read"])
        .send()
        .await
        .expect_problem(403, "scope_missing");
}
