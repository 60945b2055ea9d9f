//! What a deployment costs beside its request to Okta: opening the secret and rendering. Run with
//! `cargo bench`; read the figures as ratios to `plist_alone`, the same property list written by the
//! library without any of our work.

use okta_device_trust::crypto::{Keyring, Place, open, seal};
use okta_device_trust::model::{IntegrationId, SerialNumber, Udid};
use okta_device_trust::payload::{
    AppConfigExtra, DEFAULT_SUBJECT_TEMPLATE, Deployment, Device, OktaVerifyOptions, OrgHosts,
    PayloadScope, Scep, certificate_profile, managed_app_configuration, settings_profile,
    single_sign_on_profile,
};
use secrecy::SecretString;

fn main() {
    divan::main();
}

struct World {
    device: Device,
    hosts: OrgHosts,
    options: OktaVerifyOptions,
    secret: SecretString,
    url: url::Url,
}

fn world() -> World {
    World {
        device: Device {
            serial_number: SerialNumber::parse("C02ABC123DEF").expect("serial number"),
            udid: Udid::parse("8A5B0C2E-1D3F-4A6B-9C8D-7E6F5A4B3C2D").expect("UDID"),
            user_principal_name: None,
        },
        hosts: OrgHosts::new("login.acme.example", ["acme.okta.com"]).expect("hosts"),
        options: OktaVerifyOptions {
            silent_enrollment: true,
            extra: AppConfigExtra::default(),
            ..OktaVerifyOptions::default()
        },
        secret: SecretString::from("C5A1F0D2B3E4968778695A4B3C2D1E0F"),
        url: "https://acme.okta.com/pki/0123456789abcdef/scep/rac1".parse().expect("URL"),
    }
}

impl World {
    fn deployment(&self) -> Deployment<'_> {
        Deployment {
            integration_id: IntegrationId::new(),
            device: &self.device,
            config_version: 7,
            scope: PayloadScope::System,
            organization: Some("login.acme.example"),
        }
    }
}

#[divan::bench]
fn certificate(bencher: divan::Bencher<'_, '_>) {
    let world = world();
    bencher.bench(|| {
        let scep = Scep {
            url: &world.url,
            challenge: &world.secret,
            ca_name: None,
            subject_template: DEFAULT_SUBJECT_TEMPLATE,
        };
        certificate_profile(&world.deployment(), &scep)
    });
}

#[divan::bench]
fn settings(bencher: divan::Bencher<'_, '_>) {
    let world = world();
    bencher.bench(|| settings_profile(&world.deployment(), &world.hosts, &world.options));
}

#[divan::bench]
fn iphone(bencher: divan::Bencher<'_, '_>) {
    let world = world();
    bencher.bench(|| {
        let profile = single_sign_on_profile(&world.deployment(), &world.hosts, &world.secret);
        (
            profile,
            managed_app_configuration(&world.device, &world.hosts, &world.options, &world.secret),
        )
    });
}

#[divan::bench]
fn open_the_secret(bencher: divan::Bencher<'_, '_>) {
    let keys =
        Keyring::parse(&SecretString::from("k:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="));
    let keys = keys.expect("keyring");
    let place = Place { table: "platforms", tenant: "t", row: "r", column: "secret" };
    let sealed = seal(&keys, place, &world().secret).expect("sealed");
    bencher.bench(|| open(&keys, place, &sealed));
}

/// The yardstick: the certificate profile, read back once and written by the library alone.
#[divan::bench]
fn plist_alone(bencher: divan::Bencher<'_, '_>) {
    let world = world();
    let scep = Scep {
        url: &world.url,
        challenge: &world.secret,
        ca_name: None,
        subject_template: DEFAULT_SUBJECT_TEMPLATE,
    };
    let profile = certificate_profile(&world.deployment(), &scep).expect("profile");
    let value = plist::Value::from_reader_xml(profile.expose_bytes()).expect("property list");
    bencher.bench(|| {
        let mut bytes = Vec::with_capacity(16 * 1024);
        value.to_writer_xml(&mut bytes).map(|()| bytes)
    });
}
