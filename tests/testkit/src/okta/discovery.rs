//! `GET /.well-known/okta-organization`, which needs no token.

use serde_json::{Value, json};

use super::errors;
use super::message::{Reply, Request};
use super::org::Org;

pub(super) fn answer(org: &Org, request: &Request) -> Reply {
    if request.method != "GET" {
        return errors::method_not_supported("GET");
    }
    if !request.admits_json() {
        return errors::media_type_not_supported();
    }
    let state = org.state();
    let knobs = &state.knobs;
    // A custom domain serves the same document, unless knobs change it.
    let lies = knobs.custom_domain(&request.host);
    let organization =
        lies.and_then(|lies| lies.claims_organization.clone()).unwrap_or_else(|| org.url());
    let mut document = json!({
        "id": lies.and_then(|lies| lies.claims_org_id.as_deref()).unwrap_or(org.id()),
        "cell": "ok14",
        "_links": {"organization": {"href": organization}},
        "pipeline": lies.and_then(|lies| lies.claims_pipeline).unwrap_or(knobs.pipeline),
        "settings": {
            "analyticsCollectionEnabled": false,
            "bugReportingEnabled": true,
            "omEnabled": false,
            "pssoEnabled": false,
        },
    });
    let linked = knobs.custom_domains.iter().filter(|domain| domain.linked_back);
    let alternates: Vec<Value> =
        linked.map(|domain| json!({"href": format!("https://{}", domain.host)})).collect();
    // A relation is one link, or a list if there are several (HAL).
    match alternates.as_slice() {
        [] => {}
        [one] => document["_links"]["alternate"] = one.clone(),
        several => document["_links"]["alternate"] = json!(several),
    }
    Reply::json(200, document)
}
