//! Small tables of public values: key to bytes.

use super::{Store, StoreError};

/// A table of public values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    /// By ceremony: what it ended with.
    Outcomes,
    /// By ceremony: a gateway's certificate and what became of it.
    Outbox,
    /// A gateway's cursors: of its poll of the service, and of its questions to each operator.
    Requests,
    /// By operator: its last signed record of addresses.
    Peers,
    /// By hash: owners' signed orders to let validators leave.
    Exits,
    /// By slot, kind and committee: what became of a duty.
    Duties,
}

impl Table {
    /// The tree's name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Table::Outcomes => "outcomes",
            Table::Outbox => "outbox",
            Table::Requests => "requests",
            Table::Peers => "peers",
            Table::Exits => "exits",
            Table::Duties => "duties",
        }
    }
}

impl Store {
    /// Writes one value; durable after [`Store::flush`].
    pub fn put(&self, table: Table, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        self.check_open()?;
        self.tree(table).insert(key, value)?;
        Ok(())
    }

    /// Reads one value.
    pub fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.tree(table).get(key)?.map(|value| value.to_vec()))
    }

    /// Removes one value.
    pub fn remove(&self, table: Table, key: &[u8]) -> Result<(), StoreError> {
        self.check_open()?;
        self.tree(table).remove(key)?;
        Ok(())
    }

    /// All values, in the order of their keys.
    pub fn entries(&self, table: Table) -> impl Iterator<Item = Result<(Vec<u8>, Vec<u8>), StoreError>> {
        self.tree(table).iter().map(|item| {
            let (key, value) = item?;
            Ok((key.to_vec(), value.to_vec()))
        })
    }

    /// The values whose keys lie between two keys, the second one excluded, in the order of their keys.
    pub fn entries_between(
        &self,
        table: Table,
        from: &[u8],
        to: &[u8],
    ) -> impl Iterator<Item = Result<(Vec<u8>, Vec<u8>), StoreError>> {
        self.tree(table).range(from..to).map(|item| {
            let (key, value) = item?;
            Ok((key.to_vec(), value.to_vec()))
        })
    }

    fn tree(&self, table: Table) -> &sled::Tree {
        match table {
            Table::Outcomes => &self.tables[0],
            Table::Outbox => &self.tables[1],
            Table::Requests => &self.tables[2],
            Table::Peers => &self.tables[3],
            Table::Exits => &self.tables[4],
            Table::Duties => &self.tables[5],
        }
    }
}
