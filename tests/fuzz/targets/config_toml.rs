//! Any text as a configuration: it is read, or the fault has a line that is in the text, and a remedy.
#![no_main]

use libfuzzer_sys::fuzz_target;
use perchd::Config;
use std::path::Path;

fuzz_target!(|text: &str| {
    let Err(error) = Config::parse(text, Path::new("/f")) else { return };
    let told = error.to_string();
    assert_eq!(error.exit().code(), 78, "{told}");
    assert!(told.contains("\n  "), "no remedy: {told}");
    let Some(place) = told.strip_prefix("/f:") else {
        // What no line of its own is to blame for, such as an address that two keys together make too open.
        return assert!(told.starts_with("/f: "), "{told}");
    };
    if place.starts_with(' ') {
        return;
    }
    let digits = place.split(':').next().unwrap_or_default();
    let line: usize = digits.parse().unwrap_or_else(|_| panic!("no line: {told}"));
    assert!((1..=text.matches('\n').count() + 1).contains(&line), "{line}: {told}");
});
