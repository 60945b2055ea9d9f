//! `GET /api/v1/devices` and its subresources.
//!
//! Shows and changes the state in [`fleet`](super::fleet) by Okta's rules.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::authenticators::link;
use super::errors;
use super::fleet::{Device, DeviceUser, Fleet, written};
use super::knobs::{EndlessList, Knobs};
use super::message::{Reply, Request};
use super::org::{Org, State};
use super::search::Filter;

const MAX_PAGE_SIZE: usize = 200;

/// `segments` is the path below `/api/v1/devices`.
pub(super) fn answer(org: &Org, state: &mut State, request: &Request, segments: &[&str]) -> Reply {
    match (request.method.as_str(), segments) {
        ("GET", []) => list(org, state, request).unwrap_or_else(|refusal| refusal),
        ("GET", [id]) => with_device(state, id, |device| Reply::json(200, shown(org, device))),
        ("GET", [id, "users"]) => match state.fleet.find_mut(id).cloned() {
            Some(device) => users(org, state, request, &device),
            None => errors::not_found("Resource not found", id, "UDDevice"),
        },
        ("DELETE", [id]) => with_device(state, id, |device| {
            if device.status != "DEACTIVATED" {
                return illegal_status();
            }
            device.deleted = true;
            Reply::empty(204)
        }),
        ("POST", [id, "lifecycle", change]) => {
            let now = state.fleet.now();
            with_device(state, id, |device| lifecycle(device, change, now))
        }
        _ => errors::path_not_found(),
    }
}

fn with_device(state: &mut State, id: &str, work: impl FnOnce(&mut Device) -> Reply) -> Reply {
    match state.fleet.find_mut(id) {
        Some(device) => work(device),
        None => errors::not_found("Resource not found", id, "UDDevice"),
    }
}

/// Returns a page of users; the cursor is the number of users before it.
fn users(org: &Org, state: &State, request: &Request, device: &Device) -> Reply {
    let after = request.query_pairs().into_iter().find(|(name, _)| name == "after");
    let start = after.and_then(|(_, cursor)| cursor.parse().ok()).unwrap_or(0);
    let size = state.knobs.device_users_page;
    let page = device.users.iter().skip(start).take(size);
    let rows: Vec<Value> = page.map(|user| linked_user(org, &state.fleet, user, true)).collect();
    let reply = Reply::json(200, json!(rows)).with("Link", link_header(org, request, None));
    if start + size >= device.users.len() {
        return reply;
    }
    reply.with("Link", link_header(org, request, Some(&(start + size).to_string())))
}

fn lifecycle(device: &mut Device, change: &str, now: DateTime<Utc>) -> Reply {
    let status = match (change, device.status.as_str()) {
        ("activate", "DEACTIVATED" | "CREATED") | ("unsuspend", "SUSPENDED") => "ACTIVE",
        ("suspend", "ACTIVE" | "UNSUSPENDED") => "SUSPENDED",
        ("deactivate", "ACTIVE" | "SUSPENDED" | "UNSUSPENDED" | "CREATED") => "DEACTIVATED",
        _ => return illegal_status(),
    };
    device.set_status(status, now);
    Reply::empty(204)
}

fn illegal_status() -> Reply {
    errors::api(403, "E0000152", "The device is not in a status that allows this operation.")
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Expand {
    Nothing,
    UserSummary,
    User,
}

struct Query {
    limit: usize,
    after: Option<String>,
    filter: Option<Filter>,
    expand: Expand,
}

impl Query {
    fn read(request: &Request) -> Result<Self, Reply> {
        let mut query =
            Self { limit: MAX_PAGE_SIZE, after: None, filter: None, expand: Expand::Nothing };
        let invalid = |text: &str| {
            Err(errors::api(400, "E0000001", format!("Api validation failed: {text}")))
        };
        for (name, value) in request.query_pairs() {
            match name.as_str() {
                "limit" => match value.parse() {
                    Ok(limit @ 1..=MAX_PAGE_SIZE) => query.limit = limit,
                    _ => return invalid("limit"),
                },
                "after" => query.after = Some(value),
                "search" => match Filter::parse(&value) {
                    Some(filter) => query.filter = Some(filter),
                    None => return Err(errors::api(400, "E0000031", "Invalid search criteria.")),
                },
                "expand" => match value.as_str() {
                    "userSummary" => query.expand = Expand::UserSummary,
                    "user" => query.expand = Expand::User,
                    _ => return invalid("expand"),
                },
                _ => {}
            }
        }
        Ok(query)
    }
}

/// The cursor of an empty page of [`EndlessList::EmptyPages`].
const EMPTY_PAGE: &str = "empty";

fn list(org: &Org, state: &State, request: &Request) -> Result<Reply, Reply> {
    let query = Query::read(request)?;
    let knobs = &state.knobs;
    let all = listed(state.fleet.searchable(), knobs);
    let empty_page = query.after.as_ref().and_then(|cursor| cursor.strip_prefix(EMPTY_PAGE));
    let start = match &query.after {
        None => 0,
        Some(_) if empty_page.is_some() => all.len(),
        Some(cursor) => match all.iter().position(|device| device.id == *cursor) {
            Some(position) => position + 1,
            None => return Err(errors::api(400, "E0000031", "Invalid search criteria.")),
        },
    };
    let mut rest = all[start..].iter().filter(|device| {
        !device.deleted && query.filter.as_ref().is_none_or(|filter| filter.admits(device))
    });
    let page: Vec<&Device> = rest.by_ref().take(query.limit).collect();
    let next = match (rest.next(), page.last(), knobs.endless_list) {
        (Some(_), Some(last), _) => Some(last.id.clone()),
        (_, _, EndlessList::No) => None,
        (_, _, EndlessList::Loop) => all.get(query.limit - 1).or(all.first()).map(|d| d.id.clone()),
        (_, _, EndlessList::EmptyPages) => {
            let number: u32 = empty_page.and_then(|text| text.parse().ok()).unwrap_or(0);
            Some(format!("{EMPTY_PAGE}{}", number + 1))
        }
    };
    let rows: Vec<Value> =
        page.iter().map(|device| row(org, state, device, query.expand)).collect();
    let mut reply = Reply::json(200, json!(rows)).with("Link", link_header(org, request, None));
    if let Some(next) = next {
        let mut link = link_header(org, request, Some(&next));
        if knobs.next_drops_expand {
            link = link.replace("&expand=userSummary", "").replace("&expand=user", "");
        }
        reply = reply.with("Link", link);
    }
    Ok(reply)
}

/// Returns the devices that lists show.
fn listed<'a>(all: &'a [Device], knobs: &Knobs) -> &'a [Device] {
    let percent = usize::try_from(knobs.percent_of_devices_listed).unwrap_or(100).min(100);
    &all[..all.len() * percent / 100]
}

