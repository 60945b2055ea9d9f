//! Faults: what a network, a proxy or a bad day at Okta makes of an answer.
//!
//! This file says which fault hits which request; [`front`](super::front) carries it out.

use serde::{Deserialize, Serialize};

/// One fault. Without `path` it hits every request, without `times` until it is taken away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    pub kind: FaultKind,
    /// Hits the paths that begin so; "" hits all.
    #[serde(default)]
    pub path: String,
    /// Hits only this host (a custom domain, say).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Lets so many requests through first.
    #[serde(default)]
    pub after: u32,
    /// Hits so many requests and is used up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u32>,
    /// For `delay`: how long before the request is looked at. For `slow_body`: how long between two bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ms: Option<u64>,
    /// For `status`: 500, 502 or 503, say. For `redirect`: 302 unless told otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// For `redirect`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// For `oversized`: 20 MB unless told otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// The connection closes without an answer; the request is not looked at.
    ConnectionReset,
    /// An error status; the request is not looked at.
    Status,
    /// A pause before the request is looked at; then all is as usual.
    Delay,
    /// The right answer, a byte at a time.
    SlowBody,
    /// 200 and a web page, as a captive portal or a maintenance page gives.
    Html,
    /// 403 and a web page without `WWW-Authenticate`: a network zone of the org blocks the caller.
    Blocked,
    /// The right answer, cut so that it is no JSON, complete as far as HTTP can tell.
    InvalidJson,
    /// The right JSON, called `text/html`.
    WrongContentType,
    /// The connection closes in the middle of the right answer.
    TruncatedBody,
    /// A body that does not end for a long while.
    Oversized,
    Redirect,
    /// The right status and no body.
    EmptyBody,
    /// 400 `E0000031`: Okta no longer knows the page that was asked for.
    DeadCursor,
    /// The right answer, whose link to the next page leads to another host.
    ForeignNext,
}

impl FaultKind {
    /// Whether the request is looked at, and the answer spoiled only then.
    pub(super) fn lets_the_org_see_it(self) -> bool {
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

    /// Only for paths that begin with `path`.
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

/// All faults that hit this request, each counted down; used-up ones disappear.
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
    fn a_fault_waits_hits_and_is_used_up() {
        let mut faults = vec![Fault::status(503).on("/api").after(1).times(2)];
        let hits: Vec<usize> = ["/oauth2/v1/token", "/api/a", "/api/b", "/api/c", "/api/d"]
            .iter()
            .map(|path| take(&mut faults, "acme.okta.com", path).len())
            .collect();
        assert_eq!(hits, [0, 0, 1, 1, 0]);
        assert!(faults.is_empty());
    }
}
