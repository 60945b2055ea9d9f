//! The client id and its secret or key. They are verified against Okta before they are stored; if Okta
//! refuses them, the stored ones stay.

use chrono::Utc;
use secrecy::SecretString;
use serde_json::json;
use tokio::time::{Instant, timeout_at};

use super::client_key_error::ClientKeyError;
use super::findings::{engine_finding, scopes_finding};
use super::report::{Report, report};
use crate::crypto::measure_secret;
use crate::model::{
    Caller, ClientSecret, CredentialsKind, EventKind, ExpectedVersion, Finding, FindingReason,
    IntegrationId, IntegrationRecord, NewCredentials, NewEvent, Org, Outcome, PrerequisiteKind,
    Scope, integrations::Engine,
};
use crate::okta::{ClientCredentials, OktaError, ProvedGrant};
use crate::service::{Error, FieldError, OKTA_TIMEOUT, Service, with_okta_timeout};
use crate::store::CredentialsChange;
use crate::telemetry::chain_of;

/// The longest client id and secret, in bytes; Okta's have 20 and 64 characters.
const FIELD_LIMIT: usize = 512;

/// The credentials that the admin enters. Only the kind `client_secret` has a secret; the service creates a
/// key pair before ([`Service::create_client_key`]).
#[derive(Debug, Clone)]
pub struct EnteredCredentials {
    pub kind: CredentialsKind,
    pub client_id: String,
    pub client_secret: Option<SecretString>,
}

/// The result of storing credentials.
#[derive(Debug)]
pub struct Connected {
    pub record: IntegrationRecord,
    pub report: Report,
    /// True if the integration had credentials before.
    pub replaced: bool,
}

impl Service {
    /// Verifies the credentials and stores them, with at most 4 requests to Okta in 15 s. Until a client is
    /// known to require DPoP, that takes two more requests.
    ///
    /// # Errors
    /// `Invalid`, `IntegrationNotFound`, `StaleVersion`, `ClientKey(Needed)`, `TooManyAttempts`, or `Okta`
    /// for a refusal.
    pub async fn update_credentials(
        &self,
        caller: &Caller,
        id: IntegrationId,
        entered: EnteredCredentials,
        expected_version: ExpectedVersion,
    ) -> Result<Connected, Error> {
        self.require(caller, Scope::OdtWrite).await?;
        check_fields(&entered)?;
        let before = self.load(caller, id).await?;
        if !expected_version.allows(before.integration.version) {
            // Do not call Okta for a change that cannot be stored.
            return Err(Error::StaleVersion { current: before.integration.version });
        }
        let new = self.with_secret(caller, id, entered).await?;
        self.attempts.claim(&caller.tenant, id)?;
        let verified = match self.verify_credentials(&before, &new).await {
            Ok(verified) => verified,
            Err(error) => {
                self.audit_refusal(caller, id, &new.client_id, &error).await;
                return Err(error);
            }
        };
        let event = NewEvent::by(caller, id, EventKind::CredentialsStored).with(json!({
            "client_id": new.client_id,
            "kind": new.secret.kind(),
            "granted_scopes": verified.grant.granted,
        }));
        let replaced = before.credentials.is_some();
        let change = CredentialsChange {
            new,
            org_id: before.integration.org.id,
            engine: verified.engine,
            findings: verified.findings,
            expected_version,
            event,
        };
        let stored = self.store.update_credentials(&caller.tenant, id, change).await;
        let record = stored.map_err(Error::for_integration(id))?;
        Ok(Connected { report: report(&record), record, replaced })
    }

    /// Deletes the credentials. The platforms stay, and SCEP challenges are still minted for them.
    ///
    /// # Errors
    /// `IntegrationNotFound`, `CredentialsNotFound`, `StaleVersion`.
    pub async fn delete_credentials(
        &self,
        caller: &Caller,
        id: IntegrationId,
        expected_version: ExpectedVersion,
    ) -> Result<IntegrationRecord, Error> {
        self.require(caller, Scope::OdtWrite).await?;
        if self.load(caller, id).await?.credentials.is_none() {
            return Err(Error::CredentialsNotFound(id));
        }
        let event = NewEvent::by(caller, id, EventKind::CredentialsDeleted);
        let deleted =
            self.store.delete_credentials(&caller.tenant, id, expected_version, event).await;
        let record = deleted.map_err(Error::for_integration(id))?;
        self.okta.evict_tokens(&caller.tenant, id);
        Ok(record)
    }

    /// Returns the entered credentials with the client secret or the private key.
    async fn with_secret(
        &self,
        caller: &Caller,
        id: IntegrationId,
        entered: EnteredCredentials,
    ) -> Result<NewCredentials, Error> {
        let client_id = entered.client_id;
        if let Some(secret) = entered.client_secret {
            return Ok(NewCredentials { client_id, secret: ClientSecret::Shared(secret) });
        }
        let opened = self.store.open_client_key(&caller.tenant, id).await;
        let key = opened.map_err(Error::for_integration(id))?.ok_or(ClientKeyError::Needed(id))?;
        let secret = ClientSecret::PrivateKey { kid: key.kid, private_key: key.private_key };
        Ok(NewCredentials { client_id, secret })
    }

