//! Devices of the inventory, written past the API: in states that take months or many reports.

use crate::support::world::World;

impl World {
    /// An enrolled device.
    pub fn insert_device(&self, serial: &str, platform: &str) {
        let tenant = &self.tenant;
        self.sql(&format!(
            "INSERT INTO devices (tenant_id, serial_number, platform, enrollment_state, enrolled_at, \
                enrollment_reported_at, reported_at) \
             VALUES ('{tenant}', '{serial}', '{platform}', 'enrolled', now(), now(), now())"
        ));
    }

    pub fn insert_delivery(&self, integration: &str, serial: &str) {
        let tenant = &self.tenant;
        self.sql(&format!(
            "INSERT INTO device_deliveries (tenant_id, serial_number, integration_id, config_version, \
                delivered_at, reported_at) \
             VALUES ('{tenant}', '{serial}', '{integration}', 7, now(), now())"
        ));
    }

    /// A certificate `c{days}` that expires in so many days, less an hour.
    pub fn insert_certificate(&self, integration: &str, serial: &str, days: i32) {
        let tenant = &self.tenant;
        self.sql(&format!(
            "INSERT INTO device_certificates VALUES ('{tenant}', '{serial}', '{integration}', 'c{days}', \
                now() - interval '400 days' + interval '{days} days', \
                now() + interval '{days} days' - interval '1 hour', now())"
        ));
    }

    /// A report that the device has no certificate of the integration any more.
    pub fn insert_removed_certificate(&self, integration: &str, serial: &str) {
        self.sql(&format!(
            "INSERT INTO device_certificates VALUES \
             ('{}', '{serial}', '{integration}', '', NULL, NULL, now())",
            self.tenant
        ));
    }

    pub fn delete_certificates(&self, serial: &str) {
        self.sql(&format!("DELETE FROM device_certificates WHERE serial_number = '{serial}'"));
    }

    /// Makes a certificate the one that was issued last.
    pub fn issue_certificate_now(&self, certificate: &str) {
        self.sql(&format!(
            "UPDATE device_certificates SET not_before = now() \
              WHERE certificate_serial_number = '{certificate}'"
        ));
    }

    pub fn age_certificate_report(&self, certificate: &str, age: &str) {
        self.sql(&format!(
            "UPDATE device_certificates SET reported_at = now() - interval '{age}' \
              WHERE certificate_serial_number = '{certificate}'"
        ));
    }

    pub fn set_enrollment_state(&self, serial: &str, state: &str) {
        self.sql(&format!(
            "UPDATE devices SET enrollment_state = '{state}' WHERE serial_number = '{serial}'"
        ));
    }

    /// Facts that were reported before this do not count: the enrollment began then.
    pub fn begin_enrollment(&self, age: &str) {
        self.sql(&format!(
            "UPDATE devices SET left_at = now() - interval '{age}', \
             enrolled_since = now() - interval '{age}'"
        ));
    }

    pub fn install_okta_verify(&self) {
        self.sql(
            "UPDATE devices SET okta_verify_installed_at = now(), okta_verify_reported_at = now()",
        );
    }

    /// The `config_version` from which the iOS configuration carries serial number and UDID.
    pub fn set_identifiers_since(&self, config_version: i64) {
        self.sql(&format!("UPDATE platforms SET identifiers_since = {config_version}"));
    }

    pub fn set_udid(&self, serial: &str, udid: &str) {
        self.sql(&format!("UPDATE devices SET udid = '{udid}' WHERE serial_number = '{serial}'"));
    }

    /// Gives the Okta id to this device and takes it from the one that had it.
    pub fn set_okta_device_id(&self, serial: &str, id: &str) {
        self.sql(&format!(
            "UPDATE devices SET okta_device_id = NULL WHERE okta_device_id = '{id}'; \
             UPDATE devices SET okta_device_id = '{id}', okta_device_id_reported_at = now() \
              WHERE serial_number = '{serial}'"
        ));
    }

    /// Deletes a device, as the API does: a tombstone stays.
    pub fn tombstone_device(&self, serial: &str) {
        self.sql(&format!(
            "UPDATE devices SET deleted_at = now(), enrollment_state = NULL \
              WHERE serial_number = '{serial}'"
        ));
    }

    /// A device that was deleted and last reported so long ago.
    pub fn insert_deleted_device(&self, serial: &str, deleted: &str, reported: &str) {
        self.sql(&format!(
            "INSERT INTO devices (tenant_id, serial_number, deleted_at, reported_at, updated_at) VALUES \
             ('{}', '{serial}', now() - interval '{deleted}', now() - interval '{reported}', \
              now() - interval '{deleted}')",
            self.tenant
        ));
    }

    /// A device that was deleted `age` ago, which was reported only now.
    pub fn report_deletion_late(&self, serial: &str, age: &str) {
        self.insert_deleted_device(serial, age, age);
        self.sql(&format!(
            "UPDATE devices SET updated_at = now() WHERE serial_number = '{serial}'"
        ));
    }

    /// As if all devices had last been written `age` ago.
    pub fn age_devices(&self, age: &str) {
        self.sql(&format!("UPDATE devices SET updated_at = now() - interval '{age}'"));
    }

    /// A snapshot that began `age` ago and has shown one serial number.
    pub fn insert_snapshot(&self, id: &str, age: &str, serial: &str) {
        self.sql(&format!(
            "INSERT INTO device_snapshots (tenant_id, snapshot_id, began_at) \
             VALUES ('{tenant}', '{id}', now() - interval '{age}'); \
             INSERT INTO device_snapshot_serials VALUES ('{tenant}', '{id}', '{serial}')",
            tenant = self.tenant
        ));
    }

    /// As if all snapshots had begun `age` earlier.
    pub fn age_snapshots(&self, age: &str) {
        self.sql(&format!("UPDATE device_snapshots SET began_at = began_at - interval '{age}'"));
    }

    /// The serial numbers of all rows, tombstones too, in order.
    pub fn device_rows(&self) -> Vec<String> {
        let rows = self.sql("SELECT serial_number FROM devices ORDER BY 1");
        rows.lines().map(str::to_owned).collect()
    }
}
