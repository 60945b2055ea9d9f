//! Numbers as JSON spells them.

use serde::de::Error;
use serde::{Deserialize, Deserializer};

/// Up to here a fraction tells each whole number from its neighbours.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// A whole number, also in the spelling of a fraction: JSON Schema takes `5.0` for the integer 5.
///
/// # Errors
/// For what is no whole number, or too large for one.
pub fn whole_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    let number = serde_json::Number::deserialize(deserializer)?;
    number
        .as_i64()
        .or_else(|| number.as_f64().and_then(of_fraction))
        .ok_or_else(|| D::Error::custom("invalid value, expected a whole number"))
}

/// The same for a field that may be left out.
///
/// # Errors
/// As [`whole_number`], and for `null`.
pub fn optional_whole_number<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<i64>, D::Error> {
    whole_number(deserializer).map(Some)
}

fn of_fraction(number: f64) -> Option<i64> {
    let is_whole = number.fract() == 0.0 && number.abs() < EXACT;
    #[expect(clippy::cast_possible_truncation, reason = "it was found to be whole and small")]
    is_whole.then_some(number as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Option<i64> {
        whole_number(&mut serde_json::Deserializer::from_str(json)).ok()
    }

    #[test]
    fn a_whole_number_is_read_in_each_of_its_spellings_and_a_fraction_in_none() {
        for (json, number) in [("5", 5), ("5.0", 5), ("5e2", 500), ("-0.0", 0), ("-7", -7)] {
            assert_eq!(read(json), Some(number), "{json}");
        }
        for json in ["5.5", "1e300", "9223372036854775808", "9007199254740993.0", "\"5\"", "null"] {
            assert_eq!(read(json), None, "{json}");
        }
    }
}
