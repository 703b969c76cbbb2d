//! Reads `spin.toml` (manifest version 2) and refuses, by name, whatever this host does not serve.

mod file;
mod names;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};

/// A manifest that this host can serve in full.
#[derive(Debug, Clone)]
pub struct Manifest {
    name: String,
    version: Option<String>,
    variables: BTreeMap<String, Option<String>>,
    triggers: Vec<HttpTrigger>,
    components: Vec<Component>,
}

/// One `[[trigger.http]]`.
#[derive(Debug, Clone)]
pub struct HttpTrigger {
    /// The route as written; `None` for `{ private = true }`.
    pub route: Option<String>,
    /// Who answers.
    pub target: Target,
}

/// What a route leads to.
#[derive(Debug, Clone)]
pub enum Target {
    /// The component of this id.
    Component(String),
    /// A fixed answer, given without a component.
    Static(StaticResponse),
}

/// A fixed answer.
#[derive(Debug, Clone)]
pub struct StaticResponse {
    /// The status, 200 unless written.
    pub status: u16,
    /// The headers, by name.
    pub headers: BTreeMap<String, String>,
    /// The body, empty unless written.
    pub body: String,
}

/// One `[component.<id>]`.
#[derive(Debug, Clone)]
pub struct Component {
    /// Its id.
    pub id: String,
    /// The wasm file, resolved against the manifest's folder.
    pub source: PathBuf,
    /// Where it may connect to, as written.
    pub allowed_outbound_hosts: Vec<String>,
    /// Its variables: name to template.
    pub variables: BTreeMap<String, String>,
    /// Its environment.
    pub environment: BTreeMap<String, String>,
    /// How it is built, if the manifest says.
    pub build: Option<Build>,
}

/// How a component is built.
#[derive(Debug, Clone)]
pub struct Build {
    /// Shell commands, to run in turn.
    pub commands: Vec<String>,
    /// Where to run them, resolved against the manifest's folder.
    pub workdir: PathBuf,
    /// The sources, as globs relative to `workdir`.
    pub watch: Vec<String>,
}

impl Manifest {
    /// Reads and checks the manifest at `path`.
    pub fn load(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).with_context(|| format!("cannot read the manifest {}", path.display()))?;
        let absolute = std::path::absolute(path)?;
        Self::parse(&text, absolute.parent().unwrap_or(Path::new("/")))
            .with_context(|| format!("the manifest {}", path.display()))
    }

    /// Checks the manifest in `text`; its paths are relative to `folder`.
    pub fn parse(text: &str, folder: &Path) -> Result<Self> {
        let file: file::File = toml::from_str(text)?;
        ensure!(
            file.spin_manifest_version == 2,
            "spin_manifest_version is {}, only 2 is served",
            file.spin_manifest_version
        );
        check_application(&file.application)?;
        let components = file
            .component
            .into_iter()
            .map(|(id, component)| read_component(id, component, folder))
            .collect::<Result<Vec<_>>>()?;
        let triggers = read_triggers(file.trigger, &components)?;
        Ok(Self {
            name: file.application.name,
            version: file.application.version,
            variables: read_variables(file.variables)?,
            triggers,
            components,
        })
    }

    /// The application's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The application's version.
    pub fn version(&self) -> Option<&str> {
        self.version.as_deref()
    }

    /// The application's variables: name to default, `None` for a required one.
    pub fn variables(&self) -> &BTreeMap<String, Option<String>> {
        &self.variables
    }

    /// The triggers in the order written.
    pub fn triggers(&self) -> &[HttpTrigger] {
        &self.triggers
    }

    /// The components, sorted by id.
    pub fn components(&self) -> &[Component] {
        &self.components
    }
}

fn check_application(application: &file::Application) -> Result<()> {
    ensure!(application.targets.is_none(), "application.targets is not served by the local host");
    for (kind, settings) in &application.trigger {
        ensure!(kind == "http", "application.trigger.{kind} is not served by the local host");
        for (key, value) in settings {
            // Spin itself accepts no other base than the one that changes nothing.
            ensure!(
                key == "base" && value.as_str() == Some("/"),
                "application.trigger.http.{key} is not served by the local host"
            );
        }
    }
    Ok(())
}

