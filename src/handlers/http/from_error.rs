//! The problem for each error of the service, with the text that says what to do next.

use crate::handlers::http::problem::{IntegrationRef, Problem};
use crate::handlers::http::{from_okta, kinds, request_id};
use crate::model::Platform;
use crate::service::{
    Cause, ChecklistItem, ClientKeyError, DeviceError, Error, EventHookError, IntegrationChoice,
};
use crate::telemetry::chain_of;

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::ScopeMissing(missing) => {
                let scope = missing.0.as_str();
                Self::new(kinds::SCOPE_MISSING, format!("This needs a token with the scope {scope}."))
            }
            Error::Invalid(errors) => Self::invalid(errors),
            Error::IntegrationNotFound(id) if id.0.is_nil() => Self::not_found(
                "This is no integration's id. List them with GET /integrations/okta-device-trust.",
            ),
            Error::IntegrationNotFound(id) => Self::not_found(format!(
                "No integration {id} in this tenant. List them with GET /integrations/okta-device-trust."
            )),
            Error::IntegrationAmbiguous(choices) => ambiguous(choices),
            Error::CredentialsNotFound(id) => Self::not_found(format!(
                "Integration {id} has no credentials. Nothing is left to delete."
            )),
            Error::EventHook(error) => of_event_hook(&error),
            Error::PrerequisiteNotFound(kind) => Self::not_found(format!(
                "No prerequisite {kind:?}. The ones to attest are adaptive_mfa and okta_verify_distribution."
            )),
            Error::Device(error) => of_device(&error),
            Error::ClientKey(error) => of_client_key(&error),
            Error::PlatformNotFound(platform) => Self::not_found(format!(
                "{} is not configured. Configure it with PUT …/platforms/{}.", platform.as_str(), platform.as_str()
            )),
            Error::ConfirmationRequired { devices, platforms, checklist } => {
                confirmation_required(devices, platforms, checklist)
            }
            Error::CertificateAuthorityExpired { not_after } => Self::new(
                kinds::CA_EXPIRED,
                format!("The certificate authority behind the SCEP URL ended at {not_after}. Add the platform in Okta anew."),
            ),
            Error::DeviceChallengeLimit { retry_after } => Self::new(
                kinds::TOO_MANY_CHALLENGES,
                "This device has had five challenges in ten minutes. Use the one it has, or wait.",
            )
            .retry_after(retry_after.as_secs().max(1)),
            Error::ChallengesInFlight => Self::new(
                kinds::TOO_MANY_CHALLENGES,
                "Eight challenges are being fetched for this platform at the moment. Wait a second.",
            )
            .retry_after(1),
            Error::TooManyAttempts { retry_after } => Self::new(
                kinds::TOO_MANY_ATTEMPTS,
                "This integration was connected or checked too often in the last minute: each time asks Okta, whose rate is limited. Wait.",
            )
            .retry_after(retry_after.as_secs().saturating_add(1)),
            Error::OrgAlreadyConnected(id) => {
                let detail = format!(
                    "This org is connected as integration {id}. Go on with that one, or delete it first."
                );
                let mut problem = Self::new(kinds::ORG_ALREADY_CONNECTED, detail);
                problem.integration_id = Some(id);
                problem
            }
            Error::OtherOrg => Self::new(
                kinds::OTHER_ORG,
                "This leads to another Okta org than the connected one. To move to another org create a new integration.",
            ),
            Error::StaleVersion { current } => Self::new(
                kinds::STALE_VERSION,
                format!(
                    "The current version is \"{current}\". Read it again, and send its ETag as If-Match."
                ),
            ),
            Error::ChangedMeanwhile => Self::new(
                kinds::CHANGED_MEANWHILE,
                "Somebody else changed this while the request ran. Read it again and repeat.",
            ),
            Error::CredentialsNeeded(id) => Self::new(
                kinds::CREDENTIALS_NEEDED,
                format!(
                    "Enter them first with PUT /integrations/okta-device-trust/{id}/credentials."
                ),
            ),
            Error::CannotBeAttested(kind) => Self::new(
                kinds::CANNOT_BE_ATTESTED,
                format!(
                    "Okta itself shows {}: run POST …/prerequisites/check in place of attesting it.",
                    kind.as_str()
                ),
            ),
            Error::IdempotencyInFlight => Self::new(
                kinds::IDEMPOTENCY_IN_FLIGHT,
                "Wait for the first request to end, then repeat this one.",
            )
            .retry_after(1),
            Error::IdempotencyKeyReused => {
                Self::new(kinds::IDEMPOTENCY_KEY_REUSED, "Use a new Idempotency-Key for another body.")
            }
            Error::IdempotentResultGone(id) => Self::new(
                kinds::IDEMPOTENT_RESULT_GONE,
                format!(
                    "Integration {id} was created with this key and deleted since. Use a new Idempotency-Key."
                ),
            ),
            Error::Okta(failure) => from_okta::problem(&failure),
            Error::DatabaseUnavailable(cause) => database_unavailable(&cause),
            Error::Internal(cause) => Self::internal(&cause),
        }
    }
}

