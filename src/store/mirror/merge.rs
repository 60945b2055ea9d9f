//! Merges what was read of an org into its mirror. One statement for a page; rows that are as they
//! were are not written. Lists and searches lag behind, a read by id is the truth (facts §5): a list
//! never undoes what is newer than it, and never makes it seem fresher than it is.

use chrono::{DateTime, Utc};
use diesel::PgConnection;
use diesel::prelude::*;
use diesel::sql_types::{Array, Bool, Nullable, Text, Timestamptz, Uuid as SqlUuid};

use crate::model::{IntegrationId, OktaDevice, OktaDeviceUser, TenantId};
use crate::store::StoreError;

/// Where the rows come from, which decides what they may overwrite.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum Source {
    /// A page of all devices.
    Sweep,
    /// A page of those that changed: what it shows is as fresh as the read.
    Changes,
    /// A read by id, with all of the users.
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
pub(in crate::store) struct UsersColumns {
    pub json: String,
    pub known: bool,
    pub managed: bool,
}

pub(in crate::store) fn users_columns(
    users: &[OktaDeviceUser],
) -> Result<UsersColumns, StoreError> {
    let json =
        serde_json::to_string(users).map_err(|_| StoreError::Corrupt("okta_devices.users"))?;
    Ok(UsersColumns {
        json,
        known: users.iter().all(|user| user.management_status.is_some()),
        managed: users.iter().any(OktaDeviceUser::is_managed),
    })
}

/// Merges devices that a read showed which began at `read_at`, by PostgreSQL's clock; a device that is
/// there twice counts as the row that was updated last.
pub(in crate::store) fn merge(
    connection: &mut PgConnection,
    tenant: &TenantId,
    id: IntegrationId,
    devices: &[OktaDevice],
    source: Source,
    read_at: DateTime<Utc>,
) -> Result<(), StoreError> {
    let (mut with_users, mut without_users) = (Columns::default(), Columns::default());
    let mut newest: Vec<&OktaDevice> = devices.iter().collect();
    newest.sort_by(|one, other| (&one.id, other.last_updated).cmp(&(&other.id, one.last_updated)));
    newest.dedup_by(|later, earlier| later.id == earlier.id);
    for device in newest {
        match &device.users {
            Some(users) => with_users.push(device, &users_columns(users)?),
            // Nobody knows then who its users are.
            None => without_users.push(
                device,
                &UsersColumns { json: "[]".to_owned(), known: false, managed: false },
            ),
        }
    }
    with_users.merge(connection, tenant, id, &statement(source, true), read_at)?;
    without_users.merge(connection, tenant, id, &statement(source, false), read_at)
}

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
        statement: &str,
        read_at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        if self.ids.is_empty() {
            return Ok(());
        }
        diesel::sql_query(statement)
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
            .bind::<Timestamptz, _>(read_at)
            .execute(connection)?;
        Ok(())
    }
}

/// What a row says of the device itself.
const COLUMNS: [&str; 7] = [
    "platform",
    "status",
    "serial_number",
    "udid",
    "display_name",
    "created_at",
    "last_updated_at",
];
/// What it says of the device's users.
const USERS: [&str; 3] = ["users", "users_known", "any_managed"];

/// When the row was last shown: one that followed the sweeps is as old as the last one.
pub(in crate::store) const AS_OLD_AS_BEFORE: &str = "\
    CASE WHEN d.follows_sweeps THEN greatest(d.observed_at, (SELECT s.swept_at FROM okta_syncs s \
               WHERE s.tenant_id = d.tenant_id AND s.integration_id = d.integration_id)) \
         ELSE d.observed_at END";

/// What of a row is taken in, as SQL conditions over the stored row `d` and the read one `excluded`.
struct Taking {
    /// What the row says of the device, and of its users.
    columns: String,
    users: String,
    /// It says the same as what is stored, so that this is as fresh as the read.
    columns_confirmed: String,
    users_confirmed: String,
}

impl Taking {
    /// A list that shows the same `lastUpdated` may lag behind a read by id that was less than five
    /// minutes before, and one that shows an older `lastUpdated` does. A list that leaves out how users
    /// are managed, or the users altogether, says nothing new of those of a device that did not change.
    fn from_list(users_shown: bool) -> Self {
        let newer = "excluded.last_updated_at > d.last_updated_at";
        let same_time = "excluded.last_updated_at = d.last_updated_at";
        let not_after = |read_at: &str| {
            format!("(d.{read_at} IS NULL OR d.{read_at} < $14 - interval '5 minutes')")
        };
        let (tells_users, shows_same_users) = if users_shown {
            (
                format!("(excluded.users_known OR NOT d.users_known OR {newer})"),
                "excluded.users_known AND excluded.users = d.users",
            )
        } else {
            (format!("({newer})"), "false")
        };
        let device_not_after = not_after("read_by_id_at");
        let users_not_after = not_after("users_read_at");
        Self {
            columns: format!("({newer} OR ({same_time} AND {device_not_after}))"),
            users: format!("({tells_users} AND ({newer} OR ({same_time} AND {users_not_after})))"),
            columns_confirmed: format!("(({}) IS NOT DISTINCT FROM ({}))", of("excluded"), of("d")),
            users_confirmed: format!("({same_time} AND {shows_same_users})"),
        }
    }

