//! Tables and properties of the domain parser.

use std::net::IpAddr;

use proptest::prelude::*;

use super::*;

fn parse(text: &str) -> Result<OktaDomain, OktaDomainError> {
    OktaDomain::parse(text, &OktaSuffixes::default())
}

fn host(text: &str) -> String {
    parse(text).unwrap_or_else(|error| panic!("{text}: {error}")).host().to_owned()
}

#[test]
fn all_spellings_of_an_org_give_the_same_host() {
    for text in [
        "acme.okta.com",
        "ACME.okta.com.",
        "  acme.okta.com/ \n",
        "https://acme.okta.com",
        "HTTPS://Acme.Okta.Com:443/",
        "http://acme.okta.com",
        "acme.okta.com:443",
        "acme.okta.com:",
        "https://acme-admin.okta.com/admin/dashboard?x#y",
        "acme-admin.okta.com",
        "acme.okta.com/login?from=https://elsewhere.example",
        "acme.okta.com?u=ftp://x@y",
        "\u{feff}acme.okta.com\u{200b}",
    ] {
        assert_eq!(host(text), "acme.okta.com", "{text:?}");
    }
}

#[test]
fn org_host_is_split_into_subdomain_and_suffix() {
    let acme = parse("https://acme-admin.oktapreview.com").unwrap();
    assert_eq!(acme.subdomain(), Some("acme"));
    assert_eq!(acme.suffix(), Some("oktapreview.com"));
    assert_eq!(acme.admin_host().as_deref(), Some("acme-admin.oktapreview.com"));
    assert!(!acme.is_custom());
}

#[test]
fn lookalike_host_is_custom() {
    for text in [
        "okta.com.evil.example",
        "acme.okta.com.evil.example",
        "evilokta.com",
        "acme.evilokta.com",
        "acme.okta.co",
        "acme-okta.com",
        "acme.xn--kta-jmd.com",
        "acme.\u{43e}kta.com",
    ] {
        let domain = parse(text).unwrap();
        assert!(domain.is_custom(), "{text}");
        assert_eq!(domain.admin_host(), None);
    }
}

#[test]
fn international_custom_domain_becomes_punycode() {
    assert_eq!(host("Anmeldung.Bücher.example"), "anmeldung.xn--bcher-kva.example");
}

#[test]
fn invalid_text_returns_its_error_code() {
    let long_label = format!("{}.okta.com", "a".repeat(64));
    let long_host = format!("{}example.com", "abcdefgh.".repeat(30));
    let long_text = format!("acme.okta.com/{}", "x".repeat(MAX_PASTED_LEN));
    for (text, code) in [
        ("", "empty"),
        (" \t\n", "empty"),
        ("https://", "empty"),
        ("https:///admin", "empty"),
        (".", "empty"),
        (&long_text, "too_long"),
        (&long_host, "too_long"),
        ("127.0.0.1", "ip_address"),
        ("127.1", "ip_address"),
        ("0x7f.1", "ip_address"),
        ("0x7f000001", "ip_address"),
        ("2130706433", "ip_address"),
        ("0177.0.0.1", "ip_address"),
        ("https://[::1]/", "ip_address"),
        ("[::ffff:127.0.0.1]:443", "ip_address"),
        ("::1", "ip_address"),
        ("fe80::1", "ip_address"),
        ("\u{ff11}27.0.0.1", "ip_address"),
        ("acme.okta.com:8443", "has_port"),
        ("https://acme.okta.com:80/x", "has_port"),
        ("acme.okta.com:99999", "has_port"),
        ("https://admin@acme.okta.com", "has_userinfo"),
        ("https://acme.okta.com@evil.example", "has_userinfo"),
        ("https://:@acme.okta.com", "has_userinfo"),
        ("ftp://acme.okta.com", "not_https"),
        ("javascript://acme.okta.com", "not_https"),
        ("okta.com", "okta_apex"),
        ("https://OKTA.com./", "okta_apex"),
        ("a.b.okta.com", "invalid_host"),
        (".okta.com", "invalid_host"),
        ("-admin.okta.com", "invalid_host"),
        ("-acme.okta.com", "invalid_host"),
        ("acme-.okta.com", "invalid_host"),
        ("---.okta.com", "invalid_host"),
        ("ac_me.okta.com", "invalid_host"),
        ("ac me.okta.com", "invalid_host"),
        ("acme..okta.com", "invalid_host"),
        ("acme.okta.com..", "invalid_host"),
        (&long_label, "invalid_host"),
        ("acme.okta.com:https", "invalid_host"),
        ("acme%2eokta.com", "invalid_host"),
        ("acme.okta.com\\.evil.example", "invalid_host"),
        ("acme.okta.com\u{0}.evil.example", "invalid_host"),
        ("ac\nme.okta.com", "invalid_host"),
        // Cyrillic a, full-width letters, long s, ideographic full stop, soft hyphen, punycode.
        ("\u{430}cme.okta.com", "invalid_host"),
        ("\u{ff41}cme.okta.com", "invalid_host"),
        ("acme.o\u{212a}ta.com", "invalid_host"),
        ("acme\u{3002}okta.com", "invalid_host"),
        ("ac\u{ad}me.okta.com", "invalid_host"),
        ("xn--cme-8cd.okta.com", "invalid_host"),
        ("acme", "invalid_host"),
        ("localhost", "invalid_host"),
        ("okta.localhost", "invalid_host"),
        ("printer.local", "invalid_host"),
        ("idp.corp.internal", "invalid_host"),
        ("host.invalid", "invalid_host"),
        ("hidden.onion", "invalid_host"),
        ("router.home.arpa", "invalid_host"),
    ] {
        assert_eq!(parse(text).map_err(OktaDomainError::code).unwrap_err(), code, "{text:?}");
    }
}

