//! Merging the sources of a configuration, and errors that name the field and where it was written.

use std::path::{Path, PathBuf};

use figment::providers::{Env, Format, Serialized, Toml};
use figment::{Figment, Profile};
use serde::de::DeserializeOwned;
use serde::Serialize;

use super::Validate;

/// What every environment variable of the node begins with.
pub const ENV_PREFIX: &str = "CLUSTER_NODE_";

/// Variables with the prefix that are not fields: the configuration file's own path, and the crash switch of test builds.
const ENV_NOT_FIELDS: [&str; 2] = ["config", "crash_at"];

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The named file does not exist or cannot be read.
    #[error("the configuration file {path} cannot be read: {reason}")]
    File {
        /// The file.
        path: PathBuf,
        /// The system's words.
        reason: String,
    },
    /// A field that does not exist.
    #[error("the configuration has no field `{field}` (written in {source_name}); `cluster-node config operator` and `cluster-node config gateway` print all fields")]
    UnknownField {
        /// Its full name, such as `mesh.lisen`.
        field: String,
        /// File, environment or flag.
        source_name: String,
    },
    /// A field of the wrong type.
    #[error("the configuration field `{field}` (written in {source_name}) is wrong: {reason}")]
    Type {
        /// Its full name.
        field: String,
        /// File, environment or flag.
        source_name: String,
        /// What was expected.
        reason: String,
    },
    /// A value out of its range.
    #[error("the configuration field `{field}` is wrong: {reason}")]
    Value {
        /// Its full name.
        field: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// `--set` without `=`, or with a value that is not TOML.
    #[error("`--set {text}` is not of the form section.field=value: {reason}")]
    Set {
        /// As written.
        text: String,
        /// What is wrong.
        reason: String,
    },
}

/// Fields given by flags, as `section.field` and a TOML value.
#[derive(Clone, Debug, Default)]
pub struct Overrides(Vec<(String, toml::Value)>);

impl Overrides {
    /// Adds one field when the flag was given.
    pub fn field(&mut self, name: &str, value: Option<impl Into<toml::Value>>) {
        if let Some(value) = value {
            self.0.push((name.to_owned(), value.into()));
        }
    }

    /// Adds a list when it has entries.
    pub fn list(&mut self, name: &str, values: &[String]) {
        if !values.is_empty() {
            self.0.push((name.to_owned(), toml::Value::from(values.to_vec())));
        }
    }

    /// Adds `section.field=value`; a value that is not TOML is taken as a string, so that paths need no quotes.
    pub fn set(&mut self, text: &str) -> Result<(), ConfigError> {
        let bad = |reason: &str| ConfigError::Set { text: text.to_owned(), reason: reason.to_owned() };
        let (name, value) = text.split_once('=').ok_or_else(|| bad("the `=` is missing"))?;
        if name.trim().is_empty() {
            return Err(bad("the field's name is missing"));
        }
        let parsed = toml::from_str::<toml::Table>(&format!("value = {value}"))
            .ok()
            .and_then(|mut table| table.remove("value"))
            .unwrap_or_else(|| toml::Value::String(value.to_owned()));
        self.0.push((name.trim().to_owned(), parsed));
        Ok(())
    }
}

/// Reads a role's configuration from defaults, `file`, the environment and `flags`, in rising order.
pub fn load<C>(file: Option<&Path>, flags: &Overrides) -> Result<C, ConfigError>
where
    C: Default + Serialize + DeserializeOwned + Validate,
{
    let mut figment = Figment::from(Serialized::defaults(C::default()));
    if let Some(path) = file {
        let text = std::fs::read_to_string(path)
            .map_err(|error| ConfigError::File { path: path.to_owned(), reason: error.to_string() })?;
        // Parsed here as well: figment reports a syntax error without line and column.
        if let Err(error) = toml::from_str::<toml::Table>(&text) {
            return Err(ConfigError::File { path: path.to_owned(), reason: error.to_string() });
        }
        figment = figment.merge(Toml::file_exact(path));
    }
    figment = figment.merge(Env::prefixed(ENV_PREFIX).ignore(&ENV_NOT_FIELDS).split("__").lowercase(true));
    for (name, value) in &flags.0 {
        figment = figment.merge(Serialized::default(name, value).profile(Profile::Default));
    }
    let config: C = figment.extract().map_err(|error| describe(error, file))?;
    config.validate()?;
    Ok(config)
}

fn describe(error: figment::Error, file: Option<&Path>) -> ConfigError {
    let source_name = match &error.metadata {
        Some(metadata) if metadata.name.contains("environment") => "the environment".to_owned(),
        Some(metadata) => match (&metadata.source, file) {
            (Some(figment::Source::File(path)), _) => path.display().to_string(),
            (_, Some(path)) if metadata.name.contains("TOML") => path.display().to_string(),
            _ => "a flag".to_owned(),
        },
        None => "an unknown place".to_owned(),
    };
    let path = error.path.join(".");
    match error.kind {
        figment::error::Kind::UnknownField(name, _) => {
            // Figment's path may or may not end in the field itself.
            let field = match path.as_str() {
                "" => name,
                path if path == name || path.ends_with(&format!(".{name}")) => path.to_owned(),
                path => format!("{path}.{name}"),
            };
            ConfigError::UnknownField { field, source_name }
        }
        kind => ConfigError::Type { field: path, source_name, reason: kind.to_string() },
    }
}
