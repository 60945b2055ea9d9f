//! Reads the CA's certificate out of an answer to `GetCACert`: a certificate, or a PKCS#7 of
//! certificates (RFC 8894 §4.2). Judges neither its age nor its signature: a person compares the
//! fingerprint with what Okta shows.

use aws_lc_rs::digest::{SHA256, digest};
use chrono::{DateTime, Utc};
use der::asn1::{Any, ObjectIdentifier, SetOfVec};
use der::{Decode as _, Encode as _, Sequence};
use x509_cert::Certificate;
use x509_cert::ext::pkix::BasicConstraints;
use x509_cert::time::Time;

use crate::okta::OktaError;

const SIGNED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.2");

/// A CA's certificate, as far as people and deployments need it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaCertificate {
    /// As RFC 4514 writes names: `CN=Org CA,O=Example`.
    pub subject: String,
    pub issuer: String,
    /// In lower-case hexadecimal, two digits a byte.
    pub serial_number: String,
    /// Of the whole certificate.
    pub sha256_fingerprint: [u8; 32],
    pub not_before: DateTime<Utc>,
    pub not_after: DateTime<Utc>,
}

impl CaCertificate {
    /// The SHA-256 fingerprint in lower-case hexadecimal.
    #[must_use]
    pub fn sha256_hex(&self) -> String {
        hex(&self.sha256_fingerprint)
    }

    #[must_use]
    pub fn is_expired_at(&self, now: DateTime<Utc>) -> bool {
        now > self.not_after
    }
}

/// The CA's certificate in the answer, whatever its label says.
///
/// # Errors
/// `ScepCaUnreadable`.
pub(super) fn read(answer: &[u8]) -> Result<CaCertificate, OktaError> {
    if answer.is_empty() {
        return Err(unreadable("the answer is empty"));
    }
    if let Some(single) = Found::parse(answer) {
        return single.describe();
    }
    let certificates = certificates_in(answer).ok_or_else(|| unreadable(likeness(answer)))?;
    pick(certificates).ok_or_else(|| unreadable("no CA certificate is in the PKCS#7"))?.describe()
}

fn unreadable(what: &'static str) -> OktaError {
    OktaError::ScepCaUnreadable { what }
}

/// What to call an answer that is neither form.
fn likeness(answer: &[u8]) -> &'static str {
    match answer.iter().find(|byte| !byte.is_ascii_whitespace()) {
        Some(b'<') => "the answer is a web page",
        _ => "the answer is neither a certificate nor a PKCS#7",
    }
}

/// A certificate and its bytes as they came: encoding it anew could change its fingerprint.
struct Found {
    certificate: Certificate,
    der: Vec<u8>,
}

impl Found {
    fn parse(der: &[u8]) -> Option<Self> {
        Some(Self { certificate: Certificate::from_der(der).ok()?, der: der.to_vec() })
    }

    fn is_ca(&self) -> bool {
        let constraints = self.certificate.tbs_certificate().get_extension::<BasicConstraints>();
        matches!(constraints, Ok(Some((_, BasicConstraints { ca: true, .. }))))
    }

    fn issued(&self, other: &Self) -> bool {
        let (ours, theirs) =
            (self.certificate.tbs_certificate(), other.certificate.tbs_certificate());
        self.der != other.der && ours.subject() == theirs.issuer()
    }

    fn describe(&self) -> Result<CaCertificate, OktaError> {
        let told = self.certificate.tbs_certificate();
        let mut sha256_fingerprint = [0; 32];
        sha256_fingerprint.copy_from_slice(digest(&SHA256, &self.der).as_ref());
        Ok(CaCertificate {
            subject: told.subject().to_string(),
            issuer: told.issuer().to_string(),
            serial_number: hex(without_sign(told.serial_number().as_bytes())),
            sha256_fingerprint,
            not_before: time(told.validity().not_before)?,
            not_after: time(told.validity().not_after)?,
        })
    }
}

fn time(time: Time) -> Result<DateTime<Utc>, OktaError> {
    let seconds = i64::try_from(time.to_unix_duration().as_secs()).ok();
    seconds
        .and_then(|seconds| DateTime::from_timestamp(seconds, 0))
        .ok_or_else(|| unreadable("the certificate's time cannot be read"))
}

/// DER puts a zero before a number whose first bit is set.
fn without_sign(number: &[u8]) -> &[u8] {
    match number {
        [0, rest @ ..] if !rest.is_empty() => rest,
        whole => whole,
    }
}

fn hex(bytes: &[u8]) -> String {
    let digit = |half: u8| char::from_digit(u32::from(half), 16).unwrap_or_default();
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// The CA that signs devices: of several, the one that has signed the RA's certificate, else the one
/// that no other CA in the set comes below, else the one that lives longest.
fn pick(found: Vec<Found>) -> Option<Found> {
    let issued_any = |one: &Found, of: fn(&Found) -> bool| {
        found.iter().any(|other| of(other) && one.issued(other))
    };
    let marked = found.iter().any(Found::is_ca);
    // Old CAs carry no mark: there, who has signed another one is the CA.
    let is_ca = |one: &Found| if marked { one.is_ca() } else { issued_any(one, |_| true) };
    let alone = found.len() == 1;
    let rank = |one: &Found| {
        let lives_until = one.certificate.tbs_certificate().validity().not_after.to_unix_duration();
        (issued_any(one, |other| !other.is_ca()), !issued_any(one, Found::is_ca), lives_until)
    };
    let best =
        (0..).zip(&found).filter(|(_, one)| alone || is_ca(one)).max_by_key(|(_, one)| rank(one));
    let index = best?.0;
    found.into_iter().nth(index)
}

/// `SignedData` (RFC 5652 §5.1) of which only the certificates matter. Read with BER's rules: servers
/// in Java send indefinite lengths.
#[derive(Sequence)]
struct SignedCertificates {
    content_type: ObjectIdentifier,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT")]
    content: SignedData,
}

#[derive(Sequence)]
struct SignedData {
    version: u8,
    digest_algorithms: Any,
    content: Any,
    #[asn1(context_specific = "0", tag_mode = "IMPLICIT", optional = "true")]
    certificates: Option<SetOfVec<Any>>,
    #[asn1(context_specific = "1", tag_mode = "IMPLICIT", optional = "true")]
    crls: Option<SetOfVec<Any>>,
    signers: Any,
}

/// All certificates of a PKCS#7; `None` if it is none.
fn certificates_in(answer: &[u8]) -> Option<Vec<Found>> {
    let signed = SignedCertificates::from_ber(answer).ok()?;
    if signed.content_type != SIGNED_DATA {
        return None;
    }
    let all = signed.content.certificates.unwrap_or_default();
    Some(all.iter().filter_map(|any| Found::parse(&any.to_der().ok()?)).collect())
}

#[cfg(test)]
#[path = "ca_certificate_tests.rs"]
mod tests;
