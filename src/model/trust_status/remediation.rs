//! The remediation of the reasons that require action: texts for admins and users.

use serde::Serialize;

use crate::model::trust_status::Reason;

/// Who has to act.
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
    /// A stable ID, by which a front end can look up its own text.
    #[schema(example = "trust_status.awaiting_fastpass_sign_in")]
    pub text_id: &'static str,
    pub text: &'static str,
    pub actor: RemediationActor,
}

impl Reason {
    /// Returns what to do about this reason; `None` if no action is needed.
    pub fn remediation(self) -> Option<ReasonRemediation> {
        let (text_id, actor, text) = row(self)?;
        Some(ReasonRemediation { reason: self, text_id, text, actor })
    }
}

#[rustfmt::skip]
fn row(reason: Reason) -> Option<(&'static str, RemediationActor, &'static str)> {
    use RemediationActor::{EndUser, MdmAdmin, OktaAdmin};
    Some(match reason {
        Reason::ManagedAndActive | Reason::OktaBudgetExhausted | Reason::OktaRecordNotSeen | Reason::ManagementStatusUnknown => return None,
        Reason::NeverConnected => ("trust_status.never_connected", MdmAdmin, "Connect the Okta org: enter its credentials, then wait until its devices have been read once."),
        Reason::OktaUnreachable => ("trust_status.okta_unreachable", MdmAdmin, "The facts from Okta are too old to decide. The service reads them again automatically as soon as Okta answers. If this persists, check the integration's sync status. A query for several devices never reads from Okta: query a single device, or use a larger max_age."),
        Reason::MdmSilent => ("trust_status.mdm_silent", EndUser, "Device management has not heard from the device for too long. Connect it to the network and let it check in."),
        Reason::MdmUnenrolled => ("trust_status.mdm_unenrolled", EndUser, "Enroll the device in device management again."),
        Reason::NotKnownToMdm => ("trust_status.not_known_to_mdm", EndUser, "Enroll the device in device management. If it is enrolled, the MDM has not reported it yet."),
        Reason::MdmLostMode => ("trust_status.mdm_lost_mode", MdmAdmin, "The device is in Lost Mode. Turn Lost Mode off once the device is found."),
        Reason::PlatformNotConfigured => ("trust_status.platform_not_configured", MdmAdmin, "Configure this platform for the integration."),
        Reason::OktaRecordUnmatched => ("trust_status.okta_record_unmatched", MdmAdmin, "Install the current iOS configuration on the device, so that Okta Verify sends its serial number and UDID to Okta. Or report the device's okta_device_id."),
        Reason::NotRegisteredInOkta => ("trust_status.not_registered_in_okta", EndUser, "Open Okta Verify on this device and add the account. If the account is already there, remove it first: Okta rejects it while Okta Verify still has it."),
        Reason::ConfigNotDelivered => ("trust_status.config_not_delivered", MdmAdmin, "Install the profiles and the Okta Verify configuration on the device, and report the delivery."),
        Reason::ConflictingIdentity => ("trust_status.conflicting_identity", MdmAdmin, "Serial number, UDID and Okta's device ID do not belong to the same device. Compare the query, the inventory and okta_devices, and correct the wrong one."),
        Reason::OktaRecordSuperseded => ("trust_status.okta_record_superseded", EndUser, "This record in Okta has not been used since the device was enrolled or registered again. Sign in again with Okta FastPass on this device."),
        Reason::OktaDeviceSuspended => ("trust_status.okta_device_suspended", OktaAdmin, "The device is suspended in Okta. In the Admin Console, go to Directory > Devices and unsuspend it once it may sign in again."),
        Reason::OktaDeviceDeactivated => ("trust_status.okta_device_deactivated", OktaAdmin, "The device is deactivated in Okta. In the Admin Console, go to Directory > Devices and activate it; the user then removes the account from Okta Verify and adds it again."),
        Reason::OktaDeviceInactive => ("trust_status.okta_device_inactive", OktaAdmin, "Okta's record of the device is not active. Check it in the Admin Console under Directory > Devices; the user may have to remove the account from Okta Verify and add it again."),
        Reason::CertificateExpired => ("trust_status.certificate_expired", MdmAdmin, "Install the certificate profile again: the device's certificate has expired."),
        Reason::AwaitingFastpassSignIn => ("trust_status.awaiting_fastpass_sign_in", EndUser, "Sign in once with Okta FastPass on this device. If the status does not change, remove the account from Okta Verify and add it again."),
        Reason::CertificateExpiring => ("trust_status.certificate_expiring", MdmAdmin, "Install the certificate profile again within 30 days, before the certificate expires."),
        Reason::CertificateMissing => ("trust_status.certificate_missing", MdmAdmin, "Check that the certificate profile is installed, and report the certificate."),
        Reason::MixedUserProfiles => ("trust_status.mixed_user_profiles", EndUser, "Some users of this device are not managed. Each of them must sign in once with Okta FastPass, or remove the account from Okta Verify."),
        Reason::DuplicateOktaRecords => ("trust_status.duplicate_okta_records", OktaAdmin, "Okta has several records of this device, for example after a wipe. Once no Okta Verify app uses an older record any more, deactivate and delete that record in the Admin Console under Directory > Devices."),
        Reason::ForeignOktaRecord => ("trust_status.foreign_okta_record", OktaAdmin, "Another record in Okta has this device's serial number or UDID and is ignored. Find out in the Admin Console under Directory > Devices which machine it belongs to."),
        Reason::NotUsedSinceEnrolment => ("trust_status.not_used_since_enrolment", EndUser, "A record of this device has not been used since the device was enrolled or registered again. Sign in once with Okta FastPass on this device. If the status does not change, remove the account from Okta Verify and add it again."),
        Reason::NotSeenLately => ("trust_status.not_seen_lately", EndUser, "The device has not checked in with device management for 30 days. Connect it to the network and let it check in."),
        Reason::IntegrationDegraded => ("trust_status.integration_degraded", MdmAdmin, "The integration has a problem. Its status_reasons name it."),
    })
}
