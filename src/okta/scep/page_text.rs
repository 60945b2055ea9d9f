//! Converts an HTML page in any encoding to text, one line per text between tags. The encoding is detected
//! from the bytes, because servers mislabel it.

use zeroize::Zeroizing;

const MAX_ENTITY_LEN: usize = 10;

/// Returns the text of the page. Tags and line breaks end a line; other white space is unchanged. The text
/// is zeroed on drop, because it contains a challenge.
pub(super) fn read(bytes: &[u8]) -> Zeroizing<String> {
    let page = decode(bytes);
    let mut text = Zeroizing::new(String::with_capacity(page.len()));
    let mut rest = page.as_str();
    while let Some(at) = rest.find('<') {
        let (before, from_tag) = rest.split_at(at);
        push_unescaped(&mut text, before);
        match skip_markup(from_tag) {
            Markup::Skipped(after) => {
                text.push('\n');
                rest = after;
            }
            Markup::None => {
                text.push('<');
                rest = &from_tag[1..];
            }
            // Continuing at every later `<` would take quadratic time.
            Markup::Unclosed => {
                push_unescaped(&mut text, from_tag);
                return text;
            }
        }
    }
    push_unescaped(&mut text, rest);
    text
}

/// Decodes UTF-16 (recognized by its byte order mark or by zero bytes), UTF-8, or else windows-1252. The
/// latter is decoded as Latin-1: the 27 characters that differ do not occur in challenges.
fn decode(bytes: &[u8]) -> Zeroizing<String> {
    Zeroizing::new(match bytes {
        [0xEF, 0xBB, 0xBF, rest @ ..] => String::from_utf8_lossy(rest).into_owned(),
        [0xFF, 0xFE, rest @ ..] => utf16(rest, u16::from_le_bytes),
        [0xFE, 0xFF, rest @ ..] => utf16(rest, u16::from_be_bytes),
        _ => decode_unmarked(bytes),
    })
}

fn decode_unmarked(bytes: &[u8]) -> String {
    let zeros = |parity: usize| bytes.iter().skip(parity).step_by(2).filter(|b| **b == 0).count();
    let (even, odd) = (zeros(0), zeros(1));
    if odd > even {
        utf16(bytes, u16::from_le_bytes)
    } else if even > 0 {
        utf16(bytes, u16::from_be_bytes)
    } else {
        std::str::from_utf8(bytes)
            .map_or_else(|_| bytes.iter().copied().map(char::from).collect(), str::to_owned)
    }
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> String {
    let units = bytes.as_chunks::<2>().0.iter().map(|pair| unit(*pair));
    char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
}

enum Markup<'a> {
    /// The text after the tag, comment, script or style.
    Skipped(&'a str),
    /// A `<` that begins no markup.
    None,
    Unclosed,
}

/// Skips the markup at the start of `text`, which begins with `<`.
fn skip_markup(text: &str) -> Markup<'_> {
    if let Some(comment) = text.strip_prefix("<!--") {
        return after(comment, "-->");
    }
    if !text[1..].starts_with(|c: char| c.is_ascii_alphabetic() || "/!?".contains(c)) {
        return Markup::None;
    }
    let Some(end) = end_of_tag(text) else { return Markup::Unclosed };
    let rest = &text[end..];
    match ["script", "style"].into_iter().find(|name| is_tag(text, name)) {
        Some(name) => after_closing(rest, name),
        None => Markup::Skipped(rest),
    }
}

fn after<'a>(text: &'a str, end: &str) -> Markup<'a> {
    text.split_once(end).map_or(Markup::Unclosed, |(_, rest)| Markup::Skipped(rest))
}

/// Returns the position after the `>`, ignoring those in quoted attributes.
fn end_of_tag(text: &str) -> Option<usize> {
    let (mut quote, mut after_equals) = (None, false);
    for (at, byte) in text.bytes().enumerate() {
        match (quote, byte) {
            (None, b'>') => return Some(at + 1),
            (None, b'"' | b'\'') if after_equals => quote = Some(byte),
            (Some(open), _) if open == byte => quote = None,
            _ => {}
        }
        after_equals = byte == b'=' || (after_equals && byte.is_ascii_whitespace());
    }
    None
}

fn is_tag(text: &str, name: &str) -> bool {
    let named = text.as_bytes().get(1..=name.len());
    named.is_some_and(|found| found.eq_ignore_ascii_case(name.as_bytes()))
        && !text[1 + name.len()..].starts_with(|c: char| c.is_ascii_alphanumeric())
}

/// Returns the text after `</name…>`.
fn after_closing<'a>(text: &'a str, name: &str) -> Markup<'a> {
    for (at, _) in text.match_indices("</") {
        if is_tag(&text[at + 1..], name) {
            return after(&text[at..], ">");
        }
    }
    Markup::Unclosed
}

fn push_unescaped(text: &mut String, escaped: &str) {
    let mut rest = escaped;
    while let Some(at) = rest.find('&') {
        text.push_str(&rest[..at]);
        let entity = &rest[at + 1..];
        let end = entity.bytes().take(MAX_ENTITY_LEN).position(|byte| byte == b';');
        let known = end.and_then(|end| Some((character(&entity[..end])?, end)));
        if let Some((character, end)) = known {
            text.push(character);
            rest = &entity[end + 1..];
        } else {
            text.push('&');
            rest = entity;
        }
    }
    text.push_str(rest);
}

/// Returns the character of `&name;`.
fn character(name: &str) -> Option<char> {
    if let Some(number) = name.strip_prefix('#') {
        let code = match number.strip_prefix(['x', 'X']) {
            Some(hex) => u32::from_str_radix(hex, 16),
            None => number.parse(),
        };
        return code.ok().and_then(char::from_u32);
    }
    match name.to_ascii_lowercase().as_str() {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        "nbsp" => Some('\u{a0}'),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(page: &str) -> Vec<String> {
        read(page.as_bytes()).split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn tags_comments_scripts_and_styles_are_removed() {
        for page in [
            "a<B>b</B>c",
            "a<b title=\"x > y\">b<br/>c",
            "a<!-- <b>no</b> -->b<SCRIPT type='x'>no('<b>')</SCRIPT >c",
            "<!DOCTYPE HTML PUBLIC \"-//W3C//DTD HTML 4.0//EN\"><p title=it's>a<b>b</b> c",
            "<!DOCTYPE html><style>no</style>a b<p\nclass=x>c",
            "a&nbsp;b&#160;&#xA0;&#X63;",
        ] {
            assert_eq!(words(page), ["a", "b", "c"], "{page}");
        }
    }

    #[test]
    fn text_that_resembles_markup_is_unchanged() {
        assert_eq!(
            *read(b"1 < 2 & 3 &unknown; &#xFFFFFFFF; &amp;lt;"),
            "1 < 2 & 3 &unknown; &#xFFFFFFFF; &lt;"
        );
        assert_eq!(*read(b"a <b unclosed"), "a <b unclosed");
        assert_eq!(*read("a&übergroß;".as_bytes()), "a&übergroß;");
        assert_eq!(*read(b"x<scripted>y"), "x\ny");
    }

    #[test]
    fn unclosed_markup_takes_linear_time() {
        let started = std::time::Instant::now();
        for piece in ["<a b=\"", "<script>", "<!--", "&", "<", "</"] {
            read(piece.repeat(60_000).as_bytes());
        }
        assert!(started.elapsed().as_secs() < 5);
    }
}
