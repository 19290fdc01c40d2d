//! From the manual's Markdown to a man page: what of Markdown the manual uses, and no more.

use std::fmt::Write;

/// A page: its title line, then the Markdown.
pub(crate) fn page(title: &str, markdown: &str) -> String {
    let mut page = Page { text: format!("{title}\n"), ..Page::default() };
    let mut lines = markdown.lines().peekable();
    while let Some(line) = lines.next() {
        if line.starts_with("```") {
            page.end_paragraph();
            page.text.push_str(".IP \"\" 2\n.nf\n");
            for line in lines.by_ref().take_while(|line| !line.starts_with("```")) {
                page.line(&escaped(line));
            }
            page.text.push_str(".fi\n");
            page.is_indented = true;
        } else if let Some(row) = line.strip_prefix("| ").or_else(|| line.strip_prefix("|").filter(|_| line.ends_with('|'))) {
            let head: Vec<&str> = page.head.take().unwrap_or_default();
            page.head = Some(page.row(head, row));
        } else {
            page.head = None;
            page.prose(line);
        }
    }
    page.end_paragraph();
    page.text
}

#[derive(Default)]
struct Page<'a> {
    text: String,
    paragraph: String,
    /// The cells of the first row of the table that is read.
    head: Option<Vec<&'a str>>,
    is_indented: bool,
}

impl<'a> Page<'a> {
    /// A line that is no table and no block.
    fn prose(&mut self, line: &str) {
        let numbered = line.split_once(". ").filter(|(number, _)| number.len() < 3 && number.parse::<u8>().is_ok());
        if line.trim().is_empty() {
            self.end_paragraph();
        } else if let Some(heading) = line.strip_prefix("# ") {
            self.end_paragraph();
            let _ = writeln!(self.text, ".SH \"{}\"", inline(heading, "\\fR").replace('"', "\\(dq"));
        } else if let Some(heading) = line.strip_prefix("## ").or_else(|| line.strip_prefix("### ")) {
            self.end_paragraph();
            let _ = writeln!(self.text, ".SS \"{}\"", inline(heading, "\\fR").replace('"', "\\(dq"));
        } else if let Some(item) = line.strip_prefix("- ") {
            self.end_paragraph();
            self.text.push_str(".IP \\(bu 2\n");
            self.is_indented = true;
            item.clone_into(&mut self.paragraph);
        } else if let Some((number, item)) = numbered {
            self.end_paragraph();
            let _ = writeln!(self.text, ".IP {number}. 4");
            self.is_indented = true;
            item.clone_into(&mut self.paragraph);
        } else {
            if self.paragraph.is_empty() && !self.is_item() {
                self.begin_paragraph();
            }
            if !self.paragraph.is_empty() {
                self.paragraph.push(' ');
            }
            self.paragraph += line.trim();
        }
    }

    /// A row of a table, as an entry of a list; returns the first row, by which the others are told.
    fn row(&mut self, head: Vec<&'a str>, row: &'a str) -> Vec<&'a str> {
        let cells = cells(row);
        if cells.iter().all(|cell| cell.chars().all(|c| "-:| ".contains(c)) && !head.is_empty()) {
            return head;
        }
        self.end_paragraph();
        if head.is_empty() {
            return cells;
        }
        let _ = writeln!(self.text, ".TP\n{}", inline(cells[0], "\\fR"));
        let mut told = String::new();
        for (at, cell) in cells.iter().enumerate().skip(1).filter(|(_, cell)| !cell.is_empty()) {
            let name = head.get(at).copied().unwrap_or_default();
            let is_needed = ["needed", "must be there", "it must be given"].contains(cell);
            let _ = if name.starts_with("without") && is_needed {
                write!(told, "Needed. ")
            } else if name == "for" || (at > 1 && !["", "means"].contains(&name)) {
                write!(told, "{}{}: {cell}. ", name[..1].to_uppercase(), &name[1..])
            } else {
                write!(told, "{cell}. ")
            };
        }
        self.line(&inline(told.trim(), "\\fR"));
        self.is_indented = true;
        head
    }

    fn begin_paragraph(&mut self) {
        // After a heading, a paragraph begins by itself.
        let is_first = self.text.lines().last().is_some_and(|line| line.starts_with(".SH") || line.starts_with(".SS"));
        if !is_first {
            self.text.push_str(".PP\n");
        }
        self.is_indented = false;
    }

    /// Whether the last line was the mark of an item, whose text begins.
    fn is_item(&self) -> bool {
        self.text.lines().last().is_some_and(|line| line.starts_with(".IP "))
    }

    fn end_paragraph(&mut self) {
        if !self.paragraph.is_empty() {
            let text = inline(&std::mem::take(&mut self.paragraph), "\\fR");
            self.line(&text);
        }
    }

    fn line(&mut self, line: &str) {
        // A dot or a quote at the beginning would be a request.
        let guard = if line.starts_with(['.', '\'']) { "\\&" } else { "" };
        let _ = writeln!(self.text, "{guard}{line}");
    }
}

/// The cells of a row. A bar within code is written `\|`.
fn cells(row: &str) -> Vec<&str> {
    row.trim_end().trim_end_matches('|').split(" |").map(str::trim).collect()
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\e")
        .replace('-', "\\-")
        .replace('\'', "\\(aq")
        .replace('`', "\\(ga")
        .replace('^', "\\(ha")
        .replace('~', "\\(ti")
}

/// Code and emphasis in bold, links as their text and, where it can be followed from a terminal, their address.
fn inline(text: &str, plain: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['`', '*', '[']) {
        let (before, mark) = rest.split_at(at);
        out += &escaped(before);
        if let Some((code, after)) = mark.strip_prefix("```` ").and_then(|mark| mark.split_once(" ````")) {
            let _ = write!(out, "\\fB{}{plain}", escaped(code));
            rest = after;
        } else if let Some((code, after)) = mark.strip_prefix('`').and_then(|mark| mark.split_once('`')) {
            let _ = write!(out, "\\fB{}{plain}", escaped(code));
            rest = after;
        } else if let Some((strong, after)) = mark.strip_prefix("**").and_then(|mark| mark.split_once("**")) {
            let _ = write!(out, "\\fB{}{plain}", inline(strong, "\\fB"));
            rest = after;
        } else if let Some((label, target, after)) = link(mark) {
            out += &inline(label, plain);
            if target.starts_with("http") {
                let _ = write!(out, " <{}>", escaped(target));
            }
            rest = after;
        } else {
            out.push(mark.chars().next().unwrap());
            rest = &mark[1..];
        }
    }
    out + &escaped(rest)
}

fn link(text: &str) -> Option<(&str, &str, &str)> {
    let (label, rest) = text.strip_prefix('[')?.split_once("](")?;
    let (target, after) = rest.split_once(')')?;
    (!label.contains('[')).then_some((label, target, after))
}
