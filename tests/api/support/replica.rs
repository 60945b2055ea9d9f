//! Further replicas of a world's service.

use actix_web::dev::ServerHandle;
use okta_device_trust::config::Config;
use okta_device_trust::startup::Application;

use crate::support::world::World;

/// A replica that stops when this is dropped.
pub struct Replica(ServerHandle);

impl Drop for Replica {
    fn drop(&mut self) {
        drop(self.0.stop(false));
    }
}

impl World {
    /// Starts another replica of the world's service with a worker.
    pub async fn replica(&self, settings: &[(&str, &str)]) -> Replica {
        let mut environment = self.environment.clone();
        environment.set("ODT_SYNC_WORKERS", "2");
        for (name, value) in settings {
            environment.set(name, *value);
        }
        let config = Config::load(&environment).expect("configuration");
        let application = Application::build(&config).await.expect("the replica starts");
        let handle = application.handle();
        tokio::spawn(application.run());
        Replica(handle)
    }
}
