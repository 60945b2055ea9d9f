//! Finds the one-time challenge in the page that hands it out, in the style of Microsoft's NDES: "The
//! enrollment challenge password is: <B> TOKEN </B>". Pure. Never lets text of the page out, save the
//! challenge.

use secrecy::SecretString;

use super::page_text;
use crate::okta::OktaError;

const SENTENCE: [&str; 5] = ["the", "enrollment", "challenge", "password", "is"];

const CACHE_FULL: [&str; 5] = ["the", "password", "cache", "is", "full"];

const NO_PERMISSION: [&str; 8] =
    ["not", "have", "sufficient", "permission", "to", "enroll", "with", "scep"];

/// The most characters of a challenge that are believed.
const LONGEST: usize = 256;

/// The challenge that the page hands out.
///
/// # Errors
/// `ChallengeCacheFull`, `ScepPermissionMissing` or `ScepChallengeMissing`.
pub(super) fn read(page: &[u8]) -> Result<SecretString, OktaError> {
    let text = page_text::read(page);
    let mut found: Option<&str> = None;
    let mut rest = text.as_str();
    while let Some(after) = after_sentence(rest) {
        let challenge = challenge_at(after)
            .ok_or_else(|| missing("its sentence is there, a challenge after it is not"))?;
        if found.is_some_and(|other| other != challenge) {
            return Err(missing("the page shows two different challenges"));
        }
        found = Some(challenge);
        rest = after;
    }
    found.map(SecretString::from).ok_or_else(|| refusal(&text))
}

fn missing(what: &'static str) -> OktaError {
    OktaError::ScepChallengeMissing { what }
}

/// What a page without the sentence says instead.
fn refusal(text: &str) -> OktaError {
    if after_words(text, &CACHE_FULL).is_some() {
        OktaError::ChallengeCacheFull
    } else if after_words(text, &NO_PERMISSION).is_some() {
        OktaError::ScepPermissionMissing
    } else if text.trim().is_empty() {
        missing("the page is empty")
    } else {
        missing("the page shows none")
    }
}

/// The first line that is not empty, if it is one word and fit for a challenge. Where the page leaves
/// the challenge out, the next sentence must not be taken for it.
fn challenge_at(text: &str) -> Option<&str> {
    let line = text.lines().map(str::trim).find(|line| !line.is_empty())?;
    let fit = line.len() <= LONGEST && line.bytes().all(|byte| byte.is_ascii_graphic());
    fit.then_some(line)
}

/// What follows the sentence and its colon.
fn after_sentence(text: &str) -> Option<&str> {
    let mut rest = text;
    loop {
        rest = after_words(rest, &SENTENCE)?;
        if let Some(after) = rest.trim_start().strip_prefix(':') {
            return Some(after);
        }
    }
}

/// What follows the first place where these words stand in a row, in any case, whatever white space
/// is between them.
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
