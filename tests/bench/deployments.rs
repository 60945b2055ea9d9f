//! Benchmarks of a deployment without its request to Okta: decrypting the secret and rendering. Run with
//! `cargo bench`. Compare the results with `plist_baseline`, which only serializes the property list.

use okta_device_trust::crypto::{Keyring, Place, open, seal};
use okta_device_trust::model::{IntegrationId, SerialNumber, Udid};
use okta_device_trust::payload::{
    AppConfigExtra, AppConfiguration, CertificateEnrollment, DEFAULT_SUBJECT_TEMPLATE, Deployment,
    Device, EnrollmentOptions, MacSettings, MobileSignOn, OktaVerifyOptions, OrgHosts,
    PayloadError, PayloadScope, ProfileContents, ProfileDocument, render_profile,
};
use secrecy::SecretString;

fn main() {
    divan::main();
}

struct Fixture {
    device: Device,
    hosts: OrgHosts,
    options: OktaVerifyOptions,
    secret: SecretString,
    url: url::Url,
}

fn fixture() -> Fixture {
    Fixture {
        device: Device::new(
            SerialNumber::parse("C02ABC123DEF").expect("serial number"),
            Udid::parse("8A5B0C2E-1D3F-4A6B-9C8D-7E6F5A4B3C2D").expect("UDID"),
            None,
        ),
        hosts: OrgHosts::new("login.acme.example", ["acme.okta.com"]).expect("hosts"),
        options: OktaVerifyOptions {
            enrollment: EnrollmentOptions::PromptAlways,
            extra: AppConfigExtra::default(),
            ..OktaVerifyOptions::default()
        },
        secret: SecretString::from("C5A1F0D2B3E4968778695A4B3C2D1E0F"),
        url: "https://acme.okta.com/pki/0123456789abcdef/scep/rac1".parse().expect("URL"),
    }
}

impl Fixture {
    fn deployment(&self) -> Deployment<'_> {
        Deployment {
            integration_id: IntegrationId::new(),
            device: &self.device,
            config_version: 7,
            scope: PayloadScope::System,
            organization: Some("login.acme.example"),
        }
    }

    fn certificate(&self) -> Result<ProfileDocument, PayloadError> {
        let (url, challenge) = (self.url.clone(), self.secret.clone());
        let enrollment =
            CertificateEnrollment::new(&self.device, url, challenge, DEFAULT_SUBJECT_TEMPLATE)?;
        render_profile(&self.deployment(), &ProfileContents::Certificate(enrollment))
    }

    fn settings(&self) -> Result<ProfileDocument, PayloadError> {
        let settings = MacSettings::new(&self.device, self.hosts.clone(), &self.options)?;
        render_profile(&self.deployment(), &ProfileContents::Settings(settings))
    }

    fn sign_on(&self) -> Result<ProfileDocument, PayloadError> {
        let sign_on = MobileSignOn::new(&self.device, self.hosts.clone(), self.secret.clone());
        render_profile(&self.deployment(), &ProfileContents::SignOn(sign_on))
    }
}

#[divan::bench]
fn certificate(bencher: divan::Bencher<'_, '_>) {
    let fixture = fixture();
    bencher.bench(|| fixture.certificate());
}

#[divan::bench]
fn settings(bencher: divan::Bencher<'_, '_>) {
    let fixture = fixture();
    bencher.bench(|| fixture.settings());
}

#[divan::bench]
fn iphone(bencher: divan::Bencher<'_, '_>) {
    let fixture = fixture();
    bencher.bench(|| {
        let Fixture { device, hosts, options, secret, .. } = &fixture;
        (fixture.sign_on(), AppConfiguration::new(device, hosts, options, secret.clone()))
    });
}

#[divan::bench]
fn decrypt_secret(bencher: divan::Bencher<'_, '_>) {
    let keys =
        Keyring::parse(&SecretString::from("k:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="));
    let keys = keys.expect("keyring");
    let place = Place { table: "platforms", tenant: "t", row: "r", column: "secret" };
    let sealed = seal(&keys, place, &fixture().secret).expect("sealed");
    bencher.bench(|| open(&keys, place, &sealed));
}

/// The baseline: serializes the parsed certificate profile with the library.
#[divan::bench]
fn plist_baseline(bencher: divan::Bencher<'_, '_>) {
    let fixture = fixture();
    let profile = fixture.certificate().expect("profile");
    let value = plist::Value::from_reader_xml(profile.expose_bytes()).expect("property list");
    bencher.bench(|| {
        let mut bytes = Vec::with_capacity(16 * 1024);
        value.to_writer_xml(&mut bytes).map(|()| bytes)
    });
}
