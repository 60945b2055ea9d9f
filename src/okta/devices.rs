//! Reads the org's devices: page by page, by id, by serial number, and the users of a device. Unknown
//! fields and values are accepted, because Okta adds new ones at any time.

use chrono::{DateTime, SecondsFormat, Utc};
use reqwest::header::{DATE, HeaderMap};
use serde_json::Value;
use url::Url;

use super::client::https_url;
use super::device_rows::{read_device, read_users};
use super::{AccessToken, OktaClient, OktaError, OrgAddress, answer, paging, rate_limit};
use crate::egress::{EgressRequest, EgressResponse};
use crate::model::{OktaDevice, OktaDeviceUser};

const PATH: &str = "/api/v1/devices";

/// Okta's maximum page size.
const PAGE_SIZE: &str = "200";

/// A user has about 3 kB and a device in a list at most 20 users, so 200 devices may have 12 MB.
const LIST_LIMIT: usize = 16 * 1024 * 1024;

/// Embeds the users of each device with their status, which `userSummary` would omit.
const EXPAND: (&str, &str) = ("expand", "user");

/// Maximum number of pages of one device's users.
const MAX_USER_PAGES: usize = 50;

/// A page of the org's devices.
#[derive(Debug, Clone)]
pub enum DevicesPage {
    /// The first page of all devices.
    First,
    /// The first page of the devices whose `lastUpdated` is later than this.
    ChangedSince(DateTime<Utc>),
    /// The page at [`DeviceList::next`].
    At(String),
}

/// The content of a page.
#[derive(Debug, Clone, Default)]
pub struct DeviceList {
    pub devices: Vec<OktaDevice>,
    /// Number of devices that could not be read.
    pub unreadable: usize,
    /// Path and query of the next page; `None` on the last one.
    pub next: Option<String>,
}

/// A value from Okta with data of the response headers.
#[derive(Debug, Clone)]
pub struct OktaResponse<T> {
    pub value: T,
    /// The org's rate limit for this endpoint in requests per minute.
    pub limit: Option<u32>,
    /// The time of the response by Okta's clock.
    pub at: Option<DateTime<Utc>>,
}

impl<T> OktaResponse<T> {
    fn new(value: T, headers: &HeaderMap) -> Self {
        let date = headers.get(DATE).and_then(|value| value.to_str().ok());
        let at = date.and_then(|date| DateTime::parse_from_rfc2822(date).ok());
        Self { value, limit: rate_limit::limit(headers), at: at.map(|at| at.to_utc()) }
    }
}

impl OktaClient {
    /// Reads one page of up to 200 devices with their users.
    ///
    /// # Errors
    /// Okta's refusal; `BadAnswer` also if the link to the next page leads to another list. See
    /// [`OktaError::is_dead_cursor`] for a cursor that Okta no longer knows.
    pub async fn list_devices(
        &self,
        org: &OrgAddress,
        token: &AccessToken,
        page: &DevicesPage,
    ) -> Result<OktaResponse<DeviceList>, OktaError> {
        let url = page_url(org, page)?;
        let answered = self.get_listed(org, token, url.clone()).await?;
        let mut list = read_list(rows(&answered, &url)?);
        let next = paging::next_page(&answered.headers, &url)?;
        list.next = next.map(|next| path_and_query(&expanded(next)));
        if list.unreadable > 0 {
            tracing::warn!(
                okta_domain = org.host(),
                rows = list.unreadable,
                "skipped unreadable rows in a list of devices"
            );
        }
        Ok(OktaResponse::new(list, &answered.headers))
    }

    /// Reads one device without its users.
    ///
    /// # Errors
    /// `NotFound`, also for an invalid id; otherwise Okta's refusal.
    pub async fn get_device(
        &self,
        org: &OrgAddress,
        token: &AccessToken,
        id: &str,
    ) -> Result<OktaResponse<OktaDevice>, OktaError> {
        let url = device_url(org, id, "")?;
        let answered = self.get_listed(org, token, url).await?;
        let unreadable = || OktaError::bad_answer("the device has no id or no times");
        let row: Value =
            serde_json::from_slice(answer::api(&answered)?).map_err(|_| unreadable())?;
        let device = read_device(&row).filter(|device| device.id == id).ok_or_else(unreadable)?;
        Ok(OktaResponse::new(device, &answered.headers))
    }

