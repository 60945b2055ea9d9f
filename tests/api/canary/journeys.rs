//! Secrets in use: rejected by Okta, deployed to devices, rotated, sent by event hooks.

use reqwest::Method;
use serde_json::{Value, json};
use testkit::okta::{Dpop, Fault, FaultKind};

use super::watched::Watched;
use super::{MISPLACED, SCEP_PASSWORD, SECRET, SECRET_KEY, WRONG_SCEP_PASSWORD, WRONG_SECRET};
use crate::support::world::INTEGRATIONS;

impl Watched {
    /// Triggers all error responses of Okta.
    pub async fn okta_on_bad_days(&mut self, path: &str) {
        let (credentials, check) =
            (format!("{path}/credentials"), format!("{path}/prerequisites/check"));
        let org = self.world.okta.org("bird").expect("org");
        let right = json!({ "client_id": org.client_id(), "client_secret": SECRET });
        let wrong = json!({ "client_id": org.client_id(), "client_secret": WRONG_SECRET });
        self.json(Method::PUT, &credentials, &wrong).await.expect_problem(422, "invalid_client");
        let well = org.knobs();
        let changes: [fn(&mut testkit::okta::Knobs); 5] = [
            |knobs| knobs.dpop = Dpop::NonceLoop,
            |knobs| knobs.network_zone_blocked = true,
            |knobs| knobs.granted_scopes.clear(),
            |knobs| knobs.temporarily_unavailable = true,
            |knobs| knobs.client_active = false,
        ];
        for change in changes {
            org.change(change);
            assert!(!self.json(Method::PUT, &credentials, &right).await.status.is_success());
            self.json(Method::POST, &check, &Value::Null).await;
            org.change(|knobs| *knobs = well.clone());
        }
        for kind in [
            FaultKind::ConnectionReset,
            FaultKind::Html,
            FaultKind::InvalidJson,
            FaultKind::TruncatedBody,
            FaultKind::EmptyBody,
            FaultKind::WrongContentType,
            FaultKind::Oversized,
        ] {
            for path in ["/oauth2/v1/token", "/api/v1/authenticators"] {
                org.fail(Fault::new(kind).on(path));
                self.json(Method::PUT, &credentials, &right).await;
                self.json(Method::POST, &check, &Value::Null).await;
                org.recover();
            }
        }
        for fault in [
            Fault::status(500),
            Fault::status(503).on("/oauth2"),
            Fault::delay_ms(1500).on("/oauth2"),
            Fault::redirect(format!("https://evil.example/?echo={MISPLACED}")).on("/oauth2"),
        ] {
            org.fail(fault);
            self.json(Method::PUT, &credentials, &right).await;
            org.recover();
        }
        self.json(Method::PUT, &credentials, &right).await.expect(200);
        self.json(Method::POST, &check, &Value::Null).await.expect(200);
    }

    /// Both platforms: configured with wrong and correct values, verified, deployed, rotated. All responses
    /// except the two that contain a secret by design are searched.
    pub async fn platforms(&mut self, path: &str) {
        let org = self.world.okta.org("bird").expect("org");
        org.change(|knobs| SCEP_PASSWORD.clone_into(&mut knobs.scep.password));
        let macos = |password: &str| {
            json!({
                "scep_url": org.scep_url(), "challenge_url": org.challenge_url(),
                "username": org.scep_username(), "password": password,
            })
        };
        let (mac, ios) = (format!("{path}/platforms/macos"), format!("{path}/platforms/ios"));
        for body in [
            json!({ "password": [SCEP_PASSWORD] }),
            json!({ "secret_key": SECRET_KEY }),
            json!({ "username": SCEP_PASSWORD, "scep_url": format!("https://x:{SCEP_PASSWORD}@bird.okta.com/") }),
        ] {
            self.json(Method::PUT, &mac, &body).await.expect_problem(422, "invalid_request");
        }
        let wrong = self.json(Method::PUT, &mac, &macos(WRONG_SCEP_PASSWORD)).await;
        wrong.expect_problem(422, "scep_credentials_refused");
        self.json(Method::PUT, &mac, &macos(SCEP_PASSWORD)).await.expect(201);
        for body in [
            json!({ "secret_key": [SECRET_KEY] }),
            // Too long; a blank at the end would be taken off.
            json!({ "secret_key": SECRET_KEY.repeat(20) }),
        ] {
            self.json(Method::PUT, &ios, &body).await.expect_problem(422, "invalid_request");
        }
        self.json(Method::PUT, &ios, &json!({ "secret_key": SECRET_KEY })).await.expect(201);
        self.json(Method::POST, &format!("{mac}/verify"), &Value::Null).await.expect(200);
        let device = json!({ "device": {
            "serial_number": "C02CANARY123", "udid": "8A5B0C2E-1D3F-4A6B-9C8D-7E6F5A4B3C2D",
        } });
        for below in [
            format!("{mac}/scep-challenges"),
            format!("{mac}/deployments"),
            format!("{ios}/deployments"),
        ] {
            let ask = self.world.ask(Method::POST, &below).token(&self.token).json(&device);
            let answer = ask.send().await;
            assert_eq!((answer.status.as_u16(), answer.header("cache-control")), (201, "no-store"));
            self.heard.push((format!("headers of {below}"), format!("{:?}", answer.headers)));
        }
        for fault in
            [Fault::new(FaultKind::Html), Fault::new(FaultKind::TruncatedBody), Fault::status(503)]
        {
            org.fail(fault);
            self.json(Method::POST, &format!("{mac}/scep-challenges"), &device).await;
            self.json(Method::POST, &format!("{mac}/verify"), &Value::Null).await;
            org.recover();
        }
        for below in ["/platforms", "/platforms/macos", "/platforms/ios"] {
            self.json(Method::GET, &format!("{path}{below}"), &Value::Null).await.expect(200);
        }
    }