fn read_variables(variables: BTreeMap<String, file::Variable>) -> Result<BTreeMap<String, Option<String>>> {
    variables
        .into_iter()
        .map(|(name, variable)| {
            names::check_variable_name(&name).with_context(|| format!("variables.{name}"))?;
            match (variable.required, variable.default) {
                (false, None) => bail!("variables.{name} must have a default or be required"),
                (true, Some(_)) => bail!("variables.{name} has a default and so cannot be required"),
                (_, default) => Ok((name, default)),
            }
        })
        .collect()
}

fn read_component(id: String, component: file::Component, folder: &Path) -> Result<Component> {
    names::check_component_id(&id).with_context(|| format!("component.{id}"))?;
    if let Some(key) = component.unserved().first() {
        bail!("component.{id}.{key} is not served by the local host");
    }
    let Some(source) = component.source.as_str() else {
        bail!("component.{id}.source must be a path: other sources are not served by the local host");
    };
    for name in component.variables.keys() {
        names::check_variable_name(name).with_context(|| format!("component.{id}.variables.{name}"))?;
    }
    Ok(Component {
        source: folder.join(source),
        allowed_outbound_hosts: component.allowed_outbound_hosts,
        variables: component.variables,
        environment: component.environment,
        build: component.build.map(|build| read_build(build, folder)),
        id,
    })
}

fn read_build(build: file::Build, folder: &Path) -> Build {
    Build {
        commands: match build.command {
            file::Commands::One(command) => vec![command],
            file::Commands::Several(commands) => commands,
        },
        workdir: match build.workdir {
            Some(workdir) => folder.join(workdir),
            None => folder.to_owned(),
        },
        watch: build.watch,
    }
}

fn read_triggers(triggers: BTreeMap<String, Vec<toml::Value>>, components: &[Component]) -> Result<Vec<HttpTrigger>> {
    let mut read = Vec::new();
    for (kind, triggers) in triggers {
        ensure!(kind == "http", "trigger.{kind} is not served by the local host");
        for trigger in triggers {
            let trigger = trigger.try_into().context("trigger.http")?;
            read.push(read_trigger(trigger, components)?);
        }
    }
    Ok(read)
}

fn read_trigger(trigger: file::Trigger, components: &[Component]) -> Result<HttpTrigger> {
    let route = match trigger.route {
        None => bail!("a trigger.http has no route"),
        Some(file::Route::Public(route)) => Some(route),
        Some(file::Route::Private(private)) => {
            ensure!(private.private, "trigger.http.route is neither a path nor {{ private = true }}");
            None
        }
    };
    let name = route.as_deref().unwrap_or("{ private = true }");
    for (key, value) in [("components", &trigger.components), ("dependencies", &trigger.dependencies)] {
        ensure!(value.is_none(), "trigger.http.{key} ({name}) is not served by the local host");
    }
    if let Some(executor) = &trigger.executor {
        let kind = executor.get("type").and_then(toml::Value::as_str);
        ensure!(
            matches!(kind, Some("http" | "spin")),
            "trigger.http.executor ({name}) is not served by the local host unless its type is http"
        );
    }
    let target = match (trigger.component, trigger.static_response) {
        (Some(component), None) => Target::Component(check_reference(&component, name, components)?),
        (None, Some(response)) => Target::Static(StaticResponse {
            status: response.status_code.unwrap_or(200),
            headers: response.headers,
            body: response.body.unwrap_or_default(),
        }),
        _ => bail!("trigger.http ({name}) must have either component or static_response"),
    };
    Ok(HttpTrigger { route, target })
}

fn check_reference(component: &toml::Value, route: &str, components: &[Component]) -> Result<String> {
    let Some(id) = component.as_str() else {
        bail!(
            "trigger.http.component ({route}) must be a component's id: inline components are not served by the local host"
        );
    };
    ensure!(
        components.iter().any(|component| component.id == id),
        "trigger.http.component ({route}) names {id:?}, which the manifest does not describe"
    );
    Ok(id.to_owned())
}
