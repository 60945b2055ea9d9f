//! A simulated org: its identity, its state, and the handle for tests.
//!
//! The other modules answer requests from this state.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, RwLock};
use std::time::Instant;

use chrono::Utc;
use serde::Deserialize;
use serde_json::{Value, json};

use super::dpop::Nonces;
use super::fault::Fault;
use super::fleet::Fleet;
use super::ids::{derived, okta_id, random};
use super::journal::Journal;
use super::knobs::{ClientAuthentication, CustomDomain, Dpop, Knobs};
use super::rate::Window;
use super::scep::ScepState;

/// The initial setup of an org.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrgSetup {
    /// The subdomain: `acme` is `acme.okta.com`.
    pub name: String,
    #[serde(default = "okta_com")]
    pub suffix: String,
    /// `00o…`; derived from the host by default.
    #[serde(default)]
    pub id: Option<String>,
    /// An empty client ID, list of secrets, SCEP username or password is replaced by values derived from the host.
    #[serde(default)]
    pub knobs: Knobs,
}

fn okta_com() -> String {
    "okta.com".to_string()
}

impl OrgSetup {
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), suffix: okta_com(), id: None, knobs: Knobs::default() }
    }

    /// `oktapreview.com`, `okta-emea.com` and so on.
    pub fn suffix(mut self, suffix: impl Into<String>) -> Self {
        self.suffix = suffix.into();
        self
    }

    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.id = Some(id.into());
        self
    }

    pub fn client(mut self, id: impl Into<String>, secret: impl Into<String>) -> Self {
        self.knobs.client_id = id.into();
        self.knobs.client_secrets = vec![secret.into()];
        self
    }

    pub fn custom_domain(mut self, host: impl Into<String>) -> Self {
        self.knobs.custom_domains.push(CustomDomain::new(host));
        self
    }

    pub fn with(mut self, change: impl FnOnce(&mut Knobs)) -> Self {
        change(&mut self.knobs);
        self
    }
}

/// A handle to a running org; clones refer to the same org.
#[derive(Debug, Clone)]
pub struct Org {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    name: String,
    suffix: String,
    id: String,
    renamed: RwLock<Option<Renamed>>,
    state: Mutex<State>,
    journal: Journal,
}

/// The new subdomain of an org.
#[derive(Debug, Clone)]
struct Renamed {
    name: String,
    old_host_answers: bool,
}

#[derive(Debug)]
pub(super) struct State {
    pub knobs: Knobs,
    pub tokens: HashMap<String, IssuedToken>,
    pub windows: HashMap<&'static str, Window>,
    pub fleet: Fleet,
    pub scep: ScepState,
    pub nonces: Nonces,
    /// The ids of JWTs that clients have sent: each is good once.
    pub used_jwts: HashSet<String>,
}

impl State {
    /// The time by the org's clock, in seconds.
    pub fn now(&self) -> i64 {
        Utc::now().timestamp() + self.knobs.clock_skew_seconds
    }
}

#[derive(Debug)]
pub(super) struct IssuedToken {
    pub scopes: Vec<String>,
    pub expires: Instant,
    pub uses: u32,
    /// The key that the token is bound to; `None` for a bearer token.
    pub thumbprint: Option<String>,
}

