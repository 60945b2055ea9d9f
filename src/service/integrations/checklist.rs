//! What an admin has left to do in Okta when something is deleted here: nothing is called there.

use crate::model::{IntegrationRecord, Platform};

/// A thing to do, in the order of the list.
#[derive(Debug, Clone, serde::Serialize, utoipa::ToSchema)]
pub struct ChecklistItem {
    /// Stable, for translations.
    #[schema(example = "checklist.policies")]
    pub text_id: &'static str,
    pub text: String,
}

fn item(text_id: &'static str, text: impl Into<String>) -> ChecklistItem {
    ChecklistItem { text_id, text: text.into() }
}

/// Before and after an integration is deleted.
pub(in crate::service) fn of_integration(record: &IntegrationRecord) -> Vec<ChecklistItem> {
    let mut list = vec![policies()];
    list.extend(record.platforms.iter().flat_map(|state| of_device_integration(state.platform)));
    if let Some(credentials) = &record.credentials {
        list.push(item(
            "checklist.client",
            format!(
                "In Okta, delete the API service integration with the client ID {}.",
                credentials.client_id
            ),
        ));
    }
    list
}

/// Before and after a platform is deleted.
pub(in crate::service) fn of_platform(platform: Platform) -> Vec<ChecklistItem> {
    std::iter::once(policies()).chain(of_device_integration(platform)).collect()
}

/// First of all, or everybody is locked out.
fn policies() -> ChecklistItem {
    item(
        "checklist.policies",
        "In Okta, first take the condition \"Managed\" out of the sign-in policies: with it nobody gets in any more.",
    )
}

fn of_device_integration(platform: Platform) -> Vec<ChecklistItem> {
    match platform {
        Platform::Macos => vec![
            item(
                "checklist.macos.profiles",
                "In the MDM, remove the profiles of Okta Device Trust from the Macs.",
            ),
            item(
                "checklist.macos.platform",
                "In Okta, delete the macOS platform under Security > Device integrations. Certificates that were issued stay valid until their end.",
            ),
        ],
        Platform::Ios => vec![
            item(
                "checklist.ios.profiles",
                "In the MDM, remove the profile and the managed app configuration from the iPhones and iPads.",
            ),
            item(
                "checklist.ios.platform",
                "In Okta, delete the iOS platform under Security > Device integrations.",
            ),
        ],
    }
}
