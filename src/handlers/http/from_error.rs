//! Maps each error of the service to its problem document, with a text that says what to do next.

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
                Self::new(kinds::SCOPE_MISSING, format!("Send a token with the scope {scope}."))
            }
            Error::Invalid(errors) => Self::invalid(errors),
            Error::IntegrationNotFound(id) if id.0.is_nil() => Self::not_found(
                "This is not an integration id. List the integrations with GET /integrations/okta-device-trust.",
            ),
            Error::IntegrationNotFound(id) => Self::not_found(format!(
                "There is no integration {id} in this tenant. List the integrations with GET /integrations/okta-device-trust."
            )),
            Error::IntegrationAmbiguous(choices) => ambiguous(choices),
            Error::CredentialsNotFound(id) => Self::not_found(format!(
                "Integration {id} has no credentials to delete."
            )),
            Error::EventHook(error) => event_hook_problem(&error),
            Error::PrerequisiteNotFound(kind) => Self::not_found(format!(
                "There is no prerequisite {kind:?}. You can attest adaptive_mfa and okta_verify_distribution."
            )),
            Error::Device(error) => device_problem(&error),
            Error::ClientKey(error) => client_key_problem(&error),
            Error::PlatformNotFound(platform) => platform_not_found(platform),
            Error::ConfirmationRequired { devices, platforms, checklist } => {
                confirmation_required(devices, platforms, checklist)
            }
            Error::CertificateAuthorityExpired { not_after } => Self::new(
                kinds::CA_EXPIRED,
                format!("The certificate authority behind the SCEP URL expired at {not_after}. In Okta, under Security > Device integrations, add the platform again and enter the new values."),
            ),
            Error::ScepUrlOnOldHost { host, hosts } => scep_url_on_old_host(&host, &hosts),
            Error::DeviceChallengeLimit { retry_after } => Self::new(
                kinds::TOO_MANY_CHALLENGES,
                "This device got five challenges in the last ten minutes. Use the latest one, or try again after the seconds in Retry-After.",
            )
            .retry_after(retry_after.as_secs().max(1)),
            Error::ChallengesInFlight => Self::new(
                kinds::TOO_MANY_CHALLENGES,
                "Eight challenges of this platform are being fetched at once. Try again in a second.",
            )
            .retry_after(1),
            Error::TooManyAttempts { retry_after } => Self::new(
                kinds::TOO_MANY_ATTEMPTS,
                "This integration was connected or checked too often in the last minute. Try again after the seconds in Retry-After.",
            )
            .retry_after(retry_after.as_secs().saturating_add(1)),
            Error::OrgAlreadyConnected(id) => {
                let detail = format!(
                    "This Okta org is already connected as integration {id}. Continue with that integration, or delete it first."
                );
                let mut problem = Self::new(kinds::ORG_ALREADY_CONNECTED, detail);
                problem.integration_id = Some(id);
                problem
            }
            Error::OtherOrg => Self::new(
                kinds::OTHER_ORG,
                "This domain belongs to another Okta org than the connected one. To connect another org, create a new integration.",
            ),
            Error::StaleVersion { current } => Self::new(
                kinds::STALE_VERSION,
                format!(
                    "The integration changed since you read it; its current version is \"{current}\". Read it again and send the new ETag as If-Match."
                ),
            ),
            Error::ChangedMeanwhile => Self::new(
                kinds::CHANGED_MEANWHILE,
                "Another request changed this at the same time. Read it again, then repeat your request.",
            ),
            Error::CredentialsNeeded(id) => Self::new(
                kinds::CREDENTIALS_NEEDED,
                format!(
                    "Store the client ID and client secret first, with PUT /integrations/okta-device-trust/{id}/credentials."
                ),
            ),
            Error::CannotBeAttested(kind) => Self::new(
                kinds::CANNOT_BE_ATTESTED,
                format!(
                    "The prerequisite {} is checked against Okta and cannot be attested. Check it with POST …/prerequisites/check.",
                    kind.as_str()
                ),
            ),
            Error::IdempotencyInFlight => Self::new(
                kinds::IDEMPOTENCY_IN_FLIGHT,
                "The first request with this Idempotency-Key is still running. Wait for it to finish, then repeat this one.",
            )
            .retry_after(1),
            Error::IdempotencyKeyReused => {
                Self::new(kinds::IDEMPOTENCY_KEY_REUSED, "This Idempotency-Key was used with a different body. Send a new key.")
            }
            Error::IdempotentResultGone(id) => Self::new(
                kinds::IDEMPOTENT_RESULT_GONE,
                format!(
                    "Integration {id} was created with this Idempotency-Key and has since been deleted. Send a new key."
                ),
            ),
            Error::Okta(failure) => from_okta::problem(&failure),
            Error::DatabaseUnavailable(cause) => database_unavailable(&cause),
            Error::Internal(cause) => Self::internal(&cause),
        }
    }
}

