//! Tests of the common name.

use proptest::prelude::*;

use super::device;
use crate::model::{SerialNumber, Udid, UserPrincipalName};
use crate::payload::{Device, common_name};

const UDID: &str = "55900BDC-347C-58B1-D249-F32244B11D30";

#[test]
fn the_udid_is_always_there_and_no_word_is_forced() {
    for (template, name) in [
        ("", UDID.to_owned()),
        ("Mac", format!("Mac {UDID}")),
        ("managementAttestation Mac", format!("managementAttestation Mac {UDID}")),
        ("Mac {udid}", format!("Mac {UDID}")),
        ("{udid} \t managementAttestation", format!("{UDID} managementAttestation")),
        ("{serial_number}{udid}", format!("C02XL0GTJGH5{UDID}")),
    ] {
        assert_eq!(common_name(template, &device()).unwrap(), name, "{template:?}");
    }
}

#[test]
fn the_subjects_of_two_macs_differ_whatever_the_template_is() {
    let udid = Udid::parse("66900BDC-347C-58B1-D249-F32244B11D30").unwrap();
    let other = Device::new(SerialNumber::parse("C02XL0GTJGH5").unwrap(), udid, None);
    for template in ["managementAttestation", "", "{serial_number}"] {
        let names = [&device(), &other].map(|device| common_name(template, device).unwrap());
        assert_ne!(names[0], names[1], "{template:?}");
    }
}

#[test]
fn a_long_name_is_rendered_in_full_up_to_256_characters() {
    let room = 256 - UDID.len() - 1;
    let name = common_name(&"ä".repeat(room), &device()).unwrap();
    assert_eq!(name.chars().count(), 256);
    assert_eq!(name, format!("{} {UDID}", "ä".repeat(room)));
    let error = common_name(&"ä".repeat(room + 1), &device()).unwrap_err();
    assert_eq!((error.code(), error.field()), ("too_long", Some("subject_template")));
}

#[test]
fn braces_in_a_users_name_are_no_placeholders() {
    let user_principal_name = UserPrincipalName::parse("{udid}").ok();
    let device = Device { user_principal_name, ..device() };
    assert_eq!(common_name("{user_principal_name}", &device).unwrap(), format!("{{udid}} {UDID}"));
}

#[test]
fn an_unknown_placeholder_is_refused() {
    for template in ["{serial}", "{", "{udid", "a {} b", "{ udid }", "{{udid}}"] {
        let error = common_name(template, &device()).unwrap_err();
        assert_eq!(error.code(), "unknown_placeholder", "{template}");
        assert_eq!(error.field(), Some("subject_template"));
    }
}

proptest! {
    #[test]
    fn every_name_contains_the_word_and_the_udid(
        template in "(\\{serial_number\\}|\\{udid\\}|\\{user_principal_name\\}|managementAttestation|\\PC| ){0,30}",
        serial in "[A-Z0-9]{8,14}",
        udid in "[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}|[0-9A-F]{8}-[0-9A-F]{16}|[0-9a-f]{40}",
        user in "\\PC{1,60}",
    ) {
        let device = Device::new(
            SerialNumber::parse(&serial).unwrap(),
            Udid::parse(&udid).unwrap(),
            UserPrincipalName::parse(&user).ok(),
        );
        if let Ok(name) = common_name(&template, &device) {
            prop_assert!(name.chars().count() <= 256);
            prop_assert!(name.contains(&udid));
        }
    }
}
