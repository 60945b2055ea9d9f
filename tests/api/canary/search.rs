//! The search itself: a secret is found in every encoding in which it may be stored or logged.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use crate::support::canary_search::{Canary, hex, longest_random_word, with_decoded_bytes};

const SECRET: &str = "canary/secret+of~the=client&0123";
const ANOTHER: &str = "canary/secret+that~is=wrong&4567";

#[test]
fn search_finds_a_secret_in_every_encoding() {
    let canary = Canary::new("secret", SECRET);
    let basic = STANDARD.encode(format!("0oa1b2c3d4:{SECRET}"));
    let basic_of_another_length = STANDARD.encode(format!("0oa1b2c3d4e:{SECRET}:x"));
    let in_bytes = format!("1\t\\x{}\t2", hex(format!("x{SECRET}y").as_bytes()));
    let encoded_in_bytes = format!("\\x{}", hex(STANDARD.encode(SECRET).as_bytes()));
    for text in [
        format!("before{SECRET}after"),
        basic,
        basic_of_another_length,
        in_bytes,
        encoded_in_bytes,
        url::form_urlencoded::byte_serialize(SECRET.as_bytes()).collect(),
        URL_SAFE_NO_PAD.encode(digest(&SHA256, SECRET.as_bytes())),
        format!("\\x{}", hex(digest(&SHA256, SECRET.as_bytes()).as_ref())),
        format!("{:?}", SECRET.as_bytes()),
    ] {
        assert!(canary.sits_in(&with_decoded_bytes(&text)).is_some(), "{text}");
        assert!(Canary::new("other", ANOTHER).sits_in(&with_decoded_bytes(&text)).is_none());
    }
    assert_eq!(longest_random_word(&format!("token={}!", "aZ9".repeat(32))), 96);
}
