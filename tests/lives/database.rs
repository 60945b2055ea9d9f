//! The shared database, with one tenant for each history.

use std::sync::{Arc, LazyLock, Mutex};

use okta_device_trust::crypto::{HookSecretDigest, Keyring};
use okta_device_trust::model::platforms::{NewPlatform, ScepValues};
use okta_device_trust::model::{
    Actor, ClientSecret, Engine, EventKind, ExpectedVersion, IntegrationId, JobKind,
    NewCredentials, NewEvent, Org, Platform, TenantId,
};
use okta_device_trust::store::migrations::migrate;
use okta_device_trust::store::{
    Clock, CredentialsChange, NewIntegration, PlatformChange, PoolSettings, Store,
};
use secrecy::SecretString;
use testkit::postgres::Postgres;
use uuid::Uuid;

use crate::mirror::{LEASE, ORG_ID, Replica};
use crate::truth::Time;

const PASSWORD: &str = "only-for-tests";
const KEYRING: &str = "test-key:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
const HOST: &str = "acme.okta.com";

/// One server and one pool for the process; each history is a separate tenant.
static DATABASE: LazyLock<(Mutex<Postgres>, Store)> = LazyLock::new(|| {
    let postgres = Postgres::start_temporary().expect("a private PostgreSQL");
    let roles = format!(
        "CREATE ROLE odt_owner LOGIN CREATEROLE PASSWORD '{PASSWORD}';
         CREATE ROLE odt_app NOLOGIN;
         CREATE ROLE odt_service LOGIN PASSWORD '{PASSWORD}' IN ROLE odt_app;"
    );
    postgres.execute("postgres", &roles).expect("roles");
    postgres.create_database("lives", None).expect("a database");
    postgres.execute("lives", "ALTER SCHEMA public OWNER TO odt_owner").expect("owner");
    // A history runs thousands of queries on tiny tables; JIT compilation would dominate the run time.
    postgres.execute("lives", "ALTER DATABASE lives SET jit = off").expect("a setting");
    migrate(&SecretString::from(postgres.url("odt_owner", PASSWORD, "lives"))).expect("migrations");
    let settings = PoolSettings {
        url: postgres.url("odt_service", PASSWORD, "lives").into(),
        connections: 6,
        transaction_pooler: false,
    };
    let keys = Keyring::parse(&SecretString::from(KEYRING.to_owned())).expect("a key ring");
    let store = Store::new(&settings, Arc::new(keys));
    (Mutex::new(postgres), store)
});

/// Locked while a tenant is created, so that no other history claims its jobs.
static CLAIMS: LazyLock<tokio::sync::Mutex<()>> = LazyLock::new(tokio::sync::Mutex::default);

impl Replica {
    /// Creates a tenant with a connected org and both platforms configured, and claims all its jobs.
    pub async fn start(now: Time) -> Self {
        let clock = Arc::new(Mutex::new(now));
        let store = DATABASE.1.clone().with_clock(Clock::Manual(Arc::clone(&clock)));
        let tenant = TenantId::parse(&format!("life-{}", Uuid::now_v7().simple()));
        let tenant = tenant.expect("a tenant");
        let integration = IntegrationId::new();
        let claims = CLAIMS.lock().await;
        create(&store, &tenant, integration, ORG_ID).await;
        connect(&store, &tenant, integration).await;
        let mut jobs = Vec::new();
        while let Some(job) = store.claim_job(LEASE).await.expect("jobs") {
            assert_eq!(job.tenant, tenant, "all other jobs are claimed");
            jobs.push(job);
        }
        drop(claims);
        assert!(jobs.iter().any(|job| job.kind == JobKind::Housekeeping), "{jobs:?}");
        let secret = HookSecretDigest::new(&SecretString::from("hook".to_owned()));
        let made = store
            .update_event_hook(&tenant, integration, secret.clone(), event(integration))
            .await
            .expect("a hook");
        Self {
            store,
            clock,
            tenant,
            integration,
            jobs,
            hook: (made.hook.id, secret),
            read_until: None,
            swept: false,
        }
    }

    /// Adds another org of the same tenant, without credentials.
    pub async fn add_integration_in_setup(&self) {
        create(&self.store, &self.tenant, IntegrationId::new(), "00oSecond").await;
    }
}

fn event(id: IntegrationId) -> NewEvent {
    NewEvent::by_actor(Actor::service(), id, EventKind::IntegrationUpdated)
}

async fn create(store: &Store, tenant: &TenantId, id: IntegrationId, org_id: &str) {
    let org = Org {
        id: org_id.to_owned(),
        canonical_host: HOST.to_owned(),
        custom_hosts: Vec::new(),
        engine: Engine::IdentityEngine,
    };
    let new = NewIntegration {
        id,
        org,
        dropped_custom_host: None,
        selected_platforms: vec![Platform::Macos, Platform::Ios],
        findings: Vec::new(),
        created_by: Actor::service(),
        event: event(id),
    };
    store.create_integration(tenant, new, None).await.expect("an integration");
}

async fn connect(store: &Store, tenant: &TenantId, id: IntegrationId) {
    for platform in [Platform::Macos, Platform::Ios] {
        let url: url::Url = format!("https://{HOST}/scep").parse().expect("a URL");
        let username = "u".to_owned();
        let scep = ScepValues { scep_url: url.clone(), challenge_url: url, username };
        let change = PlatformChange {
            new: NewPlatform {
                platform,
                scep: (platform == Platform::Macos).then_some(scep),
                secret: SecretString::from("secret".to_owned()),
                secret_is_new: true,
                ca: None,
                verified_at: None,
            },
            org_id: ORG_ID.to_owned(),
            findings: Vec::new(),
            expected_version: ExpectedVersion::Any,
            event: event(id),
        };
        store.update_platform(tenant, id, change).await.expect("a platform");
    }
    let change = CredentialsChange {
        new: NewCredentials {
            client_id: "0oa".to_owned(),
            secret: ClientSecret::Shared(SecretString::from("secret".to_owned())),
        },
        org_id: ORG_ID.to_owned(),
        engine: Engine::IdentityEngine,
        findings: Vec::new(),
        expected_version: ExpectedVersion::Any,
        event: event(id),
    };
    store.update_credentials(tenant, id, change).await.expect("credentials");
}
