//! Extractors for JSON bodies, with limits for their size, time and caller. An error names each invalid
//! field by its JSON pointer and says what to send.

use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use actix_web::{FromRequest, HttpMessage, HttpRequest, web};
use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, IgnoredAny, SeqAccess, Visitor};
use tokio::time::timeout;

use crate::handlers::State;
use crate::handlers::http::large_bodies::LargeBodyPermit;
use crate::handlers::http::problem::Problem;
use crate::model::{Caller, Scope};
use crate::service::FieldError;

/// The largest request body in bytes, unless an operation sets another limit.
pub const BODY_LIMIT: usize = 64 * 1024;
/// The largest body with up to 1,000 devices, in bytes.
pub const BATCH_LIMIT: usize = 2 * 1024 * 1024;

/// The time limit for a body to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(15);

/// A JSON body of up to [`BODY_LIMIT`] bytes.
pub struct Body<T>(pub T);

/// A JSON body of up to [`BATCH_LIMIT`] bytes. The caller's scope is checked before it is read.
pub struct LargeBody<T> {
    pub value: T,
    /// Held while the value is in use, to bound the memory of large bodies.
    _permit: Option<LargeBodyPermit>,
}

/// A body that may be large, with the scope that is required to send it.
pub trait LargeRequest: DeserializeOwned + 'static {
    const SCOPE: Scope;
}

/// An optional JSON body: absent, `null`, or an object.
pub struct OptionalBody<T>(pub T);

type Extracted<T> = Pin<Box<dyn Future<Output = Result<T, Problem>>>>;

impl<T: DeserializeOwned + 'static> FromRequest for Body<T> {
    type Error = Problem;
    type Future = Extracted<Self>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let is_json = has_json_content_type(request);
        let payload = web::Payload::from_request(request, payload);
        Box::pin(async move {
            if !is_json {
                return Err(Problem::unsupported_media_type("application/json"));
            }
            parse(&read(payload, BODY_LIMIT).await?).map(Self)
        })
    }
}

impl<T: LargeRequest> FromRequest for LargeBody<T> {
    type Error = Problem;
    type Future = Extracted<Self>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let is_json = has_json_content_type(request);
        let caller = request.extensions().get::<Caller>().cloned();
        let state = request.app_data::<web::Data<State>>().cloned();
        let is_large = declared_length(request).is_none_or(|length| length > BODY_LIMIT);
        let payload = web::Payload::from_request(request, payload);
        Box::pin(async move {
            let (caller, state) = caller.zip(state).ok_or_else(Problem::token_missing)?;
            state.service.require(&caller, T::SCOPE).await?;
            if !is_json {
                return Err(Problem::unsupported_media_type("application/json"));
            }
            let permit = if is_large {
                Some(state.large_bodies.acquire(&caller.tenant).await)
            } else {
                None
            };
            let value = parse(&read(payload, BATCH_LIMIT).await?)?;
            Ok(Self { value, _permit: permit })
        })
    }
}

/// `Content-Length`; `None` for a body that comes in chunks.
fn declared_length(request: &HttpRequest) -> Option<usize> {
    request.headers().get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

impl<T: DeserializeOwned + Default + 'static> FromRequest for OptionalBody<T> {
    type Error = Problem;
    type Future = Extracted<Self>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let is_json = has_json_content_type(request);
        let payload = web::Payload::from_request(request, payload);
        Box::pin(async move {
            let bytes = read(payload, BODY_LIMIT).await?;
            if bytes.is_empty() {
                return Ok(Self(T::default()));
            }
            if !is_json {
                return Err(Problem::unsupported_media_type("application/json"));
            }
            if bytes.trim_ascii() == b"null" {
                return Ok(Self(T::default()));
            }
            parse(&bytes).map(Self)
        })
    }
}

async fn read(
    payload: impl Future<Output = Result<web::Payload, actix_web::Error>>,
    limit: usize,
) -> Result<web::Bytes, Problem> {
    let incomplete = |_| Problem::malformed("The body ended early. Send the request again.");
    let payload = payload.await.map_err(incomplete)?;
    let read = timeout(BODY_TIMEOUT, payload.to_bytes_limited(limit)).await;
    let read = read.map_err(|_| Problem::body_too_slow(BODY_TIMEOUT))?;
    read.map_err(|_| Problem::body_too_large(limit))?.map_err(incomplete)
}

/// Returns true for `application/json`, and for `+json` types such as merge patch (RFC 7396).
fn has_json_content_type(request: &HttpRequest) -> bool {
    let content_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    content_type.is_some_and(|text| {
        let essence = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        essence == "application/json"
            || (essence.starts_with("application/") && essence.ends_with("+json"))
    })
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    require_object(bytes)?;
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let value: T = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let pointer = json_pointer(error.path());
        let cause = error.into_inner();
        match cause.classify() {
            serde_json::error::Category::Data => {
                Problem::invalid(vec![invalid_field(pointer, &cause)])
            }
            _ => not_json(&cause),
        }
    })?;
    json.end().map_err(|_| Problem::malformed("Send one JSON object, with nothing after it."))?;
    Ok(value)
}

