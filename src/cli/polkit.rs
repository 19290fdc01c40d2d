//! `perchd polkit`: the rule by which systemd lets the service start and stop what the configuration names.

use crate::cli::{Which, Word, next, say, surplus, value};
use crate::config::Services;
use crate::error::{Error, Exit};
use lexopt::Parser;
use serde_json::{Value, json};

const HELP: &str = "\
Prints the polkit rule that lets perchd start, stop and restart the units that
the configuration names as `control` under [services], and no others. Changes
nothing: root puts it where polkit looks.

Usage: perchd polkit [OPTIONS]

  --config FILE         The configuration [the one that `perchd serve` takes]
  --state DIR           Its state folder
  --user NAME           The user that perchd runs as [perchd]

Example:
  perchd polkit | sudo tee /etc/polkit-1/rules.d/50-perchd-services.rules
";

/// Prints the rule.
pub(super) fn run(mut words: Parser) -> Result<(), Error> {
    let (mut which, mut user) = (Which::default(), "perchd".to_owned());
    while let Some(word) = next(&mut words)? {
        match word {
            Word::Option(name) if name == "help" => return say(HELP),
            Word::Option(name) if name == "user" => user = value(&mut words)?,
            Word::Option(name) => which.take(&name, &mut words)?,
            Word::Value(text) => return Err(surplus(&text)),
        }
    }
    if user.is_empty() || !user.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Error::new(Exit::Usage, format!("{user:?} is no name of a user")).remedy("See: perchd polkit --help"));
    }
    let config = which.config()?;
    let units: Vec<&str> = config.allowed.services.iter().flat_map(Services::control).collect();
    if units.is_empty() {
        let what = "there is nothing to allow: no unit may be controlled";
        let place = config.file.map_or_else(|| "[services]".to_owned(), |file| file.display().to_string());
        return Err(Error::new(Exit::Config, what)
            .at(place)
            .remedy("Name units under [services]: control = [\"nginx.service\"]"));
    }
    say(&rule(&user, &units))
}

/// The rule (polkit(8)). JSON is JavaScript, as these texts are ASCII.
fn rule(user: &str, units: &[&str]) -> String {
    let (user, units): (Value, Value) = (json!(user), json!(units));
    format!(
        "// Printed by `perchd polkit`; it belongs into /etc/polkit-1/rules.d/50-perchd-services.rules
polkit.addRule(function (action, subject) {{
    var user = {user};
    var units = {units};
    var verbs = [\"start\", \"stop\", \"restart\"];
    if (action.id == \"org.freedesktop.systemd1.manage-units\" && subject.user == user &&
        units.indexOf(action.lookup(\"unit\")) >= 0 && verbs.indexOf(action.lookup(\"verb\")) >= 0) {{
        return polkit.Result.YES;
    }}
    return polkit.Result.NOT_HANDLED;
}});
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_in_the_rule_as_texts_and_nothing_else() {
        let rule = rule("a\"||true||\"\\", &["dev-\\x2d.swap", "nginx.service"]);
        assert!(rule.contains("var user = \"a\\\"||true||\\\"\\\\\";\n"), "{rule}");
        assert!(rule.contains("var units = [\"dev-\\\\x2d.swap\",\"nginx.service\"];\n"), "{rule}");
    }
}
