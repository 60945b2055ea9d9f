//! What to do about each reason, in words for people. A table and nothing else.

use serde::Serialize;

use crate::model::trust_status::Reason;

/// Who can do something about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ActsOn {
    EndUser,
    MdmAdmin,
    OktaAdmin,
    /// Nothing is to be done, or it passes by itself.
    Nobody,
}

/// What to do about a reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct ReasonRemediation {
    pub reason: Reason,
    /// Stable: a front end finds its own words by it.
    #[schema(example = "trust_status.awaiting_fastpass_sign_in")]
    pub text_id: &'static str,
    pub text: &'static str,
    pub actor: ActsOn,
}

impl Reason {
    /// What to do about it.
    pub fn remediation(self) -> ReasonRemediation {
        let (text_id, actor, text) = row(self);
        ReasonRemediation { reason: self, text_id, text, actor }
    }
}

#[rustfmt::skip]
fn row(reason: Reason) -> (&'static str, ActsOn, &'static str) {
    use ActsOn::{EndUser, MdmAdmin, Nobody, OktaAdmin};
    match reason {
        Reason::NeverConnected => ("trust_status.never_connected", MdmAdmin, "Connect the Okta org: enter its credentials, and wait until its devices have been read once."),
        Reason::OktaUnreachable => ("trust_status.okta_unreachable", Nobody, "What is known of Okta is older than may decide, by itself or by max_age. It is read again by itself as soon as Okta answers; if it stays so, look at the integration's sync. A query of many devices never asks Okta: ask about one, or with a larger max_age."),
        Reason::OktaBudgetExhausted => ("trust_status.okta_budget_exhausted", Nobody, "What is known is older than max_age, and the device was read a moment ago, the org's rate for such reads is spent, or nothing that Okta could say would change the verdict. Ask again in half a minute, or with a larger max_age."),
        Reason::MdmUnenrolled => ("trust_status.mdm_unenrolled", EndUser, "Enroll the device in device management again."),
        Reason::NotKnownToMdm => ("trust_status.not_known_to_mdm", EndUser, "Enroll the device in device management. If it is enrolled, the MDM has not reported it yet."),
        Reason::PlatformNotConfigured => ("trust_status.platform_not_configured", MdmAdmin, "Configure this platform for the integration."),
        Reason::OktaRecordUnmatched => ("trust_status.okta_record_unmatched", MdmAdmin, "Hand the device's serial number and UDID to Okta Verify by managed app configuration, or report its okta_device_id, so that Okta's record can be told to be this device's."),
        Reason::NotRegisteredInOkta => ("trust_status.not_registered_in_okta", EndUser, "Open Okta Verify on this device and add the account."),
        Reason::ConfigNotDelivered => ("trust_status.config_not_delivered", MdmAdmin, "Deliver the profiles and the configuration of Okta Verify to the device, and report the delivery."),
        Reason::ConflictingIdentity => ("trust_status.conflicting_identity", MdmAdmin, "Serial number, UDID and Okta's device id are not known to belong to one device. Compare what was asked, the inventory and okta_devices; correct the one that is wrong, or report the device's okta_device_id."),
        Reason::OktaDeviceSuspended => ("trust_status.okta_device_suspended", OktaAdmin, "The device is suspended in Okta. Unsuspend it there once it may sign in again."),
        Reason::OktaDeviceDeactivated => ("trust_status.okta_device_deactivated", OktaAdmin, "The device is deactivated in Okta. Activate it there, then let the user add the account in Okta Verify again."),
        Reason::OktaDeviceInactive => ("trust_status.okta_device_inactive", OktaAdmin, "Okta's record of the device is not active or was deleted. Look at it in Okta; the user may have to add the account in Okta Verify again."),
        Reason::CertificateExpired => ("trust_status.certificate_expired", MdmAdmin, "Deliver the certificate profile again: the device's certificate has ended."),
        Reason::ManagementStatusUnknown => ("trust_status.management_status_unknown", Nobody, "Okta has not told how each user is managed. It is asked again by itself."),
        Reason::ManagedAndActive => ("trust_status.managed_and_active", Nobody, "Nothing is to be done."),
        Reason::AwaitingFastpassSignIn => ("trust_status.awaiting_fastpass_sign_in", EndUser, "Sign in once with Okta FastPass on this device."),
        Reason::CertificateExpiring => ("trust_status.certificate_expiring", MdmAdmin, "Deliver the certificate profile again within 30 days, before the certificate ends."),
        Reason::CertificateMissing => ("trust_status.certificate_missing", MdmAdmin, "Check that the certificate profile is installed, and report the certificate."),
        Reason::MixedUserProfiles => ("trust_status.mixed_user_profiles", EndUser, "Some users of this device are not managed. Each of them signs in once with Okta FastPass, or removes the account from Okta Verify."),
        Reason::DuplicateOktaRecords => ("trust_status.duplicate_okta_records", OktaAdmin, "Okta has older records of this device, as after a wipe. Deactivate and delete them in Okta."),
        Reason::IntegrationDegraded => ("trust_status.integration_degraded", MdmAdmin, "Something is wrong with the integration: its status_reasons say what."),
    }
}
