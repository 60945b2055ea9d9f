//! Merges what was read of an org into its mirror. One statement for a page; rows that are as they
//! were are not written. Lists and searches lag behind, a read by id is the truth (facts §5): a list
//! never undoes what is newer than it.

use chrono::{DateTime, Utc};
use diesel::PgConnection;
use diesel::prelude::*;
use diesel::sql_types::{Array, Bool, Nullable, Text, Timestamptz, Uuid as SqlUuid};

use super::StoreError;
use crate::model::{IntegrationId, OktaDevice, OktaDeviceUser, TenantId};

/// Where the rows come from, which decides what they may overwrite.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// A page of all devices.
    Sweep,
    /// A page of those that changed: what it shows is as fresh as the read.
    Changes,
    /// A read by id.
    Id,
}

/// The columns of a page, in arrays.
#[derive(Default)]
struct Columns {
    ids: Vec<String>,
    platforms: Vec<String>,
    statuses: Vec<String>,
    serial_numbers: Vec<Option<String>>,
    udids: Vec<Option<String>>,
    names: Vec<Option<String>>,
    created: Vec<DateTime<Utc>>,
    updated: Vec<DateTime<Utc>>,
    users: Vec<String>,
    known: Vec<bool>,
    managed: Vec<bool>,
}

/// Users as they are stored, and what follows from them.
pub(super) struct UsersColumns {
    pub json: String,
    pub known: bool,
    pub managed: bool,
}

pub(super) fn users_columns(users: &[OktaDeviceUser]) -> Result<UsersColumns, StoreError> {
    let json =
        serde_json::to_string(users).map_err(|_| StoreError::Corrupt("okta_devices.users"))?;
    Ok(UsersColumns {
        json,
        known: users.iter().all(|user| user.management_status.is_some()),
        managed: users.iter().any(OktaDeviceUser::is_managed),
    })
}

/// Merges devices; a device that is there twice counts as the row that was updated last.
pub(super) fn merge(
    connection: &mut PgConnection,
    tenant: &TenantId,
    id: IntegrationId,
    devices: &[OktaDevice],
    source: Source,
) -> Result<(), StoreError> {
    let (mut with_users, mut without_users) = (Columns::default(), Columns::default());
    let mut newest: Vec<&OktaDevice> = devices.iter().collect();
    newest.sort_by(|one, other| (&one.id, other.last_updated).cmp(&(&other.id, one.last_updated)));
    newest.dedup_by(|later, earlier| later.id == earlier.id);
    for device in newest {
        match &device.users {
            Some(users) => with_users.push(device, &users_columns(users)?),
            // Stored only where the device is new: nobody knows yet who its users are.
            None => without_users.push(
                device,
                &UsersColumns { json: "[]".to_owned(), known: false, managed: false },
            ),
        }
    }
    with_users.merge(connection, tenant, id, source, true)?;
    without_users.merge(connection, tenant, id, source, false)?;
    ask_for_users(connection, tenant, id, &with_users)
}

/// A summary that leaves out how users are managed says nothing new of a device that did not change.
const TELLS_OF_USERS: &str =
    "(excluded.users_known OR NOT d.users_known OR excluded.last_updated_at > d.last_updated_at)";

impl Columns {
    fn push(&mut self, device: &OktaDevice, users: &UsersColumns) {
        self.ids.push(device.id.clone());
        self.platforms.push(device.platform.clone());
        self.statuses.push(device.status.clone());
        self.serial_numbers.push(device.serial_number.clone());
        self.udids.push(device.udid.clone());
        self.names.push(device.display_name.clone());
        self.created.push(device.created);
        self.updated.push(device.last_updated);
        self.users.push(users.json.clone());
        self.known.push(users.known);
        self.managed.push(users.managed);
    }

    fn merge(
        &self,
        connection: &mut PgConnection,
        tenant: &TenantId,
        id: IntegrationId,
        source: Source,
        users_shown: bool,
    ) -> Result<(), StoreError> {
        if self.ids.is_empty() {
            return Ok(());
        }
        diesel::sql_query(statement(source, users_shown))
            .bind::<Text, _>(tenant.as_str())
            .bind::<SqlUuid, _>(id.0)
            .bind::<Array<Text>, _>(&self.ids)
            .bind::<Array<Text>, _>(&self.platforms)
            .bind::<Array<Text>, _>(&self.statuses)
            .bind::<Array<Nullable<Text>>, _>(&self.serial_numbers)
            .bind::<Array<Nullable<Text>>, _>(&self.udids)
            .bind::<Array<Nullable<Text>>, _>(&self.names)
            .bind::<Array<Timestamptz>, _>(&self.created)
            .bind::<Array<Timestamptz>, _>(&self.updated)
            .bind::<Array<Text>, _>(&self.users)
            .bind::<Array<Bool>, _>(&self.known)
            .bind::<Array<Bool>, _>(&self.managed)
            .execute(connection)?;
        Ok(())
    }
}

