//! Reads the org's authenticators, which show whether `FastPass` is enabled.
//!
//! `FastPass` is the method `signed_nonce` of the authenticator `okta_verify` or, in an org that has split
//! Okta Verify ("Flexible Okta Verify", 2026.08), the authenticator `okta_verify_fastpass` next to a legacy
//! `okta_verify`.

use serde::Deserialize;

use super::client::https_url;
use super::error::clean_name;
use super::{AccessToken, OktaClient, OktaError, OrgAddress};

/// The key of the authenticator Okta Verify.
pub const OKTA_VERIFY: &str = "okta_verify";

/// The key of the authenticator `FastPass` in an org that has split Okta Verify.
pub const OKTA_VERIFY_FASTPASS: &str = "okta_verify_fastpass";

/// The type of the method `FastPass` of Okta Verify.
pub const SIGNED_NONCE: &str = "signed_nonce";

const ACTIVE: &str = "ACTIVE";

const PATH: &str = "/api/v1/authenticators";

/// Maximum number of pages; an org has about ten authenticators on one page.
const MAX_PAGES: usize = 5;

/// An authenticator of the org.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authenticator {
    pub id: String,
    /// `ACTIVE`, `INACTIVE` or any other value from Okta.
    pub status: String,
}

/// A method of an authenticator.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct AuthenticatorMethod {
    /// Such as `signed_nonce`, `push`, `totp`.
    #[serde(rename = "type")]
    pub method_type: String,
    /// `ACTIVE`, `INACTIVE` or any other value from Okta.
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

/// The status of Okta Verify, of its method `signed_nonce`, and of the authenticator
/// `okta_verify_fastpass`; `None` if it does not exist or was not read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FastPass {
    pub okta_verify: Option<String>,
    pub signed_nonce: Option<String>,
    pub okta_verify_fastpass: Option<String>,
}

impl FastPass {
    /// Returns whether `FastPass` is enabled in either form.
    #[must_use]
    pub fn is_on(&self) -> bool {
        let active = |status: &Option<String>| status.as_deref() == Some(ACTIVE);
        active(&self.okta_verify_fastpass)
            || (active(&self.okta_verify) && active(&self.signed_nonce))
    }
}

/// The authenticators by which an org shows `FastPass`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OktaVerify {
    /// The authenticator `okta_verify`, which has the methods.
    pub whole: Option<Authenticator>,
    /// The authenticator `okta_verify_fastpass`.
    pub fastpass: Option<Authenticator>,
}

impl OktaVerify {
    fn has_active_fastpass(&self) -> bool {
        self.fastpass.as_ref().is_some_and(Authenticator::is_active)
    }
}

/// An authenticator. Other kinds than Okta Verify may lack any field.
#[derive(Deserialize)]
struct OktaAuthenticator {
    id: Option<String>,
    key: Option<String>,
    status: Option<String>,
}

impl OktaClient {
    /// Reads the state of `FastPass` with one or two requests. The methods of Okta Verify are read only if
    /// they matter.
    ///
    /// # Errors
    /// Okta's refusal, such as `InsufficientScope`.
    pub async fn find_fastpass(
        &self,
        org: &OrgAddress,
        token: &AccessToken,
    ) -> Result<FastPass, OktaError> {
        let found = self.find_okta_verify(org, token).await?;
        let decided = found.has_active_fastpass();
        let mut shown = FastPass {
            okta_verify_fastpass: found.fastpass.map(|fastpass| fastpass.status),
            ..FastPass::default()
        };
        let Some(verify) = found.whole else { return Ok(shown) };
        shown.okta_verify = Some(verify.status);
        if !decided {
            let methods = self.list_authenticator_methods(org, token, &verify.id).await?;
            let method = methods.into_iter().find(|method| method.method_type == SIGNED_NONCE);
            shown.signed_nonce = method.map(|method| method.status);
        }
        Ok(shown)
    }

    /// Finds the org's Okta Verify in both forms. Reads all pages unless one shows that `FastPass` is
    /// enabled. Without retries only the first page is read, and `BadAnswer` means that it has neither form
    /// and there are more.
    ///
    /// # Errors
    /// Okta's refusal, such as `InsufficientScope`.
    pub async fn find_okta_verify(
        &self,
        org: &OrgAddress,
        token: &AccessToken,
    ) -> Result<OktaVerify, OktaError> {
        let mut next = Some(https_url(org.host(), PATH)?);
        let mut found = OktaVerify::default();
        // A connect makes at most four requests to Okta, and this is the third.
        let max_pages = if self.retries { MAX_PAGES } else { 1 };
        for _ in 0..max_pages {
            let Some(url) = next.take() else { break };
            let page = self.get_page(org, token, url).await?;
            read_okta_verify(page.items, &mut found)?;
            if found.has_active_fastpass() {
                return Ok(found);
            }
            next = page.next;
        }
        if next.is_some() && found == OktaVerify::default() {
            return Err(OktaError::bad_answer("the list of authenticators has too many pages"));
        }
        Ok(found)
    }

