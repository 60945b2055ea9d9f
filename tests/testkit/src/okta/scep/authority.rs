//! The CA of an org: its certificate, alone or with others, in each format that CAs use.
//!
//! Its key signs only itself and a registration authority.

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_RSA_SHA256, date_time_ymd,
};

use super::knobs::{CaAnswer, ScepKnobs};
use crate::okta::message::Reply;

const SIGNED_DATA: &[u8] = &[6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 2];
const DATA: &[u8] = &[6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 1];
const OVERSIZED: usize = 5 * 1024 * 1024;

#[derive(Debug)]
pub(super) struct Authority {
    certificate: Vec<u8>,
    expired: Vec<u8>,
    registration: Vec<u8>,
}

impl Authority {
    /// Generates an RSA key, which is slow; SCEP supports only RSA.
    pub fn new(name: &str) -> Self {
        let key =
            KeyPair::generate_for(&PKCS_RSA_SHA256).expect("the crypto library makes RSA keys");
        let registration_key = KeyPair::generate().expect("the crypto library can make a key");
        let sign = |last_year| {
            let certificate = ca_params(name, last_year).self_signed(&key);
            certificate.expect("a key of ours can sign").der().to_vec()
        };
        let (certificate, expired) = (sign(2045), sign(2025));
        let issuer = Issuer::new(ca_params(name, 2045), key);
        let registration = params(&format!("{name} RA"), 2045)
            .signed_by(&registration_key, &issuer)
            .expect("a key of ours can sign");
        Self { certificate, expired, registration: registration.der().to_vec() }
    }

    pub fn answer(&self, knobs: &ScepKnobs) -> Reply {
        let own = if knobs.ca_expired { &self.expired } else { &self.certificate };
        let with_ra = [self.registration.as_slice(), own];
        let (label, bytes) = match knobs.ca {
            CaAnswer::Certificate => ("application/x-x509-ca-cert", own.clone()),
            CaAnswer::Pkcs7 => ("application/x-x509-ca-ra-cert", pkcs7(definite, &[own])),
            CaAnswer::Pkcs7WithRa => ("application/x-x509-ca-ra-cert", pkcs7(definite, &with_ra)),
            CaAnswer::Pkcs7WithRaInBer => {
                ("application/x-x509-ca-ra-cert", pkcs7(indefinite, &with_ra))
            }
            CaAnswer::Empty => ("application/x-x509-ca-cert", Vec::new()),
            CaAnswer::Html => ("text/html", b"<!doctype html><h1>Sign in</h1>".to_vec()),
            CaAnswer::Garbage => ("application/x-x509-ca-cert", own[..own.len() / 2].to_vec()),
            CaAnswer::Oversized => ("application/x-x509-ca-cert", vec![0x30; OVERSIZED]),
        };
        let label = knobs.ca_content_type.clone().unwrap_or_else(|| label.to_string());
        Reply::bytes_of(200, label, bytes)
    }
}

fn params(name: &str, last_year: i32) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::OrganizationName, "Okta (simulated)");
    params.distinguished_name.push(DnType::CommonName, name);
    (params.not_before, params.not_after) =
        (date_time_ymd(2024, 1, 1), date_time_ymd(last_year, 1, 1));
    params
}

fn ca_params(name: &str, last_year: i32) -> CertificateParams {
    let mut params = params(name, last_year);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![
        KeyUsagePurpose::KeyCertSign,
        KeyUsagePurpose::CrlSign,
        KeyUsagePurpose::DigitalSignature,
        KeyUsagePurpose::KeyEncipherment,
    ];
    params
}

type Form = fn(u8, &[&[u8]]) -> Vec<u8>;

/// A certs-only `SignedData` (RFC 5652 §5.1), the certificates in the given order.
fn pkcs7(form: Form, certificates: &[&[u8]]) -> Vec<u8> {
    let none = definite(0x31, &[]);
    let signed =
        form(0x30, &[&[2, 1, 1], &none, &form(0x30, &[DATA]), &form(0xa0, certificates), &none]);
    form(0x30, &[SIGNED_DATA, &form(0xa0, &[&signed])])
}

fn definite(tag: u8, contents: &[&[u8]]) -> Vec<u8> {
    let contents = contents.concat();
    let [high, low] = u16::try_from(contents.len()).expect("small").to_be_bytes();
    let head = if contents.len() < 128 { vec![tag, low] } else { vec![tag, 0x82, high, low] };
    [head, contents].concat()
}

/// Encodes with an indefinite length, which BER allows and DER does not.
fn indefinite(tag: u8, contents: &[&[u8]]) -> Vec<u8> {
    [&[tag, 0x80][..], &contents.concat(), &[0, 0]].concat()
}
