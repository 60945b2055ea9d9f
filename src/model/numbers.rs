//! Deserialization of JSON numbers.

use serde::de::Error;
use serde::{Deserialize, Deserializer};

/// 2^53: below this, an `f64` represents every integer exactly.
const MAX_EXACT_INTEGER: f64 = 9_007_199_254_740_992.0;

/// Deserializes a whole number. Accepts `5.0`, which JSON Schema treats as the integer 5.
///
/// # Errors
/// If the value is not a whole number or is out of range.
pub fn whole_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    let number = serde_json::Number::deserialize(deserializer)?;
    number
        .as_i64()
        .or_else(|| number.as_f64().and_then(integer_from_float))
        .ok_or_else(|| D::Error::custom("invalid value, expected a whole number"))
}

/// Deserializes an optional field like [`whole_number`].
///
/// # Errors
/// As [`whole_number`], and for `null`.
pub fn optional_whole_number<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<i64>, D::Error> {
    whole_number(deserializer).map(Some)
}

fn integer_from_float(number: f64) -> Option<i64> {
    let is_whole = number.fract() == 0.0 && number.abs() < MAX_EXACT_INTEGER;
    #[expect(clippy::cast_possible_truncation, reason = "checked to be whole and in range")]
    is_whole.then_some(number as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Option<i64> {
        whole_number(&mut serde_json::Deserializer::from_str(json)).ok()
    }

    #[test]
    fn whole_numbers_are_accepted_in_every_notation_and_fractions_rejected() {
        for (json, number) in [("5", 5), ("5.0", 5), ("5e2", 500), ("-0.0", 0), ("-7", -7)] {
            assert_eq!(read(json), Some(number), "{json}");
        }
        for json in ["5.5", "1e300", "9223372036854775808", "9007199254740993.0", "\"5\"", "null"] {
            assert_eq!(read(json), None, "{json}");
        }
    }
}