/// Okta sends each relation in a separate header.
fn link_header(org: &Org, request: &Request, next: Option<&str>) -> String {
    let mut address =
        url::Url::parse(&format!("{}{}", org.url(), request.path)).expect("a path that was routed");
    {
        let mut pairs = address.query_pairs_mut();
        if let Some(after) = next {
            pairs.append_pair("after", after);
        }
        for (name, value) in request.query_pairs() {
            if next.is_none() || name != "after" {
                pairs.append_pair(&name, &value);
            }
        }
    }
    if address.query() == Some("") {
        address.set_query(None);
    }
    let relation = if next.is_some() { "next" } else { "self" };
    format!("<{address}>; rel=\"{relation}\"")
}

fn row(org: &Org, state: &State, device: &Device, expand: Expand) -> Value {
    let mut row = shown(org, device);
    if expand == Expand::Nothing || state.knobs.summary_without_users {
        return row;
    }
    let (knobs, whole) = (&state.knobs, expand == Expand::User);
    let none = if knobs.no_users_are_null { Value::Null } else { json!([]) };
    let users = if device.users.is_empty() {
        none
    } else if hides_users(&state.fleet, device, knobs) {
        Value::Null
    } else {
        let shown = device.users.iter().take(knobs.list_users_limit).map(|user| {
            let mut shown = linked_user(org, &state.fleet, user, whole);
            if knobs.summary_without_management_status {
                shown.as_object_mut().expect("made as an object").remove("managementStatus");
            }
            shown
        });
        shown.collect()
    };
    row["_embedded"] = json!({"users": users});
    row
}

/// Returns whether the device is in the first percentage of devices with users, which the knob hides.
fn hides_users(fleet: &Fleet, device: &Device, knobs: &Knobs) -> bool {
    let percent = usize::try_from(knobs.percent_of_users_hidden).unwrap_or(100);
    if percent == 0 {
        return false;
    }
    let with_users = fleet.searchable().iter().filter(|other| !other.users.is_empty());
    let hidden = with_users.clone().count() * percent / 100;
    with_users.take(hidden).any(|other| other.id == device.id)
}

fn shown(org: &Org, device: &Device) -> Value {
    let address = format!("{}/api/v1/devices/{}", org.url(), device.id);
    let mut links = json!({
        "self": link(&address, &["GET", "PATCH", "PUT"]),
        "users": link(&format!("{address}/users"), &["GET"]),
    });
    let changes: &[&str] = match device.status.as_str() {
        "ACTIVE" | "UNSUSPENDED" => &["suspend", "deactivate"],
        "SUSPENDED" => &["unsuspend", "deactivate"],
        "DEACTIVATED" | "CREATED" => &["activate"],
        _ => &[],
    };
    for change in changes {
        links[*change] = link(&format!("{address}/lifecycle/{change}"), &["POST"]);
    }
    json!({
        "id": device.id,
        "status": device.status,
        "created": written(device.created),
        "lastUpdated": written(device.last_updated),
        "profile": device.profile,
        "resourceType": "UDDevice",
        "resourceDisplayName": {"value": device.profile.get("displayName"), "sensitive": false},
        "resourceAlternateId": null,
        "resourceId": device.id,
        "_links": links,
    })
}

fn linked_user(org: &Org, fleet: &Fleet, link: &DeviceUser, whole: bool) -> Value {
    let address = format!("{}/api/v1/users/{}", org.url(), link.user_id);
    let mut user = json!({
        "id": link.user_id,
        "profile": {"firstName": "Example", "lastName": "User", "login": link.login, "email": link.login},
        "_links": {"self": {"href": address}},
    });
    if whole {
        user["status"] = json!(fleet.user_status(&link.user_id));
        user["created"] = json!(written(link.created));
        user["lastUpdated"] = json!(written(link.created));
    }
    json!({
        "created": written(link.created),
        "managementStatus": if link.managed { "MANAGED" } else { "NOT_MANAGED" },
        "screenLockType": link.screen_lock,
        "user": user,
    })
}
