//! `spin:variables`: the values of the application's variables, and what each component may see of them.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use anyhow::{Context as _, Result, bail};
use wasmtime::component::{Accessor, HasData};

use super::bindings::spin::variables::variables as wit;
use super::manifest::Manifest;
use super::template::Template;

const ENVIRONMENT_PREFIX: &str = "SPIN_VARIABLE_";

/// The variables of one application.
pub(super) struct Variables {
    defaults: BTreeMap<String, Option<String>>,
    components: HashMap<String, HashMap<String, Template>>,
    providers: Providers,
}

/// Where values come from, the first that knows a name deciding.
pub(super) struct Providers {
    /// Values given on the command line or by the caller.
    pub(super) given: BTreeMap<String, String>,
    /// Asked when the caller gave no value.
    pub(super) environment: Environment,
    /// What the environment's file held when it was first needed.
    pub(super) environment_file: OnceLock<HashMap<String, String>>,
}

/// What surrounds the application: names as Spin reads them, `SPIN_VARIABLE_` before the variable's in capitals.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    /// Environment variables.
    pub variables: BTreeMap<String, String>,
    /// A file of more, asked last; Spin's is `.env` in the current folder.
    pub file: Option<PathBuf>,
}

impl Providers {
    fn get(&self, name: &str) -> Result<Option<String>> {
        if let Some(value) = self.given.get(name) {
            return Ok(Some(value.clone()));
        }
        let key = format!("{ENVIRONMENT_PREFIX}{}", name.to_ascii_uppercase());
        match self.environment.variables.get(&key) {
            Some(value) => Ok(Some(value.clone())),
            None => Ok(self.environment_file()?.get(&key).cloned()),
        }
    }

    fn environment_file(&self) -> Result<&HashMap<String, String>> {
        if let Some(values) = self.environment_file.get() {
            return Ok(values);
        }
        let values = self.environment.file.as_deref().map_or_else(|| Ok(HashMap::new()), read_environment_file)?;
        Ok(self.environment_file.get_or_init(|| values))
    }
}

fn read_environment_file(path: &Path) -> Result<HashMap<String, String>> {
    // A file that is not there is no error, one that cannot be understood is.
    let Ok(entries) = dotenvy::from_path_iter(path) else {
        return Ok(HashMap::new());
    };
    entries.collect::<Result<_, _>>().with_context(|| format!("cannot read {}", path.display()))
}

impl Variables {
    /// Checks the manifest's templates, and that every required variable has a value.
    pub(super) fn new(manifest: &Manifest, providers: Providers) -> Result<Self> {
        let mut components = HashMap::new();
        for component in manifest.components() {
            let mut templates = HashMap::new();
            for (name, source) in &component.variables {
                let template = Template::parse(source)
                    .and_then(|template| check_known(&template, manifest).map(|()| template))
                    .with_context(|| format!("component.{}.variables.{name}", component.id))?;
                templates.insert(name.clone(), template);
            }
            components.insert(component.id.clone(), templates);
        }
        let variables = Self { defaults: manifest.variables().clone(), components, providers };
        variables.check_required()?;
        Ok(variables)
    }

    fn check_required(&self) -> Result<()> {
        let mut missing = Vec::new();
        for (name, default) in &self.defaults {
            if default.is_none() && self.providers.get(name)?.is_none() {
                missing.push(name.as_str());
            }
        }
        if missing.is_empty() {
            return Ok(());
        }
        bail!("no provider resolved required variable(s): {}", missing.join(", "))
    }

    /// The value of an application variable now.
    pub(super) fn application_value(&self, name: &str) -> Result<String> {
        if let Some(value) = self.providers.get(name)? {
            return Ok(value);
        }
        match self.defaults.get(name) {
            Some(Some(default)) => Ok(default.clone()),
            Some(None) => bail!("no provider resolved required variable {name:?}"),
            None => bail!("unknown variable {name:?}"),
        }
    }

    /// Fills a template of the manifest, whose variables are the application's.
    pub(super) fn fill(&self, template: &Template) -> Result<String> {
        template.fill(|name| self.application_value(name))
    }

    /// Fails if any application variable has no value now.
    pub(super) fn check_all(&self) -> Result<()> {
        self.defaults.keys().try_for_each(|name| self.application_value(name).map(drop))
    }

    /// The value of a component's variable now.
    fn component_value(&self, component: &str, name: &str) -> Result<String, wit::Error> {
        check_name(name).map_err(|reason| wit::Error::InvalidName(format!("{name:?}: {reason}")))?;
        let template = self
            .components
            .get(component)
            .and_then(|templates| templates.get(name))
            .ok_or_else(|| wit::Error::Undefined(format!("no variable for {component:?}.{name:?}")))?;
        self.fill(template).map_err(|error| wit::Error::Provider(error.to_string()))
    }
}

/// Checks that a template's variables are the manifest's.
pub(super) fn check_known(template: &Template, manifest: &Manifest) -> Result<()> {
    for name in template.variables() {
        if !manifest.variables().contains_key(name) {
            bail!("unknown variable {name:?}");
        }
    }
    Ok(())
}

fn check_name(name: &str) -> Result<(), String> {
    let is_plain = |char: char| char.is_ascii_lowercase() || char.is_ascii_digit() || char == '_';
    if name.is_empty() {
        return Err("must not be empty".to_owned());
    }
    if let Some(char) = name.chars().find(|char| !is_plain(*char)) {
        return Err(format!(
            "invalid character {char:?}. Variable names may contain only lower-case letters, numbers, and underscores."
        ));
    }
    if !name.starts_with(|char: char| char.is_ascii_lowercase()) {
        return Err("must start with a lowercase ASCII letter".to_owned());
    }
    if name.ends_with('_') {
        return Err("must end with a lowercase ASCII letter or digit".to_owned());
    }
    if name.contains("__") {
        return Err("must not contain multiple consecutive underscores".to_owned());
    }
    Ok(())
}

/// One component's view of the variables.
#[derive(Clone)]
pub(super) struct ComponentVariables {
    pub(super) component: Arc<str>,
    pub(super) variables: Arc<Variables>,
}

/// Gives the linker a component's variables.
pub(super) struct HasVariables;

impl HasData for HasVariables {
    type Data<'a> = &'a mut ComponentVariables;
}

impl wit::Host for ComponentVariables {
    fn convert_error(&mut self, error: wit::Error) -> wasmtime::Result<wit::Error> {
        Ok(error)
    }
}

impl<T: Send> wit::HostWithStore<T> for HasVariables {
    async fn get(accessor: &Accessor<T, Self>, name: String) -> Result<String, wit::Error> {
        let view = accessor.with(|mut access| access.get().clone());
        view.variables.component_value(&view.component, &name)
    }
}
