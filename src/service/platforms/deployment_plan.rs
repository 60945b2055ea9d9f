//! Validates the request for a deployment before a challenge is fetched for it.

use serde_json::{Map, Value};

use crate::model::devices::enrollment_id::EnrollmentId;
use crate::model::platforms::PlatformState;
use crate::model::{
    DeviceIdentifierError, IntegrationRecord, Platform, SerialNumber, Udid, UserPrincipalName,
};
use crate::payload::{
    AppConfigExtra, DEFAULT_SUBJECT_TEMPLATE, Deployment, Device, DeviceIdentity,
    EnrollmentOptions, HardwareIdentifiers, OktaVerifyOptions, OrgHosts, PayloadError,
    PayloadScope, common_name,
};
use crate::service::{Error, FieldError};

/// The longest subject template and plugin name, in characters.
const TEXT_LIMIT: usize = 256;
const MAX_PLUGINS: usize = 20;

/// The device, as the MDM sent it.
#[derive(Debug, Clone)]
pub struct DeviceFields {
    pub serial_number: Option<String>,
    pub udid: Option<String>,
    /// In place of both for an iPhone or iPad of User Enrollment.
    pub enrollment_id: Option<String>,
    pub user_principal_name: Option<String>,
}

/// A part of a deployment.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum DeploymentPart {
    /// Macs: the SCEP profile, for which a challenge is fetched.
    Certificate,
    /// Macs: the single sign-on extension and preferences. iPhones and iPads: the single sign-on extension.
    Settings,
    /// iPhones and iPads: the managed app configuration, in JSON only.
    AppConfiguration,
}

/// Options for rendering a deployment.
#[derive(Debug, Clone, Default)]
pub struct DeploymentOptions {
    pub scope: PayloadScope,
    /// The host where users sign in: the canonical host of the org, a confirmed custom domain, of which the
    /// first is the default, or an additional host.
    pub sign_in_host: Option<String>,
    pub enrollment: EnrollmentOptions,
    pub report_diagnostics: Option<bool>,
    pub plugins: Vec<String>,
    pub app_config_extra: Map<String, Value>,
    pub subject_template: Option<String>,
}

/// Validated options, with which every part of a deployment is rendered.
pub(in crate::service) struct Plan {
    pub(in crate::service) hosts: OrgHosts,
    pub(in crate::service) options: OktaVerifyOptions,
    pub(in crate::service) scope: PayloadScope,
    pub(in crate::service) subject_template: String,
    pub(in crate::service) organization: String,
}

impl Plan {
    pub(in crate::service) fn deployment<'a>(
        &'a self,
        record: &IntegrationRecord,
        state: &PlatformState,
        device: &'a Device,
    ) -> Deployment<'a> {
        Deployment {
            integration_id: record.integration.id,
            device,
            config_version: state.config_version,
            scope: self.scope,
            organization: Some(&self.organization),
        }
    }
}

pub(in crate::service) fn plan(
    record: &IntegrationRecord,
    device: &Device,
    options: DeploymentOptions,
) -> Result<Plan, Error> {
    check_lengths(&options)?;
    let known = record.integration.sign_in_hosts();
    let sign_in = match options.sign_in_host {
        Some(host) if known.contains(&host) => host,
        Some(_) => {
            let detail = format!("Send {}.", host_choice(&known));
            return Err(invalid("/options/sign_in_host", "other_host", detail));
        }
        None => record.integration.sign_in_host().to_owned(),
    };
    let subject_template =
        options.subject_template.unwrap_or_else(|| DEFAULT_SUBJECT_TEMPLATE.to_owned());
    if device.hardware().is_some() {
        // Checked here, so that an invalid template does not waste a challenge.
        common_name(&subject_template, device)?;
    }
    Ok(Plan {
        hosts: OrgHosts::new(&sign_in, known.iter().map(String::as_str))?,
        options: OktaVerifyOptions {
            enrollment: options.enrollment,
            report_diagnostics: options.report_diagnostics,
            plugins: options.plugins,
            extra: AppConfigExtra::parse(options.app_config_extra)?,
        },
        scope: options.scope,
        subject_template,
        organization: sign_in,
    })
}

/// Lists the hosts for an error message; an org can have 400.
fn host_choice(hosts: &[String]) -> String {
    const NAMED: usize = 5;
    let named: Vec<&str> = hosts.iter().take(NAMED).map(String::as_str).collect();
    let named = named.join(" or ");
    let more = hosts.len().saturating_sub(NAMED);
    if more == 0 { named } else { format!("{named} or one of {more} more hosts of the org") }
}

fn check_lengths(options: &DeploymentOptions) -> Result<(), Error> {
    let too_long = |text: &str| text.chars().count() > TEXT_LIMIT;
    if options.subject_template.as_deref().is_some_and(too_long) {
        let detail = format!("Send at most {TEXT_LIMIT} characters.");
        return Err(invalid("/options/subject_template", "too_long", detail));
    }
    if options.plugins.len() > MAX_PLUGINS || options.plugins.iter().any(|plugin| too_long(plugin))
    {
        let detail =
            format!("Send at most {MAX_PLUGINS} names of at most {TEXT_LIMIT} characters.");
        return Err(invalid("/options/plugins", "too_long", detail));
    }
    Ok(())
}

