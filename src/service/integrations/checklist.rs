//! The checklist of a deletion: what the admin does in Okta and in the MDM. The service itself deletes
//! nothing in Okta.

use crate::model::{IntegrationRecord, Platform};

/// An item of a checklist.
#[derive(Debug, Clone, serde::Serialize, utoipa::ToSchema)]
pub struct ChecklistItem {
    /// The stable id of the text, for translations.
    #[schema(example = "checklist.policies")]
    pub text_id: &'static str,
    pub text: String,
}

fn item(text_id: &'static str, text: impl Into<String>) -> ChecklistItem {
    ChecklistItem { text_id, text: text.into() }
}

/// Returns the checklist for the deletion of an integration.
pub(in crate::service) fn for_integration(record: &IntegrationRecord) -> Vec<ChecklistItem> {
    let mut list = vec![policies()];
    list.extend(record.platforms.iter().flat_map(|state| platform_items(state.platform)));
    if let Some(credentials) = &record.credentials {
        list.push(item(
            "checklist.client",
            format!(
                "In the Okta Admin Console under Applications > API Service Integrations, revoke the integration with the client ID {}.",
                credentials.client_id
            ),
        ));
    }
    list
}

/// Returns the checklist for the deletion of a platform.
pub(in crate::service) fn for_platform(platform: Platform) -> Vec<ChecklistItem> {
    std::iter::once(policies()).chain(platform_items(platform)).collect()
}

/// The first item of every checklist: without it, users are locked out.
fn policies() -> ChecklistItem {
    item(
        "checklist.policies",
        "In the Okta Admin Console under Security > Authentication Policies, first remove the condition \"Device management is: Managed\" from all rules. Otherwise users can no longer sign in.",
    )
}

fn platform_items(platform: Platform) -> Vec<ChecklistItem> {
    match platform {
        Platform::Macos => vec![
            item(
                "checklist.macos.profiles",
                "In the MDM, remove the Okta Device Trust profiles from the Macs. While they are installed, no other single sign-on profile with a host of the Okta org can be installed.",
            ),
            item(
                "checklist.macos.platform",
                "In the Okta Admin Console under Security > Device integrations, delete the macOS platform. Certificates that were already issued stay valid until they expire.",
            ),
        ],
        Platform::Ios => vec![
            item(
                "checklist.ios.profiles",
                "In the MDM, remove the profile and the managed app configuration from the iPhones and iPads. As long as the profile is installed, no other single sign-on profile that names one of the org's hosts can be installed.",
            ),
            item(
                "checklist.ios.platform",
                "In the Okta Admin Console under Security > Device integrations, delete the iOS platform.",
            ),
        ],
    }
}
