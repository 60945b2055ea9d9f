//! Sends requests to the service, prints them, and records every response for the final checks.

use std::fmt::Write;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::{Client, Method};
use serde_json::Value;
use testkit::phone::Phone;

use super::answer::{Answer, Broken, Outcome};
use super::files::Files;
use super::org::ControlledOrg;
use super::screen::Screen;
use super::secrets::{Secrets, hide};

/// Path of the integrations.
pub const INTEGRATIONS: &str = "/integrations/okta-device-trust";

/// The state of the tour that steps share.
pub struct Tour {
    pub api: Api,
    pub org: ControlledOrg,
    pub screen: Screen,
    /// The files that devices would get.
    pub files: Files,
    pub secrets: Secrets,
    /// The iOS secret key that Okta would show.
    pub secret_key: String,
    /// The SCEP password after its reset; empty before.
    pub new_password: String,
    /// A token of the MDM in the tour's tenant.
    pub mdm: String,
    /// A token in the tour's tenant that can only read trust status.
    pub reader: String,
    /// A token of another tenant with all scopes.
    pub other_tenant: String,
    /// The id of the tour's integration; empty if there is none.
    pub integration: String,
    pub etag: String,
    /// The Mac whose trust status changes during the tour.
    pub mac: Mac,
    /// The iPhone that becomes trusted.
    pub iphone: Iphone,
    /// The path and secret of the event hook; empty until it is created.
    pub hook_path: String,
    pub hook_secret: String,
}

/// A Mac with new identifiers, because the simulated org may have the Macs of earlier tours.
pub struct Mac {
    pub serial_number: String,
    pub udid: String,
    /// The Okta ids of the device and of its user; empty until Okta Verify registers the device.
    pub okta_id: String,
    pub user_id: String,
}

impl Mac {
    pub fn new() -> Self {
        let udid = uuid::Uuid::new_v4().to_string().to_uppercase();
        let serial_number = format!("TOUR{}", &udid[..8]);
        Self { serial_number, udid, okta_id: String::new(), user_id: String::new() }
    }
}

/// An iPhone with new identifiers and its installed profiles.
pub struct Iphone {
    pub serial_number: String,
    pub udid: String,
    /// The Okta ids of the device and of its user; empty until Okta Verify registers the device.
    pub okta_id: String,
    pub user_id: String,
    pub phone: Phone,
}

impl Iphone {
    pub fn new() -> Self {
        let random = uuid::Uuid::new_v4().simple().to_string().to_uppercase();
        Self {
            serial_number: format!("TOUR{}", &random[..8]),
            udid: format!("00008110-{}", &random[8..24]),
            okta_id: String::new(),
            user_id: String::new(),
            phone: Phone::default(),
        }
    }
}

pub struct Api {
    http: Client,
    base: String,
    token: String,
    took: Vec<Duration>,
    answers: Vec<Recorded>,
}

/// A recorded response, for the search for secrets.
pub struct Recorded {
    pub text: String,
    /// Whether the operation returns secrets.
    pub hands_out: bool,
}

/// A request; by default with the tour's own token.
pub struct Ask {
    method: Method,
    path: String,
    token: Token,
    headers: Vec<(&'static str, String)>,
    body: Option<Value>,
}

enum Token {
    Own,
    Other(String),
    None,
}

impl Ask {
    fn new(method: Method, path: impl Into<String>) -> Self {
        Self { method, path: path.into(), token: Token::Own, headers: Vec::new(), body: None }
    }

    pub fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path)
    }

    pub fn post(path: impl Into<String>) -> Self {
        Self::new(Method::POST, path)
    }

    pub fn put(path: impl Into<String>) -> Self {
        Self::new(Method::PUT, path)
    }

    pub fn patch(path: impl Into<String>) -> Self {
        Self::new(Method::PATCH, path)
    }

    pub fn delete(path: impl Into<String>) -> Self {
        Self::new(Method::DELETE, path)
    }

    pub fn without_token(self) -> Self {
        Self { token: Token::None, ..self }
    }

    pub fn token(self, token: &str) -> Self {
        Self { token: Token::Other(token.to_owned()), ..self }
    }

    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub fn body(self, body: Value) -> Self {
        Self { body: Some(body), ..self }
    }

    /// Returns whether the operation returns secrets.
    fn hands_out(&self, status: u16) -> bool {
        let path = self.path.as_str();
        let of_devices = path.ends_with("/scep-challenges") || path.ends_with("/deployments");
        // The secret of an event hook is returned only when it is created.
        status == 201 && (of_devices || path.ends_with("/event-hook"))
    }

    fn line(&self) -> String {
        let mut line = format!("{} {}", self.method, self.path);
        for (name, value) in &self.headers {
            let _ = write!(line, "  {name}: {value}");
        }
        line
    }
}

