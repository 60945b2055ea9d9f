//! The one blessed way to block: a permit, a blocking hop, a pooled connection, a transaction or a
//! single statement.

use std::sync::Arc;
use std::time::Duration;

use diesel::connection::{AnsiTransactionManager, TransactionManager};
use diesel::prelude::*;
use diesel::r2d2::{ConnectionManager, Pool as R2d2Pool};
use diesel::{PgConnection, connection::CacheSize, r2d2::CustomizeConnection};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::store::StoreError;
use crate::store::error::NotConnected;
use crate::store::session::{DATABASE_PATIENCE, STATEMENT_TIMEOUT, set_config};

/// How PostgreSQL is reached.
#[derive(Debug, Clone)]
pub struct PoolSettings {
    /// `postgres://…` of the service's own role.
    pub url: SecretString,
    /// Connections, and with them blocking threads: the two are sized together.
    pub connections: u32,
    /// Behind PgBouncer in transaction mode named prepared statements are another client's.
    pub transaction_pooler: bool,
}

#[derive(Clone)]
pub(super) struct Pool {
    connections: R2d2Pool<ConnectionManager<PgConnection>>,
    permits: Arc<Semaphore>,
    transaction_pooler: bool,
}

type Connections = R2d2Pool<ConnectionManager<PgConnection>>;

/// Set-up of a fresh connection.
#[derive(Debug)]
struct Customize {
    transaction_pooler: bool,
}

impl CustomizeConnection<PgConnection, diesel::r2d2::Error> for Customize {
    fn on_acquire(&self, connection: &mut PgConnection) -> Result<(), diesel::r2d2::Error> {
        if self.transaction_pooler {
            connection.set_prepared_statement_cache_size(CacheSize::Disabled);
            return Ok(());
        }
        // For what runs outside a transaction of ours, and so cannot set it for itself. Behind a pooler
        // the setting would be another client's too.
        diesel::select(set_config("statement_timeout", STATEMENT_TIMEOUT, false))
            .execute(connection)
            .map(|_| ())
            .map_err(diesel::r2d2::Error::QueryError)
    }
}

/// How long a check-out may wait for a connection to be made.
const CONNECT_PATIENCE: Duration = Duration::from_secs(3);
/// After which an unanswered packet ends a connection, as parameters of libpq: seconds, but for
/// `tcp_user_timeout`, which is in ms.
const NETWORK_PATIENCE: [(&str, &str); 3] =
    [("connect_timeout", "3"), ("tcp_user_timeout", "5000"), ("keepalives_idle", "10")];

impl Pool {
    /// Connects at first use: a database that is away at start is a bad day, not a crash.
    pub(super) fn new(settings: &PoolSettings) -> Self {
        let manager =
            ConnectionManager::<PgConnection>::new(with_patience(settings.url.expose_secret()));
        let connections = R2d2Pool::builder()
            .max_size(settings.connections)
            .min_idle(Some(0))
            .connection_timeout(CONNECT_PATIENCE)
            // The ping on check-out costs a round trip; a dead connection shows at first use.
            .test_on_check_out(false)
            .error_handler(Box::new(diesel::r2d2::NopErrorHandler))
            .connection_customizer(Box::new(Customize {
                transaction_pooler: settings.transaction_pooler,
            }))
            .build_unchecked(manager);
        Self {
            connections,
            permits: Arc::new(Semaphore::new(settings.connections as usize)),
            transaction_pooler: settings.transaction_pooler,
        }
    }

    /// One blocking hop with one transaction in it. A connection that was dead before anything was
    /// committed is replaced, so `work` may run again; what was sent to be committed is never sent
    /// again.
    pub(super) async fn transaction<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Fn(&mut PgConnection) -> Result<T, StoreError> + Send + Sync + 'static,
    {
        self.hop(move |connections| in_transaction(connections, &work)).await
    }

    /// One blocking hop with one statement in it that only reads, and no transaction around it: one
    /// round trip to PostgreSQL. A connection that turns out dead is replaced, and `read` runs again.
    ///
    /// Behind a pooler the statement's time has to be bounded by a transaction.
    pub(super) async fn statement<T, F>(&self, read: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Fn(&mut PgConnection) -> Result<T, StoreError> + Send + Sync + 'static,
    {
        if self.transaction_pooler {
            let bounded = move |connection: &mut PgConnection| {
                diesel::select(set_config("statement_timeout", STATEMENT_TIMEOUT, true))
                    .execute(connection)?;
                read(connection)
            };
            return self.transaction(bounded).await;
        }
        self.hop(move |connections| {
            until_alive(connections, |pooled| read(pooled).map_err(|error| judge(pooled, error)))
        })
        .await
    }

    async fn hop<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connections) -> Result<T, StoreError> + Send + 'static,
    {
        let hop = async {
            let permit = Arc::clone(&self.permits).acquire_owned().await;
            let permit = permit.map_err(|_| StoreError::Unavailable(None))?;
            let connections = self.connections.clone();
            #[expect(clippy::disallowed_methods, reason = "this is the one place that blocks")]
            let blocking = tokio::task::spawn_blocking(move || {
                // Held by the thread, not by the caller: a caller that gave up frees no thread.
                let _permit = permit;
                work(&connections)
            });
            match blocking.await {
                Ok(done) => done,
                // The connection went with it: a connection that is dropped in a panic is closed.
                Err(error) if error.is_panic() => Err(StoreError::Panicked),
                Err(stopping) => Err(StoreError::Unavailable(Some(stopping.into()))),
            }
        };
        timeout(DATABASE_PATIENCE, hop)
            .await
            .unwrap_or_else(|late| Err(StoreError::Unavailable(Some(late.into()))))
    }
}

