//! The remediation of the reasons that require action: who does what, as a text for people.

use serde::Serialize;

use crate::model::trust_status::Reason;

/// Who acts on a reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RemediationActor {
    EndUser,
    MdmAdmin,
    OktaAdmin,
}

/// What to do about a reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct ReasonRemediation {
    pub reason: Reason,
    /// The stable id of the text, for translations.
    #[schema(example = "trust_status.awaiting_fastpass_sign_in")]
    pub text_id: &'static str,
    pub text: &'static str,
    pub actor: RemediationActor,
}

impl Reason {
    /// Returns what to do about this reason; `None` if no action is needed.
    pub fn remediation(self) -> Option<ReasonRemediation> {
        let (text_id, actor, text) = text_and_actor(self)?;
        Some(ReasonRemediation { reason: self, text_id, text, actor })
    }
}

#[rustfmt::skip]
fn text_and_actor(reason: Reason) -> Option<(&'static str, RemediationActor, &'static str)> {
    use RemediationActor::{EndUser, MdmAdmin, OktaAdmin};
    Some(match reason {
        Reason::ManagedAndActive | Reason::OktaBudgetExhausted | Reason::OktaRecordNotSeen | Reason::ManagementStatusUnknown => return None,
        Reason::NeverConnected => ("trust_status.never_connected", MdmAdmin, "Connect the Okta org: complete the setup of the integration, then wait for its first complete sync."),
        Reason::OktaUnreachable => ("trust_status.okta_unreachable", MdmAdmin, "The data from Okta is too old to decide. It is read again automatically when Okta answers. If this persists, check the sync of the integration. If you queried several devices with max_age, query this device alone or send a larger max_age."),
        Reason::MdmSilent => ("trust_status.mdm_silent", EndUser, "The device has not checked in with device management for too long. Connect it to the internet and let it check in."),
        Reason::MdmUnenrolled => ("trust_status.mdm_unenrolled", EndUser, "The device is no longer enrolled in device management. Enroll it again."),
        Reason::NotKnownToMdm => ("trust_status.not_known_to_mdm", EndUser, "The device is not known to device management. Enroll it. If it is enrolled already, wait until the MDM reports it."),
        Reason::MdmLostMode => ("trust_status.mdm_lost_mode", MdmAdmin, "The device is in Lost Mode. When the device is found, turn off Lost Mode in the MDM."),
        Reason::PlatformNotConfigured => ("trust_status.platform_not_configured", MdmAdmin, "This platform is not configured. Complete its step in the setup of the integration."),
        Reason::OktaRecordUnmatched => ("trust_status.okta_record_unmatched", MdmAdmin, "No record in Okta has the serial number or UDID of this device. Install the current iOS configuration, which sends both to Okta, and open Okta Verify. If the MDM knows the Okta device id, it can report okta_device_id instead."),
        Reason::NotRegisteredInOkta => ("trust_status.not_registered_in_okta", EndUser, "The device is not registered in Okta. Open Okta Verify on this device and add the account. If the account is already there, remove it first: Okta rejects it while Okta Verify still has it."),
        Reason::ConfigNotDelivered => ("trust_status.config_not_delivered", MdmAdmin, "The MDM has not reported a delivery of the configuration to this device. Install the profiles and the Okta Verify configuration of the deployment, then report the delivery."),
        Reason::ConflictingIdentity => ("trust_status.conflicting_identity", MdmAdmin, "The serial number, UDID and Okta device id belong to different devices. Compare the query, the inventory and okta_devices, and correct the wrong identifier."),
        Reason::OktaRecordSuperseded => ("trust_status.okta_record_superseded", EndUser, "The device has not signed in with this Okta record since it was enrolled or registered again. Sign in with Okta FastPass on this device."),
        Reason::OktaDeviceSuspended => ("trust_status.okta_device_suspended", OktaAdmin, "The device is suspended in Okta. To allow sign-ins again, unsuspend it in the Okta Admin Console under Directory > Devices."),
        Reason::OktaDeviceDeactivated => ("trust_status.okta_device_deactivated", OktaAdmin, "The device is deactivated in Okta. Activate it in the Okta Admin Console under Directory > Devices. Then the user removes the account from Okta Verify and adds it again."),
        Reason::OktaDeviceInactive => ("trust_status.okta_device_inactive", OktaAdmin, "The device is not active in Okta. Check its status in the Okta Admin Console under Directory > Devices. The user may have to remove the account from Okta Verify and add it again."),
        Reason::CertificateExpired => ("trust_status.certificate_expired", MdmAdmin, "The certificate of the device has expired. Install the certificate profile again."),
        Reason::AwaitingFastpassSignIn => ("trust_status.awaiting_fastpass_sign_in", EndUser, "The device waits for a sign-in. Sign in once with Okta FastPass on this device. If nothing changes, remove the account from Okta Verify and add it again."),
        Reason::CertificateExpiring => ("trust_status.certificate_expiring", MdmAdmin, "The certificate of the device expires within 30 days. Install the certificate profile again before it does."),
        Reason::CertificateMissing => ("trust_status.certificate_missing", MdmAdmin, "The MDM has not reported a certificate of this device. Check that the certificate profile is installed, then report the certificate."),
        Reason::MixedUserProfiles => ("trust_status.mixed_user_profiles", EndUser, "Some users of this device are not managed in Okta. Each of them must sign in once with Okta FastPass, or remove the account from Okta Verify."),
        Reason::DuplicateOktaRecords => ("trust_status.duplicate_okta_records", OktaAdmin, "Okta has several records of this device, for example after a wipe. Once no Okta Verify app uses an older record any more, deactivate and then delete that record in the Okta Admin Console under Directory > Devices."),
        Reason::ForeignOktaRecord => ("trust_status.foreign_okta_record", OktaAdmin, "Another record in Okta has the serial number or UDID of this device and is ignored. Check in the Okta Admin Console, under Directory > Devices, which device it belongs to."),
        Reason::NotUsedSinceEnrolment => ("trust_status.not_used_since_enrolment", EndUser, "The device has not signed in to Okta since it was enrolled or registered again. Sign in once with Okta FastPass on this device. If nothing changes, remove the account from Okta Verify and add it again."),
        Reason::NotSeenLately => ("trust_status.not_seen_lately", EndUser, "The device has not checked in with device management for 30 days. Connect it to the internet and let it check in."),
        Reason::IntegrationDegraded => ("trust_status.integration_degraded", MdmAdmin, "The integration is degraded. Open the setup of the integration and fix what its status_reasons name."),
    })
}
