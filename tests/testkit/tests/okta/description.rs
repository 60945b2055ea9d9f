//! Requests held against Okta's description, where the environment says that it is there.

use testkit::okta::{Description, Options, OrgSetup, SimulatedOkta};

use crate::client::{World, json};

const TOKEN: &str = "/oauth2/v1/token";

/// A description that has what the requests below need of it.
const WRITTEN: &str = r"
paths:
  /api/v1/devices:
    get:
      parameters:
      - {name: limit, in: query, schema: {type: integer, minimum: 1, maximum: 200}}
      - {name: expand, in: query, schema: {type: string, enum: [user, userSummary]}}
      security: [{oauth2: [okta.devices.read]}]
  /oauth2/v1/token:
    post:
      requestBody:
        content:
          application/x-www-form-urlencoded:
            schema: {$ref: '#/components/schemas/Request'}
components:
  schemas:
    Request:
      discriminator: {mapping: {client_credentials: '#/components/schemas/ClientCredentials'}}
    ClientCredentials:
      allOf:
      - properties: {grant_type: {enum: [client_credentials]}}
      - {properties: {scope: {type: string}}, required: [scope]}
";

#[tokio::test]
async fn what_a_description_does_not_know_is_told_and_what_it_knows_is_not() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("written.yaml"), WRITTEN).unwrap();
    let description = std::sync::Arc::new(Description::read(folder.path()).unwrap());
    let options = Options { description: Some(description), ..Options::default() };
    let okta = std::sync::Arc::new(SimulatedOkta::start(options).await.unwrap());
    let acme = okta.add_org(OrgSetup::new("acme"));
    let world = World { okta, acme };
    let told = || world.okta.take_violations().join("; ");

    let token = world.token("okta.devices.read").await;
    assert_eq!(
        json(world.get(&token, "/api/v1/devices?limit=200&expand=user").await).await,
        serde_json::json!([])
    );
    assert_eq!(told(), "");
    for (path, expected) in [
        ("/api/v1/devices?limit=201", "limit is out of range"),
        ("/api/v1/devices?limit=many", "limit is no integer"),
        ("/api/v1/devices?expand=all", "expand has a value that is not described"),
        ("/api/v1/devices?sort=id", "sort is not described"),
        ("/api/v1/devices?limit=1&limit=1", "limit is repeated"),
        ("/api/v1/apps", "not described"),
    ] {
        world.get(&token, path).await;
        let told = told();
        assert!(told.contains(expected), "{path}: {told}");
    }
    for (body, expected) in [
        ("grant_type=client_credentials", "scope is missing"),
        ("grant_type=password&scope=x", "grant_type has a value"),
        ("grant_type=client_credentials&scope=x&audience=y", "audience is not described"),
    ] {
        let request = world.token_request("x").body(body.to_owned());
        request.send().await.unwrap();
        let told = told();
        assert!(told.contains(expected) && told.contains(TOKEN), "{body}: {told}");
    }
}

#[test]
fn oktas_own_description_is_read_where_it_is_there() {
    if let Some(description) = Description::from_env() {
        assert!(format!("{description:?}").contains("/api/v1/devices/{deviceId}/users"));
    }
}
