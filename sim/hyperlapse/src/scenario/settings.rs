//! The tables of a scenario file that belong to the suite: limits of its system, what its users do.
//!
//! A suite registers a type for each table. The table is read when the file is, so that a slip in it is
//! an error with a place and not a surprise in the middle of a run; code asks for it by its type.

use std::any::{Any, TypeId, type_name};
use std::sync::Arc;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::DeserializeOwned;
use toml::de::ValueDeserializer;

type Value = Arc<dyn Any + Send + Sync>;

/// How one table is read.
#[derive(Clone, Copy)]
pub(crate) struct SettingsTable {
    pub(crate) name: &'static str,
    pub(crate) read: fn(ValueDeserializer<'_>) -> Result<Value, toml::de::Error>,
    pub(crate) schema: fn(&mut SchemaGenerator) -> Schema,
}

impl SettingsTable {
    pub(crate) fn new<T>(name: &'static str) -> Self
    where
        T: DeserializeOwned + JsonSchema + Any + Send + Sync,
    {
        Self { name, read: |from| Ok(Arc::new(T::deserialize(from)?)), schema: T::json_schema }
    }
}

/// Every table of a scenario as values: that of the scenario, and that of each kind of user.
#[derive(Debug, Default)]
pub(crate) struct Settings(Vec<(TypeId, Vec<Value>)>);

impl Settings {
    /// A table that all users share.
    pub(crate) fn insert(&mut self, value: Value) {
        self.insert_kinds(vec![value]);
    }

    /// A table that the kinds of users have each in their own form; the first is the scenario's.
    pub(crate) fn insert_kinds(&mut self, values: Vec<Value>) {
        let id = (*values[0]).type_id();
        self.0.retain(|(known, _)| *known != id);
        self.0.push((id, values));
    }

    pub(crate) fn get<T: Any + Send + Sync>(&self, kind: Option<usize>) -> &T {
        let found = self.0.iter().find(|(id, _)| *id == TypeId::of::<T>());
        let Some((_, values)) = found else {
            panic!("no settings of type {} were registered with the suite", type_name::<T>());
        };
        let value = kind.and_then(|kind| values.get(kind + 1)).unwrap_or(&values[0]);
        value.downcast_ref().expect("a table of settings is kept under its own type")
    }
}
