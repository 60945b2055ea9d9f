//! The parts of the OpenAPI document that operations share: description, tags, authentication,
//! common errors and headers.

use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{Operation, Parameter, ParameterIn, PathItem};
use utoipa::openapi::response::ResponseBuilder;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{ContentBuilder, Object, OpenApi as Document, Ref, RefOr, Type};
use utoipa::{Modify, OpenApi};

use crate::handlers::http::kinds::{AnsweredBy, KINDS};
use crate::handlers::http::problem::{PROBLEM_JSON, Problem, ProblemField};

/// The document without operations.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Okta Device Trust",
        description = "Connects an Apple MDM to Okta device trust: it sets up Okta orgs, renders the profiles for devices, and tells whether a device is trusted.\n\nErrors are problem documents (RFC 9457): branch on `code`, show `detail` to people, and log `request_id`. Times are RFC 3339 in UTC. Lists are paginated: send `next_cursor` as `cursor` to get the next page.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    components(schemas(Problem, ProblemField)),
    modifiers(&Bearer),
    tags(
        (name = "Integrations", description = "Connect an Okta org, and guide an admin through its setup"),
        (name = "Credentials", description = "The client ID and client secret of the API service integration in Okta"),
        (name = "Prerequisites", description = "Check what an Okta org needs for device trust"),
        (name = "Platforms", description = "Configure macOS and iOS, and the platform catalogue with forms and guides"),
        (name = "Deployments", description = "Render the profiles and settings that the MDM installs on a device. The responses contain secrets"),
        (name = "Okta device mirror", description = "The device records of the Okta org, which the service keeps up to date"),
        (name = "Trust status", description = "Whether a device is trusted, and if not, why and what to do"),
        (name = "Devices", description = "The device inventory, which the MDM reports"),
        (name = "Event hooks", description = "The event hook by which Okta reports changed devices"),
        (name = "Okta callbacks", description = "Endpoints that Okta calls. They need no token; event hooks have a secret of their own"),
        (name = "Audit log", description = "Who changed what and when"),
        (name = "Health", description = "Liveness and readiness probes. They need no token"),
    ),
)]
pub struct Base;

struct Bearer;

impl Modify for Bearer {
    fn modify(&self, document: &mut Document) {
        let about = "JWT of the MDM's token issuer, with a tenant claim and scopes in `scope` or `scp`: odt:read, odt:write, odt:deploy, odt:inventory, trust:read.";
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

/// Adds the problems and headers that operations share, and the schema of every problem. An operation
/// itself lists only its special codes.
pub fn complete(mut document: Document) -> Document {
    for (path, item) in &mut document.paths.paths {
        for operation in operations_of(item) {
            if !path.starts_with("/health") {
                let shared = Shared::new(path, operation);
                add_shared_problems(operation, &shared);
                add_schemas(operation);
                add_headers(operation);
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

/// The problems of an operation that follow from its path, parameters and body.
struct Shared {
    statuses: Vec<u16>,
    answered_by: Vec<AnsweredBy>,
}

impl Shared {
    fn new(path: &str, operation: &Operation) -> Self {
        let has = |wanted: fn(&Parameter) -> bool| {
            let mut parameters = operation.parameters.iter().flatten();
            parameters.any(|parameter| matches!(parameter, RefOr::T(found) if wanted(found)))
        };
        // Okta calls the hooks, with their secret instead of a token.
        let needs_token = !path.starts_with("/hooks");
        let asks_okta = operation.responses.responses.contains_key("504");
        let by_id = path.contains('{') || has(|parameter| parameter.name == "integration_id");
        let takes_body = operation.request_body.is_some();
        let takes_query = has(|parameter| parameter.parameter_in == ParameterIn::Query);
        let takes_header = has(|parameter| parameter.parameter_in == ParameterIn::Header);
        // The body of a hook call is Okta's: any content type and fields are accepted.
        let checks_body = takes_body && needs_token;
        let statuses = [
            // Two `Authorization` headers are a 400.
            (400, needs_token || takes_body || takes_query || takes_header),
            (401, needs_token),
            (403, needs_token),
            (404, by_id),
            (408, checks_body),
            (412, has(|parameter| parameter.name == "If-Match")),
            (413, takes_body),
            (415, checks_body),
            (422, checks_body || takes_query),
            (500, true),
            (503, true),
        ];
        let answered_by = [
            (AnsweredBy::All, true),
            (AnsweredBy::Token, needs_token),
            (AnsweredBy::Okta, asks_okta),
            (AnsweredBy::Key, has(|parameter| parameter.name == "Idempotency-Key")),
        ];
        Self { statuses: select(statuses), answered_by: select(answered_by) }
    }

    /// Lists the codes with `status` that the operation can return.
    fn codes(&self, status: u16) -> String {
        let kinds = KINDS
            .iter()
            .filter(|kind| kind.status == status && self.answered_by.contains(&kind.answered_by));
        kinds.map(|kind| kind.code).collect::<Vec<_>>().join(", ")
    }
}

fn select<T, const N: usize>(all: [(T, bool); N]) -> Vec<T> {
    all.into_iter().filter_map(|(item, applies)| applies.then_some(item)).collect()
}

fn add_shared_problems(operation: &mut Operation, shared: &Shared) {
    for status in &shared.statuses {
        let response = || ResponseBuilder::new().description(shared.codes(*status)).build();
        let responses = &mut operation.responses.responses;
        responses.entry(status.to_string()).or_insert_with(|| RefOr::T(response()));
    }
}

/// Adds the problem schema to every error without a schema.
fn add_schemas(operation: &mut Operation) {
    for (status, response) in &mut operation.responses.responses {
        let RefOr::T(response) = response else { continue };
        if status.starts_with(['4', '5']) && response.content.is_empty() {
            let schema = Ref::from_schema_name("Problem");
            let content = ContentBuilder::new().schema(Some(schema)).build();
            response.content.insert(PROBLEM_JSON.to_owned(), RefOr::T(content));
        }
    }
}

/// Adds the headers that all responses have.
fn add_headers(operation: &mut Operation) {
    for (status, response) in &mut operation.responses.responses {
        let RefOr::T(response) = response else { continue };
        let mut header = |name: &str, about: &str| {
            let header = HeaderBuilder::new()
                .schema(Some(Object::with_type(Type::String)))
                .description(Some(about));
            response.headers.insert(name.to_owned(), RefOr::T(header.build()));
        };
        header("X-Request-Id", "Identifies the request in the service's log");
        match status.as_str() {
            "401" => header("WWW-Authenticate", "`Bearer`, with the error of the token"),
            "429" | "503" | "504" => header("Retry-After", "Seconds to wait before a retry"),
            _ => {}
        }
    }
}
