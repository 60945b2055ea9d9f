//! Reads which authenticators the org has: how `FastPass` shows itself (facts §4). Judges nothing.

use serde::Deserialize;

use super::client::url_of;
use super::error::clean_name;
use super::{AccessToken, OktaClient, OktaError, OrgAddress};

/// The key of the authenticator that is Okta Verify.
pub const OKTA_VERIFY: &str = "okta_verify";

/// The method of Okta Verify that is `FastPass`.
pub const SIGNED_NONCE: &str = "signed_nonce";

const ACTIVE: &str = "ACTIVE";

const PATH: &str = "/api/v1/authenticators";

/// The most pages that are read; orgs have some ten authenticators in one page.
const MOST_PAGES: usize = 5;

/// An authenticator of the org.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authenticator {
    pub id: String,
    /// `ACTIVE` or `INACTIVE`; other values are kept as they are.
    pub status: String,
}

/// A method of an authenticator.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct AuthenticatorMethod {
    /// Such as `signed_nonce`, `push`, `totp`.
    #[serde(rename = "type")]
    pub method_type: String,
    /// `ACTIVE` or `INACTIVE`; other values are kept as they are.
    pub status: String,
}

impl Authenticator {
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.status == ACTIVE
    }
}

impl AuthenticatorMethod {
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.status == ACTIVE
    }
}

/// What Okta shows of `FastPass`: the status of Okta Verify and of its method `signed_nonce`; `None`
/// where there is none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FastPass {
    pub okta_verify: Option<String>,
    pub signed_nonce: Option<String>,
}

impl FastPass {
    /// Both are `ACTIVE` (facts §4).
    #[must_use]
    pub fn is_on(&self) -> bool {
        let active = |status: &Option<String>| status.as_deref() == Some(ACTIVE);
        active(&self.okta_verify) && active(&self.signed_nonce)
    }
}

/// Authenticators of other kinds may lack any of these.
#[derive(Deserialize)]
struct OktaAuthenticator {
    id: Option<String>,
    key: Option<String>,
    status: Option<String>,
}

impl OktaClient {
    /// The state of `FastPass`, in one request or two: without Okta Verify there are no methods.
    ///
    /// # Errors
    /// Okta's refusal, such as `InsufficientScope`.
    pub async fn find_fastpass(
        &self,
        org: &OrgAddress,
        token: &AccessToken,
    ) -> Result<FastPass, OktaError> {
        let Some(verify) = self.find_okta_verify(org, token).await? else {
            return Ok(FastPass::default());
        };
        let methods = self.list_authenticator_methods(org, token, &verify.id).await?;
        let signed_nonce = methods.into_iter().find(|method| method.method_type == SIGNED_NONCE);
        Ok(FastPass {
            okta_verify: Some(verify.status),
            signed_nonce: signed_nonce.map(|m| m.status),
        })
    }

    /// The org's Okta Verify, if it has one. Stops at the page that shows it; without retries the
    /// first page has to show it, and `BadAnswer` says that there were more.
    ///
    /// # Errors
    /// Okta's refusal, such as `InsufficientScope`.
    pub async fn find_okta_verify(
        &self,
        org: &OrgAddress,
        token: &AccessToken,
    ) -> Result<Option<Authenticator>, OktaError> {
        let mut next = Some(url_of(org.host(), PATH)?);
        // A connect has four requests in all (contract §2), and this is the third.
        let most_pages = if self.retries { MOST_PAGES } else { 1 };
        for _ in 0..most_pages {
            let Some(url) = next else { return Ok(None) };
            let page = self.get_page(org, token, url).await?;
            if let Some(found) = okta_verify(page.items)? {
                return Ok(Some(found));
            }
            next = page.next;
        }
        match next {
            None => Ok(None),
            Some(_) => Err(OktaError::bad_answer("a list of authenticators that goes on")),
        }
    }

    /// The methods of an authenticator.
    ///
    /// # Errors
    /// Okta's refusal; `NotFound` when the authenticator is gone.
    pub async fn list_authenticator_methods(
        &self,
        org: &OrgAddress,
        token: &AccessToken,
        authenticator_id: &str,
    ) -> Result<Vec<AuthenticatorMethod>, OktaError> {
        if !is_okta_id(authenticator_id) {
            return Err(OktaError::NotFound);
        }
        let url = url_of(org.host(), &format!("{PATH}/{authenticator_id}/methods"))?;
        let mut methods: Vec<AuthenticatorMethod> = self.get_page(org, token, url).await?.items;
        for method in &mut methods {
            method.status = clean_name(&method.status);
            method.method_type = clean_name(&method.method_type);
        }
        Ok(methods)
    }
}

fn okta_verify(items: Vec<OktaAuthenticator>) -> Result<Option<Authenticator>, OktaError> {
    let found = items.into_iter().find(|item| item.key.as_deref() == Some(OKTA_VERIFY));
    match found {
        None => Ok(None),
        Some(OktaAuthenticator { id: Some(id), status: Some(status), .. }) if is_okta_id(&id) => {
            Ok(Some(Authenticator { id, status: clean_name(&status) }))
        }
        Some(_) => Err(OktaError::bad_answer("an authenticator without id or status")),
    }
}

/// What may stand in a path: an id that Okta gave, and nothing that changes the path.
fn is_okta_id(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    (1..=64).contains(&text.len()) && text.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(body: &str) -> Result<Option<Authenticator>, OktaError> {
        okta_verify(serde_json::from_str(body).unwrap())
    }

    #[test]
    fn okta_verify_is_found_by_its_key_and_not_by_its_name() {
        let body = r#"[{"key":"duo","id":"aut1","status":"ACTIVE","name":"Okta Verify"},{"type":"app"},
            {"key":"okta_verify","id":"aut2","status":"INACTIVE","name":"Renamed","settings":{}}]"#;
        let found = find(body).unwrap().unwrap();
        assert_eq!((found.id.as_str(), found.is_active()), ("aut2", false));
        assert_eq!(find("[]").unwrap(), None);
    }

    #[test]
    fn fastpass_is_on_only_when_both_parts_are_active() {
        let state = |verify: &str, nonce: Option<&str>| FastPass {
            okta_verify: Some(verify.to_owned()),
            signed_nonce: nonce.map(str::to_owned),
        };
        assert!(state("ACTIVE", Some("ACTIVE")).is_on());
        for off in [
            state("ACTIVE", Some("INACTIVE")),
            state("INACTIVE", Some("ACTIVE")),
            state("ACTIVE", None),
            FastPass::default(),
        ] {
            assert!(!off.is_on(), "{off:?}");
        }
    }

    #[test]
    fn an_id_that_would_change_the_path_is_a_bad_answer() {
        for id in ["", "../users", "a/b", "a?b", "a%2fb"] {
            let body = format!(r#"[{{"key":"okta_verify","id":"{id}","status":"ACTIVE"}}]"#);
            assert!(matches!(find(&body), Err(OktaError::BadAnswer { .. })), "{id}");
        }
        assert!(find(r#"[{"key":"okta_verify","id":"aut1"}]"#).is_err());
    }
}
