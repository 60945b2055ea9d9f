//! Reads the CA certificate from a `GetCACert` response: a certificate, or a PKCS#7 with certificates
//! (RFC 8894 §4.2). Checks neither validity nor signature; the admin compares the fingerprint with the one
//! in Okta.

use aws_lc_rs::digest::{SHA256, digest};
use chrono::{DateTime, Utc};
use der::asn1::{Any, ObjectIdentifier, SetOfVec};
use der::{Decode as _, Encode as _, Sequence};
use x509_cert::Certificate;
use x509_cert::ext::pkix::BasicConstraints;
use x509_cert::time::Time;

use crate::okta::OktaError;

const SIGNED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.2");

/// The fields of a CA certificate that the service uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaCertificate {
    /// The name in the format of RFC 4514: `CN=Org CA,O=Example`.
    pub subject: String,
    pub issuer: String,
    /// Lower-case hexadecimal, two digits per byte.
    pub serial_number: String,
    /// The digest of the whole certificate.
    pub sha256_fingerprint: [u8; 32],
    pub not_before: DateTime<Utc>,
    pub not_after: DateTime<Utc>,
}

impl CaCertificate {
    /// Returns the SHA-256 fingerprint in lower-case hexadecimal.
    #[must_use]
    pub fn sha256_hex(&self) -> String {
        hex(&self.sha256_fingerprint)
    }

    #[must_use]
    pub fn is_expired_at(&self, now: DateTime<Utc>) -> bool {
        now > self.not_after
    }
}

/// Reads the CA certificate. Ignores the content type.
///
/// # Errors
/// `ScepCaUnreadable`.
pub(super) fn read(answer: &[u8]) -> Result<CaCertificate, OktaError> {
    if answer.is_empty() {
        return Err(unreadable("the response is empty"));
    }
    if let Some(single) = Found::parse(answer) {
        return single.describe();
    }
    let certificates =
        certificates_in(answer).ok_or_else(|| unreadable(describe_unknown(answer)))?;
    pick(certificates)
        .ok_or_else(|| unreadable("the PKCS#7 contains no CA certificate"))?
        .describe()
}

fn unreadable(what: &'static str) -> OktaError {
    OktaError::ScepCaUnreadable { what }
}

/// Describes a response that is neither a certificate nor a PKCS#7.
fn describe_unknown(answer: &[u8]) -> &'static str {
    match answer.iter().find(|byte| !byte.is_ascii_whitespace()) {
        Some(b'<') => "the response is a web page",
        _ => "the response is neither a certificate nor a PKCS#7",
    }
}

/// A certificate with its original bytes. Encoding it again could change the fingerprint.
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
        let certificate = self.certificate.tbs_certificate();
        let mut sha256_fingerprint = [0; 32];
        sha256_fingerprint.copy_from_slice(digest(&SHA256, &self.der).as_ref());
        Ok(CaCertificate {
            subject: certificate.subject().to_string(),
            issuer: certificate.issuer().to_string(),
            serial_number: hex(without_sign(certificate.serial_number().as_bytes())),
            sha256_fingerprint,
            not_before: time(certificate.validity().not_before)?,
            not_after: time(certificate.validity().not_after)?,
        })
    }
}

fn time(time: Time) -> Result<DateTime<Utc>, OktaError> {
    let seconds = i64::try_from(time.to_unix_duration().as_secs()).ok();
    seconds
        .and_then(|seconds| DateTime::from_timestamp(seconds, 0))
        .ok_or_else(|| unreadable("the certificate's validity cannot be read"))
}

/// Removes the zero that DER puts before a number whose first bit is set.
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

/// Selects the CA that issues device certificates: the one that issued the RA's certificate, else one that
/// issued no other CA in the set, else the one that expires last.
fn pick(found: Vec<Found>) -> Option<Found> {
    let issued_any = |candidate: &Found, filter: fn(&Found) -> bool| {
        found.iter().any(|other| filter(other) && candidate.issued(other))
    };
    let flagged = found.iter().any(Found::is_ca);
    // Old CAs lack the CA flag. There, a certificate that issued another one is a CA.
    let is_ca = |candidate: &Found| {
        if flagged { candidate.is_ca() } else { issued_any(candidate, |_| true) }
    };
    let alone = found.len() == 1;
    let rank = |candidate: &Found| {
        let validity = candidate.certificate.tbs_certificate().validity();
        let issued_ra = issued_any(candidate, |other| !other.is_ca());
        (issued_ra, !issued_any(candidate, Found::is_ca), validity.not_after.to_unix_duration())
    };
    let candidates = (0..).zip(&found).filter(|(_, candidate)| alone || is_ca(candidate));
    let best = candidates.max_by_key(|(_, candidate)| rank(candidate));
    let index = best?.0;
    found.into_iter().nth(index)
}

/// `SignedData` (RFC 5652 §5.1), of which only the certificates are used. Decoded as BER, because Java
/// servers send indefinite lengths.
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

/// Returns all certificates of a PKCS#7; `None` if it is not a PKCS#7.
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
