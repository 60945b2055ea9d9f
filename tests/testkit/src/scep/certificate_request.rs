//! Finds the challenge in a certificate request (PKCS#10, RFC 2986; `challengePassword`, RFC 2985 §5.4.1).

/// `1.2.840.113549.1.9.7`, and the tag of the set of one value that follows.
const CHALLENGE_PASSWORD: &[u8] = &[6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 7, 0x31];

/// UTF8String, PrintableString, TeletexString, IA5String.
const STRINGS: [u8; 4] = [0x0c, 0x13, 0x14, 0x16];

/// Returns the challenge of a request in DER, if it has one.
pub(super) fn find_challenge(request: &[u8]) -> Option<String> {
    let at =
        request.windows(CHALLENGE_PASSWORD.len()).position(|part| part == CHALLENGE_PASSWORD)?;
    let (set, _) = contents(&request[at + CHALLENGE_PASSWORD.len()..])?;
    let (tag, value) = set.split_first()?;
    let (text, rest) = contents(value)?;
    let fits = STRINGS.contains(tag) && rest.is_empty();
    fits.then(|| String::from_utf8(text.to_vec()).ok())?
}

/// Splits an encoded value into its contents and the rest.
fn contents(encoded: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = match encoded {
        [0x81, length, rest @ ..] => (usize::from(*length), rest),
        [0x82, high, low, rest @ ..] => (usize::from(u16::from_be_bytes([*high, *low])), rest),
        [length @ 0..=0x7f, rest @ ..] => (usize::from(*length), rest),
        _ => return None,
    };
    rest.split_at_checked(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges_of_any_length_are_found() {
        for length in [1, 100, 126, 200, 300] {
            let text = "x".repeat(length);
            let value = [&head(0x0c, length)[..], text.as_bytes()].concat();
            let set = [&head(0x31, value.len())[1..], &value].concat();
            let request = [b"before", CHALLENGE_PASSWORD, &set, b"after"].concat();
            assert_eq!(find_challenge(&request).as_deref(), Some(text.as_str()));
            assert_eq!(find_challenge(&request[..20]), None);
        }
        assert_eq!(find_challenge(b"nothing"), None);
    }

    fn head(tag: u8, length: usize) -> Vec<u8> {
        let [high, low] = u16::try_from(length).unwrap().to_be_bytes();
        match length {
            0..=0x7f => vec![tag, low],
            0x80..=0xff => vec![tag, 0x81, low],
            _ => vec![tag, 0x82, high, low],
        }
    }
}
