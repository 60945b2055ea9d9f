//! What to tell an admin when Okta did not give what was needed: what to do next, in plain words.

use std::error::Error as StdError;

use crate::okta::OktaError;

/// What to do about `error`.
pub(in crate::handlers) fn okta_detail(error: &OktaError) -> String {
    match error {
        OktaError::OrgNotFound { host } => format!(
            "No Okta org answers at {host}. Enter the address that your users sign in at, such as acme.okta.com."
        ),
        OktaError::InvalidClient => {
            "Okta does not accept this client ID with this client secret. Copy both once more, or generate a new secret in Okta.".to_owned()
        }
        OktaError::MissingScopes(missing) => format!(
            "The client was not granted {}. As a super admin, authorize the API service integration in Okta with these scopes.",
            missing.join(", ")
        ),
        OktaError::ConsentRequired | OktaError::InvalidScope | OktaError::InsufficientScope { .. } => {
            "The client was not granted the scopes it needs. As a super admin, authorize the API service integration in Okta.".to_owned()
        }
        OktaError::DpopRequired => {
            "The client demands proof of possession (DPoP). Switch it off in the client's settings in Okta.".to_owned()
        }
        OktaError::NetworkZoneBlocked => {
            "Okta admits this client from named network zones only. Add this service's address to them, or lift the restriction.".to_owned()
        }
        OktaError::FeatureNotEnabled => {
            "The org does not have a feature that device trust needs. Check that it runs on Identity Engine, or ask Okta's support.".to_owned()
        }
        OktaError::AdminRoleMissing => {
            "The client has the scope, but no admin role in Okta that allows the call. Authorize the integration as a super admin.".to_owned()
        }
        OktaError::RateLimited { .. } => {
            "The org's rate limit is used up. Try again after the seconds in Retry-After.".to_owned()
        }
        OktaError::Unreachable { .. } | OktaError::TemporarilyUnavailable => {
            format!("{}. Nothing was changed. Try again in a while; Okta's state is at status.okta.com.", sentence(error))
        }
        OktaError::TokenExpired | OktaError::NotFound | OktaError::BadAnswer { .. } => {
            format!("{}. Nothing was changed. Try again; if it stays so, tell the operator the request_id.", sentence(error))
        }
        OktaError::Refused { .. } => format!("{}.", sentence(error)),
        OktaError::ScepCredentialsRefused => {
            "Okta does not accept this user name with this password at the challenge URL. Copy both once more, or reset the password in Okta.".to_owned()
        }
        OktaError::ScepPermissionMissing => {
            "Okta knows the user but gives it no challenges. Reset the password of the device integration in Okta and enter the new values.".to_owned()
        }
        OktaError::ChallengeCacheFull => {
            "Okta holds as many unused challenges as it can; each expires after 60 minutes. Try again after the seconds in Retry-After.".to_owned()
        }
        OktaError::ScepWrongUrl { .. } | OktaError::ScepChallengeMissing { .. } | OktaError::ScepCaUnreadable { .. } => {
            format!("{}. Copy the URL once more from the device integration in Okta.", sentence(error))
        }
    }
}

/// An error's own words as the beginning of a sentence.
pub(in crate::handlers) fn sentence(error: &dyn StdError) -> String {
    let text = error.to_string();
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