    /// Verifies the org, the granted scopes, and whether `FastPass` is on. The org and the scopes must be
    /// right; if the check of `FastPass` fails or times out, its outcome is `unknown`.
    async fn verify_credentials(
        &self,
        before: &IntegrationRecord,
        new: &NewCredentials,
    ) -> Result<VerifiedCredentials, Error> {
        let deadline = Instant::now() + OKTA_TIMEOUT;
        let (org, grant) = with_okta_timeout(self.verify_grant(before, new)).await?;
        let host = self.org_address(before)?;
        let fastpass = timeout_at(deadline, self.find_fastpass(&host, &org.engine, &grant)).await;
        let fastpass = fastpass.unwrap_or_else(|_| {
            let finding = Finding::new(PrerequisiteKind::Fastpass, Outcome::Unknown, Utc::now());
            finding.with_reason(FindingReason::OktaUnreachable)
        });
        let findings = vec![engine_finding(&org), scopes_finding(&grant), fastpass];
        Ok(VerifiedCredentials { engine: org.engine, grant, findings })
    }

    async fn verify_grant(
        &self,
        before: &IntegrationRecord,
        new: &NewCredentials,
    ) -> Result<(Org, ProvedGrant), Error> {
        let org = self.refetch_org(before).await?;
        let credentials =
            ClientCredentials { client_id: new.client_id.clone(), secret: new.secret.clone() };
        let okta = self.okta.without_retries();
        let grant = okta.prove_credentials(&self.org_address(before)?, &credentials).await?;
        grant.require_all()?;
        Ok((org, grant))
    }

    async fn audit_refusal(
        &self,
        caller: &Caller,
        id: IntegrationId,
        client_id: &str,
        error: &Error,
    ) {
        let Error::Okta(failure) = error else { return };
        let refusal = failure.cause();
        if !refusal.is_refusal() || matches!(refusal, OktaError::OrgNotFound { .. }) {
            return;
        }
        let event = NewEvent::by(caller, id, EventKind::CredentialsRefused)
            .with(json!({ "client_id": auditable_client_id(client_id), "cause": refusal.code() }));
        if let Err(error) = self.store.create_event(&caller.tenant, event).await {
            tracing::warn!(
                tenant_id = %caller.tenant,
                integration_id = %id,
                error = chain_of(&error),
                "auditing refused credentials failed"
            );
        }
    }
}

/// Returns the client id if it is safe to audit. An admin who mixes up the two fields sends the secret
/// here, so only text in the format of Okta's client ids is accepted.
fn auditable_client_id(text: &str) -> Option<&str> {
    let shaped = text.len() == 20
        && text.starts_with("0oa")
        && text.bytes().all(|b| b.is_ascii_alphanumeric());
    shaped.then_some(text)
}

/// Credentials that Okta accepted, with the findings of their verification.
struct VerifiedCredentials {
    engine: Engine,
    grant: ProvedGrant,
    findings: Vec<Finding>,
}

fn check_fields(entered: &EnteredCredentials) -> Result<(), Error> {
    let mut errors: Vec<FieldError> = misplaced_secret(entered).into_iter().collect();
    let mut check = |pointer: &str, value: &SecretString, name: &str| {
        let (length, visible) = measure_secret(value);
        if length == 0 {
            let detail = format!("Enter the {name} from Okta.");
            errors.push(FieldError::new(pointer, "empty", detail));
        } else if length > FIELD_LIMIT {
            let detail = format!("Enter at most {FIELD_LIMIT} characters.");
            errors.push(FieldError::new(pointer, "too_long", detail));
        } else if !visible {
            let detail = format!(
                "The {name} has only visible ASCII characters and no spaces. Copy it from Okta again."
            );
            errors.push(FieldError::new(pointer, "invalid_characters", detail));
        }
    };
    check("/client_id", &entered.client_id.as_str().into(), "client ID");
    if let Some(secret) = &entered.client_secret {
        check("/client_secret", secret, "client secret");
    }
    // A colon would end the username of HTTP Basic (RFC 7617 §2).
    if entered.client_id.contains(':') {
        let detail = "A client ID has no colon. Copy it from Okta again.";
        errors.push(FieldError::new("/client_id", "invalid_characters", detail));
    }
    if errors.is_empty() { Ok(()) } else { Err(Error::Invalid(errors)) }
}

/// Returns the error for a missing client secret, or for one that the kind of credentials does not have.
fn misplaced_secret(entered: &EnteredCredentials) -> Option<FieldError> {
    let refused = |code, detail| Some(FieldError::new("/client_secret", code, detail));
    match (entered.kind, &entered.client_secret) {
        (CredentialsKind::ClientSecret, None) => refused("missing", "This field is required."),
        (CredentialsKind::PrivateKeyJwt, Some(_)) => refused(
            "not_allowed",
            "A service app authenticates with its key pair. Leave the client secret out.",
        ),
        _ => None,
    }
}