/// Returns the requested parts, or all parts of the platform.
///
/// # Errors
/// `Invalid` for an empty list, and for a part of the other platform.
pub(in crate::service) fn choose_parts(
    platform: Platform,
    parts: Option<Vec<DeploymentPart>>,
) -> Result<Vec<DeploymentPart>, Error> {
    use DeploymentPart::{AppConfiguration, Certificate, Settings};
    let all = match platform {
        Platform::Macos => vec![Certificate, Settings],
        Platform::Ios => vec![Settings, AppConfiguration],
    };
    let Some(parts) = parts else { return Ok(all) };
    if parts.is_empty() {
        return Err(invalid("/parts", "empty", "Send at least one part, or leave this field out."));
    }
    if let Some(index) = parts.iter().position(|part| !all.contains(part)) {
        return Err(invalid(
            &format!("/parts/{index}"),
            "invalid",
            "This platform does not have this part.",
        ));
    }
    Ok(parts)
}

/// Reads the device: serial number and UDID, or the `enrollment_id` of an iPhone of User Enrollment.
pub(in crate::service) fn parse_device(
    platform: Platform,
    fields: &DeviceFields,
) -> Result<Device, Error> {
    let mut errors = Vec::new();
    let name = fields.user_principal_name.as_deref().map(UserPrincipalName::parse).transpose();
    let name = accept_or_record(&mut errors, "/device/user_principal_name", name);
    let identity = match &fields.enrollment_id {
        Some(id) => parse_enrollment(platform, fields, id, &mut errors),
        None => parse_hardware(platform, fields, &mut errors),
    };
    match (identity, name) {
        (Some(identity), Some(user_principal_name)) => Ok(Device { identity, user_principal_name }),
        _ => Err(Error::Invalid(errors)),
    }
}

fn parse_hardware(
    platform: Platform,
    fields: &DeviceFields,
    errors: &mut Vec<FieldError>,
) -> Option<DeviceIdentity> {
    let before = errors.len();
    let serial_number = needed(errors, "/device/serial_number", fields.serial_number.as_deref())
        .and_then(|text| {
            accept_or_record(errors, "/device/serial_number", SerialNumber::parse(text))
        });
    let udid = needed(errors, "/device/udid", fields.udid.as_deref())
        .and_then(|text| accept_or_record(errors, "/device/udid", Udid::parse(text)));
    if platform == Platform::Ios {
        for error in errors.iter_mut().skip(before) {
            error.detail.push_str(USE_ENROLLMENT_ID);
        }
    }
    Some(DeviceIdentity::Hardware(HardwareIdentifiers {
        serial_number: serial_number?,
        udid: udid?,
    }))
}

const USE_ENROLLMENT_ID: &str = " An iPhone or iPad with User Enrollment has neither serial number nor UDID: send its enrollment_id instead.";

fn parse_enrollment(
    platform: Platform,
    fields: &DeviceFields,
    id: &str,
    errors: &mut Vec<FieldError>,
) -> Option<DeviceIdentity> {
    const POINTER: &str = "/device/enrollment_id";
    if platform == Platform::Macos {
        let detail = "Macs with User Enrollment are not supported, because Apple forbids the settings of Okta Verify there. Enroll the Mac with device enrollment, then send its serial number and UDID.";
        errors.push(FieldError::new(POINTER, "user_enrollment_not_supported", detail));
        return None;
    }
    if fields.serial_number.is_some() || fields.udid.is_some() {
        let detail = "Send either the serial number and the UDID, or, with User Enrollment, the enrollment_id.";
        errors.push(FieldError::new(POINTER, "ambiguous", detail));
        return None;
    }
    accept_or_record(errors, POINTER, EnrollmentId::parse(id)).map(DeviceIdentity::Enrollment)
}

fn needed<'a>(
    errors: &mut Vec<FieldError>,
    pointer: &str,
    text: Option<&'a str>,
) -> Option<&'a str> {
    if text.is_none() {
        errors.push(FieldError::new(pointer, "missing", "This field is needed."));
    }
    text
}

/// Returns a parsed identifier; records an error for a malformed one.
fn accept_or_record<T>(
    errors: &mut Vec<FieldError>,
    pointer: &str,
    parsed: Result<T, DeviceIdentifierError>,
) -> Option<T> {
    parsed
        .map_err(|error| errors.push(FieldError::new(pointer, error.code(), sentence(error))))
        .ok()
}

fn sentence(error: DeviceIdentifierError) -> String {
    format!("Send it as the device reports it: {error}.")
}

fn invalid(pointer: &str, code: &str, detail: impl Into<String>) -> Error {
    Error::Invalid(vec![FieldError::new(pointer, code, detail)])
}

/// A value that cannot be rendered is a field error if the caller sent it, otherwise an internal error.
impl From<PayloadError> for Error {
    fn from(error: PayloadError) -> Self {
        match error.field() {
            Some("user_principal_name") => {
                invalid("/device/user_principal_name", error.code(), format!("{error}."))
            }
            Some(field) => invalid(&format!("/options/{field}"), error.code(), format!("{error}.")),
            None => Self::from_payload_error(error),
        }
    }
}
