//! The filter language of `search`: the part of SCIM that Okta supports for devices.
//!
//! Parses and evaluates; an expression that Okta would reject gives `None`.

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::fleet::Device;

pub(super) enum Filter {
    And(Vec<Filter>),
    Or(Vec<Filter>),
    Compare { attribute: String, operator: String, value: String },
}

impl Filter {
    pub fn parse(text: &str) -> Option<Self> {
        let tokens = tokens(text)?;
        let mut rest = &tokens[..];
        let filter = either(&mut rest)?;
        rest.is_empty().then_some(filter)
    }

    pub fn admits(&self, device: &Device) -> bool {
        match self {
            Self::And(parts) => parts.iter().all(|part| part.admits(device)),
            Self::Or(parts) => parts.iter().any(|part| part.admits(device)),
            Self::Compare { attribute, operator, value } => {
                compare(device, attribute, operator, value)
            }
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Word(String),
    Text(String),
    Open,
    Close,
}

fn tokens(text: &str) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            ' ' => {}
            '(' => tokens.push(Token::Open),
            ')' => tokens.push(Token::Close),
            '"' => {
                let mut value = String::new();
                loop {
                    match letters.next()? {
                        '"' => break,
                        '\\' => value.push(letters.next()?),
                        other => value.push(other),
                    }
                }
                tokens.push(Token::Text(value));
            }
            first => {
                let mut word = String::from(first);
                while let Some(next) =
                    letters.next_if(|next| !matches!(next, ' ' | '(' | ')' | '"'))
                {
                    word.push(next);
                }
                tokens.push(Token::Word(word));
            }
        }
    }
    Some(tokens)
}

fn either(tokens: &mut &[Token]) -> Option<Filter> {
    let mut parts = vec![both(tokens)?];
    while take_word(tokens, "or") {
        parts.push(both(tokens)?);
    }
    Some(Filter::Or(parts))
}

fn both(tokens: &mut &[Token]) -> Option<Filter> {
    let mut parts = vec![one(tokens)?];
    while take_word(tokens, "and") {
        parts.push(one(tokens)?);
    }
    Some(Filter::And(parts))
}

fn one(tokens: &mut &[Token]) -> Option<Filter> {
    match tokens {
        [Token::Open, rest @ ..] => {
            *tokens = rest;
            let inner = either(tokens)?;
            let [Token::Close, rest @ ..] = tokens else { return None };
            *tokens = rest;
            Some(inner)
        }
        [Token::Word(attribute), Token::Word(operator), value, rest @ ..] => {
            let value = match value {
                Token::Text(text) => text.clone(),
                // Only booleans are unquoted.
                Token::Word(word) if matches!(word.as_str(), "true" | "false") => word.clone(),
                _ => return None,
            };
            let operator = operator.to_ascii_lowercase();
            let known = attribute.starts_with("profile.")
                || matches!(attribute.as_str(), "id" | "status" | "lastUpdated");
            if !known || !allowed(attribute, &operator) {
                return None;
            }
            if attribute == "lastUpdated" && time(&value).is_none() {
                return None;
            }
            let filter = Filter::Compare { attribute: attribute.clone(), operator, value };
            *tokens = rest;
            Some(filter)
        }
        _ => None,
    }
}

fn allowed(attribute: &str, operator: &str) -> bool {
    match operator {
        "eq" | "ne" | "gt" | "ge" | "lt" | "le" => true,
        "sw" => attribute != "lastUpdated",
        "co" => matches!(
            attribute,
            "profile.displayName"
                | "profile.serialNumber"
                | "profile.imei"
                | "profile.meid"
                | "profile.udid"
                | "profile.sid"
        ),
        _ => false,
    }
}

fn take_word(tokens: &mut &[Token], wanted: &str) -> bool {
    match tokens {
        [Token::Word(word), rest @ ..] if word.eq_ignore_ascii_case(wanted) => {
            *tokens = rest;
            true
        }
        _ => false,
    }
}

fn time(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(text).ok().map(|time| time.to_utc())
}

fn compare(device: &Device, attribute: &str, operator: &str, wanted: &str) -> bool {
    if attribute == "lastUpdated" {
        return time(wanted).is_some_and(|wanted| ordered(operator, &device.last_updated, &wanted));
    }
    let actual = match attribute {
        "id" => Some(device.id.clone()),
        "status" => Some(device.status.clone()),
        _ => {
            attribute.strip_prefix("profile.").and_then(|name| device.profile.get(name)).map(plain)
        }
    };
    // The search is case-insensitive.
    let (Some(actual), wanted) = (actual.map(|text| text.to_lowercase()), wanted.to_lowercase())
    else {
        return operator == "ne";
    };
    match operator {
        "sw" => actual.starts_with(&wanted),
        "co" => actual.contains(&wanted),
        _ => ordered(operator, &actual, &wanted),
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), ToString::to_string)
}

fn ordered<T: Ord>(operator: &str, actual: &T, wanted: &T) -> bool {
    match operator {
        "eq" => actual == wanted,
        "ne" => actual != wanted,
        "gt" => actual > wanted,
        "ge" => actual >= wanted,
        "lt" => actual < wanted,
        "le" => actual <= wanted,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invalid_filters_are_rejected() {
        for good in [
            "lastUpdated gt \"2026-11-23T00:00:00.000Z\"",
            "profile.serialNumber eq \"C02\" and (status eq \"ACTIVE\" or status eq \"SUSPENDED\")",
            "profile.registered eq true",
        ] {
            assert!(Filter::parse(good).is_some(), "{good}");
        }
        for bad in [
            "",
            "serialNumber eq \"C02\"",
            "lastUpdated gt \"yesterday\"",
            "status is \"ACTIVE\"",
            "status eq ACTIVE",
            "(status eq \"A\"",
            "profile.platform co \"MAC\"",
        ] {
            assert!(Filter::parse(bad).is_none(), "{bad}");
        }
    }
}
