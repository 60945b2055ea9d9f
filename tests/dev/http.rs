//! The HTTP client of the development tools, for requests to the service and the simulated org.

use std::time::Duration;

use reqwest::{Certificate, Client};

use crate::Failure;

/// Longer than the longest operation of the service: a connect to Okta may take 15 s.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// Creates a client that trusts only the simulated org's root certificate.
#[expect(clippy::disallowed_methods, reason = "a caller of the service, not a part of it")]
pub fn client(sim_ca: &str) -> Result<Client, Failure> {
    let root = Certificate::from_pem(&std::fs::read(sim_ca)?)?;
    let builder = Client::builder().no_proxy().timeout(REQUEST_TIMEOUT).tls_certs_only([root]);
    Ok(builder.build()?)
}

/// Waits up to 10 s until the service is ready.
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
    Err(format!("the service was not ready within 10 s; last response: {last}").into())
}
