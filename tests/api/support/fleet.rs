//! Many devices in the simulated org, and waiting for their mirror.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::Value;
use testkit::okta::NewDevice;

use crate::support::builder::Builder;
use crate::support::wait::{WAIT_LIMIT, until};
use crate::support::world::World;

pub const DEVICES: &str = "/api/v1/devices";

/// A service with a mirror whose jobs run once, unless requested.
pub fn mirroring() -> Builder {
    ["SYNC_SWEEP", "SYNC_READ", "SYNC_PENDING", "RECHECK"]
        .iter()
        .fold(World::build().setting("ODT_SYNC_WORKERS", "2"), |builder, job| {
            builder.setting(&format!("ODT_{job}_EVERY_SECONDS"), "3600")
        })
}

pub fn udid(n: usize) -> String {
    format!("8A5B0C2E-1D3F-4A6B-9C8D-{n:012}")
}

impl World {
    /// Adds Macs without users. The org's rate limit is high.
    pub fn add_fleet(&self, count: usize) -> Vec<String> {
        self.acme.change(|knobs| {
            knobs.rate_limits.devices = 60_000;
            knobs.rate_limits.device_users = 60_000;
        });
        let mac = |n: usize| NewDevice::mac(format!("C02SYNC{n:05}"), udid(n));
        (0..count).map(|n| self.acme.add_device(mac(n))).collect()
    }

    /// Waits until `…/sync` is as expected, and returns it.
    pub async fn until_sync(&self, path: &str, is: impl Fn(&Value) -> bool) -> Value {
        let until = Instant::now() + WAIT_LIMIT;
        loop {
            let sync = self.get(&format!("{path}/sync")).await.expect(200);
            if is(&sync) {
                return sync;
            }
            assert!(Instant::now() < until, "it stays at {sync}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits for the first complete sweep, or one after `before`.
    pub async fn until_swept(&self, path: &str, before: Option<&Value>) -> Value {
        let last = before.map_or(Value::Null, |sync| sync["last_success_at"].clone());
        self.until_sync(path, |sync| {
            !sync["last_success_at"].is_null() && sync["last_success_at"] != last
        })
        .await
    }

    /// Waits for the first complete sweep and the first read of changes, which follows it and writes the
    /// records once more: what a test changes in the org before that read is seen by it.
    pub async fn until_mirrored(&self, path: &str) -> Value {
        let sync = self.until_swept(path, None).await;
        until("the first changes are read", async || {
            let busy = "kind = 'incremental' AND (run_at <= now() OR lease_id IS NOT NULL)";
            self.count(&format!("jobs WHERE {busy}")) == 0
        })
        .await;
        sync
    }

    /// Requests a sweep and waits until it is complete.
    pub async fn sweep_again(&self, path: &str) -> Value {
        let before = self.get(&format!("{path}/sync")).await.expect(200);
        self.ask(Method::POST, &format!("{path}/sync")).admin().send().await.expect(202);
        self.until_swept(path, Some(&before)).await
    }

    /// Waits until the mirror's record is as expected, and returns it.
    pub async fn until_record(&self, path: &str, id: &str, is: impl Fn(&Value) -> bool) -> Value {
        let until = Instant::now() + WAIT_LIMIT;
        loop {
            let found = self.find_record(path, id).await;
            if is(&found) {
                return found;
            }
            assert!(Instant::now() < until, "it stays at {found}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Returns the record from any page of the list; null if it is missing.
    pub async fn find_record(&self, path: &str, id: &str) -> Value {
        let mut query = "limit=200".to_owned();
        loop {
            let page = self.get(&format!("{path}/okta-devices?{query}")).await.expect(200);
            let items = page["items"].as_array().expect("items");
            if let Some(found) = items.iter().find(|item| item["okta_device_id"] == id) {
                return found.clone();
            }
            let Some(next) = page["next_cursor"].as_str() else { return Value::Null };
            query = format!("limit=200&cursor={next}");
        }
    }
}
