//! The fields of a platform, and their validation, which does not call Okta.

use secrecy::SecretString;
use url::Url;

use crate::crypto::{measure_secret, trim_secret};
use crate::model::integrations::okta_domain::trim_pasted;
use crate::model::platforms::{PlatformState, ScepValues};
use crate::model::{IntegrationRecord, Platform};
use crate::service::{Error, FieldError};

/// The fields of a platform as the caller sent them. The catalogue says which ones a platform has.
#[derive(Debug, Clone, Default)]
pub struct PlatformFields {
    pub scep_url: Option<String>,
    pub challenge_url: Option<String>,
    pub username: Option<String>,
    pub password: Option<SecretString>,
    pub secret_key: Option<SecretString>,
}

/// The longest URL, username and password, in bytes.
const MAX_URL_LEN: usize = 2048;
const MAX_USERNAME_LEN: usize = 256;
const MAX_PASSWORD_LEN: usize = 512;
/// The length of an iOS secret key in Okta.
const MIN_SECRET_KEY_LEN: usize = 8;
const MAX_SECRET_KEY_LEN: usize = 256;

/// Validated values of a platform.
pub(in crate::service) struct PlatformValues {
    pub(in crate::service) platform: Platform,
    pub(in crate::service) scep: Option<ScepValues>,
    pub(in crate::service) secret: SecretString,
    pub(in crate::service) secret_is_new: bool,
}

/// Returns the hosts of an org: its canonical host, and its confirmed custom domains. SCEP URLs must be
/// on one of them.
pub(in crate::service) fn org_hosts(record: &IntegrationRecord) -> Vec<String> {
    record.integration.org.hosts().map(str::to_owned).collect()
}

/// Fills in absent fields with the stored values.
pub(in crate::service) fn merge(
    state: &PlatformState,
    secret: SecretString,
    fields: PlatformFields,
) -> PlatformFields {
    let stored = state.scep.as_ref();
    let is_macos = state.platform == Platform::Macos;
    PlatformFields {
        scep_url: fields.scep_url.or_else(|| stored.map(|scep| scep.scep_url.to_string())),
        challenge_url: fields
            .challenge_url
            .or_else(|| stored.map(|scep| scep.challenge_url.to_string())),
        username: fields.username.or_else(|| stored.map(|scep| scep.username.clone())),
        password: fields.password.or_else(|| is_macos.then(|| secret.clone())),
        secret_key: fields.secret_key.or_else(|| (!is_macos).then_some(secret)),
    }
}

/// Validates the fields of a platform.
///
/// # Errors
/// `Invalid` with every invalid field.
pub(in crate::service) fn check_fields(
    before: &IntegrationRecord,
    platform: Platform,
    fields: PlatformFields,
) -> Result<PlatformValues, Error> {
    let mut errors = Vec::new();
    let values = match platform {
        Platform::Macos => check_macos(before, fields, &mut errors),
        Platform::Ios => check_ios(fields, &mut errors),
    };
    values.filter(|_| errors.is_empty()).ok_or(Error::Invalid(errors))
}

fn check_macos(
    before: &IntegrationRecord,
    fields: PlatformFields,
    errors: &mut Vec<FieldError>,
) -> Option<PlatformValues> {
    if fields.secret_key.is_some() {
        errors.push(wrong_platform("/secret_key", "iOS"));
    }
    let hosts = org_hosts(before);
    let scep_url = check_url("/scep_url", fields.scep_url, &hosts, errors);
    let challenge_url = check_url("/challenge_url", fields.challenge_url, &hosts, errors);
    let username = check_username(fields.username, errors);
    let secret = check_secret("/password", fields.password, 1, MAX_PASSWORD_LEN, errors);
    let scep =
        ScepValues { scep_url: scep_url?, challenge_url: challenge_url?, username: username? };
    Some(PlatformValues {
        platform: Platform::Macos,
        scep: Some(scep),
        secret: secret?,
        secret_is_new: true,
    })
}

