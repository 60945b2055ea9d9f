//! The certificate profile of a Mac: one SCEP payload with a one-time challenge for this device. It is a
//! separate profile, because installing it again enrols a new certificate.

use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::document::{Label, dictionary, payload, profile, text};
use super::identity::PayloadKind;
use super::subject::common_name;
use super::{Deployment, PayloadError, ProfileDocument};

const LABEL: Label = Label {
    name: "Okta Device Trust certificate",
    description: "Asks Okta for the certificate that shows that this Mac is managed.",
};

/// The parameters of the certificate request.
#[derive(Debug, Clone, Copy)]
pub struct Scep<'a> {
    pub url: &'a Url,
    pub challenge: &'a SecretString,
    /// The name of the CA, for servers with several CAs. Okta needs none.
    pub ca_name: Option<&'a str>,
    pub subject_template: &'a str,
}

/// Renders the SCEP payload ("SCEP", `com.apple.security.scep`) as a profile.
pub fn certificate_profile(
    deployment: &Deployment<'_>,
    scep: &Scep<'_>,
) -> Result<ProfileDocument, PayloadError> {
    let subject = common_name(scep.subject_template, deployment.device)?;
    let part = plist::Value::Array(vec!["CN".into(), subject.into()]);
    let rdn = plist::Value::Array(vec![part]);
    // No `CAFingerprint`: Apple does not document its digest algorithm, and the URL is https.
    let mut content = dictionary([
        ("URL", text("scep_url", scep.url.as_str())?),
        ("Subject", plist::Value::Array(vec![rdn])),
        ("Keysize", 2048.into()),
        ("Key Type", "RSA".into()),
        // Signing only.
        ("Key Usage", 1.into()),
        ("KeyIsExtractable", false.into()),
        // Lets Okta Verify use the key without a keychain prompt.
        ("AllowAllAppsAccess", true.into()),
        // Apple's defaults; they apply only if the server answers PENDING.
        ("Retries", 3.into()),
        ("RetryDelay", 10.into()),
    ]);
    if let Some(name) = scep.ca_name {
        content.insert("Name".to_owned(), text("ca_name", name)?);
    }
    let mut scep_payload =
        payload(deployment, PayloadKind::CertificateScep, "com.apple.security.scep", &LABEL)?;
    // Inserted last, so that no earlier error drops it without zeroing.
    content.insert("Challenge".to_owned(), text("challenge", scep.challenge.expose_secret())?);
    scep_payload.insert("PayloadContent".to_owned(), content.into());
    profile(deployment, PayloadKind::Certificate, &LABEL, vec![scep_payload])
}