fn of_event_hook(error: &EventHookError) -> Problem {
    use EventHookError as E;
    match error {
        E::NotFound(id) => Problem::not_found(format!(
            "Integration {id} has no event hook. Set one up with PUT …/event-hook."
        )),
        E::CallRefused => Problem::not_found(
            "There is no event hook at this address, or not with this secret. Compare both with what is entered in Okta.",
        ),
        E::ChallengeMalformed => Problem::malformed(
            "Send the header x-okta-verification-challenge once, with 1 to 256 visible ASCII characters.",
        ),
        E::DeliveryMalformed => Problem::malformed(
            "The body has to be what Okta delivers: JSON with a list data.events.",
        ),
        E::Overloaded => Problem::new(
            kinds::OVERLOADED,
            "This call of an event hook could not be handled in time. Call again in a few seconds.",
        )
        .retry_after(1),
        E::TooManyVerifications { retry_after } => Problem::new(
            kinds::TOO_MANY_VERIFICATIONS,
            "This event hook was verified ten times in a minute. Wait, then verify it again.",
        )
        .retry_after(retry_after.as_secs().max(1)),
    }
}

fn of_client_key(error: &ClientKeyError) -> Problem {
    match error {
        ClientKeyError::NotFound => Problem::not_found(
            "No key with this id in this integration. List them with GET …/credentials/keys.",
        ),
        ClientKeyError::InUse => Problem::new(
            kinds::CLIENT_KEY_IN_USE,
            "This key signs all requests for tokens. Make another one with POST …/credentials/keys, enter it in Okta and activate it with PUT …/credentials, then delete this one.",
        ),
        ClientKeyError::Needed(id) => Problem::new(
            kinds::CLIENT_KEY_NEEDED,
            format!(
                "Make a key pair with POST /integrations/okta-device-trust/{id}/credentials/keys and enter its public half in the service app in Okta, then send this again."
            ),
        ),
        ClientKeyError::NoPublicKeys => Problem::not_found("No public keys are at this address."),
        ClientKeyError::TooManyReads { retry_after } => Problem::new(
            kinds::TOO_MANY_KEY_READS,
            "These public keys are read too often at the moment. Wait.",
        )
        .retry_after(retry_after.as_secs().max(1)),
    }
}

fn of_device(error: &DeviceError) -> Problem {
    match error {
        DeviceError::NotFound(serial_number) => Problem::not_found(format!(
            "No device {serial_number} in this tenant, or it was deleted. Report it with PUT /devices/{serial_number}."
        )),
        DeviceError::PlatformMismatch { known } => Problem::new(
            kinds::PLATFORM_MISMATCH,
            format!(
                "The device is enrolled as one of {}. A platform change is a new enrolment: send enrollment.",
                known.as_str()
            ),
        ),
        DeviceError::Mismatch { serial_number, field } => Problem::new(
            kinds::DEVICE_MISMATCH,
            format!(
                "The inventory knows device {serial_number} with another {field}. Ask with the one it has, or report the device anew with PUT /devices/{serial_number}."
            ),
        ),
        DeviceError::SnapshotClosed => Problem::new(
            kinds::SNAPSHOT_CLOSED,
            "The snapshot is complete with other pages, or it began more than a day ago. Begin another one with a new snapshot_id.",
        ),
        DeviceError::ManyMissing { missing, fleet } => {
            let detail = format!(
                "{missing} of {fleet} enrolled devices are missing in the snapshot and would become unenrolled. If they really left the MDM, repeat this page with confirm: true."
            );
            let mut problem = Problem::new(kinds::RECONCILE_CONFIRMATION_REQUIRED, detail);
            problem.devices = Some(*missing);
            problem
        }
    }
}

fn ambiguous(choices: Vec<IntegrationChoice>) -> Problem {
    let detail = "This tenant has several integrations. Name one of them as integration_id.";
    let mut problem = Problem::new(kinds::INTEGRATION_AMBIGUOUS, detail);
    let named =
        |IntegrationChoice { id, okta_domain }| IntegrationRef { integration_id: id, okta_domain };
    problem.integrations = Some(choices.into_iter().map(named).collect());
    problem
}

fn confirmation_required(
    devices: i64,
    platforms: Vec<Platform>,
    checklist: Vec<ChecklistItem>,
) -> Problem {
    let detail = format!(
        "{devices} device(s) were given something of it. Read the checklist, then repeat with ?confirm=true."
    );
    let mut problem = Problem::new(kinds::CONFIRMATION_REQUIRED, detail);
    problem.devices = Some(devices);
    problem.platforms = Some(platforms);
    problem.checklist = Some(checklist.into());
    problem
}

fn database_unavailable(cause: &Cause) -> Problem {
    let detail = "The database does not answer at the moment. Whether the change was made is not known: read it again before repeating.";
    let problem = Problem::new(kinds::DATABASE_UNAVAILABLE, detail).retry_after(2);
    tracing::warn!(
        request_id = problem.request_id,
        tenant_id = request_id::tenant().map(display),
        integration_id = request_id::integration().map(display),
        error = chain_of(cause),
        "postgresql is not available"
    );
    problem
}
