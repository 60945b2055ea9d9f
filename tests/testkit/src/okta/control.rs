//! The control API under `/_sim/`, for developers and for tests in other languages.
//!
//! It is not part of Okta: these paths never reach an org and are in no journal.

use serde_json::{Value, json};

use super::fleet::NewDevice;
use super::knobs::Knobs;
use super::message::{Reply, Request};
use super::org::{Org, OrgSetup};
use super::world::World;

pub(super) fn answer(world: &World, request: &Request) -> Reply {
    let below = request.path.trim_start_matches("/_sim").trim_matches('/');
    let segments: Vec<&str> = below.split('/').filter(|segment| !segment.is_empty()).collect();
    let result = match (request.method.as_str(), &segments[..]) {
        ("GET", []) => Ok(Reply::json(200, help())),
        ("GET", ["orgs"]) => Ok(Reply::json(200, world.orgs().iter().map(Org::to_json).collect())),
        ("POST", ["orgs"]) => add_org(world, request),
        ("GET", ["journal"]) => Ok(Reply::json(200, json!(world.unmatched_requests.entries()))),
        (method, ["orgs", name, rest @ ..]) => match world.by_name(name) {
            Some(org) => of_org(&org, method, rest, request),
            None => Err((404, format!("no org has the name {name}; GET /_sim/orgs lists them"))),
        },
        _ => Err(unknown()),
    };
    result.unwrap_or_else(|(status, text)| Reply::json(status, json!({"error": text})))
}

type Outcome = Result<Reply, (u16, String)>;

fn unknown() -> (u16, String) {
    (404, "no such call; GET /_sim lists them".to_string())
}

fn add_org(world: &World, request: &Request) -> Outcome {
    let setup: OrgSetup = body(request)?;
    Ok(Reply::json(201, world.add(setup).to_json()))
}

fn of_org(org: &Org, method: &str, rest: &[&str], request: &Request) -> Outcome {
    match (method, rest) {
        ("GET", []) => {}
        ("PATCH", []) => patch_knobs(org, &body(request)?)?,
        ("GET", ["journal"]) => return Ok(Reply::json(200, json!(org.journal().entries()))),
        ("DELETE", ["journal"]) => {
            org.journal().clear();
            return Ok(Reply::empty(204));
        }
        ("POST", ["secrets"]) => {
            return Ok(Reply::json(201, json!({"client_secret": org.add_secret()})));
        }
        ("POST", ["kill-tokens"]) => org.kill_tokens(),
        ("POST", ["rename"]) => {
            let body: Value = body(request)?;
            let name = body["name"].as_str().ok_or((400, "give a `name`".to_string()))?;
            org.rename(name, body["old_host_answers"].as_bool().unwrap_or(true));
        }
        ("POST", ["scep", rest @ ..]) => return answer_scep(org, rest, request),
        ("GET", ["scep", "challenges"]) => {
            return Ok(Reply::json(200, json!(org.scep_challenges())));
        }
        ("GET", ["devices"]) => return Ok(Reply::json(200, json!(org.devices()))),
        ("POST", ["devices"]) => {
            let id = org.add_device(body::<NewDevice>(request)?);
            return Ok(Reply::json(201, json!({"id": id})));
        }
        ("POST", ["users"]) => {
            let body: Value = body(request)?;
            let login = body["login"].as_str().ok_or((400, "give a `login`".to_string()))?;
            return Ok(Reply::json(201, json!({"id": org.add_user(login)})));
        }
        ("POST", ["devices", device, "users", user]) => {
            org.enroll(device, user).map_err(|error| (404, error.to_string()))?;
        }
        ("POST", ["devices", device, "users", user, "sign-in"]) => {
            org.sign_in_with_fastpass(device, user).map_err(|error| (404, error.to_string()))?;
        }
        ("DELETE", ["devices", device, "users", user]) => {
            org.remove_user(device, user).map_err(|error| (404, error.to_string()))?;
        }
        ("POST", ["devices", device, "wipe"]) => {
            org.wipe(device).map_err(|error| (404, error.to_string()))?;
        }
        ("POST", ["users", user, "status"]) => {
            let body: Value = body(request)?;
            let status = body["status"].as_str().ok_or((400, "give a `status`".to_string()))?;
            org.set_user_status(user, status).map_err(|error| (404, error.to_string()))?;
        }
        ("POST", ["devices", device, "status"]) => {
            let body: Value = body(request)?;
            let status = body["status"].as_str().ok_or((400, "give a `status`".to_string()))?;
            org.set_device_status(device, status).map_err(|error| (404, error.to_string()))?;
        }
        _ => return Err(unknown()),
    }
    Ok(Reply::json(200, org.to_json()))
}

