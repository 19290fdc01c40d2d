//! What the package is built with.

use std::process::Command;

/// Of the standard library, clippy's `incompatible_msrv` holds the same.
#[test]
fn no_dependency_wants_a_newer_rust_than_the_manifest_names() {
    let version = |text: &str| text.split('.').map(|part| part.parse().unwrap()).chain([0; 3]).take(3).collect::<Vec<u32>>();
    for target in ["x86_64-unknown-linux-musl", "aarch64-unknown-linux-musl", "arm-unknown-linux-musleabihf"] {
        let words = ["metadata", "--locked", "--offline", "--format-version", "1", "--filter-platform", target];
        let output = Command::new(env!("CARGO")).args(words).current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let nodes = metadata["resolve"]["nodes"].as_array().unwrap();
        let built = |package: &&serde_json::Value| nodes.iter().any(|node| node["id"] == package["id"]);
        for package in metadata["packages"].as_array().unwrap().iter().filter(built) {
            let wanted = package["rust_version"].as_str().unwrap_or("1");
            let own = env!("CARGO_PKG_RUST_VERSION");
            assert!(version(wanted) <= version(own), "{} wants Rust {wanted}, Cargo.toml names {own}", package["name"]);
        }
    }
}
