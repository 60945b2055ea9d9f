//! Why a token is refused.

/// Why a token is refused. Says nothing of the token's content but names of claims.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum AuthError {
    #[error("the token is not a JWT")]
    Malformed,
    #[error("the token is signed with an algorithm that is not accepted here")]
    AlgorithmRefused,
    #[error("the token names no key (`kid`) that the issuer publishes")]
    UnknownKey,
    #[error(
        "the token names no key (`kid`), and the issuer does not publish exactly one key without a name"
    )]
    NoKeyNamed,
    #[error("the token's signature does not match")]
    BadSignature,
    /// A header parameter that the issuer marked as critical (RFC 7515 §4.1.11), or a type of token
    /// that is no access token (RFC 8725 §3.11).
    #[error("the token's header has a {0} that is not accepted here")]
    HeaderRefused(&'static str),
    #[error("the token is valid for longer than {0} seconds, the most that is accepted here")]
    LifetimeTooLong(u64),
    #[error("the token has expired")]
    Expired,
    #[error("the token is not valid yet")]
    NotYetValid,
    #[error("the token was issued by somebody else")]
    WrongIssuer,
    #[error("the token is for another audience")]
    WrongAudience,
    #[error("the token lacks the claim {0:?}")]
    MissingClaim(String),
    /// Nothing wrong with the token: the issuer's keys cannot be had at the moment.
    #[error("the issuer's keys cannot be read")]
    KeysUnavailable,
}

impl From<&jsonwebtoken::errors::Error> for AuthError {
    fn from(error: &jsonwebtoken::errors::Error) -> Self {
        use jsonwebtoken::errors::ErrorKind;
        match error.kind() {
            ErrorKind::InvalidSignature => Self::BadSignature,
            ErrorKind::ExpiredSignature => Self::Expired,
            ErrorKind::ImmatureSignature => Self::NotYetValid,
            ErrorKind::InvalidIssuer => Self::WrongIssuer,
            ErrorKind::InvalidAudience => Self::WrongAudience,
            ErrorKind::InvalidAlgorithm | ErrorKind::InvalidAlgorithmName => Self::AlgorithmRefused,
            ErrorKind::MissingRequiredClaim(claim) => Self::MissingClaim(claim.clone()),
            _ => Self::Malformed,
        }
    }
}
