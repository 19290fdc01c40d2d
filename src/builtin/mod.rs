//! The tools in the box, written with nothing but what a library user has: [`Tool`], [`Arg`](crate::tool::Arg) and
//! [`Output`](crate::tool::Output).

pub(crate) mod exec;
pub(crate) mod gpio;
mod math;
mod system;

use crate::error::Error;
use crate::tool::{Catalog, Tool};

/// Every tool in the box that needs no configuration.
pub fn tools() -> Vec<Tool> {
    let mut tools = math::tools();
    tools.push(system::tool());
    tools
}

/// Offers [`tools`], and says what their scopes allow.
///
/// # Errors
/// When `catalog` has a tool of the same name already.
pub fn offer(catalog: &mut Catalog) -> Result<(), Error> {
    catalog.describe(math::SCOPE, "Calculate with numbers: it sees nothing of the board");
    catalog.describe(system::SCOPE, "Read the board's health: temperature, power, memory, disks, load");
    tools().into_iter().try_for_each(|tool| catalog.add(tool))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_box_can_be_offered_once() {
        let mut catalog = Catalog::default();
        offer(&mut catalog).unwrap();
        assert!(offer(&mut catalog).is_err());
    }

    #[test]
    fn each_scope_says_what_it_allows_and_none_of_them_writes() {
        let mut catalog = Catalog::default();
        offer(&mut catalog).unwrap();
        let scopes = catalog.scopes();
        assert_eq!(scopes.iter().map(|scope| scope.name.as_str()).collect::<Vec<_>>(), ["math", "system:read"]);
        assert!(scopes.iter().all(|scope| !scope.is_write && !scope.about.starts_with("Use ")), "{scopes:?}");
    }

    #[test]
    fn each_tool_has_a_title_a_description_and_a_schema_of_its_output() {
        for tool in tools() {
            let spec = tool.spec();
            assert!(spec.title().is_some() && !spec.about().is_empty(), "{}", spec.name());
            let schema = serde_json::to_value(spec.output_schema.as_ref().unwrap()).unwrap();
            assert_eq!(schema["type"], "object", "{}", spec.name());
        }
    }
}