fn event_hook_problem(error: &EventHookError) -> Problem {
    use EventHookError as E;
    match error {
        E::NotFound(id) => Problem::not_found(format!(
            "Integration {id} has no event hook. Create one with PUT …/event-hook."
        )),
        E::CallRefused => Problem::not_found(
            "There is no event hook with this URL and secret. Compare both with the event hook in Okta under Workflow > Event Hooks.",
        ),
        E::ChallengeMalformed => Problem::malformed(
            "Send the header x-okta-verification-challenge once, with 1 to 256 visible ASCII characters.",
        ),
        E::DeliveryMalformed => Problem::malformed(
            "Send an event delivery as Okta does: JSON with a list data.events.",
        ),
        E::Overloaded => Problem::new(
            kinds::OVERLOADED,
            "The service could not handle this event hook call in time. Try again after the seconds in Retry-After.",
        )
        .retry_after(1),
        E::TooManyVerifications { retry_after } => Problem::new(
            kinds::TOO_MANY_VERIFICATIONS,
            "This event hook was verified ten times in the last minute. Try again after the seconds in Retry-After.",
        )
        .retry_after(retry_after.as_secs().max(1)),
    }
}

fn client_key_problem(error: &ClientKeyError) -> Problem {
    match error {
        ClientKeyError::NotFound => Problem::not_found(
            "There is no key with this id in this integration. List the keys with GET …/credentials/keys.",
        ),
        ClientKeyError::InUse => Problem::new(
            kinds::CLIENT_KEY_IN_USE,
            "This key is active. Create another one with POST …/credentials/keys, add it to the service app in Okta and activate it with PUT …/credentials. Then delete this key.",
        ),
        ClientKeyError::Needed(id) => Problem::new(
            kinds::CLIENT_KEY_NEEDED,
            format!(
                "Create a key pair with POST /integrations/okta-device-trust/{id}/credentials/keys and add its public key to the service app in Okta. Then send this request again."
            ),
        ),
        ClientKeyError::NoPublicKeys => {
            Problem::not_found("There are no public keys at this address.")
        }
        ClientKeyError::TooManyReads { retry_after } => Problem::new(
            kinds::TOO_MANY_KEY_READS,
            "These public keys were read too often in the last minute. Try again after the seconds in Retry-After.",
        )
        .retry_after(retry_after.as_secs().max(1)),
    }
}

fn device_problem(error: &DeviceError) -> Problem {
    match error {
        DeviceError::NotFound(serial_number) => Problem::not_found(format!(
            "There is no device {serial_number} in this tenant, or it was deleted. Report it with PUT /devices/{serial_number}."
        )),
        DeviceError::PlatformMismatch { known } => Problem::new(
            kinds::PLATFORM_MISMATCH,
            format!(
                "The device is enrolled with the platform {}. A platform change is a new enrollment: send enrollment as well.",
                known.as_str()
            ),
        ),
        DeviceError::Mismatch { serial_number, field } => Problem::new(
            kinds::DEVICE_MISMATCH,
            format!(
                "Device {serial_number} was reported with another {field}. Send the reported value, or report the device again with PUT /devices/{serial_number}."
            ),
        ),
        DeviceError::SnapshotClosed => Problem::new(
            kinds::SNAPSHOT_CLOSED,
            "This snapshot was completed with other pages, or it started more than a day ago. Start a new one with a new snapshot_id.",
        ),
        DeviceError::ManyMissing { missing, fleet } => {
            let detail = format!(
                "{missing} of {fleet} enrolled devices are missing in the snapshot and would become unenrolled. If they really left the MDM, send this page again with confirm: true."
            );
            let mut problem = Problem::new(kinds::RECONCILE_CONFIRMATION_REQUIRED, detail);
            problem.devices = Some(*missing);
            problem
        }
    }
}

fn platform_not_found(platform: Platform) -> Problem {
    let platform = platform.as_str();
    Problem::not_found(format!(
        "The platform {platform} is not configured. Configure it with PUT …/platforms/{platform}."
    ))
}

fn scep_url_on_old_host(host: &str, hosts: &[String]) -> Problem {
    let hosts: Vec<&str> = hosts.iter().take(5).map(String::as_str).collect();
    let detail = format!(
        "{host} is no longer a host of the org, whose hosts are {}. Copy the SCEP URL and the challenge URL once more from Security > Device integrations in Okta, and enter them with PUT …/platforms/macos.",
        hosts.join(", ")
    );
    Problem::new(kinds::SCEP_URL_ON_OLD_HOST, detail)
}

fn ambiguous(choices: Vec<IntegrationChoice>) -> Problem {
    let detail = "This tenant has several integrations. Send integration_id with one of the ids in integrations.";
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
        "This affects {} that got profiles from here. Read the checklist, then repeat the request with ?confirm=true.",
        count_devices(devices)
    );
    let mut problem = Problem::new(kinds::CONFIRMATION_REQUIRED, detail);
    problem.devices = Some(devices);
    problem.platforms = Some(platforms);
    problem.checklist = Some(checklist.into());
    problem
}

fn database_unavailable(cause: &Cause) -> Problem {
    let detail = "The database does not answer. Try again after the seconds in Retry-After. If the request was a change, read the resource first: the change may have been made.";
    let problem = Problem::new(kinds::DATABASE_UNAVAILABLE, detail).retry_after(2);
    tracing::warn!(
        request_id = problem.request_id,
        tenant_id = request_id::tenant().map(display),
        integration_id = request_id::integration().map(display),
        error = chain_of(cause),
        "the database is not available"
    );
    problem
}

fn count_devices(devices: i64) -> String {
    match devices {
        1 => "1 device".to_owned(),
        _ => format!("{devices} devices"),
    }
}