    /// Lists the users of a device, sorted by id.
    ///
    /// # Errors
    /// `NotFound`, also for an invalid id; otherwise Okta's refusal.
    pub async fn list_device_users(
        &self,
        org: &OrgAddress,
        token: &AccessToken,
        id: &str,
    ) -> Result<OktaResponse<Vec<OktaDeviceUser>>, OktaError> {
        let mut url = device_url(org, id, "/users")?;
        let mut found = Vec::new();
        for _ in 0..MAX_USER_PAGES {
            let answered = self.get_listed(org, token, url.clone()).await?;
            found.extend(rows(&answered, &url)?);
            match paging::next_page(&answered.headers, &url)? {
                Some(next) => url = next,
                None => return Ok(OktaResponse::new(read_users(&found), &answered.headers)),
            }
        }
        Err(OktaError::bad_answer("the list of the device's users has too many pages"))
    }

    /// Searches devices by serial number, with their users. Okta's search lags by some seconds, so the
    /// caller must read a device by id before it acts on the result.
    ///
    /// # Errors
    /// Okta's refusal.
    pub async fn find_devices_by_serial(
        &self,
        org: &OrgAddress,
        token: &AccessToken,
        serial_number: &str,
    ) -> Result<OktaResponse<Vec<OktaDevice>>, OktaError> {
        let search = format!("profile.serialNumber eq {}", quoted(serial_number));
        let url = list_url(org, Some(&search))?;
        let answered = self.get_listed(org, token, url.clone()).await?;
        Ok(OktaResponse::new(read_list(rows(&answered, &url)?).devices, &answered.headers))
    }

    async fn get_listed(
        &self,
        org: &OrgAddress,
        token: &AccessToken,
        url: Url,
    ) -> Result<EgressResponse, OktaError> {
        self.read_api(org, token, EgressRequest::get(url).body_limit(LIST_LIMIT)).await
    }
}

fn rows(answered: &EgressResponse, url: &Url) -> Result<Vec<Value>, OktaError> {
    serde_json::from_slice(answer::api(answered)?)
        .map_err(|_| OktaError::bad_answer(format!("the list at {} is not readable", url.path())))
}

fn read_list(rows: Vec<Value>) -> DeviceList {
    let mut list = DeviceList::default();
    for row in rows {
        match read_device(&row) {
            Some(device) => list.devices.push(device),
            None => list.unreadable += 1,
        }
    }
    list
}

fn page_url(org: &OrgAddress, page: &DevicesPage) -> Result<Url, OktaError> {
    match page {
        DevicesPage::First => list_url(org, None),
        DevicesPage::ChangedSince(since) => {
            let since = since.to_rfc3339_opts(SecondsFormat::Millis, true);
            list_url(org, Some(&format!("lastUpdated gt {}", quoted(&since))))
        }
        DevicesPage::At(cursor) => {
            let url = https_url(org.host(), cursor)?;
            let is_ours =
                cursor.starts_with('/') && url.host_str() == Some(org.host()) && url.path() == PATH;
            is_ours
                .then_some(url)
                .ok_or_else(|| OktaError::bad_answer("the cursor belongs to another list"))
        }
    }
}

fn list_url(org: &OrgAddress, search: Option<&str>) -> Result<Url, OktaError> {
    let mut url = https_url(org.host(), PATH)?;
    url.query_pairs_mut().append_pair("limit", PAGE_SIZE).append_pair(EXPAND.0, EXPAND.1);
    if let Some(search) = search {
        url.query_pairs_mut().append_pair("search", search);
    }
    Ok(url)
}

