//! What the OpenAPI document says beyond the single operations: who it is for, how callers prove who
//! they are, and the errors that every operation of a kind may answer.

use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{Operation, ParameterIn, PathItem};
use utoipa::openapi::response::{Response, ResponseBuilder};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{ContentBuilder, Object, OpenApi as Document, Ref, RefOr, Type};
use utoipa::{Modify, OpenApi};

use crate::handlers::http::kinds::{AnsweredBy, KINDS};
use crate::handlers::http::problem::{PROBLEM_JSON, Problem, ProblemField};

/// The document before the operations are put in.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Okta Device Trust",
        description = "Connects Okta orgs for an Apple MDM, proves that they are ready and keeps their credentials.\n\nErrors are problem documents (RFC 9457): decide by `code`, show `detail`, keep `request_id`. Times are RFC 3339 in UTC. Lists are pages: send `next_cursor` as `cursor`.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    components(schemas(Problem, ProblemField)),
    modifiers(&Bearer),
    tags(
        (name = "Integration", description = "The Okta org of a tenant, and the wizard that sets it up"),
        (name = "Credentials", description = "Client ID and secret; the secret is write-only"),
        (name = "Prerequisites", description = "What the org must have, and how sure we are of each"),
        (name = "Platforms", description = "What each platform asks for, and what is configured"),
        (name = "Deployments", description = "What the MDM installs on a device; the only answers with secrets"),
        (name = "Mirror", description = "What the org knows of its devices, and how fresh that is"),
        (name = "Trust status", description = "Whether a device is trusted, and if not, why and what to do"),
        (name = "Devices", description = "What the MDM reports of its devices, and which of them wait for something"),
        (name = "Event hook", description = "Lets Okta say which devices to look at again"),
        (name = "Audit", description = "Who changed what and when"),
        (name = "Operations", description = "For those who run the service; no token needed"),
    ),
)]
pub struct Base;

struct Bearer;

impl Modify for Bearer {
    fn modify(&self, document: &mut Document) {
        let about = "JWT of the MDM's token issuer, with a tenant claim and these scopes in `scope` or `scp`: odt:read, odt:write, odt:deploy, odt:inventory, trust:read.";
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .bearer_format("JWT")
            .description(Some(about))
            .build();
        if let Some(components) = &mut document.components {
            components.add_security_scheme("bearer", SecurityScheme::Http(scheme));
        }
    }
}

/// Adds to each operation the errors that all of its kind share, so that none is forgotten.
pub fn complete(mut document: Document) -> Document {
    for (path, item) in &mut document.paths.paths {
        let by_id = path.contains('{');
        for operation in operations_of(item) {
            if path.starts_with("/hooks") {
                // It takes no token and says itself what it answers.
                add_headers(operation);
            } else if operation.security.as_ref().is_some_and(|needs| !needs.is_empty())
                && !path.starts_with("/health")
            {
                add_shared_errors(operation, by_id);
            }
        }
    }
    document
}

fn operations_of(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.get, &mut item.put, &mut item.post, &mut item.delete, &mut item.patch]
        .into_iter()
        .filter_map(Option::as_mut)
}

fn add_shared_errors(operation: &mut Operation, by_id: bool) {
    let asks_okta = operation.responses.responses.contains_key("504");
    let takes_body = operation.request_body.is_some();
    let parameters = operation.parameters.as_deref().unwrap_or_default();
    let takes = |place: &ParameterIn| {
        parameters
            .iter()
            .any(|parameter| matches!(parameter, RefOr::T(found) if found.parameter_in == *place))
    };
    let takes_query = takes(&ParameterIn::Query);
    let takes_header = takes(&ParameterIn::Header);
    let takes_key = parameters.iter().any(|parameter| {
        matches!(parameter, RefOr::T(found) if found.name.eq_ignore_ascii_case("Idempotency-Key"))
    });
    let mut statuses = vec![401, 403, 500, 503];
    if takes_body || takes_query || takes_header {
        statuses.push(400);
    }
    if takes_body || takes_query {
        statuses.push(422);
    }
    if takes_body {
        statuses.extend([413, 415]);
    }
    if by_id {
        statuses.push(404);
    }
    for status in statuses {
        let responses = &mut operation.responses.responses;
        responses
            .entry(status.to_string())
            .or_insert_with(|| RefOr::T(problem_response(status, asks_okta, takes_key)));
    }
    add_headers(operation);
}

/// Headers that answers carry whatever the operation is.
fn add_headers(operation: &mut Operation) {
    for (status, response) in &mut operation.responses.responses {
        let RefOr::T(response) = response else { continue };
        let mut header = |name: &str, about: &str| {
            let header = HeaderBuilder::new()
                .schema(Some(Object::with_type(Type::String)))
                .description(Some(about));
            response.headers.insert(name.to_owned(), RefOr::T(header.build()));
        };
        header("X-Request-Id", "Finds the request in the log");
        match status.as_str() {
            "401" => header("WWW-Authenticate", "Bearer, and what is wrong with the token"),
            "429" | "503" | "504" => header("Retry-After", "Seconds to wait"),
            _ => {}
        }
    }
}

/// A problem of this status, with the codes that it may carry.
fn problem_response(status: u16, asks_okta: bool, takes_key: bool) -> Response {
    let codes: Vec<&str> = KINDS
        .iter()
        .filter(|kind| kind.status == status)
        .filter(|kind| match kind.answered_by {
            AnsweredBy::All | AnsweredBy::Token => true,
            AnsweredBy::Okta => asks_okta,
            AnsweredBy::Key => takes_key,
        })
        .map(|kind| kind.code)
        .collect();
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
    ResponseBuilder::new().description(codes.join(", ")).content(PROBLEM_JSON, content).build()
}
