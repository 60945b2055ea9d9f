//! Faults of a network, a proxy or Okta.
//!
//! Determines which fault affects which request; [`front`](super::front) applies it.

use serde::{Deserialize, Serialize};

/// A fault. Without `path` it affects every request; without `times` until it is removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    pub kind: FaultKind,
    /// Affects paths with this prefix; "" affects all.
    #[serde(default)]
    pub path: String,
    /// Affects only this host, such as a custom domain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// The number of requests to skip first.
    #[serde(default)]
    pub after: u32,
    /// The number of requests to affect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u32>,
    /// For `delay`: the time before the request is processed. For `slow_body`: the time between two bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ms: Option<u64>,
    /// For `status`: such as 500, 502 or 503. For `redirect`: 302 by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// For `redirect`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// For `oversized`: 20 MB by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// The connection closes without a response; the request is not processed.
    ConnectionReset,
    /// An error status; the request is not processed.
    Status,
    /// A delay before the request is processed normally.
    Delay,
    /// The correct response, one byte at a time.
    SlowBody,
    /// 200 and a web page, like a captive portal or a maintenance page.
    Html,
    /// 403 and a web page without `WWW-Authenticate`: a network zone of the org blocks the caller.
    Blocked,
    /// The correct response, truncated to invalid JSON but complete for HTTP.
    InvalidJson,
    /// The correct JSON as `text/html`.
    WrongContentType,
    /// The connection closes in the middle of the correct response.
    TruncatedBody,
    /// A very long body.
    Oversized,
    Redirect,
    /// The correct status without a body.
    EmptyBody,
    /// 400 `E0000031`: Okta no longer knows the cursor.
    DeadCursor,
    /// The correct response with a link to the next page on another host.
    ForeignNext,
}

impl FaultKind {
    /// Returns whether the request is processed and only the response is changed.
    pub(super) fn reaches_the_org(self) -> bool {
        !matches!(
            self,
            Self::ConnectionReset
                | Self::Status
                | Self::Html
                | Self::Blocked
                | Self::Redirect
                | Self::DeadCursor
        )
    }
}

impl Fault {
    pub fn new(kind: FaultKind) -> Self {
        Self {
            kind,
            path: String::new(),
            host: None,
            after: 0,
            times: None,
            ms: None,
            status: None,
            to: None,
            bytes: None,
        }
    }

    pub fn status(status: u16) -> Self {
        Self { status: Some(status), ..Self::new(FaultKind::Status) }
    }

    pub fn delay_ms(ms: u64) -> Self {
        Self { ms: Some(ms), ..Self::new(FaultKind::Delay) }
    }

    pub fn redirect(to: impl Into<String>) -> Self {
        Self { to: Some(to.into()), ..Self::new(FaultKind::Redirect) }
    }

    /// Limits the fault to paths with this prefix.
    pub fn on(mut self, path: impl Into<String>) -> Self {
        self.path = path.into();
        self
    }

    pub fn on_host(mut self, host: impl Into<String>) -> Self {
        self.host = Some(host.into());
        self
    }

    pub fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }

    pub fn after(mut self, requests: u32) -> Self {
        self.after = requests;
        self
    }

    fn concerns(&self, host: &str, path: &str) -> bool {
        path.starts_with(&self.path)
            && self.host.as_deref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(host))
    }
}

/// Returns the faults that affect this request. Counts them down and removes used ones.
pub(super) fn take(faults: &mut Vec<Fault>, host: &str, path: &str) -> Vec<Fault> {
    let mut hits = Vec::new();
    for fault in faults.iter_mut().filter(|fault| fault.concerns(host, path)) {
        if fault.after > 0 {
            fault.after -= 1;
            continue;
        }
        if fault.times == Some(0) {
            continue;
        }
        fault.times = fault.times.map(|times| times - 1);
        hits.push(fault.clone());
    }
    faults.retain(|fault| fault.times != Some(0));
    hits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fault_skips_affects_and_expires() {
        let mut faults = vec![Fault::status(503).on("/api").after(1).times(2)];
        let hits: Vec<usize> = ["/oauth2/v1/token", "/api/a", "/api/b", "/api/c", "/api/d"]
            .iter()
            .map(|path| take(&mut faults, "acme.okta.com", path).len())
            .collect();
        assert_eq!(hits, [0, 0, 1, 1, 0]);
        assert!(faults.is_empty());
    }
}
