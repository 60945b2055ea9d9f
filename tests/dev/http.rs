//! The HTTP client of the development tools: it asks the service and the simulated org, as `curl` would.

use std::time::Duration;

use reqwest::{Certificate, Client};

use crate::Failure;

/// Longer than anything that the service may take: a connect to Okta has 15 s.
const PATIENCE: Duration = Duration::from_secs(30);

/// A client that trusts the simulated org's root, and nothing else over TLS.
#[expect(clippy::disallowed_methods, reason = "a caller of the service, not a part of it")]
pub fn client(sim_ca: &str) -> Result<Client, Failure> {
    let root = Certificate::from_pem(&std::fs::read(sim_ca)?)?;
    let builder = Client::builder().no_proxy().timeout(PATIENCE).tls_certs_only([root]);
    Ok(builder.build()?)
}

/// Waits until the service says that it can answer.
pub async fn wait_until_ready(client: &Client, url: &str) -> Result<(), Failure> {
    let mut last = String::new();
    for _ in 0..100 {
        match client.get(format!("{url}/health/ready")).send().await {
            Ok(answer) if answer.status().is_success() => return Ok(()),
            Ok(answer) => last = answer.text().await?,
            Err(error) => last = error.to_string(),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Err(format!("the service was not ready within 10 s; the last it said was: {last}").into())
}
