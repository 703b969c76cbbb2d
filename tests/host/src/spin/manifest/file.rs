//! The shape of `spin.toml` as it is written. Keys that Spin knows and this host does not serve are read as plain values,
//! so that they can be refused by name.

use std::collections::BTreeMap;

use serde::Deserialize;

/// A whole manifest.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) spin_manifest_version: u32,
    pub(super) application: Application,
    #[serde(default)]
    pub(super) variables: BTreeMap<String, Variable>,
    #[serde(default)]
    pub(super) trigger: BTreeMap<String, Vec<toml::Value>>,
    #[serde(default)]
    pub(super) component: BTreeMap<String, Component>,
}

/// `[application]`. Version, description, authors and tool change nothing at run time.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Application {
    pub(super) name: String,
    pub(super) version: Option<String>,
    #[serde(rename = "description")]
    _description: Option<String>,
    #[serde(default, rename = "authors")]
    _authors: Vec<String>,
    #[serde(default, rename = "tool")]
    _tool: BTreeMap<String, toml::Table>,
    #[serde(default)]
    pub(super) trigger: BTreeMap<String, toml::Table>,
    pub(super) targets: Option<toml::Value>,
}

/// One entry of `[variables]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Variable {
    #[serde(rename = "description")]
    _description: Option<String>,
    #[serde(default)]
    pub(super) required: bool,
    pub(super) default: Option<String>,
    #[serde(default, rename = "secret")]
    _secret: bool,
}

/// One `[[trigger.http]]`; triggers of other kinds have keys of their own.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Trigger {
    #[serde(rename = "id")]
    _id: Option<String>,
    pub(super) route: Option<Route>,
    pub(super) component: Option<toml::Value>,
    pub(super) static_response: Option<StaticResponse>,
    pub(super) executor: Option<toml::Value>,
    pub(super) components: Option<toml::Value>,
    pub(super) dependencies: Option<toml::Value>,
}

/// `route = "/path"` or `route = { private = true }`.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Route {
    Public(String),
    Private(PrivateRoute),
}

/// The table form of a route.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PrivateRoute {
    pub(super) private: bool,
}

/// `static_response = { ... }`.
#[derive(Deserialize)]
pub(super) struct StaticResponse {
    pub(super) status_code: Option<u16>,
    #[serde(default)]
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: Option<String>,
}

/// One `[component.<id>]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Component {
    pub(super) source: toml::Value,
    #[serde(rename = "description")]
    _description: Option<String>,
    #[serde(default)]
    pub(super) allowed_outbound_hosts: Vec<String>,
    #[serde(default)]
    pub(super) variables: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) environment: BTreeMap<String, String>,
    pub(super) build: Option<Build>,
    #[serde(default, rename = "tool")]
    _tool: BTreeMap<String, toml::Table>,
    files: Option<toml::Value>,
    exclude_files: Option<toml::Value>,
    allowed_http_hosts: Option<toml::Value>,
    key_value_stores: Option<toml::Value>,
    sqlite_databases: Option<toml::Value>,
    ai_models: Option<toml::Value>,
    targets: Option<toml::Value>,
    dependencies: Option<toml::Value>,
    dependencies_inherit_configuration: Option<toml::Value>,
    profile: Option<toml::Value>,
}

impl Component {
    /// The keys written here that the host does not serve. An empty list or table asks for nothing and is let pass.
    pub(super) fn unserved(&self) -> Vec<&'static str> {
        [
            ("files", &self.files),
            ("exclude_files", &self.exclude_files),
            ("allowed_http_hosts", &self.allowed_http_hosts),
            ("key_value_stores", &self.key_value_stores),
            ("sqlite_databases", &self.sqlite_databases),
            ("ai_models", &self.ai_models),
            ("targets", &self.targets),
            ("dependencies", &self.dependencies),
            ("dependencies_inherit_configuration", &self.dependencies_inherit_configuration),
            ("profile", &self.profile),
        ]
        .into_iter()
        .filter(|(_, value)| value.as_ref().is_some_and(|value| !is_empty(value)))
        .map(|(key, _)| key)
        .collect()
    }
}

fn is_empty(value: &toml::Value) -> bool {
    match value {
        toml::Value::Array(items) => items.is_empty(),
        toml::Value::Table(table) => table.is_empty(),
        _ => false,
    }
}

/// `[component.<id>.build]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Build {
    pub(super) command: Commands,
    pub(super) workdir: Option<String>,
    #[serde(default)]
    pub(super) watch: Vec<String>,
}

/// One command, or several to run in turn.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Commands {
    One(String),
    Several(Vec<String>),
}
