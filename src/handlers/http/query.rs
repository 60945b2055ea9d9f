//! The query of a request, read as one struct per operation.

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

/// The query, read as `T`.
pub struct Query<T>(pub T);

/// The parameters of an operation's query.
pub trait QueryParams: DeserializeOwned {
    /// What to send instead, when the query cannot be read.
    fn hint(error: &QueryPayloadError) -> String {
        format!("The query cannot be read: {}.", without_values(error))
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

/// serde's description, without a value that it quotes.
fn without_values(error: &QueryPayloadError) -> String {
    let words = error.to_string();
    let known = ["unknown field", "unknown variant", "duplicate field", "invalid digit"];
    let kind = known.into_iter().find(|kind| words.contains(*kind));
    let expected = words.split_once("expected ").map(|(_, expected)| expected);
    match (kind, expected) {
        (Some(kind), Some(expected)) => format!("{kind}; expected {expected}"),
        (Some(kind), None) => kind.to_owned(),
        _ => "a value is not what its parameter takes".to_owned(),
    }
}

/// `?cursor=&limit=` of a list.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PageParams {
    /// `next_cursor` of the page before; absent for the first.
    #[param(
        min_length = 22,
        max_length = 22,
        pattern = "^[A-Za-z0-9_-]{21}[AQgw]$",
        nullable = false
    )]
    cursor: Option<String>,
    /// Rows of a page.
    #[param(minimum = 1, maximum = 200, default = 50, nullable = false)]
    limit: Option<i64>,
}

impl QueryParams for PageParams {
    fn hint(_: &QueryPayloadError) -> String {
        "The query may have cursor and limit, each once.".to_owned()
    }
}

impl PageParams {
    /// The page to list.
    ///
    /// # Errors
    /// A problem that names each parameter that is not acceptable.
    pub fn page(&self) -> Result<PageRequest, Problem> {
        page_of(self.cursor.as_deref(), self.limit, decode_cursor)
    }
}

/// `?confirm=true` of a deletion.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ConfirmParams {
    /// Delete although platforms or devices depend on it.
    #[param(default = false)]
    confirm: Option<bool>,
}

impl QueryParams for ConfirmParams {
    fn hint(_: &QueryPayloadError) -> String {
        "The query may have confirm, as true or false, once.".to_owned()
    }
}

impl ConfirmParams {
    pub fn confirmed(&self) -> bool {
        self.confirm.unwrap_or(false)
    }
}

/// `?dry_run=true` of a write.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DryRunParams {
    /// Try the values and store nothing.
    #[param(default = false)]
    dry_run: Option<bool>,
}

impl QueryParams for DryRunParams {
    fn hint(_: &QueryPayloadError) -> String {
        "The query may have dry_run, as true or false, once.".to_owned()
    }
}

impl DryRunParams {
    pub fn is_dry_run(&self) -> bool {
        self.dry_run.unwrap_or(false)
    }
}

/// Rows of a page: the default and the maximum.
const DEFAULT_LIMIT: i64 = 50;
const MAX_LIMIT: i64 = 200;

/// The page that `cursor` and `limit` of a query ask for; `decode` reads the list's kind of cursor.
///
/// # Errors
/// A problem that names each of the two that is not acceptable.
pub fn page_of<K>(
    cursor: Option<&str>,
    limit: Option<i64>,
    decode: impl Fn(&str) -> Option<K>,
) -> Result<PageRequest<K>, Problem> {
    let mut errors = Vec::new();
    let limit = limit.unwrap_or(DEFAULT_LIMIT);
    if !(1..=MAX_LIMIT).contains(&limit) {
        errors.push(FieldError::new("/query/limit", "out_of_range", "1 to 200."));
    }
    let after = cursor.and_then(decode);
    if cursor.is_some() && after.is_none() {
        errors.push(FieldError::new(
            "/query/cursor",
            "invalid_cursor",
            "Send next_cursor of a page as it was.",
        ));
    }
    if errors.is_empty() { Ok(PageRequest { after, limit }) } else { Err(Problem::invalid(errors)) }
}

/// The integration that a query or body names. A text that is no id becomes the nil id, which no
/// integration has: it is not found, like any other unknown id.
pub fn integration_of(text: Option<&str>) -> Option<IntegrationId> {
    text.map(|text| IntegrationId(text.parse().unwrap_or_default()))
}
