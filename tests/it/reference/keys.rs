//! The keys that the configuration is read by, and those that the manual tells of.

use std::collections::{BTreeMap, BTreeSet};

/// Keys by the table that they stand in: `[auth]`, or `[[tool]] args.NAME`; the top of the file has no name.
pub(crate) type Keys = BTreeMap<String, BTreeSet<String>>;

/// What the shapes of the file read. A shape stands in `tables!`, and says in its comment which table it is.
pub(crate) fn read_by(source: &str) -> Keys {
    let code = source.split("#[cfg(test)]").next().unwrap();
    let mut keys = Keys::new();
    for (comment, rest) in code.split("\n    /// ").skip(1).filter_map(|part| part.split_once('\n')) {
        let Some((_, fields)) = rest.split_once(" {\n").filter(|(head, _)| head.contains("struct ")) else { continue };
        let fields = fields.split("\n    }").next().unwrap();
        let names = fields.lines().filter_map(|line| line.trim().split_once(") ")?.1.split_once(": ")).map(|(name, _)| name);
        let table = coded(comment).join(" ");
        let names: BTreeSet<_> = names.map(|name| name.trim_start_matches("r#").to_owned()).collect();
        assert!(!names.is_empty(), "{comment}");
        assert!(keys.insert(table, names).is_none(), "two shapes are said to be the same table: {comment}");
    }
    keys
}

/// What a page of the manual tells: the rows of its tables of keys, each under the heading of its table.
pub(crate) fn told_by(page: &str) -> Keys {
    let mut keys = Keys::new();
    let (mut table, mut part, mut is_keys) = (String::new(), String::new(), false);
    let is_prose = |line: &&str, is_block: &mut bool| {
        *is_block ^= line.starts_with("```");
        !*is_block
    };
    let mut is_block = false;
    for line in page.lines().filter(|line| is_prose(line, &mut is_block)) {
        if let Some(heading) = line.strip_prefix("# ") {
            (table, part) = (coded(heading).first().copied().unwrap_or_default().to_owned(), String::new());
            // A heading of its own is as good as a row.
            for code in coded(heading).into_iter().filter(|code| code.starts_with('[')) {
                let path = code.trim_matches(['[', ']']).trim_end_matches(".NAME");
                let (above, name) =
                    path.rsplit_once('.').map_or((String::new(), path), |(above, name)| (format!("[{above}]"), name));
                keys.entry(above).or_default().insert(name.to_owned());
            }
        } else if let Some(heading) = line.strip_prefix("## ") {
            part = coded(heading).first().map_or_else(String::new, |code| format!(" {code}"));
        }
        let cell = line.strip_prefix("| ").and_then(|row| row.split(" | ").next());
        is_keys = cell.is_some_and(|cell| is_keys || cell == "key") || (is_keys && line.starts_with("|--"));
        for key in cell.filter(|cell| is_keys && *cell != "key").map(coded).unwrap_or_default() {
            let name = key.trim_end_matches(".NAME").to_owned();
            keys.entry(format!("{table}{part}")).or_default().insert(name);
        }
    }
    keys
}

/// All that stands between backticks.
fn coded(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// What one has and the other has not.
pub(crate) fn missing<'a>(from: &Keys, of: &'a Keys) -> Vec<(&'a str, &'a str)> {
    let is_missing = |table: &str, key: &str| !from.get(table).is_some_and(|keys| keys.contains(key));
    of.iter()
        .flat_map(|(table, keys)| keys.iter().map(move |key| (table.as_str(), key.as_str())))
        .filter(|(table, key)| is_missing(table, key))
        .collect()
}
