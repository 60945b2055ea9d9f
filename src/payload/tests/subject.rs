//! Tests of the common name.

use proptest::prelude::*;

use super::device;
use crate::model::{SerialNumber, Udid, UserPrincipalName};
use crate::payload::{Device, common_name};

const UDID: &str = "55900BDC-347C-58B1-D249-F32244B11D30";

#[test]
fn the_name_always_contains_the_word_and_the_udid() {
    for (template, name) in [
        ("", format!("managementAttestation {UDID}")),
        ("Mac", format!("Mac managementAttestation {UDID}")),
        ("managementAttestation Mac", format!("managementAttestation Mac {UDID}")),
        ("Mac {udid}", format!("Mac {UDID} managementAttestation")),
        ("{udid} \t managementAttestation", format!("{UDID} managementAttestation")),
    ] {
        assert_eq!(common_name(template, &device()).unwrap(), name, "{template:?}");
    }
}

#[test]
fn only_the_admins_part_of_a_long_name_is_truncated() {
    for template in [
        "{serial_number} managementAttestation {udid}",
        "managementAttestation {udid} {serial_number}",
        "{serial_number}",
        "{serial_number}{udid}",
    ] {
        let name = common_name(template, &device()).unwrap();
        assert_eq!(name, format!("C02XL managementAttestation {UDID}"), "{template:?}");
        assert_eq!(name.chars().count(), 64);
    }
}

#[test]
fn a_user_name_does_not_count_as_the_word() {
    let user_principal_name = UserPrincipalName::parse("managementAttestation {udid}").ok();
    let device = Device { user_principal_name, ..device() };
    let name = common_name("{user_principal_name}", &device).unwrap();
    assert_eq!(name, format!("manag managementAttestation {UDID}"));
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
        let device = Device {
            serial_number: SerialNumber::parse(&serial).unwrap(),
            udid: Udid::parse(&udid).unwrap(),
            user_principal_name: UserPrincipalName::parse(&user).ok(),
        };
        if let Ok(name) = common_name(&template, &device) {
            prop_assert!(name.chars().count() <= 64);
            prop_assert!(name.split(' ').any(|word| word == "managementAttestation"));
            prop_assert!(name.contains(&udid));
        }
    }
}
