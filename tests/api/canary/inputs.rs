//! Secrets in rejected requests: bodies, URLs and headers.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use serde_json::{Value, json};

use super::watched::Watched;
use super::{MISPLACED, SECRET};
use crate::support::world::INTEGRATIONS;

impl Watched {
    /// Sends secrets in invalid bodies.
    pub async fn refused_bodies(&mut self, path: &str) {
        let credentials = format!("{path}/credentials");
        let id = "0oacanary";
        for body in [
            json!({ "client_id": id, "client_secret": [SECRET] }),
            json!({ "client_id": id, "client_secret": { "value": SECRET } }),
            json!({ "client_id": [SECRET], "client_secret": SECRET }),
            json!({ "client_secret": SECRET }),
            json!({ "client_id": id, "client_secret": SECRET, "password": SECRET }),
            json!({ "client_id": id, "client_secret": format!("{SECRET} ") }),
            json!({ "client_id": id, "client_secret": format!("{SECRET}\u{e9}") }),
            json!({ "client_id": id, "client_secret": SECRET.repeat(20) }),
            json!({ "client_id": format!("{id}:{SECRET}"), "client_secret": SECRET }),
            json!([SECRET]),
            json!(SECRET),
        ] {
            let answer = self.json(Method::PUT, &credentials, &body).await;
            answer.expect_problem(422, "invalid_request");
        }
        for (content_type, body, status) in [
            ("application/json", format!(r#"{{"client_id":"{id}","client_secret":"{SECRET}"#), 400),
            (
                "application/json",
                format!(r#"{{"client_secret":"{SECRET}","client_secret":"{SECRET}"}}"#),
                422,
            ),
            ("application/json", format!(r#"{{"client_secret": {SECRET}}}"#), 400),
            ("application/json", SECRET.to_owned(), 400),
            (
                "application/json",
                format!(r#"{{"client_id":"{id}","client_secret":"{}"}}"#, SECRET.repeat(3000)),
                413,
            ),
            ("application/x-www-form-urlencoded", format!("client_secret={SECRET}"), 415),
            (SECRET, SECRET.to_owned(), 415),
        ] {
            let answer = self.ask(Method::PUT, &credentials, &[], Some((content_type, body)), None);
            assert_eq!(answer.await.status, status);
        }
        let attestation = format!("{path}/prerequisites/adaptive_mfa/attestation");
        for (method, path, body) in [
            (Method::PATCH, path, json!({ "selected_platforms": [SECRET] })),
            (Method::PATCH, path, json!({ "selected_platforms": SECRET })),
            (Method::PATCH, path, json!({ "client_secret": SECRET })),
            (
                Method::PATCH,
                path,
                json!({ "okta_domain": format!("https://x:{SECRET}@bird.okta.com") }),
            ),
            (Method::PATCH, path, json!({ "okta_domain": [SECRET] })),
            (
                Method::POST,
                INTEGRATIONS,
                json!({ "okta_domain": "bird.okta.com", "secret": SECRET }),
            ),
            (Method::PUT, &attestation, json!({ "attested": SECRET })),
            (Method::PUT, &attestation, json!({ "attested": true, "note": [SECRET] })),
            (Method::PUT, &attestation, json!({ "attested": true, "note": SECRET.repeat(20) })),
        ] {
            self.json(method, path, &body).await.expect_problem(422, "invalid_request");
        }
        // The caller chooses the field name, and the pointer must contain it.
        let body = Some(("application/json", json!({ MISPLACED: 1 }).to_string()));
        let answer = self.ask(Method::PUT, &credentials, &[], body, Some(MISPLACED)).await;
        answer.expect_problem(422, "invalid_request");
    }

    /// Sends secrets in URLs and headers.
    pub async fn wrong_places(&mut self, path: &str) {
        let encoded: String = url::form_urlencoded::byte_serialize(SECRET.as_bytes()).collect();
        let attestation = format!("{path}/prerequisites/{MISPLACED}/attestation");
        let body = Some(("application/json", json!({ "attested": true }).to_string()));
        self.ask(Method::PUT, &attestation, &[], body, Some(MISPLACED))
            .await
            .expect_problem(404, "not_found");
        for (path, status) in [
            (format!("/{encoded}"), 404),
            (format!("{INTEGRATIONS}/{encoded}"), 404),
            (format!("{path}/{encoded}"), 404),
            (format!("{path}?client_secret={encoded}"), 200),
            (format!("{INTEGRATIONS}?cursor={encoded}"), 422),
            (format!("{INTEGRATIONS}?limit={encoded}"), 422),
            (format!("{INTEGRATIONS}?{encoded}=1"), 422),
        ] {
            let answer = self.json(Method::GET, &path, &Value::Null).await;
            assert!(
                answer.status == status || (status == 422 && answer.status == 400),
                "{path} {}",
                answer.text
            );
        }
        let quoted = format!("\"{SECRET}\"");
        let blank = format!("{SECRET} {SECRET}");
        let basic = format!("Basic {}", STANDARD.encode(format!("0oacanary:{SECRET}")));
        let bearer = format!("Bearer {SECRET}");
        let broken = format!("Bearer {}x", self.token);
        for (name, value) in [
            ("if-match", SECRET),
            ("if-match", &quoted),
            ("x-request-id", SECRET),
            ("origin", SECRET),
            ("cookie", SECRET),
            ("accept", SECRET),
            ("user-agent", SECRET),
            ("authorization", SECRET),
            ("authorization", &basic),
            ("authorization", &bearer),
            ("authorization", &broken),
        ] {
            let body = Some(("application/merge-patch+json", "{}".to_owned()));
            self.ask(Method::PATCH, path, &[(name, value)], body, None).await;
        }
        let body =
            Some(("application/json", json!({ "okta_domain": "bird.okta.com" }).to_string()));
        let headers = [("idempotency-key", blank.as_str())];
        let answer = self.ask(Method::POST, INTEGRATIONS, &headers, body, None).await;
        answer.expect_problem(400, "malformed_request");
    }
}
