//! Challenge pages of NDES and Okta, and invalid ones, in all encodings.

use proptest::prelude::*;
use secrecy::ExposeSecret as _;

use super::*;

const ENCODINGS: [fn(&str) -> Vec<u8>; 7] = [
    |page| page.chars().map(|c| u8::try_from(c).unwrap_or(b'?')).collect(),
    |page| page.as_bytes().to_vec(),
    |page| [b"\xEF\xBB\xBF", page.as_bytes()].concat(),
    |page| page.encode_utf16().flat_map(u16::to_le_bytes).collect(),
    |page| page.encode_utf16().flat_map(u16::to_be_bytes).collect(),
    |page| format!("\u{feff}{page}").encode_utf16().flat_map(u16::to_le_bytes).collect(),
    |page| format!("\u{feff}{page}").encode_utf16().flat_map(u16::to_be_bytes).collect(),
];

fn ndes(challenge: &str) -> String {
    format!(
        "<HTML><Head><Meta HTTP-Equiv=\"Content-Type\" Content=\"text/html; charset=UTF-8\">\
         <Title>Network Device Enrollment Service</Title></Head><Body BgColor=#FFFFFF>\
         <P> To complete certificate enrollment for your network device you will need the following information:\
         <P> The thumbprint (hash value) for the CA certificate is: <B> 83D4207A 4BE2B5F5 </B>\
         <P> The enrollment challenge password is: <B> {challenge} </B>\
         <P> This password can be used only once and will expire within 60 minutes.\
         <P> Each enrollment requires a new challenge password.</Body></HTML>"
    )
}

fn found(page: &[u8]) -> Result<String, &'static str> {
    match read(page) {
        Ok(challenge) => Ok(challenge.expose_secret().to_owned()),
        Err(error) => Err(error.code()),
    }
}

#[test]
fn the_challenge_is_found_in_all_encodings() {
    for encode in ENCODINGS {
        assert_eq!(found(&encode(&ndes("9F0A7BC2E1"))).as_deref(), Ok("9F0A7BC2E1"));
        let accents = format!("<p>Größe £5 à é</p>{}", ndes("9F0A7BC2E1"));
        assert_eq!(found(&encode(&accents)).as_deref(), Ok("9F0A7BC2E1"));
    }
}

#[test]
fn markup_white_space_entities_and_case_do_not_matter() {
    for page in [
        "<p>the ENROLLMENT Challenge password Is:<b>Tok-3n</b></p>",
        "<P CLASS=x>The enrollment\r\n  challenge&nbsp;password is&#58;<b\n id=\"a>b\"> &nbsp;Tok-3n&#160;</b>.",
        "The enrollment challenge password is: <font color='red'><B>\r\nTok-3n\r\n</B></font> Bye",
        "The enrollment challenge password is :\nTok-3n\nIt can be used once.",
        "<!-- The enrollment challenge password is: old --><p>The enrollment challenge password is: <b>&#84;ok&#x2d;3n</b>",
        "The enrollment challenge password is: <B>Tok-3n</B> The enrollment challenge password is: <B>Tok-3n</B>",
    ] {
        assert_eq!(found(page.as_bytes()).as_deref(), Ok("Tok-3n"), "{page}");
    }
}

#[test]
fn the_error_pages_of_ndes_are_distinct_errors() {
    let full = "<P> The password cache is full. <P> By default, up to 5 passwords can be stored.";
    let forbidden = "<P>You do not have sufficient\r\npermission to enroll with SCEP. Please contact your system administrator.";
    for encode in ENCODINGS {
        assert_eq!(found(&encode(full)), Err("challenge_cache_full"));
        assert_eq!(found(&encode(forbidden)), Err("scep_permission_missing"));
    }
}

#[test]
fn a_page_must_have_exactly_one_challenge() {
    let long = ndes(&"x".repeat(257));
    let two = format!("{}{}", ndes("A1"), ndes("B2"));
    for page in [
        "",
        "  \r\n",
        "<html><h1>Sign in</h1></html>",
        "The enrollment challenge password is:",
        "The enrollment challenge password is unknown",
        "<p>The enrollment challenge password is: <b> </b><p>This password can be used only once.",
        "<p>The enrollment challenge password is: <b>two words</b>",
        "<p>The enrollment challenge password is: <b>T\u{f6}ken</b>",
        "<p>The enrollment challenge password is: <b>a\u{7}b</b>",
        &long,
        &two,
    ] {
        assert_eq!(found(page.as_bytes()), Err("scep_challenge_missing"), "{page}");
    }
    assert_eq!(found(ndes(&"x".repeat(256)).as_bytes()), Ok("x".repeat(256)));
}

#[test]
fn errors_contain_no_text_of_the_page() {
    let error = read(ndes("canary1 canary2").as_bytes()).unwrap_err();
    assert!(!format!("{error} {error:?}").contains("canary"));
}

fn escaped(challenge: &str) -> String {
    challenge.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

proptest! {
    #[test]
    fn no_bytes_cause_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let _ = read(&bytes);
    }

    #[test]
    fn no_page_causes_a_panic(
        page in "(<[/!?a-z\"'= ]{0,5}|>|&[#a-z0-9]{0,4};?|is|:|The enrollment challenge password|[ \\PC]){0,40}",
        encoding in 0..ENCODINGS.len(),
    ) {
        let _ = read(&ENCODINGS[encoding](&page));
    }

    #[test]
    fn every_challenge_is_read(
        challenge in "[!-~]{1,256}",
        before in "[a-z é<p>]{0,40}",
        encoding in 0..ENCODINGS.len(),
    ) {
        let page = format!("<!-- x -->{}{}", before.replace('<', "&lt;"), ndes(&escaped(&challenge)));
        prop_assert_eq!(found(&ENCODINGS[encoding](&page)), Ok(challenge));
    }

    #[test]
    fn a_page_without_the_sentence_has_no_challenge(page in "\\PC{0,300}", encoding in 0..ENCODINGS.len()) {
        prop_assert_eq!(found(&ENCODINGS[encoding](&page)), Err("scep_challenge_missing"));
    }
}
