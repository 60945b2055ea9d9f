//! The extractor for query parameters, with one struct per operation.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::error::QueryPayloadError;
use actix_web::{FromRequest, HttpRequest, web};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::handlers::http::problem::Problem;
use crate::model::pages::decode_cursor;
use crate::model::{IntegrationId, PageRequest};
use crate::service::FieldError;

/// The query string, parsed as `T`.
pub struct Query<T>(pub T);

/// The query parameters of an operation.
pub trait QueryParams: DeserializeOwned {
    /// Returns the problem detail for a query string that cannot be parsed.
    fn hint(error: &QueryPayloadError) -> String {
        format!("The query string is malformed: {}.", describe_without_values(error))
    }
}

impl<T: QueryParams> FromRequest for Query<T> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let params = web::Query::<T>::from_query(request.query_string());
        ready(
            params
                .map(|params| Self(params.into_inner()))
                .map_err(|error| Problem::malformed(T::hint(&error))),
        )
    }
}

/// Returns serde's description without the values that it quotes.
fn describe_without_values(error: &QueryPayloadError) -> String {
    let message = error.to_string();
    let known = ["unknown field", "unknown variant", "duplicate field", "invalid digit"];
    let kind = known.into_iter().find(|kind| message.contains(*kind));
    let expected = message.split_once("expected ").map(|(_, expected)| expected);
    match (kind, expected) {
        (Some(kind), Some(expected)) => format!("{kind}; expected {expected}"),
        (Some(kind), None) => kind.to_owned(),
        _ => "a value does not match the type of its parameter".to_owned(),
    }
}

/// The page parameters of a list: `?cursor=&limit=`.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PageParams {
    /// The `next_cursor` of the previous page. Leave it out for the first page.
    #[param(
        min_length = 22,
        max_length = 22,
        pattern = "^[A-Za-z0-9_-]{21}[AQgw]$",
        nullable = false
    )]
    cursor: Option<String>,
    /// The maximum number of items in a page.
    #[param(minimum = 1, maximum = 200, default = 50, nullable = false)]
    limit: Option<i64>,
}

impl QueryParams for PageParams {
    fn hint(_: &QueryPayloadError) -> String {
        "Send only the query parameters cursor and limit, each at most once.".to_owned()
    }
}

impl PageParams {
    /// Parses the requested page.
    ///
    /// # Errors
    /// A problem that names each invalid parameter.
    pub fn page(&self) -> Result<PageRequest, Problem> {
        parse_page(self.cursor.as_deref(), self.limit, decode_cursor)
    }
}

/// The parameter of a deletion: `?confirm=true`.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ConfirmParams {
    /// Delete the resource even if platforms or devices depend on it.
    #[param(default = false)]
    confirm: Option<bool>,
}

impl QueryParams for ConfirmParams {
    fn hint(_: &QueryPayloadError) -> String {
        "Send only the query parameter confirm (true or false), at most once.".to_owned()
    }
}

impl ConfirmParams {
    pub fn confirmed(&self) -> bool {
        self.confirm.unwrap_or(false)
    }
}

/// The parameter of a write: `?dry_run=true`.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DryRunParams {
    /// Verify the values and store nothing.
    #[param(default = false)]
    dry_run: Option<bool>,
}

impl QueryParams for DryRunParams {
    fn hint(_: &QueryPayloadError) -> String {
        "Send only the query parameter dry_run (true or false), at most once.".to_owned()
    }
}

impl DryRunParams {
    pub fn is_dry_run(&self) -> bool {
        self.dry_run.unwrap_or(false)
    }
}

/// Items in a page: the default and the maximum.
const DEFAULT_LIMIT: i64 = 50;
const MAX_LIMIT: i64 = 200;

/// Parses the page that a query requests. `decode` parses the cursor of the list.
///
/// # Errors
/// A problem that names each invalid parameter.
pub fn parse_page<K>(
    cursor: Option<&str>,
    limit: Option<i64>,
    decode: impl Fn(&str) -> Option<K>,
) -> Result<PageRequest<K>, Problem> {
    let mut errors = Vec::new();
    let limit = limit.unwrap_or(DEFAULT_LIMIT);
    if !(1..=MAX_LIMIT).contains(&limit) {
        errors.push(FieldError::new("/query/limit", "out_of_range", "Send 1 to 200."));
    }
    let after = cursor.and_then(decode);
    if cursor.is_some() && after.is_none() {
        errors.push(FieldError::new(
            "/query/cursor",
            "invalid_cursor",
            "Send the next_cursor of the previous page unchanged.",
        ));
    }
    if errors.is_empty() { Ok(PageRequest { after, limit }) } else { Err(Problem::invalid(errors)) }
}

/// Parses the integration id of a query or body. A malformed id becomes the nil id, which no
/// integration has: like any unknown id, it is not found.
pub fn parse_integration_id(text: Option<&str>) -> Option<IntegrationId> {
    text.map(|text| IntegrationId(text.parse().unwrap_or_default()))
}