    /// A read by id is the truth of when it began; one that began later has told more.
    fn by_id() -> Self {
        let columns = "(excluded.last_updated_at >= d.last_updated_at AND \
                        (d.read_by_id_at IS NULL OR d.read_by_id_at <= $14))";
        Self {
            columns: columns.to_owned(),
            users: columns.to_owned(),
            columns_confirmed: format!("(({}) IS NOT DISTINCT FROM ({}))", of("excluded"), of("d")),
            users_confirmed: "false".to_owned(),
        }
    }
}

fn of(table: &str) -> String {
    COLUMNS.map(|column| format!("{table}.{column}")).join(", ")
}

fn statement(source: Source, users_shown: bool) -> String {
    let taking = match source {
        Source::Sweep | Source::Changes => Taking::from_list(users_shown),
        Source::Id => Taking::by_id(),
    };
    let Taking { columns, users, columns_confirmed, users_confirmed } = &taking;
    let take = |names: &[&str], when: &str| {
        let each = |name: &&str| format!("CASE WHEN {when} THEN excluded.{name} ELSE d.{name} END");
        names.iter().map(each).collect::<Vec<_>>().join(", ")
    };
    let (new_columns, new_users) = (take(&COLUMNS, columns), take(&USERS, users));
    let seen = format!("({columns} OR {columns_confirmed})");
    let users_seen = format!("({users} OR {users_confirmed})");
    // What a read by id changed is confirmed by the next sweep, and not by one that has passed it.
    let follows = match source {
        Source::Id => {
            format!("(d.follows_sweeps AND {columns_confirmed} AND excluded.users = d.users)")
        }
        Source::Sweep | Source::Changes => seen.clone(),
    };
    let (read_by_id_at, users_read_at, first_read) = match source {
        Source::Id => ("$14", "$14", "$14"),
        Source::Sweep | Source::Changes => {
            ("d.read_by_id_at", "d.users_read_at", "NULL::timestamptz")
        }
    };
    let not_found_at = match source {
        Source::Id => "NULL".to_owned(),
        Source::Sweep | Source::Changes => {
            "CASE WHEN excluded.last_updated_at > d.last_updated_at THEN NULL ELSE d.not_found_at END"
                .to_owned()
        }
    };
    let may = match source {
        // All that is new, and that a row is less fresh than it seemed.
        Source::Sweep => format!(
            "({new_columns}, {new_users}, {follows}, {users_seen}) IS DISTINCT FROM \
             ({before}, d.users, d.users_known, d.any_managed, d.follows_sweeps, \
              d.users_observed_at IS NULL)",
            before = of("d"),
        ),
        Source::Changes => seen.clone(),
        Source::Id => columns.clone(),
    };
    let (columns, users) = (COLUMNS.join(", "), USERS.join(", "));
    format!(
        "INSERT INTO okta_devices AS d (tenant_id, integration_id, okta_device_id, {columns}, {users}, \
                observed_at, read_by_id_at, users_read_at) \
         SELECT $1, $2, n.id, n.platform, n.status, n.serial_number, n.udid, n.name, n.created, \
                n.updated, n.users::jsonb, n.known, n.managed, $14, {first_read}, {first_read} \
           FROM unnest($3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) \
             AS n (id, platform, status, serial_number, udid, name, created, updated, users, known, managed) \
         ON CONFLICT (tenant_id, integration_id, okta_device_id) DO UPDATE \
            SET ({columns}) = ROW ({new_columns}), ({users}) = ROW ({new_users}), \
                observed_at = CASE WHEN {seen} THEN greatest($14, CASE WHEN {columns_confirmed} THEN d.observed_at END) \
                                   ELSE {AS_OLD_AS_BEFORE} END, \
                users_observed_at = CASE WHEN {users_seen} THEN NULL \
                                         ELSE coalesce(d.users_observed_at, {AS_OLD_AS_BEFORE}) END, \
                follows_sweeps = {follows}, read_by_id_at = {read_by_id_at}, \
                users_read_at = {users_read_at}, not_found_at = {not_found_at} \
          WHERE {may}"
    )
}
