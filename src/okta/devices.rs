//! Reads the org's devices (facts §5): all of them page by page, single ones by id or serial number,
//! and the users of one. Lenient in what it reads, since Okta adds fields and words at any time;
//! stores nothing, and judges no device.

use chrono::{DateTime, SecondsFormat, Utc};
use reqwest::header::{AUTHORIZATION, DATE, HeaderMap};
use serde_json::Value;
use url::Url;

use super::client::url_of;
use super::device_rows::{read_device, read_users};
use super::transport::Retry;
use super::{AccessToken, OktaClient, OktaError, OrgAddress, answer, paging, rate_limit};
use crate::egress::{EgressRequest, EgressResponse};
use crate::model::{OktaDevice, OktaDeviceUser};

const PATH: &str = "/api/v1/devices";

/// Okta's largest page.
const PAGE_SIZE: &str = "200";

/// A user has some 3 kB and a device of a list at most 20 of them: 200 devices are 12 MB then.
const LIST_LIMIT: usize = 16 * 1024 * 1024;

/// Lists show the users of each device with their status; `userSummary` would leave it out.
const EXPAND: (&str, &str) = ("expand", "user");

/// The most pages of one device's users that are read.
const MOST_USER_PAGES: usize = 50;

/// Which page of the org's devices.
#[derive(Debug, Clone)]
pub enum DevicesPage {
    /// The first one of all devices.
    First,
    /// The first one of the devices whose `lastUpdated` is later than this.
    ChangedSince(DateTime<Utc>),
    /// The one that [`DeviceList::next`] named.
    At(String),
}

/// A page of devices.
#[derive(Debug, Clone, Default)]
pub struct DeviceList {
    pub devices: Vec<OktaDevice>,
    /// How many rows could not be read.
    pub unreadable: usize,
    /// Path and query of the next page; `None` on the last one.
    pub next: Option<String>,
}

/// An answer of Okta's and what came with it.
#[derive(Debug, Clone)]
pub struct Answered<T> {
    pub value: T,
    /// Requests in a minute that the whole org may make of this kind, as its headers say.
    pub limit: Option<u32>,
    /// The time of the answer by Okta's clock.
    pub at: Option<DateTime<Utc>>,
}

impl<T> Answered<T> {
    fn new(value: T, headers: &HeaderMap) -> Self {
        let date = headers.get(DATE).and_then(|value| value.to_str().ok());
        let at = date.and_then(|date| DateTime::parse_from_rfc2822(date).ok());
        Self { value, limit: rate_limit::limit(headers), at: at.map(|at| at.to_utc()) }
    }
}

impl OktaClient {
    /// One page of the org's devices with their users, 200 at most, in one request.
    ///
    /// # Errors
    /// Okta's refusal; `BadAnswer` also when the link to the next page leads elsewhere, and for a
    /// page that is not of this list. See [`OktaError::is_dead_cursor`] for a page that is gone.
    pub async fn list_devices(
        &self,
        org: &OrgAddress,
        token: &AccessToken,
        page: &DevicesPage,
    ) -> Result<Answered<DeviceList>, OktaError> {
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
        Ok(Answered::new(list, &answered.headers))
    }

    /// One device, as Okta has it now; without its users.
    ///
    /// # Errors
    /// `NotFound`, also for an id that Okta cannot have given; else Okta's refusal.
    pub async fn get_device(
        &self,
        org: &OrgAddress,
        token: &AccessToken,
        id: &str,
    ) -> Result<Answered<OktaDevice>, OktaError> {
        let url = device_url(org, id, "")?;
        let answered = self.get_listed(org, token, url).await?;
        let unreadable = || OktaError::bad_answer("a device without id or times");
        let row: Value =
            serde_json::from_slice(answer::api(&answered)?).map_err(|_| unreadable())?;
        let device = read_device(&row).filter(|device| device.id == id).ok_or_else(unreadable)?;
        Ok(Answered::new(device, &answered.headers))
    }