    /// Lists the methods of an authenticator.
    ///
    /// # Errors
    /// Okta's refusal; `NotFound` if the authenticator does not exist.
    pub async fn list_authenticator_methods(
        &self,
        org: &OrgAddress,
        token: &AccessToken,
        authenticator_id: &str,
    ) -> Result<Vec<AuthenticatorMethod>, OktaError> {
        if !is_okta_id(authenticator_id) {
            return Err(OktaError::NotFound);
        }
        let url = https_url(org.host(), &format!("{PATH}/{authenticator_id}/methods"))?;
        let mut methods: Vec<AuthenticatorMethod> = self.get_page(org, token, url).await?.items;
        for method in &mut methods {
            method.status = clean_name(&method.status);
            method.method_type = clean_name(&method.method_type);
        }
        Ok(methods)
    }
}

fn read_okta_verify(
    items: Vec<OktaAuthenticator>,
    found: &mut OktaVerify,
) -> Result<(), OktaError> {
    for item in items {
        let place = match item.key.as_deref() {
            Some(OKTA_VERIFY) => &mut found.whole,
            Some(OKTA_VERIFY_FASTPASS) => &mut found.fastpass,
            _ => continue,
        };
        let (Some(id), Some(status)) = (item.id.filter(|id| is_okta_id(id)), item.status) else {
            return Err(OktaError::bad_answer("an authenticator has no id or status"));
        };
        *place = Some(Authenticator { id, status: clean_name(&status) });
    }
    Ok(())
}

/// Returns whether the text is an id from Okta that is safe in a path.
fn is_okta_id(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    (1..=64).contains(&text.len()) && text.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(body: &str) -> Result<OktaVerify, OktaError> {
        let mut found = OktaVerify::default();
        read_okta_verify(serde_json::from_str(body).unwrap(), &mut found).map(|()| found)
    }

    #[test]
    fn okta_verify_is_found_by_its_key_not_by_its_name() {
        let body = r#"[{"key":"duo","id":"aut1","status":"ACTIVE","name":"Okta Verify"},{"type":"app"},
            {"key":"okta_verify","id":"aut2","status":"INACTIVE","name":"Renamed","settings":{}}]"#;
        let found = find(body).unwrap();
        let verify = found.whole.unwrap();
        assert_eq!((verify.id.as_str(), verify.is_active()), ("aut2", false));
        assert_eq!(found.fastpass, None);
        assert_eq!(find("[]").unwrap(), OktaVerify::default());
    }

    #[test]
    fn fastpass_is_on_when_both_parts_of_okta_verify_are_active_or_its_own_authenticator_is() {
        let state = |verify: &str, nonce: Option<&str>, own: Option<&str>| FastPass {
            okta_verify: Some(verify.to_owned()),
            signed_nonce: nonce.map(str::to_owned),
            okta_verify_fastpass: own.map(str::to_owned),
        };
        for on in [
            state("ACTIVE", Some("ACTIVE"), None),
            state("ACTIVE", Some("ACTIVE"), Some("INACTIVE")),
            state("INACTIVE", None, Some("ACTIVE")),
            FastPass { okta_verify_fastpass: Some("ACTIVE".to_owned()), ..FastPass::default() },
        ] {
            assert!(on.is_on(), "{on:?}");
        }
        for off in [
            state("ACTIVE", Some("INACTIVE"), None),
            state("INACTIVE", Some("ACTIVE"), None),
            state("ACTIVE", None, Some("INACTIVE")),
            FastPass::default(),
        ] {
            assert!(!off.is_on(), "{off:?}");
        }
    }

    #[test]
    fn a_split_okta_verify_is_found_in_parts() {
        let body = r#"[{"key":"okta_verify_totp","id":"aut1","status":"ACTIVE"},
            {"key":"okta_verify_push","id":"aut2","status":"ACTIVE"},
            {"key":"okta_verify_fastpass","id":"aut3","status":"ACTIVE"},
            {"key":"okta_verify","id":"aut4","status":"INACTIVE"}]"#;
        let found = find(body).unwrap();
        assert!(found.has_active_fastpass());
        assert_eq!(found.fastpass.unwrap().id, "aut3");
        assert_eq!(found.whole.unwrap().id, "aut4");
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
