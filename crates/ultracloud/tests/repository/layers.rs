//! Who may know whom (ARCHITECTURE.md, "Layers"): arrows point downward only.

use std::path::Path;

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package};

use crate::tree::{assert_none, files, root, short, text};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layer {
    /// Knows nobody above it.
    Platform,
    /// A platform crate that tests alone may use.
    Simulation,
    /// Knows the platform and no other service.
    Service,
    /// The server binary: knows all services.
    Binary,
    /// Looks from outside: knows the platform and the wire protocols.
    Outside,
}

fn layer(folder: &Path) -> Option<Layer> {
    let parts: Vec<&str> = folder.iter().filter_map(|part| part.to_str()).collect();
    match parts[..] {
        ["crates", "platform", "sim"] => Some(Layer::Simulation),
        ["crates", "platform", _] => Some(Layer::Platform),
        ["crates", "control" | "network" | "storage" | "compute", _] => Some(Layer::Service),
        ["crates", "ultracloud"] => Some(Layer::Binary),
        ["crates", "operator", _] | ["crates", "lab"] | ["bench"] => Some(Layer::Outside),
        _ => None,
    }
}

fn may_know(from: Layer, to: Layer, kind: DependencyKind) -> bool {
    match to {
        Layer::Platform => true,
        Layer::Simulation => kind == DependencyKind::Development,
        Layer::Service => from == Layer::Binary,
        Layer::Binary | Layer::Outside => false,
    }
}

fn workspace() -> Metadata {
    MetadataCommand::new().manifest_path(root().join("Cargo.toml")).no_deps().exec().expect("cargo metadata")
}

fn folder(package: &Package) -> &Path {
    let manifest = package.manifest_path.as_std_path();
    manifest.parent().and_then(|dir| dir.strip_prefix(root()).ok()).expect("members lie in the checkout")
}

#[test]
fn the_rule_itself() {
    use DependencyKind::{Development, Normal};
    assert!(may_know(Layer::Service, Layer::Platform, Normal));
    assert!(may_know(Layer::Binary, Layer::Service, Normal));
    assert!(may_know(Layer::Platform, Layer::Simulation, Development));
    assert!(!may_know(Layer::Platform, Layer::Simulation, Normal));
    assert!(!may_know(Layer::Platform, Layer::Service, Development));
    assert!(!may_know(Layer::Service, Layer::Service, Development));
    assert!(!may_know(Layer::Outside, Layer::Service, Development));
    assert!(!may_know(Layer::Outside, Layer::Binary, Normal));
}

#[test]
fn arrows_point_downward_only() {
    let workspace = workspace();
    let mut wrong = Vec::new();
    for package in &workspace.packages {
        let Some(from) = layer(folder(package)) else { continue };
        for dependency in &package.dependencies {
            let known = workspace.packages.iter().find(|other| other.name.as_str() == dependency.name);
            let Some(to) = known.and_then(|other| layer(folder(other))) else { continue };
            if !may_know(from, to, dependency.kind) {
                wrong.push(format!("{} ({from:?}) must not know {} ({to:?})", package.name, dependency.name));
            }
        }
    }
    assert_none(&wrong);
}

#[test]
fn a_crate_is_called_as_its_folder_and_has_a_layer() {
    let mut wrong = Vec::new();
    for package in &workspace().packages {
        let folder = folder(package);
        if layer(folder).is_none() {
            wrong.push(format!(
                "{} has no layer: see ARCHITECTURE.md for where a crate goes",
                folder.display()
            ));
        }
        if !folder.ends_with(package.name.as_str()) {
            wrong.push(format!("{} is called {}", folder.display(), package.name));
        }
    }
    assert_none(&wrong);
}

/// Built with other flags than everything else, so a workspace of its own.
const FUZZ: &str = "fuzz/Cargo.toml";

#[test]
fn the_fuzz_targets_bring_nothing_but_their_engine() {
    let table: toml::Table = text(&root().join(FUZZ)).parse().expect("a manifest");
    let dependencies = table["dependencies"].as_table().expect("a table");
    let foreign: Vec<String> = dependencies
        .iter()
        .filter(|(name, value)| *name != "libfuzzer-sys" && value.get("path").is_none())
        .map(|(name, _)| format!("{FUZZ}: {name} is neither the engine nor a crate of ours"))
        .collect();
    assert_none(&foreign);
    let targets: Vec<&str> = table["bin"]
        .as_array()
        .expect("targets")
        .iter()
        .filter_map(|bin| bin.get("name")?.as_str())
        .collect();
    let without: Vec<String> = targets
        .iter()
        .filter(|name| !root().join("fuzz/seeds").join(name).is_dir())
        .map(|name| format!("{FUZZ}: the target {name} has no inputs in fuzz/seeds/{name}"))
        .collect();
    assert_none(&without);
    let replayed: String =
        files(root(), &|path| path.ends_with("fuzzing.rs")).iter().map(|path| text(path)).collect();
    let forgotten: Vec<String> = targets
        .iter()
        .filter(|name| !replayed.contains(&format!("corpus::replay(\"{name}\"")))
        .map(|name| format!("{FUZZ}: no ordinary test replays the inputs of {name}"))
        .collect();
    assert_none(&forgotten);
}

#[test]
fn every_manifest_belongs_to_the_workspace() {
    let members: Vec<String> =
        workspace().packages.iter().map(|p| short(p.manifest_path.as_std_path())).collect();
    let strays: Vec<String> = files(root(), &|path| path.ends_with("Cargo.toml"))
        .iter()
        .map(|path| short(path))
        .filter(|path| path != "Cargo.toml" && path != FUZZ && !members.contains(path))
        .collect();
    assert_none(&strays);
}

#[test]
fn versions_and_features_are_decided_in_the_workspace_alone() {
    let mut wrong = Vec::new();
    for package in &workspace().packages {
        let manifest = package.manifest_path.as_std_path();
        let table: toml::Table = text(manifest).parse().expect("a manifest");
        let mut complain = |what: String| wrong.push(format!("{}: {what}", short(manifest)));
        for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
            for (name, value) in table.get(section).and_then(toml::Value::as_table).into_iter().flatten() {
                if value.as_table().is_none_or(|v| v.len() != 1 || v.get("workspace") != Some(&true.into())) {
                    complain(format!("{section}.{name} must be `{name}.workspace = true` and nothing else"));
                }
            }
        }
        for refused in ["features", "target", "profile", "patch"] {
            if table.contains_key(refused) {
                complain(format!("[{refused}] belongs to the workspace or nowhere"));
            }
        }
        if table.get("lints").and_then(|lints| lints.get("workspace")) != Some(&true.into()) {
            complain("the workspace's lints are not taken over".into());
        }
    }
    assert_none(&wrong);
}