/// Builds the URL of a device. An invalid id cannot exist in Okta and must not change the path.
fn device_url(org: &OrgAddress, id: &str, below: &str) -> Result<Url, OktaError> {
    let plain = (1..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric());
    if !plain {
        return Err(OktaError::NotFound);
    }
    https_url(org.host(), &format!("{PATH}/{id}{below}"))
}

/// Quotes a text for a filter expression, which uses JSON strings (RFC 7644 §3.4.2.2).
fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

/// Adds `expand` if the link to the next page lacks it, which happened in Okta. Without it the page would
/// have no users.
fn expanded(mut url: Url) -> Url {
    if url.query_pairs().all(|(name, _)| name != EXPAND.0) {
        url.query_pairs_mut().append_pair(EXPAND.0, EXPAND.1);
    }
    url
}

fn path_and_query(url: &Url) -> String {
    url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::integrations::okta_domain::OktaSuffixes;

    fn acme() -> OrgAddress {
        OrgAddress::parse("acme.okta.com", &OktaSuffixes::default()).unwrap()
    }

    #[test]
    fn a_stored_cursor_must_belong_to_the_same_list_and_org() {
        let at = |cursor: &str| page_url(&acme(), &DevicesPage::At(cursor.to_owned()));
        let next = "/api/v1/devices?after=guo1&limit=200&expand=user";
        let url = at(next).unwrap();
        assert_eq!(url.as_str(), format!("https://acme.okta.com{next}"));
        assert_eq!(path_and_query(&url), next);
        for foreign in [
            "https://evil.example/api/v1/devices",
            "//evil.example/api/v1/devices",
            ".evil.example/api/v1/devices",
            "@evil.example/api/v1/devices",
            "/api/v1/users?after=1",
            "/api/v1/devices/../users",
            "/api/v1/devices/guo1",
            "",
        ] {
            assert!(at(foreign).is_err(), "{foreign}");
        }
    }

    #[test]
    fn a_missing_expand_is_added_to_the_next_page() {
        let get = |query: &str| {
            let url = format!("https://acme.okta.com/api/v1/devices?{query}");
            path_and_query(&expanded(Url::parse(&url).unwrap()))
        };
        assert_eq!(
            get("after=a%20b&limit=200"),
            "/api/v1/devices?after=a%20b&limit=200&expand=user"
        );
        assert_eq!(get("after=a&expand=user"), "/api/v1/devices?after=a&expand=user");
    }

    #[test]
    fn search_values_are_quoted() {
        let url =
            list_url(&acme(), Some(&format!("x eq {}", quoted("a\" or id pr & \\")))).unwrap();
        let search = url.query_pairs().find(|(name, _)| name == "search").unwrap().1;
        assert_eq!(search, r#"x eq "a\" or id pr & \\""#);
        let since = DateTime::from_timestamp_millis(1_795_435_200_005).unwrap();
        let url = page_url(&acme(), &DevicesPage::ChangedSince(since)).unwrap();
        let search = url.query_pairs().find(|(name, _)| name == "search").unwrap().1;
        assert_eq!(search, r#"lastUpdated gt "2026-11-23T12:00:00.005Z""#);
    }

    #[test]
    fn an_id_that_would_change_the_path_is_not_found() {
        for id in ["", "a/b", "..", "a?b", "a%2f", "a-b", &"x".repeat(65)] {
            assert!(matches!(device_url(&acme(), id, ""), Err(OktaError::NotFound)), "{id}");
        }
        assert!(device_url(&acme(), "guo1aB", "/users").is_ok());
    }

    #[test]
    fn unreadable_rows_are_skipped_and_counted() {
        let rows = serde_json::json!([
            {"id": "guo1", "created": "2026-01-01T00:00:00.000Z"},
            {"id": "guo2", "status": "ACTIVE"},
            {"status": "ACTIVE"}, 7, null,
        ]);
        let list = read_list(rows.as_array().unwrap().clone());
        assert_eq!(list.devices.len(), 1);
        assert_eq!(list.unreadable, 4);
    }
}
