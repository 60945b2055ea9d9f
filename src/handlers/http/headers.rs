//! Extractors for headers: the verified caller, `If-Match` and `Idempotency-Key`.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::header::{HeaderName, IF_MATCH};
use actix_web::{FromRequest, HttpMessage, HttpRequest};

use crate::handlers::http::problem::Problem;
use crate::model::{Caller, ExpectedVersion};

/// The caller whose token the middleware verified.
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

/// `If-Match`: the version that the caller has read. Absent or `*` matches any version.
pub struct IfMatch(pub ExpectedVersion);

impl FromRequest for IfMatch {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(match single_header(request, &IF_MATCH) {
            Ok(None | Some("*")) => Ok(Self(ExpectedVersion::Any)),
            Ok(Some(text)) => expected_version(text).map(Self),
            Err(problem) => Err(problem),
        })
    }
}

fn expected_version(text: &str) -> Result<ExpectedVersion, Problem> {
    let weak = text.strip_prefix("W/");
    let opaque = weak.unwrap_or(text).strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    match opaque {
        Some(opaque) if opaque.contains('"') => {
            Err(Problem::malformed("Send exactly one ETag in If-Match, or *."))
        }
        // A weak tag never matches in If-Match (RFC 9110 §13.1.1).
        Some(opaque) if weak.is_none() => Ok(parse_version(opaque)),
        Some(_) => Ok(ExpectedVersion::Unknown),
        None => Err(Problem::malformed("Send one ETag in If-Match, with its quotes, or *.")),
    }
}

/// Returns the version of an ETag that this service issued; only the canonical spelling matches.
fn parse_version(opaque: &str) -> ExpectedVersion {
    let version = opaque.parse().ok().filter(|version: &i64| version.to_string() == opaque);
    version.map_or(ExpectedVersion::Unknown, ExpectedVersion::Exactly)
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
                    "Send an Idempotency-Key of 1 to 128 visible ASCII characters.",
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
        return Err(Problem::malformed(format!("Send the header {name} only once.")));
    }
    first
        .map(|value| value.to_str().map(str::trim))
        .transpose()
        .map_err(|_| Problem::malformed(format!("Send the header {name} in ASCII.")))
}