fn check_ios(fields: PlatformFields, errors: &mut Vec<FieldError>) -> Option<PlatformValues> {
    let macos_only = [
        ("/scep_url", fields.scep_url.is_some()),
        ("/challenge_url", fields.challenge_url.is_some()),
        ("/username", fields.username.is_some()),
        ("/password", fields.password.is_some()),
    ];
    errors.extend(
        macos_only
            .iter()
            .filter(|(_, sent)| *sent)
            .map(|(pointer, _)| wrong_platform(pointer, "macOS")),
    );
    let secret = check_secret(
        "/secret_key",
        fields.secret_key,
        MIN_SECRET_KEY_LEN,
        MAX_SECRET_KEY_LEN,
        errors,
    )?;
    Some(PlatformValues { platform: Platform::Ios, scep: None, secret, secret_is_new: true })
}

fn wrong_platform(pointer: &str, platform: &str) -> FieldError {
    FieldError::new(pointer, "unknown_field", format!("Only {platform} has this field."))
}

fn missing(pointer: &str) -> FieldError {
    FieldError::new(pointer, "missing", "This field is required.")
}

fn check_url(
    pointer: &str,
    text: Option<String>,
    hosts: &[String],
    errors: &mut Vec<FieldError>,
) -> Option<Url> {
    let Some(text) = text else {
        errors.push(missing(pointer));
        return None;
    };
    match parse_scep_url(trim_pasted(&text), hosts) {
        Ok(url) => Some(url),
        Err((code, detail)) => {
            errors.push(FieldError::new(pointer, code, detail));
            None
        }
    }
}

/// Parses a URL, which must be an https URL on a host of the org.
///
/// # Errors
/// The code and the detail of the field error.
fn parse_scep_url(text: &str, hosts: &[String]) -> Result<Url, (&'static str, String)> {
    if text.len() > MAX_URL_LEN {
        return Err(("too_long", format!("Enter at most {MAX_URL_LEN} characters.")));
    }
    let url = Url::parse(text)
        .map_err(|_| ("invalid_url", "Copy the whole URL from Okta again.".to_owned()))?;
    if url.scheme() != "https" {
        return Err(("not_https", "Enter a URL that starts with https://.".to_owned()));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err((
            "has_userinfo",
            "Remove the username and password from the URL. They have fields of their own."
                .to_owned(),
        ));
    }
    if url.port().is_some() {
        return Err(("has_port", "Remove the port from the URL.".to_owned()));
    }
    if !url.host_str().is_some_and(|host| hosts.iter().any(|known| known == host)) {
        return Err((
            "other_host",
            format!(
                "This URL belongs to another Okta org. Copy the URL on {} from Okta.",
                hosts.join(" or ")
            ),
        ));
    }
    if url.fragment().is_some() {
        return Err(("invalid_url", "Remove the # and everything after it.".to_owned()));
    }
    Ok(url)
}

fn check_username(username: Option<String>, errors: &mut Vec<FieldError>) -> Option<String> {
    let Some(username) = username else {
        errors.push(missing("/username"));
        return None;
    };
    let username = trim_pasted(&username).to_owned();
    // A colon would end the username of HTTP Basic (RFC 7617 §2).
    let is_valid = !username.is_empty()
        && username.len() <= MAX_USERNAME_LEN
        && username.chars().all(|c| !c.is_control() && c != ':');
    if !is_valid {
        let detail = format!("Enter 1 to {MAX_USERNAME_LEN} characters without a colon.");
        errors.push(FieldError::new("/username", "invalid_characters", detail));
        return None;
    }
    Some(username)
}

fn check_secret(
    pointer: &str,
    secret: Option<SecretString>,
    min: usize,
    max: usize,
    errors: &mut Vec<FieldError>,
) -> Option<SecretString> {
    let Some(secret) = secret else {
        errors.push(missing(pointer));
        return None;
    };
    let secret = trim_secret(&secret, trim_pasted);
    let (length, visible) = measure_secret(&secret);
    let problem = if length < min {
        let unit = if min == 1 { "character" } else { "characters" };
        Some(("too_short", format!("Enter at least {min} {unit}.")))
    } else if length > max {
        Some(("too_long", format!("Enter at most {max} characters.")))
    } else if !visible {
        Some((
            "invalid_characters",
            "The value has only visible ASCII characters and no spaces. Copy it from Okta again."
                .to_owned(),
        ))
    } else {
        None
    };
    if let Some((code, detail)) = problem {
        errors.push(FieldError::new(pointer, code, detail));
        return None;
    }
    Some(secret)
}
