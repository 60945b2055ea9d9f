//! Validates the request for a deployment before a challenge is fetched for it.

use serde_json::{Map, Value};

use crate::model::platforms::PlatformState;
use crate::model::{
    DeviceIdentifierError, IntegrationRecord, Platform, SerialNumber, Udid, UserPrincipalName,
};
use crate::payload::{
    AppConfigExtra, DEFAULT_SUBJECT_TEMPLATE, Deployment, Device, OktaVerifyOptions, OrgHosts,
    PayloadError, PayloadScope, common_name,
};
use crate::service::platforms::fields::org_hosts;
use crate::service::{Error, FieldError};

/// The longest subject template and plugin name, in characters.
const TEXT_LIMIT: usize = 256;
const MAX_PLUGINS: usize = 20;

/// The device, as the MDM sent it.
#[derive(Debug, Clone)]
pub struct DeviceFields {
    pub serial_number: String,
    pub udid: String,
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
    /// The host where users sign in: the canonical host of the org, or its confirmed custom domain, which
    /// is the default.
    pub sign_in_host: Option<String>,
    pub silent_enrollment: bool,
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
    platform: Platform,
    options: DeploymentOptions,
) -> Result<Plan, Error> {
    check_lengths(&options)?;
    let known = org_hosts(record);
    let sign_in = match options.sign_in_host {
        Some(host) if known.contains(&host) => host,
        Some(_) => {
            let detail = format!("Send {}.", known.join(" or "));
            return Err(invalid("/options/sign_in_host", "other_host", detail));
        }
        None => record.integration.sign_in_host().to_owned(),
    };
    if platform == Platform::Ios && options.scope == PayloadScope::User {
        return Err(invalid(
            "/options/scope",
            "invalid",
            "iPhones and iPads support only the scope system. Leave this field out.",
        ));
    }
    let subject_template =
        options.subject_template.unwrap_or_else(|| DEFAULT_SUBJECT_TEMPLATE.to_owned());
    // Checked here, so that an invalid template does not waste a challenge.
    common_name(&subject_template, device)?;
    Ok(Plan {
        hosts: OrgHosts::new(&sign_in, known.iter().map(String::as_str))?,
        options: OktaVerifyOptions {
            silent_enrollment: options.silent_enrollment,
            report_diagnostics: options.report_diagnostics,
            plugins: options.plugins,
            extra: AppConfigExtra::parse(options.app_config_extra)?,
        },
        scope: options.scope,
        subject_template,
        organization: sign_in,
    })
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

pub(in crate::service) fn parse_device(fields: &DeviceFields) -> Result<Device, Error> {
    let mut errors = Vec::new();
    let serial_number = accept_or_record(
        &mut errors,
        "/device/serial_number",
        SerialNumber::parse(&fields.serial_number),
    );
    let udid = accept_or_record(&mut errors, "/device/udid", Udid::parse(&fields.udid));
    let name = fields.user_principal_name.as_deref().map(UserPrincipalName::parse).transpose();
    let user_principal_name = accept_or_record(&mut errors, "/device/user_principal_name", name);
    match (serial_number, udid, user_principal_name) {
        (Some(serial_number), Some(udid), Some(user_principal_name)) => {
            Ok(Device { serial_number, udid, user_principal_name })
        }
        _ => Err(Error::Invalid(errors)),
    }
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
