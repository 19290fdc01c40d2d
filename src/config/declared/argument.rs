//! Arguments: from their tables to what is checked at each call.

use super::DeclaredArg;
use super::argv::is_name;
use super::shape::ArgTable;
use crate::config::file::Placed;
use crate::config::read::Source;
use crate::config::tree::Named;
use crate::error::Error;
use crate::limits;
use crate::tool::{Arg, Kind, Pattern};
use std::ops::Range;

impl Source<'_> {
    /// The arguments of a tool.
    pub(super) fn arguments(&self, tables: &Named<ArgTable>) -> Result<Vec<DeclaredArg>, Error> {
        if let Some((name, _)) = tables.0.get(limits::ARGUMENTS) {
            let what = format!("there are more than {} arguments", limits::ARGUMENTS);
            return Err(self.fault(name.span(), what, "A model fills few in well: make two tools of it."));
        }
        tables.0.iter().map(|(name, table)| self.argument(name, table)).collect()
    }

    fn argument(&self, name: &Placed<String>, table: &ArgTable) -> Result<DeclaredArg, Error> {
        let name = self.checked(name, argument_name)?;
        let kind = self.checked(&table.r#type, kind)?;
        self.fitting_keys(&kind, table)?;
        let about = table.about.as_deref().unwrap_or_default();
        let arg = match kind {
            Kind::String => self.text(Arg::string(name, about), table)?,
            Kind::Strings => {
                let least = usize::from(!table.optional && table.default.is_none());
                self.text(Arg::strings(name, about).items(least, limits::ARGUMENT_ITEMS), table)?
            }
            Kind::Integer => self.number(Arg::integer(name, about), table)?,
            Kind::Number => self.number(Arg::number(name, about), table)?,
            Kind::Boolean => Arg::boolean(name, about),
        };
        let arg = if table.secret { arg.secret() } else { arg };
        let flag = table.flag.as_ref().map(|flag| self.checked(flag, no_nul)).transpose()?;
        // A flag that is left out is one that is not set.
        let arg = if table.optional || flag.is_some() { arg.optional() } else { arg };
        Ok(DeclaredArg { arg: self.with_default(arg, table)?, allows_dash: table.allow_dash, flag })
    }

    /// Refuses keys that mean nothing for this type: whoever wrote one believes that something is checked.
    fn fitting_keys(&self, kind: &Kind, table: &ArgTable) -> Result<(), Error> {
        let is_text = matches!(kind, Kind::String | Kind::Strings);
        let is_number = matches!(kind, Kind::Integer | Kind::Number);
        let span = |is_good: bool, span: Option<Range<usize>>| span.filter(|_| !is_good);
        let faults = [
            ("enum", span(is_text, table.r#enum.as_ref().map(Placed::span))),
            ("pattern", span(is_text, table.pattern.as_ref().map(Placed::span))),
            ("min_length", span(is_text, table.min_length.as_ref().map(Placed::span))),
            ("max_length", span(is_text, table.max_length.as_ref().map(Placed::span))),
            ("min", span(is_number, table.min.as_ref().map(Placed::span))),
            ("max", span(is_number, table.max.as_ref().map(Placed::span))),
            ("flag", span(*kind == Kind::Boolean, table.flag.as_ref().map(Placed::span))),
        ];
        let Some((key, Some(span))) = faults.into_iter().find(|(_, span)| span.is_some()) else { return Ok(()) };
        let what = format!("`{key}` means nothing for an argument of the type \"{}\"", table.r#type.get_ref());
        Err(self.fault(span, what, "Take it out, or change the type."))
    }

    fn text(&self, arg: Arg, table: &ArgTable) -> Result<Arg, Error> {
        let least = table.min_length.as_ref().map_or(1, |least| *least.get_ref());
        let most = table.max_length.as_ref().map_or(limits::ARGUMENT_CHARS, |most| *most.get_ref());
        let longest = if table.pattern.is_some() { limits::ARGUMENT_CHARS } else { limits::ELEMENT_BYTES };
        if least > most || most > longest || most == 0 {
            let span = table.max_length.as_ref().or(table.min_length.as_ref()).map_or(table.r#type.span(), Placed::span);
            let what = format!("min_length must not be above max_length, nor that above {longest}");
            return Err(self.fault(span, what, "A text with a pattern is held against it, which takes its time."));
        }
        let arg = match &table.r#enum {
            // The choices say how long they are.
            Some(choices) => arg.one_of(self.choices(choices, table.allow_dash)?),
            None => arg.chars(least, most),
        };
        let Some(pattern) = &table.pattern else { return Ok(arg) };
        let compiled = Pattern::new(pattern.get_ref()).map_err(|error| error.at(self.place(Some(pattern.span()))))?;
        Ok(arg.pattern(compiled))
    }

    fn choices(&self, choices: &Placed<Vec<Placed<String>>>, allows_dash: bool) -> Result<Vec<String>, Error> {
        if choices.get_ref().is_empty() {
            return Err(self.fault(choices.span(), "there is nothing in the brackets", "Name what can be chosen."));
        }
        let choice = |choice: &Placed<String>| match choice.get_ref().strip_prefix('-') {
            Some(_) if !allows_dash => {
                Err(self.fault(choice.span(), "this begins with a hyphen, so that it would be refused", DASH))
            }
            _ => self.checked(choice, no_nul),
        };
        choices.get_ref().iter().map(choice).collect()
    }

    fn number(&self, arg: Arg, table: &ArgTable) -> Result<Arg, Error> {
        let bound = |bound: &Option<Placed<f64>>| bound.as_ref().map(|bound| *bound.get_ref());
        // A negative number begins with a hyphen.
        let least = bound(&table.min).unwrap_or(if table.allow_dash { f64::NEG_INFINITY } else { 0.0 });
        let most = bound(&table.max).unwrap_or(f64::INFINITY);
        let span = table.min.as_ref().or(table.max.as_ref()).map_or(table.r#type.span(), Placed::span);
        if least < 0.0 && !table.allow_dash {
            return Err(self.fault(span, "a number below 0 begins with a hyphen, so that it would be refused", DASH));
        }
        // Not a number is never at most anything.
        if least.partial_cmp(&most).is_none_or(std::cmp::Ordering::is_gt) {
            return Err(self.fault(
                span,
                format!("min is {least} and max is {most}: nothing lies between them"),
                "Mend one of them.",
            ));
        }
        Ok(arg.between(least, most))
    }

    fn with_default(&self, arg: Arg, table: &ArgTable) -> Result<Arg, Error> {
        let Some(default) = &table.default else { return Ok(arg) };
        let refused = |what: String| self.fault(default.span(), what, "Give a default that a call could give.");
        let value = arg.check(Some(default.get_ref().clone())).map_err(|error| refused(error.to_string()))?;
        let texts = value.iter().flat_map(|value| value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice));
        if !table.allow_dash && texts.filter_map(|value| value.as_str()).any(|text| text.starts_with('-')) {
            return Err(self.fault(default.span(), "the default begins with a hyphen, so that it would be refused", DASH));
        }
        Ok(arg.default(value.unwrap_or_default()))
    }
}

const DASH: &str = "If the command cannot take it for an option, such as behind `--`: allow_dash = true";

fn kind(name: &str) -> Result<Kind, String> {
    match name {
        "string" => Ok(Kind::String),
        "strings" => Ok(Kind::Strings),
        "integer" => Ok(Kind::Integer),
        "number" => Ok(Kind::Number),
        "boolean" => Ok(Kind::Boolean),
        _ => Err(format!("`{name}` is no type: there are \"string\", \"integer\", \"number\", \"boolean\" and \"strings\"")),
    }
}

pub(super) fn argument_name(name: &str) -> Result<String, String> {
    if is_name(name) {
        return Ok(name.to_owned());
    }
    Err(format!("`{name}` is no name of an argument: 1 to 64 letters, digits and `_`, no digit first"))
}

pub(super) fn no_nul(text: &str) -> Result<String, String> {
    if text.contains('\0') { Err("there is a NUL in it".to_owned()) } else { Ok(text.to_owned()) }
}