fn in_transaction<T, F>(connections: &Connections, work: &F) -> Result<T, StoreError>
where
    F: Fn(&mut PgConnection) -> Result<T, StoreError>,
{
    until_alive(connections, |connection| attempt(connection, work))
}

fn until_alive<T>(
    connections: &Connections,
    attempt: impl Fn(&mut PgConnection) -> Result<T, Attempt>,
) -> Result<T, StoreError> {
    let once = || {
        let mut pooled = connections.get().map_err(|error| {
            let cause = NotConnected::of(&error.to_string());
            Attempt::Failed(StoreError::Unavailable(Some(cause.into())))
        })?;
        attempt(&mut pooled)
    };
    // After a restart of PostgreSQL every pooled connection is dead; each one that shows it leaves
    // the pool, so one more attempt than there are connections reaches a fresh one.
    for _ in 0..connections.max_size() {
        match once() {
            Err(Attempt::DeadConnection(_)) => {}
            outcome => return outcome.map_err(Attempt::into_error),
        }
    }
    once().map_err(Attempt::into_error)
}

enum Attempt {
    /// The connection was dead and nothing was committed: safe to do again.
    DeadConnection(StoreError),
    Failed(StoreError),
}

impl Attempt {
    fn into_error(self) -> StoreError {
        match self {
            Self::DeadConnection(error) | Self::Failed(error) => error,
        }
    }
}

fn attempt<T, F>(connection: &mut PgConnection, work: &F) -> Result<T, Attempt>
where
    F: Fn(&mut PgConnection) -> Result<T, StoreError>,
{
    if let Err(error) = AnsiTransactionManager::begin_transaction(connection) {
        return Err(judge(connection, error.into()));
    }
    match work(connection) {
        Ok(value) => AnsiTransactionManager::commit_transaction(connection)
            .map(|()| value)
            .map_err(|error| {
                // It may or may not have been committed: never done again, and the caller is told.
                Attempt::Failed(judge(connection, error.into()).into_error())
            }),
        Err(error) => {
            let judged = judge(connection, error);
            // What the rollback says does not matter: a broken connection leaves the pool.
            let _ = AnsiTransactionManager::rollback_transaction(connection);
            Err(judged)
        }
    }
}

/// Marks a dead connection, so that the pool drops it: without a ping on check-out nobody else would.
fn judge(connection: &mut PgConnection, error: StoreError) -> Attempt {
    if !matches!(error, StoreError::Unavailable(_)) {
        return Attempt::Failed(error);
    }
    AnsiTransactionManager::transaction_manager_status_mut(connection).set_in_error();
    match &error {
        StoreError::Unavailable(Some(cause)) if cause.to_string().contains("statement timeout") => {
            Attempt::Failed(error)
        }
        _ => Attempt::DeadConnection(error),
    }
}

/// Adds our patience to the address; what the operator has set there wins.
fn with_patience(url: &str) -> String {
    let mut url = url.to_owned();
    for (name, value) in NETWORK_PATIENCE {
        let query = url.split_once('?').map(|(_, query)| query);
        let is_set = |query: &str| {
            query.split('&').any(|pair| pair.split('=').next().is_some_and(|set| set == name))
        };
        if !query.is_some_and(is_set) {
            let separator = if query.is_some() { '&' } else { '?' };
            url = format!("{url}{separator}{name}={value}");
        }
    }
    url
}

#[cfg(test)]
mod tests {
    use testkit::postgres::Postgres;

    use super::*;

    #[test]
    fn the_operators_own_patience_wins_over_ours() {
        assert_eq!(
            with_patience("postgres://u@h/d"),
            "postgres://u@h/d?connect_timeout=3&tcp_user_timeout=5000&keepalives_idle=10"
        );
        assert_eq!(
            with_patience("postgres://u@h/d?sslmode=require&tcp_user_timeout=1"),
            "postgres://u@h/d?sslmode=require&tcp_user_timeout=1&connect_timeout=3&keepalives_idle=10"
        );
        let all = "postgres://u@h/d?keepalives_idle=1&connect_timeout=10&tcp_user_timeout=1";
        assert_eq!(with_patience(all), all);
    }

    #[tokio::test]
    async fn a_panic_is_a_fault_of_ours_and_leaves_the_pool_in_order() {
        let postgres = Postgres::start_temporary().unwrap();
        let pool = Pool::new(&PoolSettings {
            url: postgres.superuser_url("postgres").into(),
            connections: 1,
            transaction_pooler: false,
        });
        let panics = pool.transaction::<(), _>(|_| panic!("a test's panic")).await;
        assert!(matches!(panics, Err(StoreError::Panicked)), "{panics:?}");
        let select = |connection: &mut PgConnection| -> Result<usize, StoreError> {
            Ok(diesel::sql_query("SELECT 1").execute(connection)?)
        };
        assert!(pool.transaction(select).await.is_ok());
    }
}
