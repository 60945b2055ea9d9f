//! Reads the header of a token, and refuses unsupported headers before a key is looked up.

use jsonwebtoken::{Algorithm, decode_header};

use super::error::AuthError;

/// The fields of a token's header that are used. Others (`jwk`, `jku`, `x5u`) are ignored.
#[derive(Debug)]
pub(super) struct TokenHeader {
    pub(super) kid: Option<String>,
    /// Selects one of the keys with this `kid`. Each key may be used with its own algorithm only.
    pub(super) algorithm: Algorithm,
}

/// The types of access tokens (RFC 9068 §2.1, RFC 7519 §5.1), without the optional prefix `application/`
/// (RFC 7515 §4.1.9).
const TYPES: [&str; 2] = ["jwt", "at+jwt"];

/// Reads the header of `token`.
///
/// # Errors
/// [`AuthError::Malformed`]; [`AuthError::HeaderRefused`] for other types than access tokens, and for any
/// critical parameter, because none is supported.
pub(super) fn read(token: &str) -> Result<TokenHeader, AuthError> {
    let header = decode_header(token).map_err(|_| AuthError::Malformed)?;
    if header.crit.is_some() {
        return Err(AuthError::HeaderRefused("`crit`"));
    }
    if header.typ.is_some_and(|typ| !is_access_token(&typ)) {
        return Err(AuthError::HeaderRefused("`typ`"));
    }
    Ok(TokenHeader { kid: header.kid, algorithm: header.alg })
}

fn is_access_token(typ: &str) -> bool {
    let typ = typ.to_ascii_lowercase();
    let short = typ.strip_prefix("application/").unwrap_or(&typ);
    TYPES.contains(&short)
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use serde_json::{Value, json};

    use super::*;

    fn read_header(header: &Value) -> Result<TokenHeader, AuthError> {
        read(&format!("{}.e30.AA", URL_SAFE_NO_PAD.encode(header.to_string())))
    }

    #[test]
    fn accepts_the_types_of_access_tokens_only() {
        for typ in ["JWT", "jwt", "at+jwt", "application/at+JWT"] {
            assert!(read_header(&json!({ "alg": "ES256", "typ": typ })).is_ok(), "{typ}");
        }
        assert!(read_header(&json!({ "alg": "ES256" })).is_ok());
        for typ in ["secevent+jwt", "logout+jwt", "dpop+jwt", "JOSE", "", "application/"] {
            let refused = read_header(&json!({ "alg": "ES256", "typ": typ }));
            assert_eq!(refused.unwrap_err(), AuthError::HeaderRefused("`typ`"), "{typ}");
        }
    }

    #[test]
    fn refuses_every_critical_parameter() {
        for crit in [json!(["exp"]), json!(["b64"]), json!([])] {
            let refused = read_header(&json!({ "alg": "ES256", "crit": crit, "b64": false }));
            assert_eq!(refused.unwrap_err(), AuthError::HeaderRefused("`crit`"), "{crit}");
        }
        let no_list = read_header(&json!({ "alg": "ES256", "crit": "exp" }));
        assert_eq!(no_list.unwrap_err(), AuthError::Malformed);
    }
}
