//! The supported platforms and their configuration.

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use url::Url;

/// `ios` means iOS and iPadOS.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    utoipa::ToSchema,
    strum::EnumString,
    strum::IntoStaticStr,
)]
#[serde(rename_all = "snake_case", try_from = "String")]
#[strum(serialize_all = "snake_case")]
pub enum Platform {
    Macos,
    Ios,
}

impl Platform {
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// The SCEP values that the Okta Admin Console shows for a macOS device integration, without the password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScepValues {
    pub scep_url: Url,
    pub challenge_url: Url,
    pub username: String,
}

/// The certificate authority behind a SCEP URL.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct CertificateAuthority {
    /// RFC 4514.
    #[schema(example = "CN=Organization Intermediate Authority,O=Okta")]
    pub subject: String,
    /// SHA-256 of the certificate, hex.
    pub sha256_fingerprint: String,
    pub not_after: DateTime<Utc>,
}

/// A CA certificate that expires within this time is reported as expiring.
pub const CA_EXPIRING_WITHIN: TimeDelta = TimeDelta::days(30);

impl CertificateAuthority {
    pub fn is_expiring(&self, now: DateTime<Utc>) -> bool {
        self.not_after - now < CA_EXPIRING_WITHIN
    }
}

/// A configured platform without its secret.
#[derive(Debug, Clone)]
pub struct PlatformState {
    pub platform: Platform,
    /// macOS only.
    pub scep: Option<ScepValues>,
    /// Increases with each secret that is entered; never reused.
    pub secret_version: i64,
    pub secret_updated_at: DateTime<Utc>,
    pub secret_updated_by: String,
    /// When the values last passed a trial; `None` on iOS, which has no values to try.
    pub verified_at: Option<DateTime<Utc>>,
    pub ca: Option<CertificateAuthority>,
    /// When Okta rejected the stored username and password; cleared once they work again.
    pub refused_at: Option<DateTime<Utc>>,
    /// The version of the configuration, which the MDM reports back for each device.
    pub config_version: i64,
    /// The `config_version` at which the SCEP URL last changed.
    pub certificate_version: i64,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// A platform to store. For macOS the values were verified before.
#[derive(Debug, Clone)]
pub struct NewPlatform {
    pub platform: Platform,
    pub scep: Option<ScepValues>,
    pub secret: SecretString,
    /// False if only other fields changed, so that the secret is not rotated.
    pub secret_is_new: bool,
    pub ca: Option<CertificateAuthority>,
    pub verified_at: Option<DateTime<Utc>>,
}

/// Deserialized from strings only: serde's derive would also accept `{"macos": null}`.
impl TryFrom<String> for Platform {
    type Error = &'static str;

    fn try_from(word: String) -> Result<Self, Self::Error> {
        word.parse().map_err(|_| "unknown platform, expected macos or ios")
    }
}
