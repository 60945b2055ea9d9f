//! Builds the underlying HTTP clients and selects one for each request.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::{Certificate, Client, ClientBuilder, Proxy, redirect};
use url::{Host, Url};

use super::error::ResolveError;
use super::resolver::{
    Lookup, MAX_OPERATOR_LOOKUPS, MAX_TENANT_LOOKUPS, OverrideResolver, PublicResolver,
    SystemResolver, resolve_public, system_lookup,
};
use super::{EgressError, EgressRequest, EgressResponse, EgressSetupError, Policy};

const USER_AGENT: &str = concat!("okta-device-trust/", env!("CARGO_PKG_VERSION"));

/// Settings of the egress client. No `Debug`: the proxy URL may contain a password.
#[derive(Clone)]
pub struct EgressSettings {
    /// Additional root certificates in PEM, trusted for the overridden hosts only.
    pub extra_root_ca_pem: Option<Vec<u8>>,
    /// Lower-case host names and the addresses to connect to instead of resolving them.
    pub host_overrides: BTreeMap<String, SocketAddr>,
    /// The forward proxy for all but the overridden hosts. Environment variables such as `HTTP_PROXY`
    /// are ignored. The proxy resolves names again, so it must refuse private addresses itself.
    pub proxy: Option<Url>,
    /// Timeout of DNS lookup, connection and TLS handshake together. Default 5 s.
    pub connect_timeout: Duration,
    /// Timeout of a whole request, up to the last byte of the answer. Default 10 s.
    pub request_timeout: Duration,
}

impl Default for EgressSettings {
    fn default() -> Self {
        Self {
            extra_root_ca_pem: None,
            host_overrides: BTreeMap::new(),
            proxy: None,
            connect_timeout: Duration::from_secs(5),
            request_timeout: Duration::from_secs(10),
        }
    }
}

/// The egress client. Cheap to clone; clones share their connections.
#[derive(Clone)]
pub struct Egress {
    tenant: Client,
    operator: Client,
    /// `None` if no host is overridden.
    overridden: Option<Client>,
    overrides: Arc<BTreeMap<String, SocketAddr>>,
    lookup: Lookup,
    behind_proxy: bool,
}

impl Egress {
    /// Builds the client. A rustls crypto provider must be installed first.
    ///
    /// # Errors
    /// If the machine has no trusted roots or a setting cannot be used.
    pub fn new(settings: EgressSettings) -> Result<Self, EgressSetupError> {
        let timeout = settings.connect_timeout;
        let for_tenants = system_lookup(MAX_TENANT_LOOKUPS, timeout);
        Self::with_lookups(settings, for_tenants, system_lookup(MAX_OPERATOR_LOOKUPS, timeout))
    }

    /// Lists every problem of the settings, for a report of all at once.
    pub fn problems(settings: &EgressSettings) -> Vec<EgressSetupError> {
        let mut problems: Vec<_> = override_problems(&settings.host_overrides).collect();
        problems.extend(extra_roots(settings).err());
        if problems.is_empty() {
            problems.extend(Self::new(settings.clone()).err());
        }
        problems
    }

    /// Builds the client with other name lookups, for tests. All address checks stay in place.
    pub(super) fn with_lookups(
        settings: EgressSettings,
        lookup: Lookup,
        for_operator: Lookup,
    ) -> Result<Self, EgressSetupError> {
        if let Some(problem) = override_problems(&settings.host_overrides).next() {
            return Err(problem);
        }
        let proxy_host = settings.proxy.as_ref().and_then(Url::host_str).map(str::to_owned);
        let public_only = PublicResolver { lookup: Arc::clone(&lookup), proxy_host };
        let system = SystemResolver { lookup: for_operator };
        let overridden = overridden_client(&settings)?;
        Ok(Self {
            tenant: build(proxied(&settings)?.dns_resolver(public_only).https_only(true))?,
            operator: build(proxied(&settings)?.dns_resolver(system))?,
            overridden,
            overrides: Arc::new(settings.host_overrides),
            lookup,
            behind_proxy: settings.proxy.is_some(),
        })
    }

    /// Lists the overridden hosts, for the start-up warning, the readiness report and the metric.
    pub fn overrides(&self) -> impl ExactSizeIterator<Item = &str> {
        self.overrides.keys().map(String::as_str)
    }

