//! The client id and what it authenticates with: proved against Okta before anything is stored. A refusal
//! keeps what was stored before.

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

/// Longest client id and secret, in bytes; Okta's have 20 and 64 characters.
const FIELD_LIMIT: usize = 512;

/// What the admin enters. A client secret belongs to the kind of that name; a key pair is made by the
/// service before ([`Service::create_client_key`]).
#[derive(Debug, Clone)]
pub struct EnteredCredentials {
    pub kind: CredentialsKind,
    pub client_id: String,
    pub client_secret: Option<SecretString>,
}

/// What a connect brought about.
#[derive(Debug)]
pub struct Connected {
    pub record: IntegrationRecord,
    pub report: Report,
    /// True when credentials were there before.
    pub replaced: bool,
}

impl Service {
    /// Proves the credentials and stores them: at most 4 requests to Okta, 15 s in all. A client that
    /// demands DPoP takes two more until that is known.
    ///
    /// # Errors
    /// `Invalid`, `IntegrationNotFound`, `StaleVersion`, `ClientKey(Needed)`, `TooManyAttempts`, or `Okta`
    /// with what Okta said.
    pub async fn update_credentials(
        &self,
        caller: &Caller,
        id: IntegrationId,
        entered: EnteredCredentials,
        expected_version: ExpectedVersion,
    ) -> Result<Connected, Error> {
        self.require(caller, Scope::OdtWrite).await?;
        refuse_malformed(&entered)?;
        let before = self.load(caller, id).await?;
        if !expected_version.allows(before.integration.version) {
            // Nothing is asked of Okta for a change that cannot be stored anyway.
            return Err(Error::StaleVersion { current: before.integration.version });
        }
        let new = self.with_secret(caller, id, entered).await?;
        self.attempts.claim(&caller.tenant, id)?;
        let proved = match self.prove(&before, &new).await {
            Ok(proved) => proved,
            Err(error) => {
                self.audit_refusal(caller, id, &new.client_id, &error).await;
                return Err(error);
            }
        };
        let event = NewEvent::by(caller, id, EventKind::CredentialsStored).with(json!({
            "client_id": new.client_id,
            "kind": new.secret.kind(),
            "granted_scopes": proved.grant.granted,
        }));
        let replaced = before.credentials.is_some();
        let change = CredentialsChange {
            new,
            org_id: before.integration.org.id,
            engine: proved.engine,
            findings: proved.findings,
            expected_version,
            event,
        };
        let stored = self.store.update_credentials(&caller.tenant, id, change).await;
        let record = stored.map_err(Error::for_integration(id))?;
        Ok(Connected { report: report(&record), record, replaced })
    }

    /// Deletes the credentials; platforms and minting stay (contract §2).
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

    /// What was entered, with the secret or the key that it is proved with.
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

    /// Asks Okta: which org, which scopes, and whether `FastPass` is on. The first two decide; when
    /// time or Okta fails after them, what could not be seen is `unknown`.
    async fn prove(
        &self,
        before: &IntegrationRecord,
        new: &NewCredentials,
    ) -> Result<Proved, Error> {
        let deadline = Instant::now() + OKTA_TIMEOUT;
        let (org, grant) = with_okta_timeout(self.prove_grant(before, new)).await?;
        let host = self.address_of(before)?;
        let fastpass = timeout_at(deadline, self.find_fastpass(&host, &org.engine, &grant)).await;
        let fastpass = fastpass.unwrap_or_else(|_| {
            let finding = Finding::new(PrerequisiteKind::Fastpass, Outcome::Unknown, Utc::now());
            finding.with_reason(FindingReason::OktaUnreachable)
        });
        let findings = vec![engine_finding(&org), scopes_finding(&grant), fastpass];
        Ok(Proved { engine: org.engine, grant, findings })
    }

    async fn prove_grant(
        &self,
        before: &IntegrationRecord,
        new: &NewCredentials,
    ) -> Result<(Org, ProvedGrant), Error> {
        let org = self.refetch_org(before).await?;
        let credentials =
            ClientCredentials { client_id: new.client_id.clone(), secret: new.secret.clone() };
        let okta = self.okta.without_retries();
        let grant = okta.prove_credentials(&self.address_of(before)?, &credentials).await?;
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
            .with(json!({ "client_id": as_client_id(client_id), "cause": refusal.code() }));
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

/// The id as the audit may keep it. Somebody who mixes up the two fields has sent the secret here, so
/// only what has the shape of Okta's client ids is kept.
fn as_client_id(text: &str) -> Option<&str> {
    let shaped = text.len() == 20
        && text.starts_with("0oa")
        && text.bytes().all(|b| b.is_ascii_alphanumeric());
    shaped.then_some(text)
}

struct Proved {
    engine: Engine,
    grant: ProvedGrant,
    findings: Vec<Finding>,
}

fn refuse_malformed(entered: &EnteredCredentials) -> Result<(), Error> {
    let mut errors: Vec<FieldError> = misplaced_secret(entered).into_iter().collect();
    let mut check = |pointer: &str, value: &SecretString, from_where: &str| {
        let (length, visible) = measure_secret(value);
        if length == 0 {
            errors.push(FieldError::new(pointer, "empty", format!("Enter the {from_where}.")));
        } else if length > FIELD_LIMIT {
            errors.push(FieldError::new(
                pointer,
                "too_long",
                format!("{FIELD_LIMIT} characters at most."),
            ));
        } else if !visible {
            let detail = format!(
                "Only visible ASCII characters, without blanks: copy the {from_where} once more."
            );
            errors.push(FieldError::new(pointer, "invalid_characters", detail));
        }
    };
    check(
        "/client_id",
        &entered.client_id.as_str().into(),
        "client ID from the integration's page in Okta",
    );
    if let Some(secret) = &entered.client_secret {
        check("/client_secret", secret, "client secret that Okta showed once");
    }
    // A colon would end the user name of HTTP Basic (RFC 7617 §2).
    if entered.client_id.contains(':') {
        errors.push(FieldError::new(
            "/client_id",
            "invalid_characters",
            "A client ID has no colon.",
        ));
    }
    if errors.is_empty() { Ok(()) } else { Err(Error::Invalid(errors)) }
}

/// A secret that the kind does not have, or lacks.
fn misplaced_secret(entered: &EnteredCredentials) -> Option<FieldError> {
    let refused = |code, detail| Some(FieldError::new("/client_secret", code, detail));
    match (entered.kind, &entered.client_secret) {
        (CredentialsKind::ClientSecret, None) => refused("missing", "This field is needed."),
        (CredentialsKind::PrivateKeyJwt, Some(_)) => refused(
            "not_allowed",
            "A service app authenticates with the key pair that was made here: leave the client secret out.",
        ),
        _ => None,
    }
}
