//! Holds every built component against its world in `wit/`: it imports no more, and exports just that.

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context as _, Result, bail};
use tally_host::spin::manifest::Manifest;
use tally_host::toolchain::Toolchain;
use wit_parser::decoding::{DecodedWasm, decode};
use wit_parser::{Resolve, WorldId, WorldItem, WorldKey};

use crate::harness::{repository, run};

/// What a world or a component imports and exports, by interface.
#[derive(Debug, PartialEq, Eq)]
struct Doors {
    imports: BTreeSet<String>,
    exports: BTreeSet<String>,
}

impl Doors {
    fn of(resolve: &Resolve, world: WorldId) -> Self {
        let world = &resolve.worlds[world];
        let names = |items: Vec<(&WorldKey, &WorldItem)>| {
            // A type that a world names itself comes from an interface, which is named too.
            let items = items.into_iter().filter(|(_, item)| !matches!(item, WorldItem::Type { .. }));
            items.map(|(key, _)| compatible(&resolve.name_world_key(key))).collect()
        };
        Self { imports: names(world.imports.iter().collect()), exports: names(world.exports.iter().collect()) }
    }

    fn of_component(bytes: &[u8]) -> Result<Self> {
        match decode(bytes)? {
            DecodedWasm::Component(resolve, world) => Ok(Self::of(&resolve, world)),
            DecodedWasm::WitPackage(..) => bail!("a WIT package, not a component"),
        }
    }
}

/// WASI 0.2 versions are compatible among themselves: `wasi:io/poll@0.2.6` becomes `wasi:io/poll@0.2`.
fn compatible(name: &str) -> String {
    match name.split_once("@0.2.") {
        Some((interface, _)) => format!("{interface}@0.2"),
        None => name.to_owned(),
    }
}

#[tokio::test]
async fn every_component_keeps_to_its_world() -> Result<()> {
    run().await?;
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(repository().join("wit"))?;
    let manifest = Manifest::load(&repository().join("spin.toml"))?;
    assert!(!manifest.components().is_empty());
    let world = |name: &str| {
        let world =
            resolve.select_world(&[package], Some(name)).with_context(|| format!("there is no world {name}"))?;
        anyhow::Ok(Doors::of(&resolve, world))
    };
    let libc = match Toolchain::find(&repository().join("target"))? {
        Toolchain::Plain => BTreeSet::new(),
        Toolchain::Debian { .. } => world("debian")?.imports,
    };
    for component in manifest.components() {
        let mut allowed = world(&component.id)?;
        allowed.imports.extend(libc.iter().cloned());
        let actual = Doors::of_component(&fs::read(&component.source)?).with_context(|| component.id.clone())?;
        let excess: Vec<_> = actual.imports.difference(&allowed.imports).collect();
        assert!(excess.is_empty(), "{} imports what its world does not: {excess:#?}", component.id);
        assert_eq!(actual.exports, allowed.exports, "the exports of {}", component.id);
    }
    Ok(())
}

#[test]
fn patch_versions_of_wasi_0_2_do_not_matter() {
    assert_eq!(compatible("wasi:io/poll@0.2.6"), "wasi:io/poll@0.2");
    assert_eq!(compatible("wasi:http/types@0.3.0"), "wasi:http/types@0.3.0");
    assert_eq!(compatible("spin:postgres/postgres@4.2.0"), "spin:postgres/postgres@4.2.0");
}
