//! From the arguments of a call to the command line, byte for byte; or a refusal.

use crate::config::declared::{DeclaredArg, Element, Template};
use crate::limits;
use crate::tool::ToolError;
use serde_json::Value;

/// The command line. `value` says what an argument is, checked against its schema; null is one that was left out.
///
/// An element whose argument was left out is left out itself. Each item of a list is an element, and so is each other value;
/// nothing is ever taken apart.
pub(crate) fn fill<'a>(
    template: &Template,
    args: &[DeclaredArg],
    value: impl Fn(&str) -> &'a Value,
) -> Result<Vec<String>, ToolError> {
    let mut line = vec![template.program.clone()];
    for element in &template.elements {
        match element {
            Element::Literal(text) => line.push(text.clone()),
            Element::Argument { prefix, index } => {
                let Some(arg) = args.get(*index) else { continue };
                match value(arg.arg.name()) {
                    Value::Null => {}
                    Value::Bool(is_set) if arg.flag.is_some() => line.extend(arg.flag.clone().filter(|_| *is_set)),
                    Value::Array(items) => {
                        for item in items {
                            line.push(filled(arg, prefix, &text(item))?);
                        }
                    }
                    other => line.push(filled(arg, prefix, &text(other))?),
                }
            }
        }
    }
    if line.iter().map(|element| element.len() + 1).sum::<usize>() > limits::COMMAND_BYTES {
        return Err(ToolError::new("The arguments together are longer than a command line may be."));
    }
    Ok(line)
}

/// A value as programs write it.
fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// What holds beyond the schema, wherever the value came from.
fn filled(arg: &DeclaredArg, prefix: &str, text: &str) -> Result<String, ToolError> {
    let name = arg.arg.name();
    let refused = |why: &str| Err(ToolError::new(format!("Argument `{name}` {why}.")));
    if text.starts_with('-') && !arg.allows_dash {
        return refused("must not begin with a hyphen: the command would take it for an option");
    }
    if text.contains('\0') {
        return refused("must not have a NUL in it");
    }
    // Behind a folder, a value is the name of something in it.
    if prefix.ends_with('/') && (text.contains('/') || matches!(text, "." | "..")) {
        return refused("must be one name, without slashes");
    }
    if prefix.len() + text.len() > limits::ELEMENT_BYTES {
        return refused("is longer than an element of a command line may be");
    }
    Ok(format!("{prefix}{text}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tool::Arg;
    use serde_json::json;

    /// What becomes of `value` in an element with this prefix.
    fn one(prefix: &str, arg: &DeclaredArg, value: &Value) -> Result<Vec<String>, String> {
        let template = Template {
            program: "/bin/p".to_owned(),
            elements: vec![
                Element::Literal("--".to_owned()),
                Element::Argument { prefix: prefix.to_owned(), index: 0 },
                Element::Literal("end".to_owned()),
            ],
        };
        let checked = arg.arg.check(Some(value.clone())).map_err(|error| error.to_string())?.unwrap_or_default();
        let argv = fill(&template, std::slice::from_ref(arg), |_| &checked).map_err(|error| error.to_string())?;
        assert_eq!((argv[0].as_str(), argv[1].as_str(), argv[argv.len() - 1].as_str()), ("/bin/p", "--", "end"));
        Ok(argv[2..argv.len() - 1].to_vec())
    }

    fn declared(arg: Arg) -> DeclaredArg {
        DeclaredArg { arg, allows_dash: false, flag: None }
    }

    /// Each type, what is refused and what becomes of what is not.
    #[test]
    fn each_type_refuses_what_it_is_not() {
        let text = declared(Arg::string("a", "").chars(1, 200_000));
        let texts = declared(Arg::strings("a", "").chars(1, 9).items(1, 3));
        let integer = declared(Arg::integer("a", "").between(0, 100));
        let number = declared(Arg::number("a", "").between(0, f64::INFINITY));
        let boolean = declared(Arg::boolean("a", ""));
        let refused: &[(&DeclaredArg, Value)] = &[
            (&text, json!(1)),
            (&text, json!(["a"])),
            (&text, json!("")),
            (&text, json!("-")),
            (&text, json!("-rf")),
            (&text, json!("--flag")),
            (&text, json!("a\0b")),
            (&text, json!("x".repeat(131_072))),
            (&texts, json!("a")),
            (&texts, json!([])),
            (&texts, json!(["a", 1])),
            (&texts, json!(["a", "-b"])),
            (&texts, json!(["a", "b\0"])),
            (&texts, json!(["a", "b", "c", "d"])),
            (&integer, json!("1")),
            (&integer, json!(1.5)),
            (&integer, json!(-1)),
            (&integer, json!(101)),
            (&number, json!("1")),
            (&number, json!(-0.5)),
            (&number, json!(-0.0)),
            (&boolean, json!("true")),
            (&boolean, json!(1)),
        ];
        for (arg, value) in refused {
            assert!(one("", arg, value).is_err(), "{arg:?} {value}");
        }
    }

    #[test]
    fn each_type_becomes_elements() {
        let flag = DeclaredArg { flag: Some("--now".to_owned()), ..declared(Arg::boolean("a", "").optional()) };
        let dashing = DeclaredArg { allows_dash: true, ..declared(Arg::integer("a", "")) };
        let table: &[(DeclaredArg, Value, &[&str])] = &[
            (declared(Arg::string("a", "")), json!("x y"), &["x y"]),
            (declared(Arg::string("a", "").optional()), Value::Null, &[]),
            (declared(Arg::string("a", "").default("d")), Value::Null, &["d"]),
            (declared(Arg::strings("a", "")), json!(["x", "", "y z"]), &["x", "", "y z"]),
            (declared(Arg::strings("a", "").optional()), json!([]), &[]),
            (declared(Arg::integer("a", "")), json!(3.0), &["3"]),
            (declared(Arg::integer("a", "")), json!(u64::MAX), &["18446744073709551615"]),
            (declared(Arg::number("a", "")), json!(0.25), &["0.25"]),
            (declared(Arg::boolean("a", "")), json!(false), &["false"]),
            (dashing, json!(-5), &["-5"]),
            (flag.clone(), json!(true), &["--now"]),
            (flag.clone(), json!(false), &[]),
            (flag, Value::Null, &[]),
        ];
        for (arg, value, elements) in table {
            assert_eq!(one("", arg, value).unwrap(), *elements, "{arg:?} {value}");
        }
        assert_eq!(one("--lines=", &declared(Arg::integer("a", "")), &json!(7)).unwrap(), ["--lines=7"]);
        assert!(one("--lines=", &declared(Arg::integer("a", "").optional()), &Value::Null).unwrap().is_empty());
    }

    #[test]
    fn behind_a_folder_stands_one_name() {
        let arg = declared(Arg::string("a", ""));
        for name in ["..", ".", "a/b", "../etc/passwd", "/etc/passwd", "a/.."] {
            assert!(one("/srv/photos/", &arg, &json!(name)).unwrap_err().contains("one name"), "{name}");
        }
        assert_eq!(one("/srv/photos/", &arg, &json!("..a")).unwrap(), ["/srv/photos/..a"]);
    }

    #[test]
    fn a_command_line_that_the_kernel_would_refuse_is_refused_in_words() {
        let arg = declared(Arg::strings("a", "").items(1, 64).chars(1, 100_000));
        assert!(one("", &arg, &json!(vec!["x".repeat(100_000); 20])).unwrap_err().contains("together"));
        assert!(one("", &arg, &json!(vec!["x".repeat(100_000); 10])).is_ok());
    }
}
