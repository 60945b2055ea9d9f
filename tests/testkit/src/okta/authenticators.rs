//! `GET /api/v1/authenticators` and its subresources.
//!
//! Read-only, like the scope.

use serde_json::{Value, json};

use super::errors;
use super::knobs::{Knobs, Presence};
use super::message::Reply;
use super::org::Org;

struct Kind {
    key: &'static str,
    r#type: &'static str,
    name: &'static str,
    methods: &'static [&'static str],
}

const KINDS: [Kind; 9] = [
    Kind { key: "okta_email", r#type: "email", name: "Email", methods: &["email"] },
    Kind { key: "okta_password", r#type: "password", name: "Password", methods: &["password"] },
    Kind {
        key: "okta_verify",
        r#type: "app",
        name: "Okta Verify",
        methods: &["push", "signed_nonce", "totp"],
    },
    Kind { key: "okta_verify_totp", r#type: "app", name: "Okta Verify TOTP", methods: &["totp"] },
    Kind { key: "okta_verify_push", r#type: "app", name: "Okta Verify Push", methods: &["push"] },
    Kind {
        key: "okta_verify_fastpass",
        r#type: "app",
        name: "Okta FastPass",
        methods: &["signed_nonce"],
    },
    Kind { key: "phone_number", r#type: "phone", name: "Phone", methods: &["sms", "voice"] },
    Kind {
        key: "webauthn",
        r#type: "security_key",
        name: "Security Key or Biometric",
        methods: &["webauthn"],
    },
    Kind {
        key: "security_question",
        r#type: "security_question",
        name: "Security Question",
        methods: &["security_question"],
    },
];

/// `FastPass` as a separate authenticator.
const FASTPASS_AUTHENTICATOR: &str = "okta_verify_fastpass";

/// `segments` is the path below `/api/v1/authenticators`.
pub(super) fn answer(org: &Org, knobs: &Knobs, segments: &[&str]) -> Reply {
    let present = KINDS.iter().filter(|kind| is_present(knobs, kind));
    let Some((id, below)) = segments.split_first() else {
        let all: Vec<Value> = present.map(|kind| authenticator(org, knobs, kind)).collect();
        return Reply::json(200, json!(all));
    };
    let Some(kind) = present.into_iter().find(|kind| org.authenticator_id(kind.key) == *id) else {
        return errors::not_found("Resource not found", id, "Authenticator");
    };
    match below {
        [] => Reply::json(200, authenticator(org, knobs, kind)),
        ["methods"] => {
            let all: Vec<Value> =
                kind.methods.iter().map(|name| method(org, knobs, kind, name)).collect();
            Reply::json(200, json!(all))
        }
        ["methods", name] if kind.methods.contains(name) => {
            Reply::json(200, method(org, knobs, kind, name))
        }
        ["methods", name] => errors::not_found("Resource not found", name, "AuthenticatorMethod"),
        _ => errors::path_not_found(),
    }
}

fn authenticator(org: &Org, knobs: &Knobs, kind: &Kind) -> Value {
    let active = is_active(knobs, kind);
    let id = org.authenticator_id(kind.key);
    let address = format!("{}/api/v1/authenticators/{id}", org.url());
    let mut links = json!({
        "self": link(&address, &["GET", "PUT"]),
        "methods": link(&format!("{address}/methods"), &["GET"]),
    });
    // The password authenticator cannot be deactivated.
    if kind.key != "okta_password" {
        let change = if active { "deactivate" } else { "activate" };
        links[change] = link(&format!("{address}/lifecycle/{change}"), &["POST"]);
    }
    let mut authenticator = json!({
        "type": kind.r#type,
        "id": id,
        "key": kind.key,
        "status": status(active),
        "name": kind.name,
        "created": "2024-05-14T09:12:41.000Z",
        "lastUpdated": "2025-11-03T16:20:05.000Z",
        "_links": links,
    });
    match kind.key {
        "okta_email" => {
            authenticator["settings"] = json!({"allowedFor": "any", "tokenLifetimeInMinutes": 5});
        }
        "phone_number" => authenticator["settings"] = json!({"allowedFor": "none"}),
        "okta_verify" => {
            authenticator["settings"] = json!({
                "channelBinding": {"style": "NUMBER_CHALLENGE", "required": "HIGH_RISK_ONLY"},
                "compliance": {"fips": "OPTIONAL"},
                "userVerification": "PREFERRED",
                "appInstanceId": super::ids::okta_id("0oa", &format!("{} okta verify", org.first_host())),
            });
        }
        _ => {}
    }
    authenticator
}

fn method(org: &Org, knobs: &Knobs, kind: &Kind, name: &str) -> Value {
    let active = match name {
        "signed_nonce" if kind.key == FASTPASS_AUTHENTICATOR => is_active(knobs, kind),
        "signed_nonce" => knobs.fastpass,
        "voice" => false,
        _ => kind.key != "phone_number",
    };
    let id = org.authenticator_id(kind.key);
    let address = format!("{}/api/v1/authenticators/{id}/methods/{name}", org.url());
    let change = if active { "deactivate" } else { "activate" };
    let mut method = json!({
        "type": name,
        "status": status(active),
        "_links": {
            "self": link(&address, &["GET", "PUT"]),
            change: link(&format!("{address}/lifecycle/{change}"), &["POST"]),
        },
    });
    match name {
        "signed_nonce" => {
            method["settings"] = json!({
                "algorithms": ["ES256", "RS256"],
                "keyProtection": "ANY",
                "showSignInWithOV": if active { "ALWAYS" } else { "NEVER" },
            });
        }
        "push" => {
            method["settings"] = json!({"algorithms": ["ES256", "RS256"], "keyProtection": "ANY", "transactionTypes": ["LOGIN"]});
        }
        "totp" => {
            method["settings"] = json!({"timeIntervalInSeconds": 30, "encoding": "base32", "algorithm": "HMacSHA1", "passCodeLength": 6});
        }
        "webauthn" => {
            method["settings"] = json!({"userVerification": "PREFERRED", "attachment": "ANY"});
        }
        _ => {}
    }
    method
}

/// The partial authenticators of Okta Verify exist all together or not at all.
fn is_present(knobs: &Knobs, kind: &Kind) -> bool {
    match kind.key {
        "okta_verify" => knobs.okta_verify != Presence::Absent,
        key if key.starts_with("okta_verify_") => knobs.okta_verify_fastpass != Presence::Absent,
        _ => true,
    }
}

fn is_active(knobs: &Knobs, kind: &Kind) -> bool {
    match kind.key {
        "okta_verify" => knobs.okta_verify == Presence::Active,
        FASTPASS_AUTHENTICATOR => knobs.okta_verify_fastpass == Presence::Active,
        "phone_number" => false,
        _ => true,
    }
}

fn status(active: bool) -> &'static str {
    if active { "ACTIVE" } else { "INACTIVE" }
}

pub(super) fn link(address: &str, methods: &[&str]) -> Value {
    json!({"href": address, "hints": {"allow": methods}})
}
