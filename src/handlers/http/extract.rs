//! What handlers take from a request. Each rejection is a problem document that says what to send.

use std::future::{Future, Ready, ready};
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::http::header::{CONTENT_TYPE, HeaderName, IF_MATCH};
use actix_web::{FromRequest, HttpMessage, HttpRequest, web};
use serde::de::DeserializeOwned;

use crate::handlers::http::problem::Problem;
use crate::model::pages::decode_cursor;
use crate::model::{Caller, IntegrationId, PageRequest, Platform};
use crate::service::FieldError;

/// The most bytes of a request body, but where an operation says otherwise.
pub const BODY_LIMIT: usize = 64 * 1024;
/// The most bytes of a body with up to 1,000 devices in it.
pub const BATCH_LIMIT: usize = 2 * 1024 * 1024;

/// The caller that the middleware verified.
pub struct Verified(pub Caller);

impl FromRequest for Verified {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(
            request
                .extensions()
                .get::<Caller>()
                .cloned()
                .map(Self)
                .ok_or_else(Problem::token_missing),
        )
    }
}

/// A JSON body of up to `LIMIT` bytes.
pub struct Body<T, const LIMIT: usize = BODY_LIMIT>(pub T);

impl<T: DeserializeOwned + 'static, const LIMIT: usize> FromRequest for Body<T, LIMIT> {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let declared = declared_as_json(request);
        let payload = web::Payload::from_request(request, payload);
        Box::pin(async move {
            if !declared {
                return Err(Problem::unsupported_media_type("application/json"));
            }
            let broken = |_| Problem::malformed("The body broke off.");
            let read = payload.await.map_err(broken)?.to_bytes_limited(LIMIT).await;
            let bytes = read.map_err(|_| Problem::body_too_large(LIMIT))?;
            parse(&bytes.map_err(broken)?).map(Self)
        })
    }
}

/// `application/json`, or any `+json` such as merge patch (RFC 7396).
fn declared_as_json(request: &HttpRequest) -> bool {
    let declared = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    declared.is_some_and(|declared| {
        let essence = declared.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        essence == "application/json"
            || (essence.starts_with("application/") && essence.ends_with("+json"))
    })
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    refuse_other_than_object(bytes)?;
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let value: T = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let pointer = pointer_of(error.path());
        let cause = error.into_inner();
        match cause.classify() {
            serde_json::error::Category::Data => {
                Problem::invalid(vec![invalid_field(pointer, &cause)])
            }
            _ => not_json(&cause),
        }
    })?;
    json.end().map_err(|_| Problem::malformed("The body goes on after its JSON value."))?;
    Ok(value)
}

/// serde takes a list for a struct, field by field: a body has to name its fields.
fn refuse_other_than_object(bytes: &[u8]) -> Result<(), Problem> {
    if bytes.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{') {
        return Ok(());
    }
    Err(match serde_json::from_slice::<serde::de::IgnoredAny>(bytes) {
        Ok(_) => Problem::invalid(vec![FieldError::new(
            "",
            "invalid",
            "The body has to be a JSON object.",
        )]),
        Err(cause) => not_json(&cause),
    })
}

fn not_json(cause: &serde_json::Error) -> Problem {
    Problem::malformed(format!(
        "The body is not JSON: line {}, column {}.",
        cause.line(),
        cause.column()
    ))
}

/// serde says `unknown field `x`, expected …`: the words are fit for people, but a string value that
/// it quotes may be a secret, so messages that quote a value are replaced.
pub(in crate::handlers) fn invalid_field(pointer: String, cause: &serde_json::Error) -> FieldError {
    let message = cause.to_string();
    let words = message.split(" at line ").next().unwrap_or_default();
    let field = words.split('`').nth(1);
    let (pointer, code, detail) = match field {
        Some(field) if words.starts_with("missing field") => {
            (format!("{pointer}/{field}"), "missing", "This field is needed.".to_owned())
        }
        Some(_) if words.starts_with("unknown field") => {
            let expected =
                words.split_once("`, expected ").map_or("none", |(_, expected)| expected);
            (pointer, "unknown_field", format!("There is no such field; expected {expected}."))
        }
        Some(field) if words.starts_with("duplicate field") => {
            (format!("{pointer}/{field}"), "duplicate", "This field stands there twice.".to_owned())
        }
        _ => {
            let expected = words.rsplit_once("expected ").map(|(_, expected)| expected);
            let expected = match expected {
                None => "of the type and form that the API document gives",
                // serde's words for what JSON calls otherwise.
                Some("a sequence") => "a list",
                Some("a map") => "a JSON object",
                Some(expected) if expected.starts_with("struct ") => "a JSON object",
                Some(expected) => expected,
            };
            (pointer, "invalid", format!("This has to be {expected}."))
        }
    };
    FieldError::new(&pointer, code, detail)
}

/// JSON pointer (RFC 6901) of a path; the root is the empty string.
pub(in crate::handlers) fn pointer_of(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    path.iter()
        .map(|segment| match segment {
            Segment::Seq { index } => format!("/{index}"),
            Segment::Map { key } => format!("/{}", key.replace('~', "~0").replace('/', "~1")),
            Segment::Enum { variant } => format!("/{variant}"),
            Segment::Unknown => String::new(),
        })
        .collect()
}

/// The `{integration_id}` of the path. What is no id is the id of nothing.
pub struct IntegrationPath(pub IntegrationId);

impl FromRequest for IntegrationPath {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let text = request.match_info().get("integration_id").unwrap_or_default();
        // No integration has the nil id, so that a bad id is looked for, and not found, like any other:
        // after the scope was asked for.
        ready(Ok(Self(IntegrationId(text.parse().unwrap_or_default()))))
    }
}

