//! What is entered for a platform, and whether it has the right shape: judged from the values alone,
//! before anything is asked of Okta.

use secrecy::SecretString;
use url::Url;

use crate::crypto::measure_secret;
use crate::model::platforms::{PlatformState, ScepValues};
use crate::model::{IntegrationRecord, Platform};
use crate::service::{Error, FieldError};

/// The fields of a platform as they are entered; which of them a platform takes stands in the
/// catalogue.
#[derive(Debug, Clone, Default)]
pub struct PlatformFields {
    pub scep_url: Option<String>,
    pub challenge_url: Option<String>,
    pub username: Option<String>,
    pub password: Option<SecretString>,
    pub secret_key: Option<SecretString>,
}

/// Longest URL and user name, in bytes.
const URL_LIMIT: usize = 2048;
const USERNAME_LIMIT: usize = 256;
const PASSWORD_LIMIT: usize = 512;
/// Length of an iOS secret key (facts §9).
const SECRET_KEY_LEAST: usize = 8;
const SECRET_KEY_MOST: usize = 256;

/// Fields that have the right shape for their platform.
pub(in crate::service) struct Entered {
    pub(in crate::service) platform: Platform,
    pub(in crate::service) scep: Option<ScepValues>,
    pub(in crate::service) secret: SecretString,
    pub(in crate::service) secret_is_new: bool,
}

/// The hosts that an org's SCEP URLs may be on: its own, and the custom domain that it confirmed.
pub(in crate::service) fn hosts_of(record: &IntegrationRecord) -> Vec<String> {
    let org = &record.integration.org;
    std::iter::once(org.canonical_host.clone()).chain(org.custom_host.clone()).collect()
}

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

pub(in crate::service) fn check_fields(
    before: &IntegrationRecord,
    platform: Platform,
    fields: PlatformFields,
) -> Result<Entered, Error> {
    let mut errors = Vec::new();
    let entered = match platform {
        Platform::Macos => check_macos(before, fields, &mut errors),
        Platform::Ios => check_ios(fields, &mut errors),
    };
    entered.filter(|_| errors.is_empty()).ok_or(Error::Invalid(errors))
}

fn check_macos(
    before: &IntegrationRecord,
    fields: PlatformFields,
    errors: &mut Vec<FieldError>,
) -> Option<Entered> {
    if fields.secret_key.is_some() {
        errors.push(not_here("/secret_key", "iOS"));
    }
    let hosts = hosts_of(before);
    let scep_url = check_url("/scep_url", fields.scep_url, &hosts, errors);
    let challenge_url = check_url("/challenge_url", fields.challenge_url, &hosts, errors);
    let username = check_username(fields.username, errors);
    let secret = check_secret("/password", fields.password, 1, PASSWORD_LIMIT, errors);
    let scep =
        ScepValues { scep_url: scep_url?, challenge_url: challenge_url?, username: username? };
    Some(Entered {
        platform: Platform::Macos,
        scep: Some(scep),
        secret: secret?,
        secret_is_new: true,
    })
}

fn check_ios(fields: PlatformFields, errors: &mut Vec<FieldError>) -> Option<Entered> {
    let macos_only = [
        ("/scep_url", fields.scep_url.is_some()),
        ("/challenge_url", fields.challenge_url.is_some()),
        ("/username", fields.username.is_some()),
        ("/password", fields.password.is_some()),
    ];
    errors.extend(
        macos_only.iter().filter(|(_, sent)| *sent).map(|(pointer, _)| not_here(pointer, "macOS")),
    );
    let secret =
        check_secret("/secret_key", fields.secret_key, SECRET_KEY_LEAST, SECRET_KEY_MOST, errors)?;
    Some(Entered { platform: Platform::Ios, scep: None, secret, secret_is_new: true })
}

fn not_here(pointer: &str, platform: &str) -> FieldError {
    FieldError::new(pointer, "unknown_field", format!("This field belongs to {platform}."))
}

fn missing(pointer: &str) -> FieldError {
    FieldError::new(pointer, "missing", "This field is needed.")
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
    match judge_url(text.trim(), hosts) {
        Ok(url) => Some(url),
        Err((code, detail)) => {
            errors.push(FieldError::new(pointer, code, detail));
            None
        }
    }
}

/// https on the org's own host, without anything that would lead elsewhere.
fn judge_url(text: &str, hosts: &[String]) -> Result<Url, (&'static str, String)> {
    if text.len() > URL_LIMIT {
        return Err(("too_long", format!("{URL_LIMIT} characters at most.")));
    }
    let url = Url::parse(text)
        .map_err(|_| ("invalid_url", "Copy the whole address from Okta.".to_owned()))?;
    if url.scheme() != "https" {
        return Err(("not_https", "The address has to begin with https://.".to_owned()));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err((
            "has_userinfo",
            "Leave the user name and password out of the address.".to_owned(),
        ));
    }
    if url.port().is_some() {
        return Err((
            "has_port",
            "Leave the port out: Okta answers at https on port 443.".to_owned(),
        ));
    }
    if !url.host_str().is_some_and(|host| hosts.iter().any(|known| known == host)) {
        return Err(("other_host", format!("The address has to be on {}.", hosts.join(" or "))));
    }
    if url.fragment().is_some() {
        return Err(("invalid_url", "Leave out what follows the #.".to_owned()));
    }
    Ok(url)
}

fn check_username(username: Option<String>, errors: &mut Vec<FieldError>) -> Option<String> {
    let Some(username) = username else {
        errors.push(missing("/username"));
        return None;
    };
    // A colon would end the user name of HTTP Basic (RFC 7617 §2).
    let fits = !username.is_empty()
        && username.len() <= USERNAME_LIMIT
        && username.chars().all(|c| !c.is_control() && c != ':');
    if !fits {
        let detail = format!("1 to {USERNAME_LIMIT} characters, without a colon.");
        errors.push(FieldError::new("/username", "invalid_characters", detail));
        return None;
    }
    Some(username)
}

fn check_secret(
    pointer: &str,
    secret: Option<SecretString>,
    least: usize,
    most: usize,
    errors: &mut Vec<FieldError>,
) -> Option<SecretString> {
    let Some(secret) = secret else {
        errors.push(missing(pointer));
        return None;
    };
    let (length, visible) = measure_secret(&secret);
    let problem = if length < least {
        Some(("too_short", format!("{least} characters at least.")))
    } else if length > most {
        Some(("too_long", format!("{most} characters at most.")))
    } else if !visible {
        Some((
            "invalid_characters",
            "Only visible ASCII characters, without blanks: copy it once more.".to_owned(),
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