    /// A service app's key pair: created, rejected, accepted, used with and without DPoP, deactivated. Leaves a
    /// pending and an active key.
    pub async fn service_app(&mut self) -> String {
        let org = self.world.okta.org("owl").expect("org");
        org.become_service_app();
        let domain = json!({ "okta_domain": org.host() });
        let created = self.json(Method::POST, INTEGRATIONS, &domain);
        let id = created.await.expect(201)["id"].as_str().expect("id").to_owned();
        let path = format!("{INTEGRATIONS}/{id}");
        let (credentials, keys) =
            (format!("{path}/credentials"), format!("{path}/credentials/keys"));
        let own_app = json!({ "kind": "private_key_jwt", "client_id": org.client_id() });
        let made = self.json(Method::POST, &keys, &Value::Null).await.expect(201);
        self.json(Method::PUT, &credentials, &own_app).await.expect_problem(422, "key_refused");
        org.add_client_key(made["public_jwk"].clone());
        self.json(Method::PUT, &credentials, &own_app).await.expect(201);
        let well = org.knobs();
        let changes: [fn(&mut testkit::okta::Knobs); 4] = [
            |knobs| knobs.dpop = Dpop::NotRequired,
            |knobs| knobs.dpop = Dpop::NonceLoop,
            |knobs| knobs.clock_skew_seconds = 4_000,
            |knobs| knobs.client_jwks.clear(),
        ];
        for change in changes {
            org.change(change);
            self.json(Method::PUT, &credentials, &own_app).await;
            self.json(Method::POST, &format!("{path}/prerequisites/check"), &Value::Null).await;
            org.change(|knobs| *knobs = well.clone());
        }
        self.json(Method::POST, &keys, &Value::Null).await.expect(201);
        self.json(Method::GET, &keys, &Value::Null).await.expect(200);
        let url = made["jwks_url"].as_str().expect("an address").to_owned();
        let address = url::Url::parse(&url).expect("a URL");
        self.json(Method::GET, address.path(), &Value::Null).await.expect(200);
        for below in ["", "/setup", "/prerequisites", "/events?limit=200"] {
            self.json(Method::GET, &format!("{path}{below}"), &Value::Null).await.expect(200);
        }
        id
    }

    /// The hook's secrets: generated by the service, returned once, and sent in Okta's calls.
    pub async fn event_hook(&mut self, path: &str) -> Vec<String> {
        let hook = format!("{path}/event-hook");
        let event = json!({ "eventType": "device.user.add", "target": [{ "id": "guoCanary1" }] });
        let delivery = json!({ "data": { "events": [event] } }).to_string();
        let mut secrets = Vec::new();
        for status in [201, 200] {
            let ask = self.world.ask(Method::PUT, &hook).token(&self.token);
            let shown = ask.send().await;
            assert_eq!(shown.header("cache-control"), "no-store");
            let shown = shown.expect(status);
            let text = |name: &str| shown[name].as_str().expect("text").to_owned();
            let (address, secret) = (text("hook_path"), text("secret"));
            for (sent, status) in [
                (secret.clone(), 204),
                (format!("Bearer {secret}"), 404),
                (format!("{secret}x"), 404),
            ] {
                let headers = [("authorization", sent.as_str())];
                let body = Some(("application/json", delivery.clone()));
                let answer = self.ask(Method::POST, &address, &headers, body, None).await;
                assert_eq!(answer.status, status, "{}", answer.text);
            }
            let headers =
                [("authorization", secret.as_str()), ("x-okta-verification-challenge", "c")];
            self.ask(Method::GET, &address, &headers, None, None).await.expect(200);
            self.json(Method::GET, &hook, &Value::Null).await.expect(200);
            secrets.push(secret);
        }
        secrets
    }
}
