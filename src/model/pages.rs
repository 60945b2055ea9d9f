//! Cursor pagination: ordered by the rows' `UUIDv7`, oldest first, or by a text key.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use uuid::Uuid;

/// The requested page.
#[derive(Debug, Clone, Copy)]
pub struct PageRequest<K = Uuid> {
    pub after: Option<K>,
    pub limit: i64,
}

/// One page of items; `next` is the cursor of the following page, `None` on the last.
#[derive(Debug, Clone)]
pub struct Page<T, K = Uuid> {
    pub items: Vec<T>,
    pub next: Option<K>,
}

impl<T, K> Page<T, K> {
    /// Builds a page from up to `limit + 1` rows. The extra row only shows that there are more.
    pub fn from_rows(mut rows: Vec<T>, limit: i64, key: impl Fn(&T) -> K) -> Self {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next = if more { rows.last().map(key) } else { None };
        Self { items: rows, next }
    }

    pub fn map<U>(self, each: impl FnMut(T) -> U) -> Page<U, K> {
        Page { items: self.items.into_iter().map(each).collect(), next: self.next }
    }
}

/// Encodes a cursor. Callers must treat it as opaque.
pub fn encode_cursor(id: Uuid) -> String {
    URL_SAFE_NO_PAD.encode(id.as_bytes())
}

/// Decodes a cursor; `None` if it is not one that [`encode_cursor`] returns.
pub fn decode_cursor(cursor: &str) -> Option<Uuid> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
    Uuid::from_slice(&bytes).ok()
}

/// The maximum length of a text key in bytes.
const MAX_KEY_LEN: usize = 128;

/// Encodes the cursor of a list ordered by a text key, such as a serial number. The key's bytes are
/// encoded as hexadecimal digits, so that the OpenAPI document can describe a cursor by a pattern.
pub fn encode_text_cursor(key: &str) -> String {
    key.bytes().fold(String::with_capacity(key.len() * 2), |mut cursor, byte| {
        for digit in [byte >> 4, byte & 0xf] {
            cursor.extend(char::from_digit(u32::from(digit), 16));
        }
        cursor
    })
}

/// Decodes a text cursor; `None` if the key is not 1 to 128 visible ASCII characters.
pub fn decode_text_cursor(cursor: &str) -> Option<String> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let (pairs, odd) = cursor.as_bytes().as_chunks::<2>();
    if !odd.is_empty() || !(1..=MAX_KEY_LEN).contains(&pairs.len()) {
        return None;
    }
    let byte = |pair: &[u8; 2]| Some((digit(pair[0])? << 4) | digit(pair[1])?);
    let visible = |byte: u8| byte.is_ascii_graphic().then(|| char::from(byte));
    pairs.iter().map(|pair| byte(pair).and_then(visible)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_cursor_is_none() {
        assert_eq!(decode_text_cursor(&encode_text_cursor("C02X")).as_deref(), Some("C02X"));
        assert_eq!(encode_text_cursor("C02X"), "43303258");
        for foreign in [
            "",
            "!!",
            "4",
            "433",
            "4C",
            "c3a9",
            &encode_text_cursor("a\0b"),
            &encode_text_cursor(&"x".repeat(129)),
        ] {
            assert_eq!(decode_text_cursor(foreign), None, "{foreign}");
        }
    }
}
