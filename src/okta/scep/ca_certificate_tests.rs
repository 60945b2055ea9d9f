//! Responses of CAs: a certificate, a PKCS#7 in DER and in BER, and invalid ones.

use der::oid::db::rfc5911::ID_DATA;
use rcgen::{
    BasicConstraints as Constraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer,
    KeyPair, SerialNumber, date_time_ymd,
};

use super::*;

struct Authority {
    der: Vec<u8>,
    issuer: Issuer<'static, KeyPair>,
}

fn params(name: &str, ca: bool) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::OrganizationName, "Example, Inc.");
    params.distinguished_name.push(DnType::CommonName, name);
    params.serial_number = Some(SerialNumber::from_slice(&[0xfe, 0x01, 0x0a]));
    params.not_before = date_time_ymd(2026, 1, 2);
    params.not_after = date_time_ymd(2051, 3, 4);
    if ca {
        params.is_ca = IsCa::Ca(Constraints::Unconstrained);
    }
    params
}

fn root(name: &str) -> Authority {
    let (key, params) = (KeyPair::generate().unwrap(), params(name, true));
    let der = params.self_signed(&key).unwrap().der().to_vec();
    Authority { der, issuer: Issuer::new(params, key) }
}

fn below(authority: &Authority, name: &str, ca: bool) -> Authority {
    let (key, params) = (KeyPair::generate().unwrap(), params(name, ca));
    let der = params.signed_by(&key, &authority.issuer).unwrap().der().to_vec();
    Authority { der, issuer: Issuer::new(params, key) }
}

/// Encodes a tag, a definite length and the contents.
fn definite(tag: u8, contents: &[&[u8]]) -> Vec<u8> {
    let contents = contents.concat();
    let length = u16::try_from(contents.len()).unwrap().to_be_bytes();
    let head = if contents.len() < 128 {
        vec![tag, length[1]]
    } else {
        vec![tag, 0x82, length[0], length[1]]
    };
    [head, contents].concat()
}

fn indefinite(tag: u8, contents: &[&[u8]]) -> Vec<u8> {
    [&[tag, 0x80][..], &contents.concat(), &[0, 0]].concat()
}

type Form = fn(u8, &[&[u8]]) -> Vec<u8>;

/// Encodes a certs-only PKCS#7 with the certificates in the given order.
fn pkcs7(form: Form, certificates: &[&Authority]) -> Vec<u8> {
    let ders: Vec<&[u8]> = certificates.iter().map(|authority| authority.der.as_slice()).collect();
    let data = form(0x30, &[&ID_DATA.to_der().unwrap()]);
    let empty = definite(0x31, &[]);
    let signed =
        form(0x30, &[&[2, 1, 1], &empty, &data, &form(0xa0, &ders), &definite(0xa1, &[]), &empty]);
    form(0x30, &[&SIGNED_DATA.to_der().unwrap(), &form(0xa0, &[&signed])])
}

fn refused(answer: &[u8]) -> &'static str {
    match read(answer) {
        Err(OktaError::ScepCaUnreadable { what }) => what,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_certificate_is_read() {
    let ca = root("Org CA");
    let seen = read(&ca.der).unwrap();
    assert_eq!(seen.subject, r"CN=Org CA,O=Example\, Inc.");
    assert_eq!(seen.issuer, seen.subject);
    assert_eq!(seen.serial_number, "fe010a");
    assert_eq!(seen.sha256_fingerprint.as_slice(), digest(&SHA256, &ca.der).as_ref());
    assert_eq!(
        (seen.sha256_hex().len(), &seen.sha256_hex()[..2]),
        (64, &*hex(&seen.sha256_fingerprint[..1]))
    );
    assert_eq!(seen.not_before.to_rfc3339(), "2026-01-02T00:00:00+00:00");
    assert_eq!(seen.not_after.to_rfc3339(), "2051-03-04T00:00:00+00:00");
    assert!(!seen.is_expired_at(seen.not_after));
    assert!(seen.is_expired_at(seen.not_after + chrono::TimeDelta::seconds(1)));
}

#[test]
fn the_issuing_ca_is_found_in_any_pkcs7() {
    let (root, stranger) = (root("Root CA"), root("Another CA"));
    let issuing = below(&root, "Issuing CA", true);
    let registration = below(&issuing, "RA", false);
    let expected = read(&issuing.der).unwrap();
    for form in [definite as Form, indefinite] {
        for set in [
            &[&issuing][..],
            &[&issuing, &root],
            &[&root, &issuing],
            &[&registration, &root, &issuing],
            &[&issuing, &registration],
            &[&registration, &issuing],
            &[&stranger, &registration, &issuing],
        ] {
            assert_eq!(read(&pkcs7(form, set)).unwrap(), expected);
        }
        assert_eq!(refused(&pkcs7(form, &[])), "the PKCS#7 contains no CA certificate");
        let other = below(&issuing, "RA 2", false);
        assert_eq!(
            refused(&pkcs7(form, &[&registration, &other])),
            "the PKCS#7 contains no CA certificate"
        );
    }
}

#[test]
fn a_ca_without_the_ca_flag_is_known_by_a_certificate_that_it_issued() {
    let (key, params) = (KeyPair::generate().unwrap(), params("Old CA", false));
    let der = params.self_signed(&key).unwrap().der().to_vec();
    let old = Authority { der, issuer: Issuer::new(params, key) };
    let registration = below(&old, "RA", false);
    let expected = read(&old.der).unwrap();
    for set in [[&old, &registration], [&registration, &old]] {
        assert_eq!(read(&pkcs7(definite, &set)).unwrap(), expected);
    }
}

#[test]
fn invalid_responses_are_described() {
    assert_eq!(refused(b""), "the response is empty");
    assert_eq!(refused(b"\r\n <html>"), "the response is a web page");
    let der = root("Org CA").der;
    let neither = "the response is neither a certificate nor a PKCS#7";
    for garbage in [b"hello".as_slice(), &[0x30, 0x80], &[0xff; 4096], &der[..der.len() - 1]] {
        assert_eq!(refused(garbage), neither);
    }
}

proptest::proptest! {
    #[test]
    fn no_bytes_cause_a_panic(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..300)) {
        let _ = read(&bytes);
    }

    #[test]
    fn no_damage_causes_a_panic(at in 0_usize..400, byte: u8, open: bool) {
        let mut answer = pkcs7(if open { indefinite } else { definite }, &[&root("Org CA")]);
        let at = at.min(answer.len() - 1);
        answer[at] = byte;
        let _ = read(&answer);
    }
}