    /// The users of one device, by their ids.
    ///
    /// # Errors
    /// `NotFound`, also for an id that Okta cannot have given; else Okta's refusal.
    pub async fn list_device_users(
        &self,
        org: &OrgAddress,
        token: &AccessToken,
        id: &str,
    ) -> Result<Answered<Vec<OktaDeviceUser>>, OktaError> {
        let mut url = device_url(org, id, "/users")?;
        let mut found = Vec::new();
        for _ in 0..MOST_USER_PAGES {
            let answered = self.get_listed(org, token, url.clone()).await?;
            found.extend(rows(&answered, &url)?);
            match paging::next_page(&answered.headers, &url)? {
                Some(next) => url = next,
                None => return Ok(Answered::new(read_users(&found), &answered.headers)),
            }
        }
        Err(OktaError::bad_answer("a list of a device's users that goes on"))
    }

    /// The devices of this serial number, with their users. A search lags behind by some seconds:
    /// what it shows is to be read by id before anything is decided by it.
    ///
    /// # Errors
    /// Okta's refusal.
    pub async fn find_devices_by_serial(
        &self,
        org: &OrgAddress,
        token: &AccessToken,
        serial_number: &str,
    ) -> Result<Answered<Vec<OktaDevice>>, OktaError> {
        let search = format!("profile.serialNumber eq {}", quoted(serial_number));
        let url = list_url(org, Some(&search))?;
        let answered = self.get_listed(org, token, url.clone()).await?;
        Ok(Answered::new(read_list(rows(&answered, &url)?).devices, &answered.headers))
    }

    async fn get_listed(
        &self,
        org: &OrgAddress,
        token: &AccessToken,
        url: Url,
    ) -> Result<EgressResponse, OktaError> {
        let request = EgressRequest::get(url).body_limit(LIST_LIMIT);
        let request = request.header(AUTHORIZATION, token.bearer()?);
        self.send(org.host(), request, Retry::Read).await
    }
}

fn rows(answered: &EgressResponse, url: &Url) -> Result<Vec<Value>, OktaError> {
    serde_json::from_slice(answer::api(answered)?)
        .map_err(|_| OktaError::bad_answer(format!("the list at {}", url.path())))
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
            let url = url_of(org.host(), cursor)?;
            let is_ours =
                cursor.starts_with('/') && url.host_str() == Some(org.host()) && url.path() == PATH;
            is_ours.then_some(url).ok_or_else(|| OktaError::bad_answer("a page of another list"))
        }
    }
}

fn list_url(org: &OrgAddress, search: Option<&str>) -> Result<Url, OktaError> {
    let mut url = url_of(org.host(), PATH)?;
    url.query_pairs_mut().append_pair("limit", PAGE_SIZE).append_pair(EXPAND.0, EXPAND.1);
    if let Some(search) = search {
        url.query_pairs_mut().append_pair("search", search);
    }
    Ok(url)
}

/// An id that is not of Okta's making cannot be one of its devices, and must not change the path.
fn device_url(org: &OrgAddress, id: &str, below: &str) -> Result<Url, OktaError> {
    let plain = (1..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric());
    if !plain {
        return Err(OktaError::NotFound);
    }
    url_of(org.host(), &format!("{PATH}/{id}{below}"))
}

/// A text of the filter language (RFC 7644 §3.4.2.2 takes JSON's).
fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

/// Links to the next page have lost `expand`: without it the page would tell nothing of users.
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
    fn a_stored_page_leads_to_the_same_list_of_the_same_org_only() {
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
    fn a_next_page_that_lost_expand_gets_it_again_and_keeps_the_rest_as_it_is() {
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
    fn a_search_is_one_text_however_it_is_spelled() {
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
    fn an_id_that_would_change_the_path_is_no_device() {
        for id in ["", "a/b", "..", "a?b", "a%2f", "a-b", &"x".repeat(65)] {
            assert!(matches!(device_url(&acme(), id, ""), Err(OktaError::NotFound)), "{id}");
        }
        assert!(device_url(&acme(), "guo1aB", "/users").is_ok());
    }

    #[test]
    fn a_row_that_cannot_be_read_costs_no_other_and_is_counted() {
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
