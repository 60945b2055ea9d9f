//! Device trust for macOS with Okta as the CA: the challenge URL and the SCEP URL of an org.
//!
//! Issues one-time challenges and serves the CA certificate. It signs no device certificates; for that, a real
//! SCEP server can be attached to the SCEP URL (`testkit::scep`).

mod authority;
mod backend;
mod challenges;
mod knobs;
mod page;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

pub use self::backend::ScepBackend;
pub(super) use self::backend::forward;
pub use self::challenges::{ChallengeRefusal, MintedChallenge};
pub use self::knobs::{CaAnswer, ChallengePage, PageEncoding, ScepKnobs};
use super::ids::{derived, derived_hex, random};
use super::message::{Reply, Request};
use super::org::Org;

const REALM: &str = "Okta SCEP challenge";

/// The SCEP state of an org.
#[derive(Debug, Default)]
pub(super) struct ScepState {
    challenges: challenges::Challenges,
    authority: Option<authority::Authority>,
    /// The real SCEP server behind the SCEP URL.
    backend: Option<ScepBackend>,
}

impl Org {
    /// `https://acme.okta.com/pki/<40 upper-case hex>/scep/rac…`
    pub fn scep_url(&self) -> String {
        format!("{}{}", self.url(), scep_path(self))
    }

    /// Returns the challenge URL, an opaque path on the org's host.
    pub fn challenge_url(&self) -> String {
        format!("{}{}", self.url(), challenge_path(self))
    }

    pub fn scep_username(&self) -> String {
        self.state().knobs.scep.username.clone()
    }

    pub fn scep_password(&self) -> String {
        self.state().knobs.scep.password.clone()
    }

    /// Replaces the SCEP password, like an admin in the Admin Console.
    pub fn reset_scep_password(&self) -> String {
        let password = random(40);
        self.change(|knobs| knobs.scep.password.clone_from(&password));
        password
    }

    /// Returns all issued challenges in order.
    pub fn scep_challenges(&self) -> Vec<MintedChallenge> {
        self.state().scep.challenges.all()
    }

    /// Expires all challenges.
    pub fn expire_challenges(&self) {
        self.state().scep.challenges.expire();
    }

    /// Uses a challenge, like the CA does for a certificate request. It is valid once.
    pub fn consume_challenge(&self, challenge: &str) -> Result<(), ChallengeRefusal> {
        let mut state = self.state();
        let lifetime = state.knobs.scep.challenge_lifetime_seconds;
        state.scep.challenges.consume(challenge, lifetime)
    }

    /// Attaches a real SCEP server to the SCEP URL, or detaches it.
    pub(crate) fn set_scep_backend(&self, backend: Option<ScepBackend>) {
        self.state().scep.backend = backend;
    }

    pub(super) fn scep_json(&self) -> Value {
        let state = self.state();
        json!({
            "scep_url": self.scep_url(),
            "challenge_url": self.challenge_url(),
            "username": state.knobs.scep.username,
            "password": state.knobs.scep.password,
            "challenges": state.scep.challenges.all().len(),
            "signs_certificates": state.scep.backend.is_some(),
        })
    }
}

fn scep_path(org: &Org) -> String {
    let host = org.first_host();
    let (org_part, integration) = (
        derived_hex(&format!("pki {host}"), 40).to_uppercase(),
        derived(&format!("rac {host}"), 17),
    );
    format!("/pki/{org_part}/scep/rac{integration}")
}

fn challenge_path(org: &Org) -> String {
    format!("/scep-challenge/{}", derived(&format!("challenge {}", org.first_host()), 24))
}

/// Returns the response if the path is one of the two.
pub(super) fn answer(org: &Org, request: &Request) -> Option<Reply> {
    if request.path == challenge_path(org) {
        return Some(challenge(org, request));
    }
    (request.path == scep_path(org)).then(|| certificate_authority(org, request))
}

fn challenge(org: &Org, request: &Request) -> Reply {
    if request.method != "GET" {
        return Reply::html(405, "<h1>405</h1>").with("Allow", "GET");
    }
    let mut state = org.state();
    let knobs = state.knobs.scep.clone();
    if !is_welcome(request, &knobs) {
        return Reply::html(401, "<!doctype html><title>401</title><h1>Unauthorized</h1>")
            .with("WWW-Authenticate", format!("Basic realm=\"{REALM}\""));
    }
    let mint = || state.scep.challenges.mint();
    let page = page::render(&knobs, mint);
    let label = knobs.page_content_type.unwrap_or_else(|| "text/html".to_string());
    Reply::bytes_of(200, label, page).with("Cache-Control", "no-store")
}

/// Returns whether the request has exactly one `Authorization`, Basic with this username and password.
fn is_welcome(request: &Request, knobs: &ScepKnobs) -> bool {
    let sent = request.headers.iter().filter(|(name, _)| name == "authorization");
    let [(_, value)] = sent.collect::<Vec<_>>()[..] else { return false };
    let expected = STANDARD.encode(format!("{}:{}", knobs.username, knobs.password));
    value.split_once(' ').is_some_and(|(scheme, credentials)| {
        scheme.eq_ignore_ascii_case("basic") && credentials.trim() == expected
    })
}

fn certificate_authority(org: &Org, request: &Request) -> Reply {
    let operation = request.query_pairs().into_iter().find(|(name, _)| name == "operation");
    match operation.as_ref().map(|(_, value)| value.as_str()) {
        Some("GetCACert") => {
            let mut state = org.state();
            let knobs = state.knobs.scep.clone();
            let authority = state.scep.authority.get_or_insert_with(|| {
                authority::Authority::new(&format!("{} Organization CA", org.name()))
            });
            authority.answer(&knobs)
        }
        Some("GetCACaps") => Reply::text(200, "POSTPKIOperation\nSHA-256\nAES\nSCEPStandard\n"),
        Some("PKIOperation") => Reply::text(
            501,
            "This simulated CA signs nothing: put a real SCEP server behind it (testkit::scep).\n",
        ),
        _ => Reply::text(400, "unknown operation\n"),
    }
}