/// `If-Match`, as the version that the caller has seen. Absent and `*` are met by any version.
pub struct IfMatch(pub Option<i64>);

impl FromRequest for IfMatch {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(match single_header(request, &IF_MATCH) {
            Ok(None | Some("*")) => Ok(Self(None)),
            Ok(Some(text)) => expected_version(text).map(|version| Self(Some(version))),
            Err(problem) => Err(problem),
        })
    }
}

/// A version that no integration ever has: an ETag that we did not make matches nothing.
const NO_VERSION: i64 = -1;

fn expected_version(text: &str) -> Result<i64, Problem> {
    let weak = text.strip_prefix("W/");
    let opaque = weak.unwrap_or(text).strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    match opaque {
        Some(opaque) if opaque.contains('"') => {
            Err(Problem::malformed("Send one ETag in If-Match, or *."))
        }
        // A weak tag never matches in If-Match (RFC 9110 §13.1.1).
        Some(opaque) if weak.is_none() => Ok(version_of(opaque)),
        Some(_) => Ok(NO_VERSION),
        None => Err(Problem::malformed("Send one ETag in If-Match, with its quotes, or *.")),
    }
}

/// The version in a tag that we made; every other spelling of the number is a tag that we did not.
fn version_of(opaque: &str) -> i64 {
    opaque.parse().ok().filter(|version: &i64| version.to_string() == opaque).unwrap_or(NO_VERSION)
}

/// `Idempotency-Key`: 1 to 128 visible ASCII characters.
pub struct IdempotencyKeyHeader(pub Option<String>);

impl FromRequest for IdempotencyKeyHeader {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let name = HeaderName::from_static("idempotency-key");
        ready(single_header(request, &name).and_then(|text| {
            let fits =
                |text: &str| text.len() <= 128 && text.bytes().all(|b| (0x21..=0x7e).contains(&b));
            match text {
                None => Ok(Self(None)),
                Some(text) if !text.is_empty() && fits(text) => Ok(Self(Some(text.to_owned()))),
                Some(_) => Err(Problem::malformed(
                    "Idempotency-Key has to be 1 to 128 visible ASCII characters.",
                )),
            }
        }))
    }
}

fn single_header<'a>(
    request: &'a HttpRequest,
    name: &HeaderName,
) -> Result<Option<&'a str>, Problem> {
    let mut values = request.headers().get_all(name);
    let first = values.next();
    if values.next().is_some() {
        return Err(Problem::malformed(format!("Send the header {name} once.")));
    }
    first
        .map(|value| value.to_str().map(str::trim))
        .transpose()
        .map_err(|_| Problem::malformed(format!("The header {name} has to be ASCII.")))
}

/// `?cursor=&limit=` of a list.
pub struct PageQuery(pub PageRequest);

#[derive(serde::Deserialize, utoipa::IntoParams)]
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

/// Rows of a page, by default and at most (contract §1).
const PAGE_DEFAULT: i64 = 50;
const PAGE_MOST: i64 = 200;

impl FromRequest for PageQuery {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let params = web::Query::<PageParams>::from_query(request.query_string());
        ready(match params {
            Ok(params) => page_of(params.cursor.as_deref(), params.limit, decode_cursor).map(Self),
            Err(_) => Err(Problem::malformed("The query may have cursor and limit, each once.")),
        })
    }
}

/// The page that `cursor` and `limit` of a query ask for; `decode` reads the list's kind of cursor.
///
/// # Errors
/// A problem that names each of the two that cannot be taken.
pub fn page_of<K>(
    cursor: Option<&str>,
    limit: Option<i64>,
    decode: impl Fn(&str) -> Option<K>,
) -> Result<PageRequest<K>, Problem> {
    let mut errors = Vec::new();
    let limit = limit.unwrap_or(PAGE_DEFAULT);
    if !(1..=PAGE_MOST).contains(&limit) {
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

/// For fields of a merge patch that cannot be taken away: `null` is refused.
///
/// # Errors
/// What the field's own type says of the value.
pub fn not_null<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: serde::Deserialize<'de>,
{
    T::deserialize(deserializer).map(Some)
}

/// The `{platform}` of the path.
pub struct PlatformPath(pub Platform);

impl FromRequest for PlatformPath {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let text = request.match_info().get("platform").unwrap_or_default();
        let parsed = Platform::parse(text).map(Self);
        ready(parsed.ok_or_else(|| {
            Problem::not_found("There is no such platform. The platforms are macos and ios.")
        }))
    }
}

/// `?confirm=true` of a deletion.
pub struct ConfirmQuery(pub bool);

#[derive(serde::Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ConfirmParams {
    /// Delete although platforms or devices depend on it.
    #[param(default = false)]
    confirm: Option<bool>,
}

impl FromRequest for ConfirmQuery {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let params = web::Query::<ConfirmParams>::from_query(request.query_string());
        let confirm = params.map(|params| Self(params.confirm.unwrap_or(false)));
        ready(
            confirm.map_err(|_| {
                Problem::malformed("The query may have confirm, as true or false, once.")
            }),
        )
    }
}

/// `?dry_run=true` of a write.
pub struct DryRunQuery(pub bool);

#[derive(serde::Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DryRunParams {
    /// Try the values and store nothing.
    #[param(default = false)]
    dry_run: Option<bool>,
}

impl FromRequest for DryRunQuery {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let params = web::Query::<DryRunParams>::from_query(request.query_string());
        let dry_run = params.map(|params| Self(params.dry_run.unwrap_or(false)));
        ready(
            dry_run.map_err(|_| {
                Problem::malformed("The query may have dry_run, as true or false, once.")
            }),
        )
    }
}