/// For so long a list that shows the same `lastUpdated` may still lag behind a read by id.
const SEARCH_LAGS: &str = "interval '5 minutes'";

/// A row that followed the sweeps is as old as the last one.
pub(super) const AS_OLD_AS_BEFORE: &str = "\
    CASE WHEN d.follows_sweeps THEN greatest(d.observed_at, (SELECT s.swept_at FROM okta_syncs s \
               WHERE s.tenant_id = d.tenant_id AND s.integration_id = d.integration_id)) \
         ELSE d.observed_at END";

fn statement(source: Source, users_shown: bool) -> String {
    let (read_by_id_at, not_found_at) = match source {
        Source::Id => ("now()", "NULL"),
        Source::Sweep | Source::Changes => (
            "d.read_by_id_at",
            "CASE WHEN excluded.last_updated_at > d.last_updated_at THEN NULL ELSE d.not_found_at END",
        ),
    };
    let by_list = format!(
        "(excluded.last_updated_at > d.last_updated_at OR (excluded.last_updated_at = d.last_updated_at \
          AND (d.read_by_id_at IS NULL OR d.read_by_id_at < now() - {SEARCH_LAGS})))"
    );
    let columns =
        "platform, status, serial_number, udid, display_name, created_at, last_updated_at";
    let of = |table: &str| format!("{table}.{}", columns.replace(", ", &format!(", {table}.")));
    let tells_of_users = match source {
        _ if !users_shown => "false",
        Source::Id => "true",
        Source::Sweep | Source::Changes => TELLS_OF_USERS,
    };
    let set_users = ["users", "users_known", "any_managed"]
        .map(|name| {
            format!(", {name} = CASE WHEN {tells_of_users} THEN excluded.{name} ELSE d.{name} END")
        })
        .concat();
    let (now, before) = (of("excluded"), of("d"));
    // Whether the row shows all that a verdict uses. Where it does not, what was known before stays,
    // and stays as old as it was.
    let tells_all = match source {
        Source::Id => "true",
        _ if !users_shown => "false",
        Source::Sweep | Source::Changes => "excluded.users_known",
    };
    let follows = if source == Source::Id { "d.follows_sweeps" } else { tells_all };
    let may = match source {
        Source::Sweep => format!(
            "{by_list} AND (({now}) IS DISTINCT FROM ({before}) \
              OR ({tells_of_users} AND excluded.users IS DISTINCT FROM d.users) \
              OR d.follows_sweeps IS DISTINCT FROM {tells_all})"
        ),
        Source::Changes => by_list,
        Source::Id => "excluded.last_updated_at >= d.last_updated_at".to_owned(),
    };
    let first_read = if source == Source::Id { "now()" } else { "NULL::timestamptz" };
    format!(
        "INSERT INTO okta_devices AS d (tenant_id, integration_id, okta_device_id, {columns}, users, \
                users_known, any_managed, observed_at, read_by_id_at, follows_sweeps) \
         SELECT $1, $2, n.id, n.platform, n.status, n.serial_number, n.udid, n.name, n.created, \
                n.updated, n.users::jsonb, n.known, n.managed, now(), {first_read}, n.known \
           FROM unnest($3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) \
             AS n (id, platform, status, serial_number, udid, name, created, updated, users, known, managed) \
         ON CONFLICT (tenant_id, integration_id, okta_device_id) DO UPDATE \
            SET ({columns}) = ({now}), observed_at = CASE WHEN {tells_all} THEN now() \
                ELSE {AS_OLD_AS_BEFORE} END, follows_sweeps = {follows}, read_by_id_at = {read_by_id_at}, \
                not_found_at = {not_found_at}{set_users} \
          WHERE {may}"
    )
}

/// Devices whose users are known, from another read than these rows, which tell nothing of them: they
/// are read again, as a page can no longer show how they are managed.
fn ask_for_users(
    connection: &mut PgConnection,
    tenant: &TenantId,
    id: IntegrationId,
    rows: &Columns,
) -> Result<(), StoreError> {
    let pairs = rows.ids.iter().zip(&rows.known);
    let unknown: Vec<&String> = pairs.filter(|(_, known)| !**known).map(|(id, _)| id).collect();
    if unknown.is_empty() {
        return Ok(());
    }
    diesel::sql_query(format!(
        "INSERT INTO okta_rereads (tenant_id, integration_id, okta_device_id, reason) \
         SELECT tenant_id, integration_id, okta_device_id, 'pending' FROM okta_devices \
          WHERE tenant_id = $1 AND integration_id = $2 AND okta_device_id = ANY($3) AND users_known \
            AND (read_by_id_at IS NULL OR read_by_id_at < now() - {SEARCH_LAGS}) \
         ON CONFLICT (tenant_id, integration_id, okta_device_id) DO NOTHING"
    ))
    .bind::<Text, _>(tenant.as_str())
    .bind::<SqlUuid, _>(id.0)
    .bind::<Array<Text>, _>(unknown)
    .execute(connection)?;
    Ok(())
}
