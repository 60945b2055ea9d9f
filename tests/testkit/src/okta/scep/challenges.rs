//! The one-time challenges of an org: issued, used once or expired.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::okta::ids::random_base64url;

/// The observed lengths of real challenges, used in turn.
const LENGTHS: [usize; 2] = [32, 43];

/// An issued challenge.
#[derive(Debug, Clone, Serialize)]
pub struct MintedChallenge {
    pub challenge: String,
    pub issued_at: DateTime<Utc>,
    pub used: bool,
    #[serde(skip)]
    issued: Instant,
    #[serde(skip)]
    expired_early: bool,
}

/// Why a challenge is rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ChallengeRefusal {
    #[error("the challenge was not issued")]
    Unknown,
    #[error("the challenge has been used")]
    Used,
    #[error("the challenge has expired")]
    Expired,
}

#[derive(Debug, Default)]
pub(super) struct Challenges {
    minted: Vec<MintedChallenge>,
}

impl Challenges {
    pub fn mint(&mut self) -> String {
        let challenge = random_base64url(LENGTHS[self.minted.len() % LENGTHS.len()]);
        self.minted.push(MintedChallenge {
            challenge: challenge.clone(),
            issued_at: Utc::now(),
            used: false,
            issued: Instant::now(),
            expired_early: false,
        });
        challenge
    }

    pub fn all(&self) -> Vec<MintedChallenge> {
        self.minted.clone()
    }

    pub fn expire(&mut self) {
        self.minted.iter_mut().for_each(|minted| minted.expired_early = true);
    }

    pub fn consume(
        &mut self,
        challenge: &str,
        lifetime_seconds: u64,
    ) -> Result<(), ChallengeRefusal> {
        let minted = self
            .minted
            .iter_mut()
            .find(|minted| minted.challenge == challenge)
            .ok_or(ChallengeRefusal::Unknown)?;
        if minted.used {
            return Err(ChallengeRefusal::Used);
        }
        if minted.expired_early || minted.issued.elapsed() >= Duration::from_secs(lifetime_seconds)
        {
            return Err(ChallengeRefusal::Expired);
        }
        minted.used = true;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenge_is_valid_once_and_expires() {
        let mut challenges = Challenges::default();
        let (first, second, third) = (challenges.mint(), challenges.mint(), challenges.mint());
        assert_eq!([first.len(), second.len(), third.len()], [32, 43, 32]);
        assert!([&first, &second].iter().all(|text| text.contains('-') && text.contains('_')));
        assert_eq!(challenges.consume("invented", 60), Err(ChallengeRefusal::Unknown));
        assert_eq!(challenges.consume(&first, 60), Ok(()));
        assert_eq!(challenges.consume(&first, 60), Err(ChallengeRefusal::Used));
        assert_eq!(challenges.consume(&second, 0), Err(ChallengeRefusal::Expired));
        challenges.expire();
        assert_eq!(challenges.consume(&third, 60), Err(ChallengeRefusal::Expired));
    }
}