fn answer_scep(org: &Org, rest: &[&str], request: &Request) -> Outcome {
    match rest {
        ["reset-password"] => Ok(Reply::json(201, json!({"password": org.reset_scep_password()}))),
        ["expire-challenges"] => {
            org.expire_challenges();
            Ok(Reply::empty(204))
        }
        ["consume-challenge"] => {
            let body: Value = body(request)?;
            let text = body["challenge"].as_str().ok_or((400, "give a `challenge`".to_string()))?;
            org.consume_challenge(text).map_err(|refusal| (409, refusal.to_string()))?;
            Ok(Reply::empty(204))
        }
        _ => Err(unknown()),
    }
}

/// Applies a JSON merge patch (RFC 7396) to the knobs. Unknown names are an error.
fn patch_knobs(org: &Org, patch: &Value) -> Result<(), (u16, String)> {
    // Accepts both `{"fastpass": false}` and `{"knobs": {"fastpass": false}}`.
    let patch = patch.get("knobs").unwrap_or(patch);
    let mut merged = json!(org.knobs());
    merge(&mut merged, patch);
    let knobs: Knobs =
        serde_json::from_value(merged).map_err(|error| (400, format!("not knobs: {error}")))?;
    org.change(|current| *current = knobs);
    Ok(())
}

fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    let fields = target.as_object_mut().expect("is an object");
    for (name, value) in patch {
        if value.is_null() {
            fields.remove(name);
        } else {
            merge(fields.entry(name.clone()).or_insert(Value::Null), value);
        }
    }
}

fn body<T: serde::de::DeserializeOwned>(request: &Request) -> Result<T, (u16, String)> {
    serde_json::from_slice(&request.body)
        .map_err(|error| (400, format!("the body does not fit: {error}")))
}

fn help() -> Value {
    json!({
        "what": "A simulated Okta org: it responds like Okta for the hosts of /_sim/orgs, and fails on demand.",
        "calls": {
            "GET /_sim/orgs": "all orgs with their hosts, client ids and knobs",
            "POST /_sim/orgs": "a new org: {\"name\": \"acme\", \"suffix\": \"okta.com\", \"knobs\": {…}}",
            "GET /_sim/orgs/{name}": "one org",
            "PATCH /_sim/orgs/{name}": "change knobs (JSON merge patch): {\"fastpass\": false, \"faults\": [{\"kind\": \"status\", \"status\": 503, \"path\": \"/api\"}]}",
            "GET /_sim/orgs/{name}/journal": "its requests; DELETE clears them",
            "POST /_sim/orgs/{name}/secrets": "a second client secret",
            "POST /_sim/orgs/{name}/kill-tokens": "invalidates every issued token",
            "POST /_sim/orgs/{name}/rename": "another subdomain: {\"name\": \"new\", \"old_host_answers\": true}",
            "GET /_sim/orgs/{name}/devices": "its devices; POST adds one: {\"platform\": \"MACOS\", \"serial_number\": \"C02…\", \"udid\": \"…\"}",
            "POST /_sim/orgs/{name}/users": "a new user: {\"login\": \"ada@example.com\"}",
            "POST /_sim/orgs/{name}/devices/{device}/users/{user}": "adds the user to the device, not managed; DELETE removes the user",
            "POST /_sim/orgs/{name}/devices/{device}/users/{user}/sign-in": "a FastPass sign-in, after which the user is managed",
            "POST /_sim/orgs/{name}/devices/{device}/wipe": "erases the machine; its record stays",
            "POST /_sim/orgs/{name}/users/{user}/status": "{\"status\": \"DEPROVISIONED\"}",
            "POST /_sim/orgs/{name}/devices/{device}/status": "sets the status, like an admin: {\"status\": \"SUSPENDED\"}",
            "GET /_sim/orgs/{name}/scep/challenges": "the issued SCEP challenges",
            "POST /_sim/orgs/{name}/scep/reset-password": "replaces the SCEP password",
            "POST /_sim/orgs/{name}/scep/expire-challenges": "expires all challenges",
            "POST /_sim/orgs/{name}/scep/consume-challenge": "uses a challenge, like a CA: {\"challenge\": \"…\"}; 409 if it is unknown, used or expired",
            "GET /_sim/journal": "requests for hosts without an org",
        },
        "knobs": Knobs::default(),
    })
}
