//! Reads lists page by page. A `next` link is followed only to the same path on the same host, so that a
//! response header cannot redirect a token.

use reqwest::header::{HeaderMap, LINK};
use serde::de::DeserializeOwned;
use url::Url;

use super::{AccessToken, OktaClient, OktaError, OrgAddress, answer, link};

/// One page of a list.
#[derive(Debug)]
pub(super) struct Page<T> {
    pub items: Vec<T>,
    pub next: Option<Url>,
}

impl OktaClient {
    /// Requests one page.
    pub(super) async fn get_page<T: DeserializeOwned>(
        &self,
        org: &OrgAddress,
        token: &AccessToken,
        url: Url,
    ) -> Result<Page<T>, OktaError> {
        let answered = self.get_api(org, token, url.clone()).await?;
        let items = serde_json::from_slice(answer::api(&answered)?).map_err(|_| {
            OktaError::bad_answer(format!("the list at {} is not readable", url.path()))
        })?;
        Ok(Page { items, next: next_page(&answered.headers, &url)? })
    }
}

/// Returns the URL of the page after `current`, if there is one.
pub(super) fn next_page(headers: &HeaderMap, current: &Url) -> Result<Option<Url>, OktaError> {
    let values = headers.get_all(LINK).into_iter().filter_map(|value| value.to_str().ok());
    let Some(target) = link::find(values, "next") else { return Ok(None) };
    let next = current.join(&target).ok().filter(|next| may_follow(next, current));
    let refused = || OktaError::bad_answer("the link to the next page leads to another list");
    next.map(Some).ok_or_else(refused)
}

/// Returns whether `next` is another page of the same list on the same host. A link to the current page
/// would never end.
fn may_follow(next: &Url, current: &Url) -> bool {
    next.scheme() == "https"
        && next.host_str() == current.host_str()
        && next.port().is_none()
        && next.username().is_empty()
        && next.password().is_none()
        && next.path() == current.path()
        && next.query() != current.query()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(target: &str) -> Result<Option<String>, OktaError> {
        let mut headers = HeaderMap::new();
        headers
            .append(LINK, r#"<https://acme.okta.com/api/v1/devices>; rel="self""#.parse().unwrap());
        headers.append(LINK, format!(r#"<{target}>; rel="next""#).parse().unwrap());
        let current = Url::parse("https://acme.okta.com/api/v1/devices?limit=2").unwrap();
        next_page(&headers, &current).map(|next| next.map(String::from))
    }

    #[test]
    fn the_next_page_of_the_same_list_is_followed() {
        let expected = "https://acme.okta.com/api/v1/devices?after=guo1";
        for target in [
            expected,
            "/api/v1/devices?after=guo1",
            "?after=guo1",
            "https://ACME.okta.com:443/api/v1/devices?after=guo1",
        ] {
            assert_eq!(next(target).unwrap().as_deref(), Some(expected));
        }
    }

    #[test]
    fn a_next_link_to_another_list_is_refused() {
        for target in [
            "https://evil.example/api/v1/devices?after=1",
            "//evil.example/api/v1/devices?after=1",
            "http://acme.okta.com/api/v1/devices?after=1",
            "https://acme.okta.com:8443/api/v1/devices?after=1",
            "https://u:p@acme.okta.com/api/v1/devices?after=1",
            "https://acme.okta.com.evil.example/api/v1/devices?after=1",
            "https://acme.okta.com/api/v1/users?after=1",
            "https://acme.okta.com/api/v1/devices/../users?after=1",
            "https://acme.okta.com/api/v1/devices?limit=2",
            "https://[",
        ] {
            assert!(matches!(next(target), Err(OktaError::BadAnswer { .. })), "{target}");
        }
    }

    #[test]
    fn the_last_page_has_no_next() {
        let current = Url::parse("https://acme.okta.com/api/v1/devices").unwrap();
        assert_eq!(next_page(&HeaderMap::new(), &current).unwrap(), None);
    }
}
