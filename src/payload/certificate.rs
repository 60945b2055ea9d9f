//! The certificate profile of a Mac: one SCEP payload, with a challenge that was minted for this
//! device and works once. It is a profile of its own so that an edit of settings never enrols anew.

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

/// How a Mac asks Okta for its certificate.
#[derive(Debug, Clone, Copy)]
pub struct Scep<'a> {
    pub url: &'a Url,
    pub challenge: &'a SecretString,
    /// By which a server with several authorities tells them apart; Okta's needs none.
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
    // Without `CAFingerprint`: Apple does not say of which digest it is, and the address is https.
    let mut content = dictionary([
        ("URL", text("scep_url", scep.url.as_str())?),
        ("Subject", plist::Value::Array(vec![rdn])),
        ("Keysize", 2048.into()),
        ("Key Type", "RSA".into()),
        // Signing only.
        ("Key Usage", 1.into()),
        ("KeyIsExtractable", false.into()),
        // Okta Verify has to use the key without asking the user for the keychain's password.
        ("AllowAllAppsAccess", true.into()),
        // Apple's own defaults; they count only when the server answers PENDING.
        ("Retries", 3.into()),
        ("RetryDelay", 10.into()),
    ]);
    if let Some(name) = scep.ca_name {
        content.insert("Name".to_owned(), text("ca_name", name)?);
    }
    let mut scep_payload =
        payload(deployment, PayloadKind::CertificateScep, "com.apple.security.scep", &LABEL)?;
    // Last, so that no error from above drops it without its being wiped.
    content.insert("Challenge".to_owned(), text("challenge", scep.challenge.expose_secret())?);
    scep_payload.insert("PayloadContent".to_owned(), content.into());
    profile(deployment, PayloadKind::Certificate, &LABEL, vec![scep_payload])
}
