//! Routes requests to the endpoints of an org.
//!
//! Checks method, rate limit, token and scope in this order before an endpoint runs.

use serde_json::{Value, json};

use super::knobs::{AUTHENTICATORS_READ, DEVICES_MANAGE, DEVICES_READ};
use super::message::{Body, Reply, Request};
use super::org::Org;
use super::{access, authenticators, devices, discovery, errors, rate, scep, token};

pub(super) fn answer(org: &Org, request: &Request) -> Reply {
    let mut reply = match request.path.as_str() {
        "/.well-known/okta-organization" => discovery::answer(org, request),
        "/oauth2/v1/token" => token::answer(org, request),
        path => match path.strip_prefix("/api/v1/") {
            Some(below) => api(org, request, &below.split('/').collect::<Vec<_>>()),
            None if path.starts_with("/oauth2/") || path.starts_with("/api/") => {
                errors::path_not_found()
            }
            None => scep::answer(org, request).unwrap_or_else(|| web_page(org, request)),
        },
    };
    let state = org.state();
    if state.knobs.extra_fields
        && let Body::Json(value) = &mut reply.body
    {
        grow(value);
    }
    reply.with("X-Okta-Request-Id", super::ids::random(27))
}

fn api(org: &Org, request: &Request, segments: &[&str]) -> Reply {
    let (bucket, scope, allowed): (&'static str, &str, &str) = match segments {
        ["authenticators"]
        | ["authenticators", _]
        | ["authenticators", _, "methods"]
        | ["authenticators", _, "methods", _] => (rate::AUTHENTICATORS, AUTHENTICATORS_READ, "GET"),
        ["devices"] => (rate::DEVICES, DEVICES_READ, "GET"),
        ["devices", _] if request.method == "DELETE" => {
            (rate::DEVICES, DEVICES_MANAGE, "GET, DELETE")
        }
        ["devices", _] => (rate::DEVICES, DEVICES_READ, "GET, DELETE"),
        ["devices", _, "users"] => (rate::DEVICE_USERS, DEVICES_READ, "GET"),
        ["devices", _, "lifecycle", "activate" | "deactivate" | "suspend" | "unsuspend"] => {
            (rate::DEVICES, DEVICES_MANAGE, "POST")
        }
        _ => return errors::path_not_found(),
    };
    if !allowed.split(", ").any(|method| method == request.method) {
        return errors::method_not_supported(allowed);
    }
    let mut state = org.state();
    let standing = match rate::count(&mut state, bucket) {
        Ok(standing) => standing,
        Err(refusal) => return refusal,
    };
    if !request.admits_json() {
        return standing.head(errors::media_type_not_supported());
    }
    if let Err(refusal) = access::check(&mut state, request, scope) {
        return standing.head(refusal);
    }
    standing.head(match segments[0] {
        "authenticators" => authenticators::answer(org, &state.knobs, &segments[1..]),
        _ => devices::answer(org, &mut state, request, &segments[1..]),
    })
}

/// Returns a web page for a browser that opens the org.
fn web_page(org: &Org, request: &Request) -> Reply {
    if request.path != "/" {
        return Reply::html(
            404,
            "<!doctype html><title>Page not found</title><h1>Page not found</h1>",
        );
    }
    let name = org.name();
    Reply::html(
        200,
        format!(
            "<!doctype html><title>{name} (simulated Okta org)</title><h1>{name}: a simulated Okta org</h1>\
             <p>There is no console here. <a href=\"/_sim/orgs/{name}\">Its state and its knobs</a>.</p>"
        ),
    )
}

/// Adds an undocumented field to every object.
fn grow(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(grow),
        Value::Object(fields) => {
            for (name, field) in fields.iter_mut() {
                if name == "_links" {
                    // Its members are links or lists of links.
                    if let Value::Object(links) = field {
                        links.insert(
                            "addedLater".into(),
                            json!({"href": "https://example.com/added-later"}),
                        );
                    }
                } else {
                    grow(field);
                }
            }
            fields.insert(
                "addedLater".into(),
                json!("a field that Okta added after the description was written"),
            );
        }
        _ => {}
    }
}
