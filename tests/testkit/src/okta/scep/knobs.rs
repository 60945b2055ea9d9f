//! The settings of an org's challenge page and CA, a part of its knobs.
//!
//! The defaults are Okta's behavior.

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ScepKnobs {
    /// If empty, replaced by a value derived from the host, like the password.
    pub username: String,
    pub password: String,
    pub challenge_lifetime_seconds: u64,
    pub page: ChallengePage,
    pub encoding: PageEncoding,
    /// `<b>` and `the enrollment …` instead of `<B>` and `The enrollment …`.
    pub lower_case: bool,
    /// Writes the challenge as numeric entities, between `&nbsp;`s.
    pub html_entities: bool,
    /// Replaces `text/html` on the page.
    pub page_content_type: Option<String>,
    pub ca: CaAnswer,
    pub ca_expired: bool,
    /// Replaces `application/x-x509-ca-cert` or `application/x-x509-ca-ra-cert`.
    pub ca_content_type: Option<String>,
}

impl Default for ScepKnobs {
    fn default() -> Self {
        Self {
            username: String::new(),
            password: String::new(),
            challenge_lifetime_seconds: 3600,
            page: ChallengePage::Challenge,
            encoding: PageEncoding::Windows1252,
            lower_case: false,
            html_entities: false,
            page_content_type: None,
            ca: CaAnswer::Certificate,
            ca_expired: false,
            ca_content_type: None,
        }
    }
}

impl ScepKnobs {
    /// Returns whether `GetCACert` responds like a healthy CA.
    pub(super) fn is_healthy_ca(&self) -> bool {
        self.ca == CaAnswer::Certificate && !self.ca_expired && self.ca_content_type.is_none()
    }
}

/// The content of the challenge page, always with status 200.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChallengePage {
    Challenge,
    /// "The password cache is full."
    CacheFull,
    /// "You do not have sufficient permission to enroll with SCEP."
    NoPermission,
    /// The sentence without a challenge.
    WithoutChallenge,
    TwoChallenges,
    /// Another page of the org.
    SignIn,
    Empty,
    /// A challenge after a comment of 5 MB.
    Oversized,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum PageEncoding {
    #[serde(rename = "windows-1252")]
    Windows1252,
    #[serde(rename = "utf-8")]
    Utf8,
    #[serde(rename = "utf-8-bom")]
    Utf8Bom,
    #[serde(rename = "utf-16le")]
    Utf16Le,
    #[serde(rename = "utf-16le-bom")]
    Utf16LeBom,
    #[serde(rename = "utf-16be")]
    Utf16Be,
    #[serde(rename = "utf-16be-bom")]
    Utf16BeBom,
}

impl PageEncoding {
    pub const ALL: [Self; 7] = [
        Self::Windows1252,
        Self::Utf8,
        Self::Utf8Bom,
        Self::Utf16Le,
        Self::Utf16LeBom,
        Self::Utf16Be,
        Self::Utf16BeBom,
    ];
}

/// The response to `GetCACert`, always with status 200.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CaAnswer {
    /// One certificate in DER.
    Certificate,
    /// A certs-only PKCS#7 with only the CA.
    Pkcs7,
    /// A certs-only PKCS#7 with the certificate of a registration authority first.
    Pkcs7WithRa,
    /// The same with indefinite lengths, as Java servers encode it.
    Pkcs7WithRaInBer,
    Empty,
    Html,
    Garbage,
    /// 5 MB.
    Oversized,
}
