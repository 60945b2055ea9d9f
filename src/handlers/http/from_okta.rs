//! Maps a failed request to Okta to its problem document, with a text that says what the admin does.

use crate::handlers::http::problem::{Problem, sentence};
use crate::handlers::http::{kinds, request_id};
use crate::service::{OktaFailure, OktaFailureKind as Kind};
use crate::telemetry::chain_of;

/// Returns the problem for `failure`. Logs a failure that the admin cannot fix.
pub(super) fn problem(failure: &OktaFailure) -> Problem {
    let cause = failure.kind();
    let kind = problem_kind(&cause);
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
        // Neither passes sooner because of a retry.
        Kind::ClockSkew { .. } | Kind::ChallengeCacheFull => problem.retry_after = Some(60),
        _ => {}
    }
    problem
}

fn problem_kind(cause: &Kind) -> &'static kinds::Kind {
    match cause {
        Kind::OrgNotFound { .. } => kinds::ORG_NOT_FOUND,
        Kind::Unreachable => kinds::OKTA_UNREACHABLE,
        Kind::RateLimited { .. } => kinds::OKTA_RATE_LIMITED,
        Kind::InvalidClient => kinds::INVALID_CLIENT,
        Kind::WrongClientType => kinds::WRONG_CLIENT_TYPE,
        // The remedy is the same in both cases: grant the scopes.
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

fn detail(failure: &OktaFailure, kind: &Kind) -> String {
    match kind {
        Kind::OrgNotFound { host } => format!(
            "There is no Okta org at {host}. Enter the domain that your users sign in at, such as acme.okta.com."
        ),
        Kind::InvalidClient => {
            "Okta rejected this client ID and client secret. Copy both from the API service integration in Okta again, or generate a new secret there.".to_owned()
        }
        Kind::WrongClientType => {
            "This client is a custom app that authenticates with a private key (private_key_jwt), so Okta accepts no client secret from it. Install the API service integration from Okta's app catalog and enter its client ID and client secret, or change these credentials to a custom service app.".to_owned()
        }
        Kind::MissingScopes(missing) => format!(
            "Okta did not grant the client {}. Sign in to Okta as a super admin and authorize the API service integration with these scopes.",
            missing.join(", ")
        ),
        Kind::ScopesRefused(_) => {
            "Okta did not grant the client the scopes it needs. Sign in to Okta as a super admin and authorize the API service integration.".to_owned()
        }
        Kind::KeyRefused => {
            "Okta rejected the client ID and the key of this service. Check the client ID, and that the service app in Okta has the public key shown here and that the key is active.".to_owned()
        }
        Kind::ClockSkew { .. } => {
            format!("{}, so Okta rejects its signatures. Nothing was changed. The operator must synchronize the clock of the host (NTP).", sentence(failure))
        }
        Kind::NetworkZoneBlocked => {
            "Okta does not allow requests from the address of this service. In the Okta Admin Console under Security > Networks, remove the address from the blocked zones, or add it to the zones that the client may use. Do not reset the credentials: they are not the cause.".to_owned()
        }
        Kind::FeatureNotEnabled => {
            "The Okta org lacks a feature that device trust needs. Check that the org runs on Okta Identity Engine, or contact Okta support.".to_owned()
        }
        Kind::AdminRoleMissing => {
            "The client has the scope, but no Okta admin role that allows the call. Sign in to Okta as a super admin and authorize the API service integration again.".to_owned()
        }
        Kind::RateLimited { .. } => {
            "The rate limit of the Okta org is used up. Try again after the seconds in Retry-After.".to_owned()
        }
        Kind::Unreachable => {
            format!("{}. Nothing was changed. Try again later; see status.okta.com for outages of Okta.", sentence(failure))
        }
        Kind::BadAnswer => {
            format!("{}. Nothing was changed. Try again. If this persists, send the request_id to the operator of this service.", sentence(failure))
        }
        Kind::Refused => format!("{}.", sentence(failure)),
        Kind::ScepCredentialsRefused => {
            "Okta rejected the username and password at the challenge URL. Copy both from the device integration in Okta again, or reset the password there (Actions menu).".to_owned()
        }
        Kind::ScepPermissionMissing => {
            "Okta accepts the username, but it may not enroll devices. In Okta, reset the password of the device integration (Actions menu) and enter the new values.".to_owned()
        }
        Kind::ChallengeCacheFull => {
            "The Okta org has too many unused challenges; each expires after 60 minutes. Try again after the seconds in Retry-After.".to_owned()
        }
        Kind::ScepWrongUrl | Kind::ScepChallengeMissing | Kind::ScepCaUnreadable => {
            format!("{}. Copy the URL from the device integration in Okta again.", sentence(failure))
        }
    }
}