#[test]
fn suffixes_are_configurable_but_not_top_level_domains() {
    let trial = OktaSuffixes::new(["trexcloud.com"]).unwrap();
    assert!(!OktaDomain::parse("acme.trexcloud.com", &trial).unwrap().is_custom());
    assert!(OktaDomain::parse("acme.okta.com", &trial).unwrap().is_custom());
    for bad in ["com", "", ".com", "okta.com.", "Okta.com", "*.okta.com"] {
        assert_eq!(OktaSuffixes::new([bad]), Err(OktaDomainError::InvalidHost), "{bad}");
    }
    assert_eq!(OktaSuffixes::new(Vec::<String>::new()), Err(OktaDomainError::Empty));
}

/// Text made of fragments that are hard to parse.
fn pasted() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("https://".to_owned()),
        Just("http://".to_owned()),
        Just("-admin".to_owned()),
        Just(".okta.com".to_owned()),
        Just("okta.mil".to_owned()),
        Just(".".to_owned()),
        Just("@".to_owned()),
        Just(":443".to_owned()),
        Just("xn--".to_owned()),
        Just("0x".to_owned()),
        "[a-zA-Z0-9-]{1,8}",
        "[0-9.]{1,9}",
        "\\PC{1,4}",
        any::<String>(),
    ];
    prop::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn parsed_host_is_canonical_and_parses_to_itself(text in pasted()) {
        if let Ok(domain) = parse(&text) {
            let host = domain.host();
            prop_assert!(host.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-.".contains(&b)));
            prop_assert!(host.contains('.') && host.len() <= 253 && !host.ends_with('.'));
            prop_assert!(host.parse::<IpAddr>().is_err());
            prop_assert!(matches!(Host::parse(host), Ok(Host::Domain(same)) if same == host));
            prop_assert_eq!(parse(host), Ok(domain.clone()));
        }
    }

    #[test]
    fn no_ip_address_parses(address in any::<std::net::Ipv4Addr>(), v6 in any::<Ipv6Addr>()) {
        let number = u32::from(address);
        let [a, b, c, d] = address.octets();
        let low = u32::from_be_bytes([0, b, c, d]);
        for text in [
            address.to_string(), number.to_string(), format!("0x{number:x}"), format!("0{number:o}"),
            format!("{a}.{low}"), format!("0x{a:x}.{low}"), format!("{a}.{b}.{c}.{d}."), v6.to_string(), format!("[{v6}]"),
        ] {
            prop_assert_eq!(parse(&text), Err(OktaDomainError::IpAddress), "{}", text);
        }
    }

    #[test]
    fn org_is_extracted_from_a_full_url(org in "[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?", path in "[a-z/]{0,20}") {
        prop_assume!(!org.ends_with("-admin") && !org.starts_with("xn--"));
        let url = format!(" HTTPS://{}-admin.OKTA.com:443/{path}?q=a@b:1#x ", org.to_uppercase());
        let domain = parse(&url).unwrap();
        prop_assert_eq!(domain.subdomain(), Some(org.as_str()));
    }
}