/// Refuses a body that is not a JSON object: serde would accept an array as a struct, field by field.
fn require_object(bytes: &[u8]) -> Result<(), Problem> {
    if bytes.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{') {
        return Ok(());
    }
    Err(match serde_json::from_slice::<serde::de::IgnoredAny>(bytes) {
        Ok(_) => Problem::invalid(vec![FieldError::new(
            "",
            "invalid",
            "Send a JSON object as the body.",
        )]),
        Err(cause) => not_json(&cause),
    })
}

fn not_json(cause: &serde_json::Error) -> Problem {
    Problem::malformed(format!(
        "The body is not valid JSON: error in line {}, column {}.",
        cause.line(),
        cause.column()
    ))
}

/// Returns the field error for a deserialization error. serde's message may quote a value, which may
/// be a secret, so only the part that names fields and expected types is used.
pub(in crate::handlers) fn invalid_field(pointer: String, cause: &serde_json::Error) -> FieldError {
    let message = cause.to_string();
    let message = message.split(" at line ").next().unwrap_or_default();
    let field = message.split('`').nth(1);
    let (pointer, code, detail) = match field {
        Some(field) if message.starts_with("missing field") => {
            (format!("{pointer}/{field}"), "missing", "This field is required.".to_owned())
        }
        Some(_) if message.starts_with("unknown field") => {
            let expected =
                message.split_once("`, expected ").map_or("none", |(_, expected)| expected);
            (pointer, "unknown_field", format!("Unknown field; expected {expected}."))
        }
        Some(field) if message.starts_with("duplicate field") => {
            (format!("{pointer}/{field}"), "duplicate", "Send this field only once.".to_owned())
        }
        _ => {
            let expected = message.rsplit_once("expected ").map(|(_, expected)| expected);
            let expected = match expected {
                None => "of the type and format in the API reference",
                // serde's names for JSON types.
                Some("a sequence") => "a list",
                Some("a map") => "a JSON object",
                Some(expected) if expected.starts_with("struct ") => "a JSON object",
                Some(expected) => expected,
            };
            (pointer, "invalid", format!("This must be {expected}."))
        }
    };
    FieldError::new(&pointer, code, detail)
}

/// Returns the JSON pointer (RFC 6901) of a path; the root is the empty string.
pub(in crate::handlers) fn json_pointer(path: &serde_path_to_error::Path) -> String {
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

/// Deserializes a list, but keeps at most one item more than allowed, so that a small body cannot use much
/// memory.
///
/// # Errors
/// The error of an item within the limit, or of the syntax.
pub(in crate::handlers) fn at_most<'de, const MAX: usize, T, D>(
    deserializer: D,
) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    struct Items<const MAX: usize, T>(PhantomData<T>);
    impl<'de, const MAX: usize, T: Deserialize<'de>> Visitor<'de> for Items<MAX, T> {
        type Value = Vec<T>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a list")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Vec<T>, A::Error> {
            let mut read = Vec::new();
            while read.len() <= MAX {
                match items.next_element()? {
                    Some(item) => read.push(item),
                    None => return Ok(read),
                }
            }
            while items.next_element::<IgnoredAny>()?.is_some() {}
            Ok(read)
        }
    }
    deserializer.deserialize_seq(Items::<MAX, T>(PhantomData))
}

/// Deserializes a field that may be absent but not `null`.
///
/// # Errors
/// The error of the field's own type.
pub fn not_null<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: serde::Deserialize<'de>,
{
    T::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    static ITEMS_READ: AtomicUsize = AtomicUsize::new(0);

    struct Item;

    impl<'de> Deserialize<'de> for Item {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            ITEMS_READ.fetch_add(1, Ordering::Relaxed);
            IgnoredAny::deserialize(deserializer).map(|_| Self)
        }
    }

    #[derive(Deserialize)]
    struct Listed {
        #[serde(deserialize_with = "at_most::<3, _, _>")]
        items: Vec<Item>,
    }

    #[test]
    fn a_list_is_read_up_to_one_more_than_its_limit() {
        for (sent, read) in [("[]", 0), ("[1,2,3]", 3), ("[{},{},{},{},{},{}]", 4)] {
            ITEMS_READ.store(0, Ordering::Relaxed);
            let Ok(listed) = parse::<Listed>(format!("{{\"items\":{sent}}}").as_bytes()) else {
                panic!("{sent} cannot be read");
            };
            assert_eq!((listed.items.len(), ITEMS_READ.load(Ordering::Relaxed)), (read, read));
        }
        let beyond = parse::<Listed>(br#"{"items":[1,2,3,4,5,}"#);
        assert_eq!(beyond.err().map(|problem| problem.status), Some(400));
    }
}
