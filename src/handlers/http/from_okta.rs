//! The problem for a failed request to Okta: its kind, and what an admin does about it.

use crate::handlers::http::problem::{Problem, sentence};
use crate::handlers::http::{kinds, request_id};
use crate::service::{OktaFailure, OktaFailureKind as Kind};
use crate::telemetry::chain_of;

/// The problem for `failure`. Those that are not the admin's to mend are logged.
pub(super) fn problem(failure: &OktaFailure) -> Problem {
    let cause = failure.kind();
    let kind = kind_of(&cause);
    let mut problem = Problem::new(kind, detail(failure, &cause));
    if kind.status >= 500 {
        tracing::warn!(
            request_id = problem.request_id,
            tenant_id = request_id::tenant().map(display),
            integration_id = request_id::integration().map(display),
            code = kind.code,
            error = chain_of(failure),
            "the request to Okta failed"
        );
    }
    problem.transient = Some(failure.is_transient());
    problem.okta_message = failure.message().map(Box::from);
    match cause {
        Kind::MissingScopes(scopes) => problem.missing_scopes = Some(scopes.into()),
        Kind::ScopesRefused(scopes) => {
            problem.missing_scopes = (!scopes.is_empty()).then(|| scopes.into());
        }
        Kind::RateLimited { retry_after } => {
            problem.retry_after = Some(retry_after.as_secs().max(1));
        }
        Kind::Unreachable => problem.retry_after = Some(30),
        // It passes sooner or later; asking more often does not help.
        Kind::ClockSkew { .. } | Kind::ChallengeCacheFull => problem.retry_after = Some(60),
        _ => {}
    }
    problem
}

fn kind_of(cause: &Kind) -> &'static kinds::Kind {
    match cause {
        Kind::OrgNotFound { .. } => kinds::ORG_NOT_FOUND,
        Kind::Unreachable => kinds::OKTA_UNREACHABLE,
        Kind::RateLimited { .. } => kinds::OKTA_RATE_LIMITED,
        Kind::InvalidClient => kinds::INVALID_CLIENT,
        Kind::WrongClientType => kinds::WRONG_CLIENT_TYPE,
        // However Okta says it, the same is to be done: grant the scopes.
        Kind::MissingScopes(_) | Kind::ScopesRefused(_) => kinds::MISSING_SCOPES,
        Kind::KeyRefused => kinds::KEY_REFUSED,
        Kind::ClockSkew { .. } => kinds::CLOCK_SKEW,
        Kind::NetworkZoneBlocked => kinds::NETWORK_ZONE_BLOCKED,
        Kind::FeatureNotEnabled => kinds::FEATURE_NOT_ENABLED,
        Kind::AdminRoleMissing => kinds::ADMIN_ROLE_MISSING,
        Kind::BadAnswer => kinds::OKTA_BAD_ANSWER,
        Kind::Refused => kinds::OKTA_REFUSED,
        Kind::ScepCredentialsRefused => kinds::SCEP_CREDENTIALS_REFUSED,
        Kind::ScepPermissionMissing => kinds::SCEP_PERMISSION_MISSING,
        Kind::ScepWrongUrl => kinds::SCEP_WRONG_URL,
        Kind::ScepChallengeMissing => kinds::SCEP_CHALLENGE_MISSING,
        Kind::ScepCaUnreadable => kinds::SCEP_CA_UNREADABLE,
        Kind::ChallengeCacheFull => kinds::CHALLENGE_CACHE_FULL,
    }
}

/// What an admin does about it.
fn detail(failure: &OktaFailure, kind: &Kind) -> String {
    match kind {
        Kind::OrgNotFound { host } => format!(
            "No Okta org answers at {host}. Enter the address that your users sign in at, such as acme.okta.com."
        ),
        Kind::InvalidClient => {
            "Okta does not accept this client ID with this client secret. Copy both once more, or generate a new secret in Okta.".to_owned()
        }
        Kind::WrongClientType => {
            "Okta accepts no client secret from this client: it is an app of your own, which signs in with a key (private_key_jwt). Install the API service integration from Okta's catalogue and enter its client ID and secret, or switch these credentials to an own service app.".to_owned()
        }
        Kind::MissingScopes(missing) => format!(
            "The client was not granted {}. As a super admin, authorize the API service integration in Okta with these scopes.",
            missing.join(", ")
        ),
        Kind::ScopesRefused(_) => {
            "The client was not granted the scopes it needs. As a super admin, authorize the API service integration in Okta.".to_owned()
        }
        Kind::KeyRefused => {
            "Okta does not accept this client ID with the key of this service. Check the client ID, and that the public key in the service app in Okta is the one that is shown here and is active.".to_owned()
        }
        Kind::ClockSkew { .. } => {
            format!("{}, so Okta refuses what it signs. Nothing was changed. The operator has to set the clock of the host (NTP).", sentence(failure))
        }
        Kind::NetworkZoneBlocked => {
            "Okta does not admit requests from this service's address. In Okta under Security > Networks take the address out of the blocked zones, or add it to the zones from which the client may be used. The credentials are not the cause: do not reset them.".to_owned()
        }
        Kind::FeatureNotEnabled => {
            "The org does not have a feature that device trust needs. Check that it runs on Identity Engine, or ask Okta's support.".to_owned()
        }
        Kind::AdminRoleMissing => {
            "The client has the scope, but no admin role in Okta that allows the call. Authorize the integration as a super admin.".to_owned()
        }
        Kind::RateLimited { .. } => {
            "The org's rate limit is used up. Try again after the seconds in Retry-After.".to_owned()
        }
        Kind::Unreachable => {
            format!("{}. Nothing was changed. Try again in a while; Okta's state is at status.okta.com.", sentence(failure))
        }
        Kind::BadAnswer => {
            format!("{}. Nothing was changed. Try again; if it stays so, tell the operator the request_id.", sentence(failure))
        }
        Kind::Refused => format!("{}.", sentence(failure)),
        Kind::ScepCredentialsRefused => {
            "Okta does not accept this user name with this password at the challenge URL. Copy both once more, or reset the password in Okta.".to_owned()
        }
        Kind::ScepPermissionMissing => {
            "Okta knows the user but gives it no challenges. Reset the password of the device integration in Okta and enter the new values.".to_owned()
        }
        Kind::ChallengeCacheFull => {
            "Okta holds as many unused challenges as it can; each expires after 60 minutes. Try again after the seconds in Retry-After.".to_owned()
        }
        Kind::ScepWrongUrl | Kind::ScepChallengeMissing | Kind::ScepCaUnreadable => {
            format!("{}. Copy the URL once more from the device integration in Okta.", sentence(failure))
        }
    }
}
