//! The root CA of the simulated Okta, and a certificate for any requested host.
//!
//! The CA is only for tests: its key may be stored in a directory, and it signs for any name.

use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, Weak};

use chrono::{Datelike, Duration, Utc};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, date_time_ymd,
};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::PrivateKeyDer;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::world::World;
use crate::private_file;

/// Midnight in the given number of days, in a type that rcgen requires but does not re-export.
macro_rules! day {
    ($days:expr) => {{
        let date = (Utc::now() + Duration::days($days)).date_naive();
        let month = u8::try_from(date.month()).expect("1 to 12");
        let day = u8::try_from(date.day()).expect("1 to 31");
        date_time_ymd(date.year(), month, day)
    }};
}

/// A root that signs server certificates.
pub(super) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    pub fn new(name: &str) -> Self {
        let key = KeyPair::generate().expect("key generation works");
        let pem = self_signed(name, &key);
        Self { issuer: Issuer::new(root_params(name), key), pem }
    }

    /// Loads the root from `folder`, or creates it there, so that clients have to trust it only once.
    pub fn load_or_create(folder: &Path, name: &str) -> io::Result<Self> {
        let (certificate_path, key_path) =
            (folder.join("root-ca.pem"), folder.join("root-ca-key.pem"));
        if let (Some(key), Ok(pem)) =
            (private_file::read(&key_path)?, std::fs::read_to_string(&certificate_path))
        {
            let key = KeyPair::from_pem(&key).map_err(|_| {
                io::Error::new(
                    io::ErrorKind::InvalidData,
                    format!(
                        "{} contains no private key; remove it to get a new root",
                        key_path.display()
                    ),
                )
            })?;
            return Ok(Self { issuer: Issuer::new(root_params(name), key), pem });
        }
        let authority = Self::new(name);
        private_file::write(&key_path, &authority.issuer.key().serialize_pem())?;
        std::fs::write(&certificate_path, &authority.pem)?;
        Ok(authority)
    }

    pub fn pem(&self) -> &str {
        &self.pem
    }

    fn certify(&self, names: &[String], key: &KeyPair) -> CertifiedKey {
        let mut params =
            CertificateParams::new(names).expect("names from a handshake are DNS names");
        params.distinguished_name = distinguished(&names[0]);
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        (params.not_before, params.not_after) = (day!(-1), day!(365));
        let certificate = params.signed_by(key, &self.issuer).expect("a key of ours can sign");
        let private =
            PrivateKeyDer::try_from(key.serialize_der()).expect("a key of ours is well-formed");
        let private = aws_lc_rs::sign::any_supported_type(&private)
            .expect("a key of ours is of a known kind");
        CertifiedKey::new(vec![certificate.der().clone()], private)
    }
}

fn root_params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = distinguished(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    (params.not_before, params.not_after) = (day!(-1), day!(3650));
    params
}

fn self_signed(name: &str, key: &KeyPair) -> String {
    root_params(name).self_signed(key).expect("a key of ours can sign").pem()
}

fn distinguished(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    // A common name has at most 64 characters; the alternative names contain the whole host.
    distinguished.push(DnType::CommonName, name.chars().take(64).collect::<String>());
    distinguished
}

/// Selects the certificate by the name in the handshake; creates it at first use.
pub(super) struct CertificatePicker {
    authority: Arc<Authority>,
    /// Signs for the orgs whose knob `foreign_certificate` is on.
    stranger: Authority,
    key: KeyPair,
    /// Names for clients that send none, or connect to an IP address.
    local_names: Vec<String>,
    world: Weak<World>,
    made: Mutex<HashMap<(String, bool), Arc<CertifiedKey>>>,
}

impl CertificatePicker {
    pub fn new(authority: Arc<Authority>, world: &Arc<World>, address: std::net::IpAddr) -> Self {
        let mut local_names = ["localhost", "127.0.0.1", "::1"].map(String::from).to_vec();
        if !address.is_unspecified() && !address.is_loopback() {
            local_names.push(address.to_string());
        }
        Self {
            authority,
            stranger: Authority::new("An untrusted root"),
            key: KeyPair::generate().expect("the crypto library can make a key"),
            local_names,
            world: Arc::downgrade(world),
            made: Mutex::default(),
        }
    }

    fn pick(&self, host: &str) -> Arc<CertifiedKey> {
        let foreign =
            self.world.upgrade().is_some_and(|world| world.wants_foreign_certificate(host));
        let mut made = self.made.lock().expect("no holder panics");
        let certificate = made.entry((host.to_string(), foreign)).or_insert_with(|| {
            let local = host.is_empty() || self.local_names.iter().any(|name| name == host);
            let names = if local { self.local_names.clone() } else { vec![host.to_string()] };
            let authority = if foreign { &self.stranger } else { self.authority.as_ref() };
            Arc::new(authority.certify(&names, &self.key))
        });
        Arc::clone(certificate)
    }
}

impl ResolvesServerCert for CertificatePicker {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let host = hello.server_name().unwrap_or_default().to_ascii_lowercase();
        Some(self.pick(&host))
    }
}

impl std::fmt::Debug for CertificatePicker {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("CertificatePicker").finish_non_exhaustive()
    }
}