impl Org {
    pub(super) fn new(setup: OrgSetup) -> Self {
        let host = format!("{}.{}", setup.name, setup.suffix);
        let mut knobs = setup.knobs;
        if knobs.client_id.is_empty() {
            knobs.client_id = okta_id("0oa", &host);
        }
        if knobs.client_secrets.is_empty() {
            knobs.client_secrets = vec![derived(&format!("secret {host}"), 64)];
        }
        if knobs.scep.username.is_empty() {
            knobs.scep.username = derived(&format!("scep user {host}"), 20);
        }
        if knobs.scep.password.is_empty() {
            knobs.scep.password = derived(&format!("scep password {host}"), 40);
        }
        let state = State {
            knobs,
            tokens: HashMap::new(),
            windows: HashMap::new(),
            fleet: Fleet::of(&host),
            scep: ScepState::default(),
            nonces: Nonces::default(),
            used_jwts: HashSet::new(),
        };
        let id = setup.id.unwrap_or_else(|| okta_id("00o", &host));
        let inner = Inner {
            name: setup.name,
            suffix: setup.suffix,
            id,
            renamed: RwLock::default(),
            state: Mutex::new(state),
            journal: Journal::default(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Returns the initial name.
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// `00o…`
    pub fn id(&self) -> &str {
        &self.inner.id
    }

    /// `acme.okta.com`
    pub fn host(&self) -> String {
        match self.renamed() {
            Some(renamed) => format!("{}.{}", renamed.name, self.inner.suffix),
            None => self.first_host(),
        }
    }

    /// Returns the initial host, from which the IDs are derived.
    pub(super) fn first_host(&self) -> String {
        format!("{}.{}", self.inner.name, self.inner.suffix)
    }

    /// Changes the org's subdomain, which Okta does on request. The old host may still respond; it then names
    /// the new one.
    pub fn rename(&self, name: impl Into<String>, old_host_answers: bool) {
        let renamed = Renamed { name: name.into(), old_host_answers };
        *self.inner.renamed.write().expect("no holder panics") = Some(renamed);
    }

    fn renamed(&self) -> Option<Renamed> {
        self.inner.renamed.read().expect("no holder panics").clone()
    }

    /// `https://acme.okta.com`
    pub fn url(&self) -> String {
        format!("https://{}", self.host())
    }

    /// `acme-admin.okta.com`
    pub fn admin_host(&self) -> String {
        let name = self.renamed().map_or_else(|| self.inner.name.clone(), |renamed| renamed.name);
        format!("{name}-admin.{}", self.inner.suffix)
    }

    pub fn client_id(&self) -> String {
        self.state().knobs.client_id.clone()
    }

    /// Returns the newest secret; empty if there is none.
    pub fn client_secret(&self) -> String {
        self.state().knobs.client_secrets.last().cloned().unwrap_or_default()
    }

    /// Returns the ID of the authenticator with this key (`okta_verify`).
    pub fn authenticator_id(&self, key: &str) -> String {
        okta_id("aut", &format!("{} {key}", self.first_host()))
    }

    pub fn knobs(&self) -> Knobs {
        self.state().knobs.clone()
    }

    pub fn change(&self, change: impl FnOnce(&mut Knobs)) {
        let mut state = self.state();
        let was_stale = state.knobs.stale_search;
        change(&mut state.knobs);
        let stale = state.knobs.stale_search;
        if stale != was_stale {
            state.fleet.freeze_search(stale);
        }
    }

    /// Adds a fault; shorthand for the knob `faults`.
    pub fn fail(&self, fault: Fault) {
        self.change(|knobs| knobs.faults.push(fault));
    }

    pub fn recover(&self) {
        self.change(|knobs| knobs.faults.clear());
    }

    pub fn journal(&self) -> Journal {
        self.inner.journal.clone()
    }

    /// Adds a client secret, like an admin in the Admin Console. Okta allows two; a third replaces the oldest.
    pub fn add_secret(&self) -> String {
        let secret = random(64);
        self.change(|knobs| {
            knobs.client_secrets.push(secret.clone());
            let too_many = knobs.client_secrets.len().saturating_sub(2);
            knobs.client_secrets.drain(..too_many);
        });
        secret
    }

    pub fn deactivate_secret(&self, secret: &str) {
        self.change(|knobs| knobs.client_secrets.retain(|other| other != secret));
    }

    /// Replaces the API service integration by the customer's own service app, like an admin in the Admin
    /// Console. The app has no keys yet and requires DPoP by default.
    pub fn become_service_app(&self) {
        self.change(|knobs| {
            knobs.client_authentication = ClientAuthentication::PrivateKeyJwt;
            knobs.client_secrets.clear();
            knobs.dpop = Dpop::Required;
        });
    }

    /// Adds a public key to the service app.
    pub fn add_client_key(&self, jwk: Value) {
        self.change(|knobs| knobs.client_jwks.push(jwk));
    }

    /// Deactivates the public key with this id.
    pub fn deactivate_client_key(&self, kid: &str) {
        self.change(|knobs| knobs.client_jwks.retain(|key| key["kid"] != kid));
    }

    /// Changes the required nonce, as after a day; the previous one stays valid.
    pub fn renew_dpop_nonce(&self) {
        self.state().nonces.renew();
    }

    /// Returns the thumbprints of the keys that valid tokens are bound to.
    pub fn dpop_keys(&self) -> BTreeSet<String> {
        self.state().tokens.values().filter_map(|token| token.thumbprint.clone()).collect()
    }

    /// Invalidates all issued nonces.
    pub fn forget_dpop_nonces(&self) {
        self.state().nonces.forget();
    }

    /// Invalidates all issued tokens.
    pub fn kill_tokens(&self) {
        self.state().tokens.clear();
    }

    /// Sets the remaining requests in the window of a bucket (`token`, `authenticators`, `devices`, `device_users`).
    pub fn leave_requests(&self, bucket: &str, remaining: u32) {
        super::rate::leave(&mut self.state(), bucket, remaining);
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.inner.state.lock().expect("no holder panics")
    }

    pub(super) fn answers_to(&self, host: &str) -> bool {
        let old_answers = self.renamed().is_some_and(|renamed| renamed.old_host_answers);
        self.host().eq_ignore_ascii_case(host)
            || (old_answers && self.first_host().eq_ignore_ascii_case(host))
            || self.admin_host().eq_ignore_ascii_case(host)
            || self.state().knobs.custom_domain(host).is_some()
    }

    /// Returns the hosts that clients resolve.
    pub(super) fn hosts(&self) -> Vec<String> {
        let custom = self
            .state()
            .knobs
            .custom_domains
            .iter()
            .map(|domain| domain.host.clone())
            .collect::<Vec<_>>();
        std::iter::once(self.host()).chain(custom).collect()
    }

    /// Returns the org in the format of the control API.
    pub(super) fn to_json(&self) -> Value {
        let scep = self.scep_json();
        let state = self.state();
        json!({
            "name": self.name(),
            "id": self.id(),
            "host": self.host(),
            "url": self.url(),
            "admin_host": self.admin_host(),
            "okta_verify_authenticator_id": self.authenticator_id("okta_verify"),
            "live_tokens": state.tokens.values().filter(|token| token.expires > Instant::now()).count(),
            "devices": state.fleet.len(),
            "requests": self.journal().entries().len(),
            "scep": scep,
            "knobs": state.knobs,
        })
    }
}
