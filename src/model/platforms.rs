//! The platforms that a customer can choose, and what is configured for each.

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

/// What Okta shows for a macOS device integration (facts §1, step 8), without the password.
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

/// How soon an end is near (facts §8: certificates are issued again 30 days before their end).
pub const NEAR_THE_END: TimeDelta = TimeDelta::days(30);

impl CertificateAuthority {
    pub fn is_near_its_end(&self, now: DateTime<Utc>) -> bool {
        self.not_after - now < NEAR_THE_END
    }
}

/// A configured platform, as far as it may be told.
#[derive(Debug, Clone)]
pub struct PlatformState {
    pub platform: Platform,
    /// macOS alone.
    pub scep: Option<ScepValues>,
    /// Grows with each secret that is entered, and never goes back.
    pub secret_version: i64,
    pub secret_updated_at: DateTime<Utc>,
    pub secret_updated_by: String,
    /// When the values were last tried with success; `None` on iOS, where nothing can be tried.
    pub verified_at: Option<DateTime<Utc>>,
    pub ca: Option<CertificateAuthority>,
    /// When Okta refused the stored username and password, until they work again.
    pub refused_at: Option<DateTime<Utc>>,
    /// What devices report back.
    pub config_version: i64,
    /// The version at which the SCEP values changed last.
    pub certificate_version: i64,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// A platform as it is to be stored: macOS was verified before.
#[derive(Debug, Clone)]
pub struct NewPlatform {
    pub platform: Platform,
    pub scep: Option<ScepValues>,
    pub secret: SecretString,
    /// False when only other fields changed: then it is no rotation.
    pub secret_is_new: bool,
    pub ca: Option<CertificateAuthority>,
    pub verified_at: Option<DateTime<Utc>>,
}
/// Read from a string alone: serde would also take `{"macos": null}`.
impl TryFrom<String> for Platform {
    type Error = &'static str;

    fn try_from(word: String) -> Result<Self, Self::Error> {
        word.parse().map_err(|_| "no platform, expected macos or ios")
    }
}
