//! Finds the one-time challenge in an HTML page in the style of Microsoft's NDES: "The enrollment challenge
//! password is: <B> TOKEN </B>". Errors contain no text of the page.

use secrecy::SecretString;

use super::page_text;
use crate::okta::OktaError;

const SENTENCE: [&str; 5] = ["the", "enrollment", "challenge", "password", "is"];

const CACHE_FULL: [&str; 5] = ["the", "password", "cache", "is", "full"];

const NO_PERMISSION: [&str; 8] =
    ["not", "have", "sufficient", "permission", "to", "enroll", "with", "scep"];

/// Maximum length of a challenge.
const MAX_LEN: usize = 256;

/// Reads the challenge from a page.
///
/// # Errors
/// `ChallengeCacheFull`, `ScepPermissionMissing` or `ScepChallengeMissing`.
pub(super) fn read(page: &[u8]) -> Result<SecretString, OktaError> {
    let text = page_text::read(page);
    let mut found: Option<&str> = None;
    let mut rest = text.as_str();
    while let Some(after) = after_sentence(rest) {
        let challenge = challenge_at(after)
            .ok_or_else(|| missing("there is no challenge after its sentence"))?;
        if found.is_some_and(|other| other != challenge) {
            return Err(missing("the page contains two different challenges"));
        }
        found = Some(challenge);
        rest = after;
    }
    found.map(SecretString::from).ok_or_else(|| refusal(&text))
}

fn missing(what: &'static str) -> OktaError {
    OktaError::ScepChallengeMissing { what }
}

/// Returns the error that a page without a challenge describes.
fn refusal(text: &str) -> OktaError {
    if after_words(text, &CACHE_FULL).is_some() {
        OktaError::ChallengeCacheFull
    } else if after_words(text, &NO_PERMISSION).is_some() {
        OktaError::ScepPermissionMissing
    } else if text.trim().is_empty() {
        missing("the page is empty")
    } else {
        missing("the page contains no challenge")
    }
}

/// Returns the first non-empty line if it is a single word. If the page omits the challenge, the next
/// sentence must not be mistaken for it.
fn challenge_at(text: &str) -> Option<&str> {
    let line = text.lines().map(str::trim).find(|line| !line.is_empty())?;
    let is_word = line.len() <= MAX_LEN && line.bytes().all(|byte| byte.is_ascii_graphic());
    is_word.then_some(line)
}

/// Returns the text after the sentence and its colon.
fn after_sentence(text: &str) -> Option<&str> {
    let mut rest = text;
    loop {
        rest = after_words(rest, &SENTENCE)?;
        if let Some(after) = rest.trim_start().strip_prefix(':') {
            return Some(after);
        }
    }
}

/// Returns the text after the first occurrence of these words, ignoring case and the kind of white space
/// between them.
fn after_words<'a>(text: &'a str, words: &[&str]) -> Option<&'a str> {
    let first = words.first()?.as_bytes();
    (0..text.len())
        .filter(|at| {
            let found = text.as_bytes().get(*at..at + first.len());
            found.is_some_and(|found| found.eq_ignore_ascii_case(first))
        })
        .find_map(|at| strip_words(&text[at..], words))
}

fn strip_words<'a>(text: &'a str, words: &[&str]) -> Option<&'a str> {
    let mut rest = text;
    for (index, word) in words.iter().enumerate() {
        if index > 0 {
            let trimmed = rest.trim_start();
            if trimmed.len() == rest.len() {
                return None;
            }
            rest = trimmed;
        }
        let (found, after) = rest.split_at_checked(word.len())?;
        if !found.eq_ignore_ascii_case(word) {
            return None;
        }
        rest = after;
    }
    Some(rest)
}

#[cfg(test)]
#[path = "challenge_page_tests.rs"]
mod tests;
