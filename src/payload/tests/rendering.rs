//! Asserts that the rendered bytes change if and only if [`RENDERING_VERSION`] changes.

use aws_lc_rs::digest::{SHA256, digest};
use secrecy::SecretString;
use serde_json::Value;

use super::{
    CHALLENGE, HINT, certificate, deployment, device, enrolled_by_user, hosts, options,
    settings_profile, single_sign_on_profile,
};
use crate::payload::*;

/// SHA-256 of [`rendered`] in each version. Add a row for a new version; never edit a published one.
const RENDERINGS: &[(u32, &str)] = &[
    (1, "17a54e6383a56a3fff8c018363467570fdbc502b7d1d6f5f7012b809259fbd28"),
    // iOS: UDID and serial number added, macOS settings removed, the org's host in ExtensionData.
    (2, "a0d9f962971cc10ac9b9fc714e5ac10d8ff59dccc76030ae620257f7e8620786"),
    // macOS: the values of `OktaVerify.EnrollmentOptions` that Okta lists.
    (3, "34f5af5900d99bc18f7e45f1ee9cde91a8f37338d528c4fc29e2fc5c3595a0d8"),
];

/// Renders one of each document, with all options and without options, and those for User Enrollment.
fn rendered() -> Vec<u8> {
    let device = device();
    let deployment = deployment(&device);
    let (hosts, hint) = (hosts(), SecretString::from(HINT));
    let plain = OktaVerifyOptions::default();
    let mut bytes = Vec::new();
    let mut add = |document: ProfileDocument| bytes.extend_from_slice(document.expose_bytes());
    add(certificate(&deployment, CHALLENGE, DEFAULT_SUBJECT_TEMPLATE).unwrap());
    add(single_sign_on_profile(&deployment, &hosts, &hint).unwrap());
    for options in [&options(), &plain] {
        add(settings_profile(&deployment, &hosts, options).unwrap());
    }
    let phone = enrolled_by_user();
    add(single_sign_on_profile(&Deployment { device: &phone, ..deployment }, &hosts, &hint)
        .unwrap());
    for options in [&options(), &plain] {
        let map =
            AppConfiguration::new(&device, &hosts, options, hint.clone()).unwrap().expose_map();
        bytes.extend_from_slice(Value::Object(map).to_string().as_bytes());
    }
    bytes
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|digit| char::from_digit(digit.into(), 16).unwrap())
        .collect()
}

#[test]
fn changed_bytes_need_a_new_rendering_version() {
    let hash = hex(digest(&SHA256, &rendered()).as_ref());
    let (version, published) = *RENDERINGS.last().unwrap();
    assert_eq!(version, RENDERING_VERSION, "RENDERINGS has no row for RENDERING_VERSION");
    assert_eq!(
        hash, published,
        "the rendered bytes changed: increase RENDERING_VERSION, add a row with the new hash, and \
         add a migration that increases every config_version, so that devices become outdated"
    );
}

#[test]
fn every_rendering_version_has_a_row_with_a_unique_hash() {
    for (at, (version, hash)) in RENDERINGS.iter().enumerate() {
        assert_eq!(*version as usize, at + 1);
        assert!(RENDERINGS[..at].iter().all(|(_, other)| other != hash), "{version}");
    }
}
