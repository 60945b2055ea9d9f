//! The connection pool, and the only place that blocks: a permit, a blocking task, a pooled connection, and
//! a transaction or a single statement.

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
use crate::store::error::ConnectError;
use crate::store::session::{
    BEGIN, DATABASE_TIMEOUT, IDLE_IN_TRANSACTION_TIMEOUT, LOCK_TIMEOUT, STATEMENT_TIMEOUT,
    set_config,
};

/// How to connect to PostgreSQL.
#[derive(Debug, Clone)]
pub struct PoolSettings {
    /// `postgres://…` with the service's own role.
    pub url: SecretString,
    /// The maximum number of connections and of blocking threads.
    pub connections: u32,
    /// Whether PgBouncer in transaction mode is used, which does not support prepared statements and
    /// session settings.
    pub transaction_pooler: bool,
}

#[derive(Clone)]
pub(super) struct Pool {
    connections: R2d2Pool<ConnectionManager<PgConnection>>,
    permits: Arc<Semaphore>,
    transaction_pooler: bool,
}

type Connections = R2d2Pool<ConnectionManager<PgConnection>>;

/// Sets up a new connection.
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
        // For statements outside of a transaction, which cannot set them themselves. Behind a pooler the
        // settings would affect other clients.
        let timeouts = (
            set_config("statement_timeout", STATEMENT_TIMEOUT, false),
            set_config("lock_timeout", LOCK_TIMEOUT, false),
            set_config("idle_in_transaction_session_timeout", IDLE_IN_TRANSACTION_TIMEOUT, false),
        );
        diesel::select(timeouts)
            .execute(connection)
            .map(|_| ())
            .map_err(diesel::r2d2::Error::QueryError)
    }
}

/// How long a check-out waits for a new connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Parameters of libpq: the network timeouts in seconds, except `tcp_user_timeout`, which is in ms; and that
/// a standby is not taken for the primary.
const LIBPQ_PARAMETERS: [(&str, &str); 4] = [
    ("connect_timeout", "3"),
    ("tcp_user_timeout", "5000"),
    ("keepalives_idle", "10"),
    ("target_session_attrs", "read-write"),
];

