//! The certificate profile of a Mac: one SCEP payload with a one-time challenge for this device. It is a
//! separate profile, because installing it again enrols a new certificate.

use plist::Value;
use secrecy::ExposeSecret;

use super::contents::CertificateEnrollment;
use super::document::{Label, dictionary, payload, profile, text};
use super::identity::PayloadKind;
use super::{Deployment, PayloadError, ProfileDocument};

const LABEL: Label = Label {
    name: "Okta Device Trust certificate",
    description: "Asks Okta for the certificate that shows that this Mac is managed.",
};

/// Renders the SCEP payload ("SCEP", `com.apple.security.scep`) as a profile.
pub(super) fn certificate_profile(
    deployment: &Deployment<'_>,
    enrollment: &CertificateEnrollment,
) -> Result<ProfileDocument, PayloadError> {
    let key = enrollment.key;
    let part = Value::Array(vec!["CN".into(), enrollment.common_name.as_str().into()]);
    let rdn = Value::Array(vec![part]);
    // No `CAFingerprint`: Apple does not document its digest algorithm, and the URL is https.
    let mut content = dictionary([
        ("URL", text("scep_url", enrollment.url.as_str())?),
        ("Subject", Value::Array(vec![rdn])),
        ("Keysize", key.bits.into()),
        ("Key Type", "RSA".into()),
        // Signing only.
        ("Key Usage", 1.into()),
        ("KeyIsExtractable", key.is_extractable.into()),
        ("AllowAllAppsAccess", key.is_open_to_all_apps.into()),
        // Apple's defaults; they apply only if the server answers PENDING.
        ("Retries", 3.into()),
        ("RetryDelay", 10.into()),
    ]);
    let mut scep_payload =
        payload(deployment, PayloadKind::CertificateScep, "com.apple.security.scep", &LABEL)?;
    // Inserted last, so that no earlier error drops it without zeroing.
    let challenge = text("challenge", enrollment.challenge.expose_secret())?;
    content.insert("Challenge".to_owned(), challenge);
    scep_payload.insert("PayloadContent".to_owned(), content.into());
    profile(deployment, PayloadKind::Certificate, &LABEL, vec![scep_payload])
}
