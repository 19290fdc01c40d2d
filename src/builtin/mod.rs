//! The tools in the box, written with nothing but what a library user has: [`Tool`], [`Arg`](crate::tool::Arg) and
//! [`Output`](crate::tool::Output).

/// A schema with nothing in it that is only known later: JSON as it is sent, without a comma at an end. It is text in the program,
/// where `json!` is the code that builds it.
macro_rules! written {
    ($($json:tt)+) => { $crate::builtin::written(stringify!($($json)+)) };
}

pub(crate) mod exec;
mod files;
pub(crate) mod gpio;
pub(crate) mod i2c;
mod math;
mod root;
mod sensors;
pub(crate) mod services;
mod system;
#[cfg(test)]
mod tree;
mod wake;

use crate::config::Config;
use crate::error::Error;
use crate::tool::{Catalog, Tool};
use root::Root;

/// Every tool in the box that needs no configuration.
pub fn tools() -> Vec<Tool> {
    always(&Root::default())
}

fn always(root: &Root) -> Vec<Tool> {
    let mut tools = math::tools();
    tools.extend(system::tools(root));
    tools
}

/// What [`written!`] says. Tests offer every tool, and end here where it is no JSON.
fn written(json: &str) -> serde_json::Value {
    let read = serde_json::from_str(json);
    debug_assert!(read.is_ok(), "{read:?}: {json}");
    read.unwrap_or_default()
}

/// The highest temperature of the board, if it has a thermometer, where `root` stands for `/`.
pub(crate) fn warmest(root: &std::path::Path) -> Option<f64> {
    system::warmest(&Root(root.to_owned()))
}

/// Offers [`tools`] and what the configuration switches on, and says what their scopes allow.
///
/// # Errors
/// When `catalog` has a tool of the same name already, or what is switched on cannot be.
pub fn offer(catalog: &mut Catalog, config: &Config) -> Result<(), Error> {
    let root = Root(config.allowed.root.clone());
    catalog.describe(math::SCOPE, "Calculate with numbers: it sees nothing of the board");
    catalog.describe(system::SCOPE, "Read the board's health: temperature, power, memory, disks, load, network, processes");
    always(&root).into_iter().try_for_each(|tool| catalog.add(tool))?;
    if config.allowed.sensors {
        sensors::offer(catalog, &root)?;
    }
    if !config.allowed.folders.is_empty() {
        files::offer(catalog, config)?;
    }
    if !config.allowed.wake.is_empty() {
        wake::offer(catalog, &config.allowed.wake)?;
    }
    Ok(())
}

/// What each tool that looks at `/proc` and `/sys` makes of those under `root`: what it promises, whatever the files hold.
#[cfg(fuzzing)]
pub(crate) fn look(root: std::path::PathBuf) {
    use crate::tool::{Handler, Yield};
    let (root, mut catalog) = (Root(root), Catalog::default());
    let tools = system::tools(&root).into_iter().try_for_each(|tool| catalog.add(tool));
    assert!(tools.and_then(|()| sensors::offer(&mut catalog, &root)).is_ok());
    for tool in catalog.tools() {
        let Handler::Blocking(handler) = tool.handler() else { continue };
        let (name, arguments) = (tool.spec().name(), tool.read(None));
        match arguments.and_then(|arguments| handler(arguments)) {
            Ok(Yield::Output(output)) => {
                assert_eq!(tool.check(&output), Ok(()), "{name}");
                let bytes = output.structured_content().map_or(0, |json| json.len());
                assert!(bytes < 256 * 1024, "{name}: {bytes} bytes");
            }
            Ok(_) => unreachable!("{name} is a tool"),
            Err(error) => assert!(!error.to_string().is_empty(), "{name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Allowed, Folder, WakeHost};
    use crate::tool::Effect;

    /// All that there is.
    fn everything() -> Config {
        let mut config = Config::with_state("/var/lib/perchd".into());
        let folder = Folder { name: "notes".into(), path: "/srv/notes".into(), may_write: true, max_bytes: 1000 };
        let host = WakeHost { name: "nas".into(), mac: [2; 6], broadcast: ([192, 168, 1, 255], 9).into() };
        config.allowed = Allowed { sensors: true, folders: vec![folder], wake: vec![host], ..Allowed::default() };
        config
    }

    fn offered(config: &Config) -> Catalog {
        let mut catalog = Catalog::default();
        offer(&mut catalog, config).unwrap();
        catalog
    }

    #[test]
    fn the_box_can_be_offered_once() {
        let mut catalog = offered(&everything());
        assert!(offer(&mut catalog, &everything()).is_err());
    }

    #[test]
    fn nothing_but_sums_and_health_is_offered_until_it_is_switched_on() {
        let catalog = offered(&Config::with_state("/".into()));
        let scopes = catalog.scopes();
        assert_eq!(scopes.iter().map(|scope| scope.name.as_str()).collect::<Vec<_>>(), ["math", "system:read"]);
        assert!(catalog.resources().is_empty());
    }

    #[test]
    fn each_scope_says_what_it_allows_and_whether_it_writes() {
        for scope in offered(&everything()).scopes() {
            assert!(!scope.about.starts_with("Use ") && !scope.about.starts_with("Read Sensors"), "{scope:?}");
            assert_eq!(scope.is_write, scope.name.ends_with(":write"), "{scope:?}");
        }
    }

    #[test]
    fn each_tool_has_a_title_a_description_and_a_schema_of_its_output() {
        for tool in offered(&everything()).tools() {
            let spec = tool.spec();
            assert!(spec.title().is_some() && !spec.about().is_empty(), "{}", spec.name());
            assert_eq!(spec.scope().ends_with(":write"), spec.effect() != Effect::Reads, "{}", spec.name());
            let schema = serde_json::to_value(spec.output_schema.as_ref().unwrap()).unwrap();
            assert_eq!(schema["type"], "object", "{}", spec.name());
        }
    }
}