impl Pool {
    /// Creates a pool that connects at first use, so that the service starts without a database.
    pub(super) fn new(settings: &PoolSettings) -> Self {
        let manager =
            ConnectionManager::<PgConnection>::new(with_parameters(settings.url.expose_secret()));
        let connections = R2d2Pool::builder()
            .max_size(settings.connections)
            .min_idle(Some(0))
            .connection_timeout(CONNECT_TIMEOUT)
            // A test on check-out costs a round trip; a dead connection is detected at first use.
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

    pub(super) fn max_connections(&self) -> usize {
        self.connections.max_size() as usize
    }

    /// Runs `work` in a transaction on a blocking thread. If the connection was dead before the commit, it is
    /// replaced and `work` runs again. A commit is never repeated.
    pub(super) async fn transaction<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Fn(&mut PgConnection) -> Result<T, StoreError> + Send + Sync + 'static,
    {
        self.run_blocking(move |connections| in_transaction(connections, &work)).await
    }

    /// Runs one read-only statement without a transaction on a blocking thread, which saves round trips. If
    /// the connection turns out to be dead, it is replaced and `read` runs again.
    ///
    /// Behind a pooler a transaction is needed to set the statement timeout.
    pub(super) async fn statement<T, F>(&self, read: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Fn(&mut PgConnection) -> Result<T, StoreError> + Send + Sync + 'static,
    {
        if self.transaction_pooler {
            return self.transaction(read).await;
        }
        self.run_blocking(move |connections| {
            with_live_connection(connections, |pooled| {
                read(pooled).map_err(|error| classify_error(pooled, error))
            })
        })
        .await
    }

    async fn run_blocking<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connections) -> Result<T, StoreError> + Send + 'static,
    {
        let task = async {
            let permit = Arc::clone(&self.permits).acquire_owned().await;
            let permit = permit.map_err(|_| StoreError::Unavailable(None))?;
            let connections = self.connections.clone();
            #[expect(clippy::disallowed_methods, reason = "this is the only place that blocks")]
            let blocking = tokio::task::spawn_blocking(move || {
                // Held by the thread, not by the caller: a cancelled call still occupies the thread.
                let _permit = permit;
                work(&connections)
            });
            match blocking.await {
                Ok(result) => result,
                // The pool closes a connection that is dropped in a panic.
                Err(error) if error.is_panic() => Err(StoreError::Panicked),
                Err(stopping) => Err(StoreError::Unavailable(Some(stopping.into()))),
            }
        };
        timeout(DATABASE_TIMEOUT, task)
            .await
            .unwrap_or_else(|elapsed| Err(StoreError::Unavailable(Some(elapsed.into()))))
    }
}

fn in_transaction<T, F>(connections: &Connections, work: &F) -> Result<T, StoreError>
where
    F: Fn(&mut PgConnection) -> Result<T, StoreError>,
{
    with_live_connection(connections, |connection| attempt(connection, work))
}

fn with_live_connection<T>(
    connections: &Connections,
    attempt: impl Fn(&mut PgConnection) -> Result<T, Attempt>,
) -> Result<T, StoreError> {
    let once = || {
        let mut pooled = connections.get().map_err(|error| {
            let cause = ConnectError::from_libpq(&error.to_string());
            Attempt::Failed(StoreError::Unavailable(Some(cause.into())))
        })?;
        attempt(&mut pooled)
    };
    // After a restart of PostgreSQL every pooled connection is dead. Each failed one leaves the pool, so one
    // more attempt than there are connections reaches a new one.
    for _ in 0..connections.max_size() {
        match once() {
            Err(Attempt::DeadConnection(_)) => {}
            outcome => return outcome.map_err(Attempt::into_error),
        }
    }
    once().map_err(Attempt::into_error)
}

enum Attempt {
    /// The connection was dead and nothing was committed: safe to retry.
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
    if let Err(error) = AnsiTransactionManager::begin_transaction_sql(connection, BEGIN) {
        return Err(classify_error(connection, error.into()));
    }
    match work(connection) {
        Ok(value) => AnsiTransactionManager::commit_transaction(connection)
            .map(|()| value)
            .map_err(|error| {
                // It may have been committed, so it is not retried.
                Attempt::Failed(classify_error(connection, error.into()).into_error())
            }),
        Err(error) => {
            let classified = classify_error(connection, error);
            // A failed rollback does not matter: a broken connection leaves the pool.
            let _ = AnsiTransactionManager::rollback_transaction(connection);
            Err(classified)
        }
    }
}

/// What PostgreSQL says of a statement that ran, or waited for a lock, for too long.
const STATEMENT_CANCELLED: &str = "canceling statement due to";

/// Returns whether to retry. Marks a dead connection, so that the pool drops it; nothing else does without
/// a test on check-out.
fn classify_error(connection: &mut PgConnection, error: StoreError) -> Attempt {
    let StoreError::Unavailable(cause) = &error else { return Attempt::Failed(error) };
    // The connection is healthy after a timeout, and a retry would take as long.
    if cause.as_ref().is_some_and(|cause| cause.to_string().contains(STATEMENT_CANCELLED)) {
        return Attempt::Failed(error);
    }
    AnsiTransactionManager::transaction_manager_status_mut(connection).set_in_error();
    Attempt::DeadConnection(error)
}

/// Adds our parameters to the URL unless the operator has set them there.
fn with_parameters(url: &str) -> String {
    let mut url = url.to_owned();
    for (name, value) in LIBPQ_PARAMETERS {
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
    fn parameters_in_the_url_win() {
        assert_eq!(
            with_parameters("postgres://u@h/d"),
            "postgres://u@h/d?connect_timeout=3&tcp_user_timeout=5000&keepalives_idle=10&target_session_attrs=read-write"
        );
        assert_eq!(
            with_parameters("postgres://u@h/d?sslmode=require&tcp_user_timeout=1"),
            "postgres://u@h/d?sslmode=require&tcp_user_timeout=1&connect_timeout=3&keepalives_idle=10&target_session_attrs=read-write"
        );
        let all = "postgres://u@h/d?target_session_attrs=any&keepalives_idle=1&connect_timeout=10&tcp_user_timeout=1";
        assert_eq!(with_parameters(all), all);
    }

    #[tokio::test]
    async fn every_transaction_and_statement_has_its_limits_also_behind_a_pooler() {
        use diesel::sql_types::Text;
        #[derive(QueryableByName)]
        struct Limits {
            #[diesel(sql_type = Text)]
            limits: String,
        }
        let limits = |connection: &mut PgConnection| -> Result<String, StoreError> {
            let sql = "SELECT concat_ws(' ', current_setting('statement_timeout'), \
                              current_setting('lock_timeout'), \
                              current_setting('idle_in_transaction_session_timeout')) AS limits";
            Ok(diesel::sql_query(sql).get_result::<Limits>(connection)?.limits)
        };
        let postgres = Postgres::start_temporary().unwrap();
        for transaction_pooler in [false, true] {
            let pool = Pool::new(&PoolSettings {
                url: postgres.superuser_url("postgres").into(),
                connections: 1,
                transaction_pooler,
            });
            assert_eq!(pool.transaction(limits).await.unwrap(), "5s 1s 10s");
            assert_eq!(pool.statement(limits).await.unwrap(), "5s 1s 10s");
        }
    }

    #[tokio::test]
    async fn pool_survives_a_panic() {
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