impl Api {
    pub fn new(http: Client, base: &str, token: String) -> Self {
        Self { http, base: base.to_owned(), token, took: Vec::new(), answers: Vec::new() }
    }

    /// Returns all responses so far, including headers.
    pub fn answers(&self) -> &[Recorded] {
        &self.answers
    }

    pub fn count(&self) -> usize {
        self.took.len()
    }

    /// Returns the median duration of a request.
    pub fn median_ms(&self) -> f64 {
        let mut sorted = self.took.clone();
        sorted.sort_unstable();
        sorted.get(sorted.len() / 2).map_or(0.0, |took| took.as_secs_f64() * 1000.0)
    }

    async fn send(&mut self, ask: &Ask) -> Result<(Answer, Duration), Broken> {
        let mut request =
            self.http.request(ask.method.clone(), format!("{}{}", self.base, ask.path));
        request = match &ask.token {
            Token::Own => request.bearer_auth(&self.token),
            Token::Other(token) => request.bearer_auth(token),
            Token::None => request,
        };
        for (name, value) in &ask.headers {
            request = request.header(*name, value);
        }
        if let Some(body) = &ask.body {
            request = request.json(body);
        }
        let started = Instant::now();
        let response = request.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await?;
        let took = started.elapsed();
        let json = serde_json::from_str(&text).unwrap_or(Value::Null);
        let answer = Answer { status, headers, text, json };
        self.took.push(took);
        let text = format!("{}\n{}\n{}", answer.head(), answer.text, contents(&answer.json));
        self.answers.push(Recorded { text, hands_out: ask.hands_out(answer.status) });
        Ok((answer, took))
    }
}

impl Tour {
    pub async fn step(
        &mut self,
        title: &str,
        act: impl AsyncFnOnce(&mut Self) -> Outcome,
    ) -> Result<(), Broken> {
        self.screen.step(title);
        let outcome = act(self).await?;
        self.screen.done(&outcome);
        Ok(())
    }

    /// Sends a request and prints it with its response.
    pub async fn ask(&mut self, ask: Ask) -> Result<Answer, Broken> {
        self.show_request(&ask);
        let (answer, took) = self.api.send(&ask).await?;
        self.screen.answer(answer.status, took.as_secs_f64() * 1000.0);
        Ok(answer)
    }

    /// Sends a request and prints nothing.
    pub async fn ask_quietly(&mut self, ask: Ask) -> Result<Answer, Broken> {
        Ok(self.api.send(&ask).await?.0)
    }

    /// Prints a request of `ask_quietly` and its response.
    pub fn show(&self, ask: &Ask, answer: &Answer) {
        self.show_request(ask);
        self.screen.answered(answer.status);
    }

    fn show_request(&self, ask: &Ask) {
        let body = ask.body.clone().map(|mut body| {
            hide(&mut body);
            shortened(&body.to_string())
        });
        // The id is printed once, when it is created: repeated, it would make every line too long.
        let line = match self.integration.as_str() {
            "" => ask.line(),
            id => ask.line().replace(id, "{id}"),
        };
        self.screen.request(&line, body.as_deref());
    }

    /// Returns a path below the tour's integration.
    pub fn path(&self, rest: &str) -> String {
        format!("{INTEGRATIONS}/{}{rest}", self.integration)
    }

    /// Restores the org and deletes the integration, whatever the result of the tour.
    pub async fn tidy_up(&mut self) {
        self.files.tidy_up();
        self.org.restore().await;
        if !self.integration.is_empty() {
            let _ = self.api.send(&Ask::delete(self.path("?confirm=true"))).await;
        }
    }
}

/// Decodes the profiles in a response, to search them for secrets, too.
fn contents(answer: &Value) -> String {
    let profiles = answer["profiles"].as_array().into_iter().flatten();
    let decoded = profiles.filter_map(|profile| STANDARD.decode(profile["content"].as_str()?).ok());
    decoded.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).collect()
}

/// Truncates a body, because a thousand devices would fill the screen.
fn shortened(text: &str) -> String {
    const MAX_CHARS: usize = 1000;
    match text.char_indices().nth(MAX_CHARS) {
        Some((end, _)) => format!("{}… ({} bytes)", &text[..end], text.len()),
        None => text.to_owned(),
    }
}
