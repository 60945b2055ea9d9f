//! All settings of an org that a test or developer can change, in one serializable struct.
//!
//! The defaults are a healthy, correctly configured org.

use serde::{Deserialize, Serialize};

use super::fault::Fault;
use super::scep::ScepKnobs;

pub const DEVICES_READ: &str = "okta.devices.read";
pub const DEVICES_MANAGE: &str = "okta.devices.manage";
pub const AUTHENTICATORS_READ: &str = "okta.authenticators.read";

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Knobs {
    /// Identity Engine or Classic.
    pub pipeline: Pipeline,
    pub okta_verify: Presence,
    /// Whether Okta Verify's method `signed_nonce` is active.
    pub fastpass: bool,
    /// The authenticator `okta_verify_fastpass` of an org where Okta Verify is split into parts.
    pub okta_verify_fastpass: Presence,
    /// The scopes that the admin granted to the client.
    pub granted_scopes: Vec<String>,
    /// Returns `invalid_scope` if a scope is not granted; by default the scope is silently omitted.
    pub refuse_ungranted_scopes: bool,
    pub client_id: String,
    /// At most two, both valid; the newest is the last.
    pub client_secrets: Vec<String>,
    /// False: the integration was revoked or deleted.
    pub client_active: bool,
    /// How the client authenticates: the catalogue's integration by a secret, the customer's own service app
    /// by a key pair.
    pub client_authentication: ClientAuthentication,
    /// The active public keys of a service app, as JSON Web Keys.
    pub client_jwks: Vec<serde_json::Value>,
    pub dpop: Dpop,
    pub network_zone_blocked: bool,
    pub temporarily_unavailable: bool,
    pub token_lifetime_seconds: u64,
    /// The number of API calls after which a token becomes invalid, before it expires.
    pub dead_tokens_after_uses: Option<u32>,
    /// The client has the scopes but no admin role.
    pub no_admin_role: bool,
    /// Paths with these prefixes respond as if the org does not have the feature.
    pub features_not_enabled: Vec<String>,
    pub custom_domains: Vec<CustomDomain>,
    pub rate_limits: RateLimits,
    /// Every API and token request exceeds the concurrency limit.
    pub concurrency_exhausted: bool,
    pub faults: Vec<Fault>,
    /// Adds undocumented fields to every object, because Okta can add fields at any time.
    pub extra_fields: bool,
    /// Presents a certificate of an untrusted root.
    pub foreign_certificate: bool,
    /// The offset of this org's clock: shifts `Date` and `X-Rate-Limit-Reset`.
    pub clock_skew_seconds: i64,
    /// Whether a FastPass sign-in updates the device's `lastUpdated`.
    pub sign_in_moves_last_updated: bool,
    /// Whether adding a user to an existing record updates its `lastUpdated`.
    pub registration_moves_last_updated: bool,
    /// Whether removing a user updates the device's `lastUpdated`.
    pub unlinking_moves_last_updated: bool,
    /// Whether a wiped Mac that is registered again gets its old record. Okta does not document this.
    pub wiped_mac_keeps_its_record: bool,
    /// Whether a second user of the same machine gets a separate record. Okta does not document this.
    pub second_user_is_second_record: bool,
    /// Omits `managementStatus` from lists.
    pub summary_without_management_status: bool,
    /// Omits the users of a device from lists.
    pub summary_without_users: bool,
    /// Lists show `"users": null` for a device without users, instead of an empty list.
    pub no_users_are_null: bool,
    /// The percentage of devices with users for which lists show `"users": null`.
    pub percent_of_users_hidden: u32,
    /// The maximum number of users of a device in a list.
    pub list_users_limit: usize,
    /// Users in one page of `/devices/{id}/users`.
    pub device_users_page: usize,
    /// The percentage of devices after which lists end.
    pub percent_of_devices_listed: u32,
    /// Links to the next page lack `expand`.
    pub next_drops_expand: bool,
    /// How a list becomes endless.
    pub endless_list: EndlessList,
    /// Lists and searches show the state of when this was turned on; reads by ID are current.
    pub stale_search: bool,
    /// Device trust for macOS: the challenge page and the CA.
    pub scep: ScepKnobs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndlessList {
    No,
    /// The last page links to the second one.
    Loop,
    /// The last page is followed by empty ones, each with its own cursor.
    EmptyPages,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pipeline {
    /// Identity Engine.
    Idx,
    /// Classic.
    V1,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Presence {
    Active,
    Inactive,
    /// The org has no such authenticator.
    Absent,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dpop {
    /// A proof is optional; if sent, it binds the token.
    NotRequired,
    /// A proof with a nonce, Okta's default for service apps.
    Required,
    /// Each proof is rejected with a new nonce.
    NonceLoop,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientAuthentication {
    ClientSecretBasic,
    PrivateKeyJwt,
}

/// A custom domain. It responds like the org itself, unless a field below changes that.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CustomDomain {
    pub host: String,
    /// Whether the canonical host names this one as `alternate`.
    #[serde(default = "yes")]
    pub linked_back: bool,
    /// Overrides the org ID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claims_org_id: Option<String>,
    /// Overrides the canonical URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claims_organization: Option<String>,
    /// Overrides the pipeline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claims_pipeline: Option<Pipeline>,
}

impl CustomDomain {
    pub fn new(host: impl Into<String>) -> Self {
        Self {
            host: host.into(),
            linked_back: true,
            claims_org_id: None,
            claims_organization: None,
            claims_pipeline: None,
        }
    }
}

fn yes() -> bool {
    true
}

/// The requests allowed in a window of `window_seconds`, which starts with the first request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RateLimits {
    pub token: u32,
    pub authenticators: u32,
    pub devices: u32,
    pub device_users: u32,
    pub window_seconds: u32,
}

impl Default for RateLimits {
    fn default() -> Self {
        Self { token: 150, authenticators: 50, devices: 50, device_users: 300, window_seconds: 60 }
    }
}

impl Default for Knobs {
    fn default() -> Self {
        Self {
            pipeline: Pipeline::Idx,
            okta_verify: Presence::Active,
            fastpass: true,
            okta_verify_fastpass: Presence::Absent,
            granted_scopes: [DEVICES_MANAGE, DEVICES_READ, AUTHENTICATORS_READ]
                .map(String::from)
                .to_vec(),
            refuse_ungranted_scopes: false,
            client_id: String::new(),
            client_secrets: Vec::new(),
            client_active: true,
            client_authentication: ClientAuthentication::ClientSecretBasic,
            client_jwks: Vec::new(),
            dpop: Dpop::NotRequired,
            network_zone_blocked: false,
            temporarily_unavailable: false,
            token_lifetime_seconds: 3600,
            dead_tokens_after_uses: None,
            no_admin_role: false,
            features_not_enabled: Vec::new(),
            custom_domains: Vec::new(),
            rate_limits: RateLimits::default(),
            concurrency_exhausted: false,
            faults: Vec::new(),
            extra_fields: true,
            foreign_certificate: false,
            clock_skew_seconds: 0,
            sign_in_moves_last_updated: false,
            registration_moves_last_updated: true,
            unlinking_moves_last_updated: true,
            wiped_mac_keeps_its_record: false,
            second_user_is_second_record: false,
            summary_without_management_status: false,
            summary_without_users: false,
            no_users_are_null: false,
            percent_of_users_hidden: 0,
            list_users_limit: 20,
            device_users_page: 200,
            percent_of_devices_listed: 100,
            next_drops_expand: false,
            endless_list: EndlessList::No,
            stale_search: false,
            scep: ScepKnobs::default(),
        }
    }
}

impl Knobs {
    pub(super) fn custom_domain(&self, host: &str) -> Option<&CustomDomain> {
        self.custom_domains.iter().find(|domain| domain.host.eq_ignore_ascii_case(host))
    }
}