    /// Sends a request under `policy` and reads the whole response. A redirect is returned, not followed.
    ///
    /// # Errors
    /// If the policy refuses the URL or its addresses, or no complete response arrives in time.
    pub async fn send(
        &self,
        policy: Policy<'_>,
        request: EgressRequest,
    ) -> Result<EgressResponse, EgressError> {
        let host = policy.check(&request.url)?;
        let client = self.client_for(policy, host).await?;
        let response = client
            .request(request.method, request.url)
            .headers(request.headers)
            .body(request.body)
            .send()
            .await
            .map_err(EgressError::from_client)?;
        EgressResponse::read(response, request.body_limit).await
    }

    async fn client_for(&self, policy: Policy<'_>, host: &str) -> Result<&Client, EgressError> {
        if let Some(client) = self.overridden.as_ref().filter(|_| self.overrides.contains_key(host))
        {
            return Ok(client);
        }
        match policy {
            Policy::Operator => Ok(&self.operator),
            Policy::Tenant { .. } => {
                self.check_before_proxy(host).await?;
                Ok(&self.tenant)
            }
        }
    }

    /// Checks the target's addresses before a request through the proxy, because then our resolver is
    /// not asked for them. If only the proxy can resolve names, the proxy must do this check.
    async fn check_before_proxy(&self, host: &str) -> Result<(), EgressError> {
        if !self.behind_proxy {
            return Ok(());
        }
        match resolve_public(&self.lookup, host.to_owned()).await {
            Err(refused @ ResolveError::SpecialPurpose { .. }) => Err(refused.to_egress()),
            _ => Ok(()),
        }
    }
}

fn override_problems(
    overrides: &BTreeMap<String, SocketAddr>,
) -> impl Iterator<Item = EgressSetupError> {
    overrides.iter().filter_map(|(host, address)| {
        // A name that the parser normalizes differently would never match the host of a URL.
        if !matches!(Host::parse(host), Ok(Host::Domain(parsed)) if parsed == *host) {
            return Some(EgressSetupError::OverrideHostInvalid { host: host.clone() });
        }
        let without_port =
            || EgressSetupError::OverrideWithoutPort { host: host.clone(), address: *address };
        (address.port() == 0).then(without_port)
    })
}

/// Settings that all underlying clients share.
fn common(settings: &EgressSettings) -> ClientBuilder {
    #[expect(
        clippy::disallowed_methods,
        reason = "the egress client is the only place that may build one"
    )]
    let builder = Client::builder();
    builder
        .user_agent(USER_AGENT)
        .no_proxy()
        .redirect(redirect::Policy::none())
        .referer(false)
        .connect_timeout(settings.connect_timeout)
        .timeout(settings.request_timeout)
}

fn proxied(settings: &EgressSettings) -> Result<ClientBuilder, EgressSetupError> {
    let builder = common(settings);
    let Some(url) = &settings.proxy else { return Ok(builder) };
    let proxy = Proxy::all(url.clone())
        .map_err(|error| EgressSetupError::ProxyInvalid { source: error.without_url() })?;
    Ok(builder.proxy(proxy))
}

/// The only client that trusts the extra roots. Its resolver knows the overridden hosts only.
fn overridden_client(settings: &EgressSettings) -> Result<Option<Client>, EgressSetupError> {
    let roots = extra_roots(settings)?;
    if settings.host_overrides.is_empty() {
        return Ok(None);
    }
    let hosts = Arc::new(settings.host_overrides.clone());
    let builder = common(settings).dns_resolver(OverrideResolver { hosts }).tls_certs_merge(roots);
    build(builder).map(Some)
}

fn extra_roots(settings: &EgressSettings) -> Result<Vec<Certificate>, EgressSetupError> {
    let Some(pem) = &settings.extra_root_ca_pem else { return Ok(Vec::new()) };
    match Certificate::from_pem_bundle(pem) {
        Ok(roots) if !roots.is_empty() => Ok(roots),
        _ => Err(EgressSetupError::ExtraRootUnreadable),
    }
}

fn build(builder: ClientBuilder) -> Result<Client, EgressSetupError> {
    builder.build().map_err(|source| {
        let mut text = String::new();
        let mut cause: Option<&dyn std::error::Error> = Some(&source);
        while let Some(error) = cause {
            text.push_str(&error.to_string());
            cause = error.source();
        }
        if text.contains("No CA certificates") {
            return EgressSetupError::NoTrustRoots { source };
        }
        EgressSetupError::Client { source }
    })
}
