//! Errors of token verification.

/// Why a token is refused. Contains nothing of the token except names of claims.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum AuthError {
    #[error("the token is not a JWT")]
    Malformed,
    #[error("the token's signature algorithm is not accepted")]
    AlgorithmRefused,
    #[error("the token's key (`kid`) is not published by the issuer")]
    UnknownKey,
    #[error(
        "the token has no `kid`, and the issuer does not publish exactly one key without a `kid`"
    )]
    NoKeyNamed,
    #[error("the token's signature does not match")]
    BadSignature,
    /// A critical header parameter (RFC 7515 §4.1.11), or the type of another kind of token (RFC 8725
    /// §3.11).
    #[error("the token's header has a {0} that is not accepted")]
    HeaderRefused(&'static str),
    #[error("the token's lifetime is longer than the accepted {0} seconds")]
    LifetimeTooLong(u64),
    #[error("the token has expired")]
    Expired,
    #[error("the token is not valid yet")]
    NotYetValid,
    #[error("the token has another issuer (`iss`) than this service accepts")]
    WrongIssuer,
    #[error("the token is for another audience (`aud`)")]
    WrongAudience,
    #[error("the token lacks the claim {0:?}")]
    MissingClaim(String),
    /// The issuer's keys cannot be fetched at the moment; the token may be valid.
    #[error("the issuer's keys cannot be fetched")]
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
