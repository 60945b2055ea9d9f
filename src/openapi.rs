//! What the OpenAPI document says beyond the single operations: who it is for, how callers prove who
//! they are, and the errors that every operation of a kind may answer.

use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{Operation, Parameter, ParameterIn, PathItem};
use utoipa::openapi::response::ResponseBuilder;
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

/// Adds to each operation the problems and headers that it shares with others, so that none is
/// forgotten, and gives every problem its schema. An operation itself lists the codes that are special
/// to it.
pub fn complete(mut document: Document) -> Document {
    for (path, item) in &mut document.paths.paths {
        for operation in operations_of(item) {
            if !path.starts_with("/health") {
                let shared = Shared::of(path, operation);
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

/// The problems that an operation shares with others of its kind.
struct Shared {
    statuses: Vec<u16>,
    answered_by: Vec<AnsweredBy>,
}

impl Shared {
    fn of(path: &str, operation: &Operation) -> Self {
        let has = |wanted: fn(&Parameter) -> bool| {
            let mut parameters = operation.parameters.iter().flatten();
            parameters.any(|one| matches!(one, RefOr::T(found) if wanted(found)))
        };
        // Hooks are called by Okta, with a secret of their own.
        let needs_token = !path.starts_with("/hooks");
        let asks_okta = operation.responses.responses.contains_key("504");
        let by_id = path.contains('{') || has(|one| one.name == "integration_id");
        let takes_body = operation.request_body.is_some();
        let takes_query = has(|one| one.parameter_in == ParameterIn::Query);
        let takes_header = has(|one| one.parameter_in == ParameterIn::Header);
        // The body of a hook is Okta's: it is read whatever its declared type and fields are.
        let checks_body = takes_body && needs_token;
        let statuses = [
            (400, takes_body || takes_query || takes_header),
            (401, needs_token),
            (403, needs_token),
            (404, by_id),
            (412, has(|one| one.name == "If-Match")),
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
            (AnsweredBy::Key, has(|one| one.name == "Idempotency-Key")),
        ];
        Self { statuses: those_that_apply(statuses), answered_by: those_that_apply(answered_by) }
    }

    /// The codes of `status` that the operation can answer with.
    fn codes(&self, status: u16) -> String {
        let kinds = KINDS
            .iter()
            .filter(|kind| kind.status == status && self.answered_by.contains(&kind.answered_by));
        kinds.map(|kind| kind.code).collect::<Vec<_>>().join(", ")
    }
}

fn those_that_apply<T, const N: usize>(all: [(T, bool); N]) -> Vec<T> {
    all.into_iter().filter_map(|(one, applies)| applies.then_some(one)).collect()
}

fn add_shared_problems(operation: &mut Operation, shared: &Shared) {
    for status in &shared.statuses {
        let response = || ResponseBuilder::new().description(shared.codes(*status)).build();
        let responses = &mut operation.responses.responses;
        responses.entry(status.to_string()).or_insert_with(|| RefOr::T(response()));
    }
}

/// Every error without a schema of its own is a problem.
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
